"""What notebooks show: small tables, and curves as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite

COLORS = ("#1f77b4", "#ff7f0e")
WIDTH, HEIGHT = 320, 100


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of texts and numbers."""
    lines = [f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def curves(series: Mapping[str, Sequence[float]]) -> str:
    """Lines over the same epochs, with a common scale."""
    values = [value for line in series.values() for value in line if isfinite(value)]
    if not values:
        return ""
    low, high = min(values), max(values)
    lines = []
    for (name, line), color in zip(series.items(), COLORS, strict=False):
        step = max(1, len(line) // WIDTH)
        points = " ".join(
            f"{WIDTH * i / max(1, len(line) - 1):.0f},{HEIGHT * (high - line[i]) / ((high - low) or 1):.0f}"
            for i in range(0, len(line), step)
            if isfinite(line[i])
        )
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{color}">'
            f"<title>{escape(name)}</title></polyline>"
        )
    box = f'width="{WIDTH}" height="{HEIGHT}" viewBox="-2 -2 {WIDTH + 4} {HEIGHT + 4}"'
    return f"<svg {box}>{''.join(lines)}</svg>"
