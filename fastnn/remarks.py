"""Remarks on a training that came to its end and still went wrong: each is a warning that says what to do."""

from __future__ import annotations

import warnings

import numpy as np

from fastnn.checks import Array
from fastnn.history import History
from fastnn.task import Task

# A cost that has grown so much has left where it began for good.
EXPLODED = 100.0
LARGE_TARGETS = 1e3


def spread(task: Task, Y: Array) -> tuple[float, float]:
    """How large the numbers are that are learnt, and the cost of their mean; (0, 0) of other targets."""
    if task.cost != "squared_error":
        return 0.0, 0.0
    with np.errstate(over="ignore"):
        return float(np.abs(Y).mean(dtype=np.float64)), float(Y.var(axis=0, dtype=np.float64).sum() / 2)


def remark(history: History, size: float, cost_of_mean: float, stacklevel: int) -> None:
    """Warn of a rate that is too high, or of targets too large to learn as they are (see `spread`)."""
    costs = history.cost
    if len(costs) > 1 and costs[-1] > EXPLODED * costs[0] > 0:
        text = f"the cost has risen from {costs[0]:.3g} to {costs[-1]:.3g}: use a smaller learning rate"
    elif costs and size > LARGE_TARGETS and costs[-1] > cost_of_mean > 0:
        text = (
            f"the targets are around {size:.3g}, and the network is still worse than their mean: scale them, "
            "(y - y.mean()) / y.std(), or train for longer"
        )
    else:
        return
    warnings.warn(text, stacklevel=stacklevel + 1)
