"""The front pages, one a machine: wins and losses, how time grows, and every other figure of the suite."""

import itertools
from html import escape
from pathlib import Path
from string import Template

from . import plot
from .charts import charts
from .comparisons import comparisons
from .tables import others, tables
from .text import quantity

HERE = Path(__file__).parent


def facts(report):
    """(name, text) of what the figures hold for."""
    machine = report.machine
    yield "Date", str(report.measured)
    more = f", the last of {report.commits} measured" if report.commits > 1 else ""
    yield "Commit", report.commit[:8] + more
    count = f"{machine['num_cpu']} CPUs" if machine["num_cpu"] else ""
    yield "Processor", ", ".join(filter(None, [machine["cpu"], count, machine["arch"]])) or "unknown"
    if machine["ram"].isdigit():
        yield "Memory", quantity(int(machine["ram"]), "bytes")
    yield "System", machine["os"] or "unknown"
    yield "Versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())
    if report.threads:
        yield "Threads", f"{report.threads}, but where a case says otherwise"


def counted(compared):
    """ "faster in 5 of 7 comparisons, even in 1, slower in 1" """
    count = {verdict: sum(c.verdict == verdict for c in compared) for verdict in ("faster", "even", "slower")}
    rest = "".join(f", {verdict} in {count[verdict]}" for verdict in ("even", "slower") if count[verdict])
    return f"faster in {count['faster']} of {len(compared)} comparisons{rest}"


def headline(compared):
    if not compared:
        return "Nothing has been compared at this edition of the suite: run `suite.py figures`."
    ends = (choose(compared, key=lambda c: c.ratio.median) for choose in (min, max))
    best, worst = (
        f'<a href="{escape(c.ratio.link())}">{c.times}</a> against {escape(c.against)} ({escape(c.case)})'
        for c in ends
    )
    return f"fastnn is {counted(compared)}. The best is {best}, the worst {worst}."


def _section(name, title, note, body):
    return f'<section id="{name}"><h2>{title}</h2>\n<p class="note">{note}</p>\n{body}\n</section>'


def _plots(report):
    for chart, value, x_axis in charts(report):
        link = f'<a href="{escape(value.link(x_axis))}">{escape(chart.title)} in asv</a>'
        yield f"<figure>{plot.draw(chart)}<figcaption>{link}</figcaption></figure>"


def file_of(report, reports):
    """The first machine's page is the front page."""
    return "index.html" if report is reports[0] else f"machine-{report.name}.html"


def _selector(report, reports):
    """A way to the pages of other machines, where there are some."""
    if len(reports) < 2:
        return ""
    options = ""
    for other in reports:
        words = f"{other.machine['cpu'] or other.name}, {other.machine['num_cpu']} CPUs, {other.measured}"
        chosen = " selected" if other is report else ""
        options += f'<option value="{escape(file_of(other, reports))}"{chosen}>{escape(words)}</option>'
    return f'<label>Machine <select onchange="location.assign(this.value)">{options}</select></label>'


def page(report, reports=()):
    """The whole page of one machine as text."""
    sections = []
    if shown := "\n".join(table.html() for table in tables(report)):
        note = (
            "Medians; a tip says the quartiles, a link leads to the graph over the commits. "
            "What has an x is the other's time over fastnn's: above 1x fastnn is faster."
        )
        sections.append(_section("tables", "Figures", note, shown))
    if plots := "\n".join(_plots(report)):
        note = "Logarithmic axes; the bands reach from the first quartile to the third. Less is better."
        sections.append(_section("scaling", "How time grows", note, f'<div class="plots">{plots}</div>'))
    folded = ""
    for module, own in itertools.groupby(others(report), key=lambda table: table.title.partition(".")[0]):
        body = "\n".join(table.html() for table in own)
        folded += f"<details><summary>{escape(module)}</summary>{body}</details>\n"
    if folded:
        sections.append(_section("others", "Everything else", "By the suite's names.", folded))
    return Template((HERE / "front.html").read_text()).substitute(
        style=(HERE / "front.css").read_text() + plot.STYLE,
        headline=headline(comparisons(report)),
        selector=_selector(report, reports),
        sections="\n".join(sections),
        facts="\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts(report)),
    )
