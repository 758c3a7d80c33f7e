"""Checks of the plain values that users give: numbers, counts, seeds, and the options of `fit`.

Everything is checked before any work. Errors say what was given and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

SMOOTHABLE = ("binary_cross_entropy", "softmax_cross_entropy")


def real(name: str, value: Any, low: float = 0.0, high: float = np.inf, *, above: bool = False) -> float:
    """`value` as a float, with low <= value < high; low < value if `above`."""
    good = isinstance(value, Real) and not isinstance(value, bool)
    if not (good and (low < value if above else low <= value) and value < high):
        least = f"above {low:g}" if above else f"of at least {low:g}"
        most = "finite" if high == np.inf else f"below {high:g}"
        raise ValueError(f"{name}={value!r} must be a number {least} and {most}")
    return float(value)


def whole(name: str, value: Any, low: int = 0, high: float = np.inf) -> int:
    """`value` as an int, with low <= value <= high."""
    good = isinstance(value, Integral) and not isinstance(value, bool)
    if not (good and low <= value <= high):
        most = "" if high == np.inf else f" and at most {high}"
        raise ValueError(f"{name}={value!r} must be a whole number of at least {low}{most}")
    return int(value)


def check_fit(cost: str, options: Mapping[str, Any]) -> None:
    """The options of `fit` for a network with this cost, but for the optimizer and the data."""
    whole("epochs", options["epochs"])
    if options["batch_size"] is not None:
        whole("batch_size", options["batch_size"], 1)
    real("l2", options["l2"])
    if options["clip_norm"] is not None:
        real("clip_norm", options["clip_norm"], above=True)
    if real("label_smoothing", options["label_smoothing"], 0, 1) > 0 and cost not in SMOOTHABLE:
        raise ValueError(f"label_smoothing goes with the costs {', '.join(SMOOTHABLE)}, not {cost}")
    if real("validation_split", options["validation_split"], 0, 1) > 0:
        if options["validation_data"] is not None:
            raise ValueError("give validation_data or validation_split, not both")
    if options["threads"] != "auto":
        try:
            whole("threads", options["threads"], 1, 1024)
        except ValueError as error:
            raise ValueError(f"{error}, or 'auto'") from None
    for name in ("shuffle", "progress"):
        if not isinstance(options[name], bool | np.bool_):
            raise ValueError(f"{name}={options[name]!r} must be True or False")
    callbacks = options["callbacks"]
    if not isinstance(callbacks, list | tuple) or not all(map(callable, callbacks)):
        raise TypeError(f"callbacks={callbacks!r} must be a list of functions that take the run")
