"""Pictures of a training and of what matters to a model, drawn into files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.cli.explain import Importances
from fastnn.cli.inputs import InputError
from fastnn.files import write_bytes

MOST_BARS = 30


def check_picture(path: Path) -> None:
    """matplotlib is there, and can write such a file."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise InputError("--plot needs matplotlib: pip install 'fastnn[plot]'") from None
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        raise InputError(f"--plot {str(path)!r}: the name is to end in one of {', '.join(sorted(kinds))}")


def draw_curves(history: Sequence[Mapping[str, Any]], score_name: str, path: Path) -> None:
    """Costs and held-out score over the epochs: the mean of the networks that were trained so long."""
    from fastnn.plots import learning_curves

    names = {"cost": "training cost", "val_cost": "held-out cost", "val_score": f"held-out {score_name}"}
    curves = {names[name]: _mean_curve([told[name] for told in history]) for name in names}
    _draw(path, lambda ax: learning_curves({name: curve for name, curve in curves.items() if len(curve)}, ax))


def _mean_curve(curves: Sequence[Sequence[float]]) -> Array:
    longest = max(map(len, curves))
    table = np.full((len(curves), longest), np.nan)
    for row, curve in zip(table, curves, strict=True):
        row[: len(curve)] = curve
    return np.nanmean(table, axis=0) if longest else np.empty(0)


def draw_importances(found: Importances, path: Path) -> None:
    """A bar for each column, the longest above."""

    def bars(ax: Any) -> None:
        names = list(map(_plain, found.names[:MOST_BARS]))
        ax.barh(range(len(names)), found.means[:MOST_BARS], xerr=found.spreads[:MOST_BARS])
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.set_xlabel(f"{found.what}: how much worse, when the column is shuffled")

    _draw(path, bars)


def _plain(name: str) -> str:
    """A dollar begins a formula; a character that cannot be drawn is a question mark."""
    return "".join(x if x.isprintable() else "?" for x in name).replace("$", r"\$")


def _draw(path: Path, draw: Callable[[Any], Any]) -> None:
    import warnings
    from io import BytesIO

    from matplotlib.figure import Figure

    figure, contents = Figure(layout="constrained"), BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of glyphs that a font lacks
        draw(figure.subplots())
        figure.savefig(contents, format=path.suffix[1:].lower())
    write_bytes(path, contents.getvalue())
