"""Costs, each fused with its gradient with respect to the logits Z or to the output A.

All of them: cost[i] = weights[i] * sum_j cost_ij, not scaled; delta = scale * weights[i] * its derivative.
Z (or A), Y, delta: (n_samples, n_out); weights: (n_samples,), or empty for all one; cost: (n_samples,).
Outputs overlap no input. Rows are often shorter than a vector, so the element-wise costs run in flat
loops: the costs of all elements into delta, their sums over rows, then the derivatives into delta.

The leaves have one signature: (Z or A, Y, weights, weighted, rows, n_out, n_targets, smoothing, threshold,
scale, asked, cost, delta), of which each takes what it needs; n_targets is Y's width. Where nobody has asked
for the costs they may stay as they were.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.cross_entropy import (
    binary_cross_entropy_rows,
    clip_binary_rows,
    clip_softmax_rows,
    element_function,
    softmax_cross_entropy_rows,
    sum_rows,
    weigh_rows,
)
from fastnn_kernels.leaves import leaf
from fastnn_kernels.vecmath import exp, log


@dataclass(frozen=True)
class Cost:
    """`outputs`: the output activations it goes with; `from_logits`: it takes Z to dZ, the others A to dA.

    rows: its leaf; targets: what Y holds: "labels" (each 0, 1 or a probability), "classes" (indices, or rows
    that sum to 1), "counts" (not negative), "numbers", or "quantiles" (n_out numbers, then the quantile of
    each); smoothable: it takes label smoothing; clip: the leaf that tells it as scikit-learn does.
    """

    name: str
    code: int
    rows: Callable
    outputs: tuple[str, ...]
    from_logits: bool
    targets: str = "numbers"
    smoothable: bool = False
    clip: Callable | None = None


@element_function
def _deviance(z, y, zero):
    return exp(z) - y * z + (zero if y == zero else y * log(y) - y)


@element_function
def _sign(d, zero, one):
    return one if d > zero else (-one if d < zero else d)


@element_function
def _slope(d, q, zero, one):
    return one - q if d > zero else (-q if d < zero else d)


@element_function
def _clip(d, threshold):
    return threshold if d > threshold else (-threshold if d < -threshold else d)


@leaf("cost")
def poisson_rows(T):
    """cost_ij = exp(z) - y z + (y log y - y), the half deviance under a log link; 0 log 0 = 0."""
    zero = T(0)

    def poisson_rows(
        z, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, dz
    ):
        factor = T(scale)
        if asked:
            for i in range(rows * n):
                dz[i] = _deviance(z[i], y[i], zero)
            sum_rows(dz, weights, weighted, rows, n, zero, cost)
        for i in range(rows * n):
            dz[i] = factor * (exp(z[i]) - y[i])
        weigh_rows(weights, weighted, rows, n, dz)

    return poisson_rows


@leaf("cost")
def absolute_error_rows(T):
    """cost_ij = |a - y|; its derivative at a = y is taken as 0."""
    zero, one = T(0), T(1)

    def absolute_error_rows(
        a, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, da
    ):
        factor = T(scale)
        if asked:
            for i in range(rows * n):
                da[i] = abs(a[i] - y[i])
            sum_rows(da, weights, weighted, rows, n, zero, cost)
        for i in range(rows * n):
            da[i] = factor * _sign(a[i] - y[i], zero, one)
        weigh_rows(weights, weighted, rows, n, da)

    return absolute_error_rows


@leaf("cost")
def huber_rows(T):
    """cost_ij = d^2 / 2 if |d| <= threshold, else threshold * (|d| - threshold / 2), with d = a - y.

    With d clipped to c the cost is c * (d - c / 2).
    """
    zero, half = T(0), T(0.5)

    def huber_rows(a, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, da):
        limit, factor = T(threshold), T(scale)
        if asked:
            for i in range(rows * n):
                c = _clip(a[i] - y[i], limit)
                da[i] = c * ((a[i] - y[i]) - half * c)
            sum_rows(da, weights, weighted, rows, n, zero, cost)
        for i in range(rows * n):
            da[i] = factor * _clip(a[i] - y[i], limit)
        weigh_rows(weights, weighted, rows, n, da)

    return huber_rows


@leaf("cost")
def quantile_rows(T):
    """cost_ij = q (y - a) if a < y, else (1 - q) (a - y), least at the quantile q of y; 0 at a = y as slope.

    Y (n_samples, 2 n_out): the numbers y, then the quantiles q.
    """
    zero, one = T(0), T(1)

    def quantile_rows(
        a, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, da
    ):
        factor = T(scale)
        if asked:
            for i in range(rows):
                for j in range(n):
                    d = a[i * n + j] - y[i * n_targets + j]
                    da[i * n + j] = _slope(d, y[i * n_targets + n + j], zero, one) * d
            sum_rows(da, weights, weighted, rows, n, zero, cost)
        for i in range(rows):
            for j in range(n):
                d = a[i * n + j] - y[i * n_targets + j]
                da[i * n + j] = factor * _slope(d, y[i * n_targets + n + j], zero, one)
        weigh_rows(weights, weighted, rows, n, da)

    return quantile_rows


@leaf("cost")
def squared_error_rows(T):
    """cost_ij = (a - y)^2 / 2."""
    zero, half = T(0), T(0.5)

    def squared_error_rows(
        a, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, da
    ):
        factor = T(scale)
        if asked:
            for i in range(rows * n):
                d = a[i] - y[i]
                da[i] = half * (d * d)
            sum_rows(da, weights, weighted, rows, n, zero, cost)
        for i in range(rows * n):
            da[i] = factor * (a[i] - y[i])
        weigh_rows(weights, weighted, rows, n, da)

    return squared_error_rows


BINARY_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY, POISSON, SQUARED_ERROR, ABSOLUTE_ERROR, HUBER, QUANTILE = range(
    7
)
_ANY = tuple(ACTIVATIONS)
COSTS = {
    cost.name: cost
    for cost in (
        Cost(
            "binary_cross_entropy", BINARY_CROSS_ENTROPY, binary_cross_entropy_rows, ("sigmoid",), True,
            "labels", True, clip_binary_rows,
        ),
        Cost(
            "softmax_cross_entropy", SOFTMAX_CROSS_ENTROPY, softmax_cross_entropy_rows, ("softmax",), True,
            "classes", True, clip_softmax_rows,
        ),
        Cost("poisson", POISSON, poisson_rows, ("exp",), True, "counts"),
        Cost("squared_error", SQUARED_ERROR, squared_error_rows, _ANY, False),
        Cost("absolute_error", ABSOLUTE_ERROR, absolute_error_rows, _ANY, False),
        Cost("huber", HUBER, huber_rows, _ANY, False),
        Cost("quantile", QUANTILE, quantile_rows, _ANY, False, "quantiles"),
    )
}  # fmt: skip
