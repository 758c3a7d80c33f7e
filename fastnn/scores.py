"""How good outputs are: their mean cost, and accuracy or R2.

`add`: where other processes have rows too, what adds their sums to ours, in place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastnn.checks import Array
from fastnn.data import Rows
from fastnn.task import Task
from fastnn_kernels.costs import COSTS

Sums = Callable[[Array], Array]
LARGEST_SQUARED = 1e140  # of a number whose square, times a weight and added up, is finite in float64


def alone(sums: Array) -> Array:
    """All rows are here."""
    return sums


def costs_of(task: Task, Z: Array, Y: Array, weights: Array) -> Array:
    """The weighted cost of each row (n_samples,); Z: logits where the cost starts from them, else outputs."""
    costs, delta = np.empty(len(Z), Z.dtype), np.empty_like(Z)
    sizes = weights.size > 0, *Z.shape, Y.shape[1]
    COSTS[task.cost].rows(Z, Y, weights, *sizes, 0.0, task.huber_threshold, 1.0, True, costs, delta)
    return costs


def cost_and_score(task: Task, Z: Array, rows: Rows, add: Sums = alone) -> tuple[float, float]:
    """Weighted mean cost and score of Z (see `costs_of`): accuracy where the targets are classes, else R2.

    The accuracy of several labels, and the R2 of several numbers, is the mean over them.
    """
    Y, weights = rows.Y, rows.weights
    costs = costs_of(task, Z, Y, weights).sum(dtype=np.float64)
    total, weight = add(np.array([costs, weights.sum(dtype=np.float64) if weights.size else len(Y)]))
    cost = float(total / weight)
    if task.targets == "classes":
        truth = Y[:, 0] if Y.shape[1] < task.n_out else Y.argmax(axis=1)
        return cost, mean(Z.argmax(axis=1) == truth, weights, add)
    if task.targets == "labels":
        return cost, mean(((Z > 0) == (Y > 0.5)).mean(axis=1), weights, add)
    if task.targets == "quantiles":
        Y = Y[:, : task.n_out]
    outputs = Z.astype(np.float64)
    with np.errstate(over="ignore"):
        return cost, r2(Y, np.exp(outputs) if task.from_logits else outputs, weights, add)


def mean(values: Array, weights: Array, add: Sums = alone) -> float:
    """The weighted mean of a number for each row; weights (n,), or (0,) where all are one."""
    if not weights.size and add is alone:
        if values.dtype == bool:  # the same number in a tenth of the time
            return np.count_nonzero(values) / values.size
        return float(np.mean(values, dtype=np.float64))
    share = weights if weights.size else np.ones(len(values))
    sums = np.multiply(values, share, dtype=np.float64).sum(), share.sum(dtype=np.float64)
    total, weight = add(np.array(sums))
    return float(total / weight)


def r2(Y: Array, outputs: Array, weights: Array, add: Sums = alone) -> float:
    """The share of the variance explained, averaged over outputs; of a constant 1 if it is met, else 0."""
    if add(np.array([np.count_nonzero(~np.isfinite(outputs))]))[0]:
        return float("nan")
    share = (weights if weights.size else np.ones(len(Y))).astype(np.float64)[:, None]
    largest = float(add(np.array([max(np.abs(Y).max(), np.abs(outputs).max())], np.float64))[0])
    if largest > LARGEST_SQUARED:  # R2 has no unit
        Y, outputs = Y / largest, outputs / largest
    unexplained = add((share * (Y - outputs) ** 2).sum(axis=0, dtype=np.float64))
    sums = add(np.append((share * Y).sum(axis=0), share.sum()))
    centre = sums[:-1] / sums[-1]
    spread = add((share * (Y - centre) ** 2).sum(axis=0, dtype=np.float64))
    constant = spread == 0
    scores = 1 - unexplained / np.where(constant, 1, spread)
    return float(np.where(constant, unexplained == 0, scores).mean())
