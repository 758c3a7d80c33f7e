"""How seconds grow with one thing: the suite's classes of that kind as charts."""

import itertools

from .comparisons import beside, name_of
from .plot import Chart, Point
from .tables import CHARTS


def charts(report):
    """(Chart, the first value on it, its x axis) for each class of benchmarks that grows along one thing."""
    for name in CHARTS[1]:
        values = [v for v in report.values if v.group == f"{CHARTS[0]}.{name}" and v.median > 0]
        axis, lines = name.lower(), {}
        for value in values:
            point = Point(float(value.case[axis]), value.median, value.low, value.high)
            lines.setdefault(name_of(value, without=axis), []).append(point)
        if values:
            lines = {label: sorted(line, key=lambda point: point.x) for label, line in lines.items()}
            yield Chart(f"Step by {axis}", axis, values[0].unit, lines), values[0], axis


README_PEERS = "JAX", "PyTorch", "scikit-learn"
README_CASES = "2-4-1,", "30-128-1,", "64-64-64-1,", "784-128-10,", "784-512-256-10,", "256-1024-1024-16,"


def parameters(case):
    """How many a network has, by the name of its case: of "2-4-1, batch 32", 17."""
    widths = [int(width) for width in case.partition(",")[0].split("-")]
    return sum((a + 1) * b for a, b in itertools.pairwise(widths))


def speedups(reports):
    """A chart for each machine where others were measured: how many times their step takes ours, by size."""
    found = {}
    for report in reports:
        lines = found.setdefault(report.machine["cpu"], {})
        for pair in beside(report):
            ratio = pair.ratio
            if ratio.group == "training.Training" and pair.case.startswith(README_CASES):
                if pair.against in README_PEERS:
                    point = Point(parameters(pair.case), 1 / ratio.median, 1 / ratio.high, 1 / ratio.low)
                    lines.setdefault(pair.against, []).append(point)
    found = {cpu: lines for cpu, lines in found.items() if any(map(len, lines.values()))}
    points = [p for lines in found.values() for line in lines.values() for p in line]
    ends = min([1, *(p.low for p in points)]), max([1, *(p.high for p in points)])
    for cpu, lines in found.items():
        lines = {peer: sorted(lines[peer], key=lambda p: p.x) for peer in README_PEERS if peer in lines}
        yield Chart(f"Speed-up on {cpu}", "parameters of the network", "x", lines, ends, round_x=True)
