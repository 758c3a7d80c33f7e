"""The tables of the front page."""

import itertools
import math
import re
from html import escape

from .comparisons import name_of
from .notes import note_of
from .plot import sparkline
from .text import quantity, spread

TITLES = {
    "ratios": "Against NumPy",
    "peers": "Against other libraries",
    "estimators": "Against scikit-learn's estimators",
    "course": "Against course code in NumPy",
    "peak": "How near to the peak of multiply-adds",
    "training": "Training",
    "inference": "Predictions",
    "kernels": "Kernels",
    "startup": "Before work begins",
    "memory": "Memory",
    "quality": "What training comes to",
}


def title_of(module):
    return TITLES.get(module, module.replace("_", " ").capitalize())


def caption_of(group):
    """Of a class of comparisons: "Against other libraries: training"."""
    module, _, name = group.partition(".")
    return f"{title_of(module)}: {name.lower()}"


def _table(caption, heads, rows, kind=""):
    """`heads`: (text, class); in a frame that scrolls by itself where the page is narrow."""
    cells = "".join(f'<th scope="col" class="{style}">{escape(text)}</th>' for text, style in heads)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="{kind}">\n'
        f"<thead><tr>{cells}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def _name(name):
    """To break between its parts and at underscores only."""
    parts = escape(name).split(", ")
    return ", ".join(p.replace("_", "_<wbr>") if "_" in p else f"<span>{p}</span>" for p in parts)


def _figure(value, kind="number"):
    """A median above its quartiles, or nothing."""
    if value is None:
        return f'<td class="{kind}"></td>'
    between = spread(value.low, value.high, value.unit)
    below = f"<small>{escape(between)}</small>" if between else ""
    return f'<td class="{kind}">{escape(quantity(value.median, value.unit))}{below}</td>'


def _history(value, report):
    """The way to the value, which leads to asv's graph of it."""
    words = f"graph of {name_of(value)} over the commits"
    inner = sparkline([past.median for past in report.history(value)]) or "graph"
    return f'<td><a href="{escape(value.link())}" aria-label="{escape(words)}">{inner}</a></td>'


def anchor(value):
    """The id of a value's row."""
    return re.sub(r"\W+", "-", " ".join([value.benchmark, *value.case.values()]))


def _comparison(comparison, report, widest):
    value = comparison.speedup
    size = abs(math.log(value.median)) / widest
    return (
        f'<tr id="{anchor(value)}"><th scope="row">{_name(comparison.case)}</th>'
        f"<td>{escape(comparison.against)}</td>"
        f"{_figure(comparison.ours, 'number wide')}{_figure(comparison.theirs, 'number wide')}"
        f'<td class="verdict {comparison.verdict}"><strong>{comparison.times}</strong> {comparison.verdict}'
        f'<span class="bar" style="--size: {size:.1%}"></span>'
        f"<small>{escape(spread(value.low, value.high, value.unit))}</small></td>"
        f"{_history(value, report)}</tr>"
    )


def comparison_tables(compared, report):
    """A table for each class of comparisons; bars have one logarithmic scale."""
    widest = max((abs(math.log(c.speedup.median)) for c in compared), default=0) or 1
    heads = [
        ("case", "case"),
        ("against", ""),
        ("fastnn", "number wide"),
        ("the other", "number wide"),
        ("speed-up", "verdict"),
        ("over commits", ""),
    ]
    for group, items in itertools.groupby(compared, key=lambda comparison: comparison.speedup.group):
        caption = caption_of(group)
        yield f"<h3>{escape(caption)}</h3>"
        if note := note_of(group):
            yield f'<p class="note">{escape(note)}</p>'
        yield _table(caption, heads, [_comparison(c, report, widest) for c in items], "comparison")


def value_tables(values, report):
    """A folded table for each module: every case with its median, its quartiles and its history."""
    heads = [("benchmark", ""), ("case", ""), ("median", "number"), ("over commits", "")]
    for module, items in itertools.groupby(values, key=lambda value: value.module):
        rows = [
            f'<tr><th scope="row">{_name(value.benchmark.partition(".")[2])}</th>'
            f"<td>{_name(name_of(value))}</td>{_figure(value)}{_history(value, report)}</tr>"
            for value in items
        ]
        title = title_of(module)
        yield f"<details><summary>{escape(title)} ({len(rows)})</summary>"
        yield _table(title, heads, rows) + "</details>"
