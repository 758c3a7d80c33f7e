"""The store's tables: for README and the site as Markdown, for the dashboard as HTML.

A figure is a median. A ratio is the other's time over fastnn's, taken in turn in one process.
"""

import ast
import itertools
import statistics
from dataclasses import dataclass
from html import escape
from pathlib import Path

from .comparisons import OURS, PEAK, SIDE, beside, name_of
from .results import Value
from .text import digits, quantity, spread

SUITE = Path(__file__).parents[1] / "benchmarks"
BESIDE = {
    "training.Training": "Training",
    "precision.Bfloat16": "Products of bfloat16",
    "prediction.Prediction": "Prediction",
    "estimators.Classifier": "In place of scikit-learn's estimators",
    "fleets.Fleets": "Fleets",
    "searches.Searches": "Searches",
    "searches.Halving": "Halving",
    "course.Runs": "Courses",
    "course.Helpers": "Helpers of courses",
    "kernels.Products": "Products",
    "kernels.Kernels": "Other kernels",
}
# (title, class of the suite, its function, the parameter along the columns)
PLAIN = (
    ("By threads", "training.Threads", "track_seconds", "threads"),
    ("Fleets by threads", "fleets.Threads", "track_seconds", "threads"),
    ("The start of `fit`", "training.Start", "track_start", None),
    ("A row inside compiled code", "prediction.Compiled", "track_row", None),
    ("First runs", "first.FirstRun", "track_cpu_seconds", "cache"),
    ("Tiny numbers", "subnormals.Subnormals", "track_ratio", None),
)
CHARTS = "training", ("Width", "Depth", "Batch")  # shown as such
NO_FIGURES = ("track_ratio", "track_seconds", "track_version")  # of comparisons, or no measurement


@dataclass(frozen=True)
class Cell:
    """Text, and where it comes from."""

    text: str
    value: Value | None = None
    verdict: str = ""

    def html(self):
        if self.value is None:
            return f"<td>{escape(self.text)}</td>"
        shown, value = f'<a href="{escape(self.value.link())}">{escape(self.text)}</a>', self.value
        between = spread(value.low, value.high, value.unit)
        return f'<td class="{self.verdict}" title="{escape(between)}">{shown}</td>'


@dataclass(frozen=True)
class Table:
    """`rows`: the name of a case, and a cell for each head but the first."""

    title: str
    note: str
    heads: list[str]
    rows: list[list[Cell]]

    @property
    def texts(self):
        return [[cell.text for cell in row] for row in self.rows]

    def markdown(self, level=2):
        lines = [f"{'#' * level} {self.title}", ""] if level else []
        if self.note:
            lines += [self.note, ""]
        lines += [f"| {' | '.join(self.heads)} |", "|---|" + "---:|" * (len(self.heads) - 1)]
        return "\n".join(lines + [f"| {' | '.join(row)} |" for row in self.texts])

    def html(self):
        """In a frame that scrolls by itself where the page is narrow."""
        heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in self.heads)
        rows = "\n".join(
            f'<tr><th scope="row">{escape(name.text)}</th>{"".join(cell.html() for cell in cells)}</tr>'
            for name, *cells in self.rows
        )
        title, note = (escape(text.replace("`", "")) for text in (self.title, self.note))
        return (
            f'<h3>{title}</h3>\n<p class="note">{note}</p>\n'
            f'<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table>\n'
            f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
        )


def note_of(group):
    """What the class "module.Class" of the suite says of itself first; "" where there is none."""
    module, _, name = group.partition(".")
    path = SUITE / f"{module}.py"
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    found = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    docstring = next(map(ast.get_docstring, found), None) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def _times(pair):
    return Cell(pair.times, pair.ratio, pair.verdict)


def _share(pair):
    return Cell(f"{1 / pair.ratio.median:.0%}", pair.ratio)


def _beside(group, pairs):
    """A row a case: our seconds, the share of the FMA peak where it was measured, and each peer's ratio."""
    peers = [name for name in dict.fromkeys(pair.against for pair in pairs) if name != PEAK]
    shares = any(pair.against == PEAK for pair in pairs)
    rows = []
    for case, items in itertools.groupby(pairs, key=lambda pair: pair.case):
        by_peer = {pair.against: pair for pair in items}
        ours = [pair.ours for pair in by_peer.values() if pair.ours]
        median = statistics.median(x.median for x in ours) if ours else 0
        row = [Cell(case), Cell(quantity(median, "seconds"), ours[0]) if ours else Cell("")]
        if shares:
            row.append(_share(by_peer[PEAK]) if PEAK in by_peer else Cell(""))
        rows.append(row + [_times(by_peer[peer]) if peer in by_peer else Cell("–") for peer in peers])
    heads = ["", OURS, *["of the FMA peak"] * shares, *peers]
    return Table(BESIDE.get(group, group), note_of(group), heads, rows)


def _plain(report, title, group, function, across):
    values = [v for v in report.of(function) if v.group == group]
    columns = list(dict.fromkeys(v.case[across] for v in values)) if across else [""]
    rows = {}
    for value in values:
        factor = value.unit.startswith("of ")
        text = digits(value.median) + "x" if factor else quantity(value.median, value.unit)
        times = report.median(f"{group}.track_ratio", *value.case.values()) if across == "threads" else None
        if times and value.case[across] != "1":
            text += f" ({digits(1 / times)}x)"
        rows.setdefault(name_of(value, without=across), {})[value.case.get(across, "")] = Cell(text, value)
    heads = ["", *(f"{across} {x}" if x.isdigit() else x or "median" for x in columns)]
    cells = [[Cell(name), *(row.get(x, Cell("–")) for x in columns)] for name, row in rows.items()]
    return Table(title, note_of(group), heads, cells)


def tables(report):
    """All of one machine that have a title of their own."""
    pairs = beside(report)
    for group in BESIDE:
        if own := [pair for pair in pairs if pair.ratio.group == group]:
            yield _beside(group, own)
    for plain in PLAIN:
        if (table := _plain(report, *plain)).rows:
            yield table


def others(report):
    """What is in no other table and on no chart, under the names that asv has for it."""
    shown = {(group, function) for _, group, function, _ in PLAIN}
    left = [
        v
        for v in report.values
        if v.module != CHARTS[0] or v.group.rpartition(".")[2] not in CHARTS[1]
        if v.quantity not in NO_FIGURES or (SIDE not in v.case and v.quantity != "track_version")
        if (v.group, v.quantity) not in shown
    ]
    for name in dict.fromkeys(value.benchmark for value in left):
        group, _, function = name.rpartition(".")
        yield _plain(report, name, group, function, None)


def shares(reports):
    """The share of the FMA peak by network and CPU, of all machines where it was measured; or None."""
    found = {
        report.machine["cpu"]: {
            pair.case: _share(pair) for pair in beside(report)
            if pair.against == PEAK and pair.ratio.group == "training.Training"
        }
        for report in reports
    }  # fmt: skip
    found = {cpu: column for cpu, column in found.items() if column}
    cases = list(dict.fromkeys(case for column in found.values() for case in column))
    if not cases:
        return None
    rows = [[Cell(case), *(column.get(case, Cell("–")) for column in found.values())] for case in cases]
    note = "Of a training step, one thread; the peak of each CPU is measured in turn with it."
    return Table("Share of the FMA peak by CPU", note, ["network", *found], rows)
