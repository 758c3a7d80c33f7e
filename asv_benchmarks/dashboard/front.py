"""The front page: what fastnn wins and loses, how its time grows, and every other figure of the suite."""

from html import escape
from pathlib import Path
from string import Template

from . import plot, tables
from .charts import MODULE as SCALING
from .charts import charts
from .comparisons import comparisons
from .text import quantity

HERE = Path(__file__).parent
# Of comparisons, which have tables of their own, and of what is no measurement.
ELSEWHERE = ("track_ratio", "track_speedup", "track_seconds", "track_reference_seconds", "track_version")


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
        return "Nothing has been compared with fastnn yet: run the whole suite."
    ends = (choose(compared, key=lambda c: c.speedup.median) for choose in (max, min))
    best, worst = (
        f'<a href="#{tables.anchor(c.speedup)}">{c.times}</a> against {escape(c.against)} ({escape(c.case)})'
        for c in ends
    )
    return f"fastnn is {counted(compared)}. The best is {best}, the worst {worst}."


def _section(name, title, note, body):
    return f'<section id="{name}"><h2>{title}</h2>\n<p class="note">{note}</p>\n{body}\n</section>'


def _plots(report):
    for chart, value, x_axis in charts(report):
        link = f'<a href="{escape(value.link(x_axis))}">{escape(chart.title)} in asv</a>'
        yield f"<figure>{plot.draw(chart)}<figcaption>{link}</figcaption></figure>"


def page(report):
    """The whole page as text."""
    compared = comparisons(report)
    rest = [v for v in report.values if v.quantity not in ELSEWHERE and v.module != SCALING]
    sections = []
    if compared:
        body = "\n".join(tables.comparison_tables(compared, report))
        note = "The other's time over fastnn's: above 1x fastnn is faster. Bars are logarithmic."
        sections.append(_section("comparisons", "Wins and losses", note, body))
    if plots := "\n".join(_plots(report)):
        note = "Logarithmic axes; the bands reach from the first quartile to the third. Less is better."
        sections.append(_section("scaling", "How time grows", note, f'<div class="plots">{plots}</div>'))
    if rest:
        body = "\n".join(tables.value_tables(rest, report))
        sections.append(_section("all", "Everything else", "Medians and quartiles.", body))
    return Template((HERE / "front.html").read_text()).substitute(
        style=(HERE / "front.css").read_text() + plot.STYLE,
        headline=headline(compared),
        sections="\n".join(sections),
        facts="\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts(report)),
    )
