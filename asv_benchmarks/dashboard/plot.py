"""Log-log plots as SVG text: nothing to load, readable on light and dark, by mouse, keyboard and ear."""

import itertools
import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

from .text import quantity

STYLE = Path(__file__).with_name("plot.css").read_text()
WIDTH, HEIGHT = 440, 300
LEFT, TOP, BOTTOM = 62, 34, 46
STYLES = 6  # how many lines plot.css tells apart
LETTER = 6.4  # the width of one in a label, about


@dataclass(frozen=True)
class Point:
    """Where a line passes, and the quartiles of what was measured there."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Chart:
    """Lines by their labels, over one parameter; with round_x, a point alone has its label beside it."""

    title: str
    x_label: str
    unit: str
    lines: dict[str, list[Point]]
    ends: tuple[float, float] | None = None  # of the vertical axis, where the points do not say them
    round_x: bool = False  # ticks at round numbers, where points stand at others


class _Axis:
    """Positive numbers between `low` and `high` to pixels between `start` and `stop`, by their logarithms."""

    def __init__(self, low, high, start, stop):
        low, high = (low / 2, high * 2) if low == high else (low, high)
        self._low, self._scale = math.log(low), (stop - start) / math.log(high / low)
        self._start = start
        self.ends = low, high

    def __call__(self, value):
        return round(self._start + (math.log(value) - self._low) * self._scale, 1)

    def apart(self, values, pixels):
        """Those of the sorted `values` that lie at least `pixels` from the last one taken."""
        taken = []
        for value in values:
            if not taken or abs(self(value) - self(taken[-1])) >= pixels:
                taken.append(value)
        return taken

    def round_numbers(self):
        """Powers of ten within the ends; where those are few, 1, 2, 5 ..., or 1, 2, 3 ..., or 1, 1.1 ..."""
        low, high = self.ends
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factors in ((1,), (1, 2, 5), range(1, 10), [n / 10 for n in range(10, 100)]):
            ticks = [f * 10.0**d for d, f in itertools.product(decades, factors)]
            ticks = [tick for tick in ticks if low <= tick <= high]
            if len(ticks) >= 3:
                break
        return ticks


def _spaced(positions, gap, stop):
    """Nudge sorted pixel positions apart by `gap` where they are closer, none beyond `stop`."""
    placed = []
    for position in positions:
        placed.append(max(position, placed[-1] + gap) if placed else position)
    for i in range(len(placed) - 1, -1, -1):
        placed[i] = min(placed[i], stop - gap * (len(placed) - 1 - i))
    return placed


def _free(x, y, width, taken):
    """Where a label beside its point can be read: at (x, y), or below those in `taken`, which it joins."""
    for left, other, right in sorted(taken, key=lambda label: label[1]):
        if left < x + width and x < right and abs(y - other) < 13:
            y = other + 13
    taken.append((x, y, x + width))
    return x, y


def _text(x, y, words, kind=""):
    return f'<text x="{x}" y="{y}"{f" class={kind!r}" if kind else ""}>{escape(words)}</text>'.replace(
        "'", '"'
    )


def _tick(number):
    """1024, 10k, 1M"""
    if number < 10_000:
        return f"{number:g}"
    return f"{number / 1e3:g}k" if number < 1e6 else f"{number / 1e6:g}M"


def _grid(x, y, xs, chart, right):
    """The lines behind, with their numbers."""
    bottom = HEIGHT - BOTTOM
    for tick in x.apart(x.round_numbers() if chart.round_x else xs, 30):
        yield f'<path class="grid" d="M{x(tick)} {TOP}V{bottom}"/>'
        yield _text(x(tick), bottom + 16, _tick(tick), "middle")
    for tick in y.apart(y.round_numbers(), 18):
        yield f'<path class="grid" d="M{LEFT} {y(tick)}H{right}"/>'
        yield _text(LEFT - 7, y(tick) + 4, quantity(tick, chart.unit, "{:g}".format), "end")
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    yield _text((LEFT + right) / 2, HEIGHT - 8, chart.x_label, "middle name")


def _line(label, points, number, chart, x, y):
    """The band between the quartiles, the line, and a dot with a tip for each point."""
    up = " ".join(f"{x(p.x)},{y(p.high)}" for p in points)
    down = " ".join(f"{x(p.x)},{y(p.low)}" for p in reversed(points))
    yield f'<g class="line line-{number % STYLES}"><polygon class="band" points="{up} {down}"/>'
    yield f'<polyline points="{" ".join(f"{x(p.x)},{y(p.y)}" for p in points)}"/>'
    for p in points:
        tip = f"{label}, {chart.x_label} {p.x:g}: {quantity(p.y, chart.unit)}"
        yield f'<circle cx="{x(p.x)}" cy="{y(p.y)}" r="3"><title>{escape(tip)}</title></circle>'
    yield "</g>"


def draw(chart, left=0, top=0):
    """The chart as an <svg> element of WIDTH x HEIGHT, for a page or at (left, top) within another one."""
    points = [p for line in chart.lines.values() for p in line]
    xs = sorted({p.x for p in points})
    room = 14 + LETTER * max(map(len, chart.lines))
    right = round(WIDTH - min(room, WIDTH / 3))
    x = _Axis(xs[0], xs[-1], LEFT + 8, right - 8)
    ends = chart.ends or (min(p.low for p in points), max(p.high for p in points))
    y = _Axis(*ends, HEIGHT - BOTTOM - 8, TOP + 8)
    summary = f"{chart.title}: " + "; ".join(
        f"{label} from {quantity(line[0].y, chart.unit)} at {chart.x_label} {line[0].x:g} "
        f"to {quantity(line[-1].y, chart.unit)} at {line[-1].x:g}"
        for label, line in chart.lines.items()
    )
    parts = [
        f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(summary)}">',
        _text(8, 18, chart.title, "title"),
        *_grid(x, y, xs, chart, right),
    ]
    for number, (label, line) in enumerate(chart.lines.items()):
        parts += _line(label, line, number, chart, x, y)
    ends = sorted((y(line[-1].y) + 4, i, label) for i, (label, line) in enumerate(chart.lines.items()))
    heights = _spaced([height for height, *_ in ends], 14, HEIGHT - BOTTOM)
    taken = []
    for height, (own, i, label) in zip(heights, ends, strict=True):
        line, place = chart.lines[label], (right + 4, height)
        if chart.round_x and len(line) == 1:
            place = _free(x(line[0].x) + 7, own, LETTER * len(label), taken)
        parts.append(_text(*place, label, f"label line-{i % STYLES}"))
    return "\n".join([*parts, "</svg>"])


def picture(charts, columns=2):
    """Charts side by side as one SVG file that carries its own style."""
    rows = math.ceil(len(charts) / columns)
    columns = min(columns, len(charts))
    size = WIDTH * columns, HEIGHT * rows
    inner = [draw(chart, WIDTH * (i % columns), HEIGHT * (i // columns)) for i, chart in enumerate(charts)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
            f'width="{size[0]}" height="{size[1]}">',
            f"<style>\n{STYLE}</style>",
            f'<rect class="paper" width="{size[0]}" height="{size[1]}"/>',
            *inner,
            "</svg>\n",
        ]
    )
