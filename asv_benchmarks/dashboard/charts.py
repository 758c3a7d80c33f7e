"""How seconds grow with one thing: the suite's module `scaling` as charts."""

import itertools

from .comparisons import name_of
from .plot import Chart, Point

MODULE = "scaling"


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _x_axis(values):
    """The parameter with the most numbers to go along, or None where none has two."""
    counts = {}
    for name in values[0].case:
        numbers = {_number(value.case[name]) for value in values}
        if None not in numbers and all(number > 0 for number in numbers):
            counts[name] = len(numbers)
    best = max(counts, key=counts.get, default=None)
    return best if best is not None and counts[best] >= 2 else None


def charts(report):
    """(Chart, the first value on it, its x axis) for each benchmark that has something to grow along."""
    scaling = (v for v in report.values if v.module == MODULE and v.median > 0)
    for _, group in itertools.groupby(scaling, key=lambda value: value.benchmark):
        values = list(group)
        x_axis = _x_axis(values)
        if x_axis is None:
            continue
        lines = {}
        for value in values:
            point = Point(float(value.case[x_axis]), value.median, value.low, value.high)
            label = name_of(value, without=x_axis) if len(value.params) > 1 else "fastnn"
            lines.setdefault(label, []).append(point)
        lines = {label: sorted(line, key=lambda point: point.x) for label, line in lines.items()}
        title = f"{values[0].quantity.partition('_')[2].replace('_', ' ').capitalize()} by {x_axis}"
        yield Chart(title, x_axis, values[0].unit, lines), values[0], x_axis
