"""Curves over the epochs of a training, drawn on the Axes given, or on new ones, which it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.checks import Array

try:
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise ImportError("fastnn.plots needs matplotlib: pip install 'fastnn[plot]'") from error

CURVES = {
    "cost": "training cost",
    "val_cost": "validation cost",
    "val_score": "validation score",
    "loss_curve_": "training cost",
    "validation_loss_curve_": "validation cost",
    "validation_scores_": "validation score",
}
NO_CURVES = ("lr", "seconds", "stopped")  # the other entries of a History


def learning_curves(history: Any, ax: Any = None, *, label: str = "") -> Any:
    """Costs over the epochs, solid, and scores, dashed, on an axis at the right.

    history: what `fit` returned, or a fitted estimator, or a dict of curves. In a dict the names tell:
    "test_cost" is drawn as "test cost", and what is neither a cost nor a loss is a score.
    label: stands before each name in the legend, to tell runs on the same Axes apart.
    """
    curves = _curves(history)
    ax = axes(ax)
    costs = [name for name in curves if name.endswith(("cost", "loss"))]
    right = _right_axis(ax) if 0 < len(costs) < len(curves) else ax
    first = len({line.get_color() for line in (*ax.lines, *right.lines)})
    colors: dict[str, str] = {}
    for name, values in curves.items():
        of_what, _, kind = name.rpartition(" ")
        side, line = (ax, "-") if name in costs else (right, "--")
        color = colors.setdefault(of_what, f"C{(first + len(colors)) % 10}")
        marker = "." if len(values) == 1 else ""
        text, epochs = f"{label} {name}".strip(), range(1, len(values) + 1)
        side.plot(epochs, values, label=text, color=color, linestyle=line, marker=marker)
        side.set_ylabel(kind)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if right is ax:
        ax.legend()
    else:  # costs fall, scores rise: what they leave free is the middle
        ax.legend(handles=[*ax.lines, *right.lines], loc="center right")
    return ax


def axes(ax: Any) -> Any:
    return pyplot.subplots(layout="constrained")[1] if ax is None else ax


def _right_axis(ax: Any) -> Any:
    """The axis of the scores, at the right of `ax`: that of an earlier run, or a new one."""
    for other in ax.get_shared_x_axes().get_siblings(ax):
        if other is not ax and other.get_position().bounds == ax.get_position().bounds:
            return other
    right = ax.twinx()
    ax.set_zorder(right.get_zorder() + 1)  # the legend above all lines
    ax.patch.set_visible(False)
    return right


def _curves(history: Any) -> dict[str, Array]:
    """The curves of a history, by the names that the legend gives them."""
    if isinstance(history, Mapping):
        found = dict(history)
    elif hasattr(history, "to_dict"):
        found = history.to_dict()
    else:
        found = {name: getattr(history, name, None) for name in CURVES if name.endswith("_")}
    curves = {}
    for name, given in found.items():
        if name in NO_CURVES or given is None:
            continue
        try:
            values = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            values = np.empty(())
        if values.ndim != 1:
            raise ValueError(f"the curve {name!r} is {given!r}; give a list of numbers, one for each epoch")
        if values.size:
            curves[CURVES.get(name, str(name).replace("_", " "))] = values
    if not curves:
        raise ValueError(
            f"this {type(history).__name__} holds no curves: give what fit returned, an estimator with "
            "loss_curve_ (lbfgs keeps none), or a dict of lists"
        )
    return curves
