"""Costs, each fused with its gradient with respect to the logits Z or to the output A.

All of them: cost[i] = weights[i] * sum_j cost_ij, not scaled; delta = scale * weights[i] * its derivative.
Z (or A), Y, delta: (n_samples, n_out); weights: (n_samples,), or empty for all one; cost: (n_samples,).
Outputs overlap no input. Rows are often shorter than a vector, so the element-wise costs run in flat
loops: the costs of all elements into delta, their sums over rows, then the derivatives into delta.
"""

from dataclasses import dataclass

import numpy as np
from numba.extending import register_jitable

from fastnn_kernels._jit import EXACT, kernel
from fastnn_kernels.activations import (
    ACTIVATIONS,
    SOFTMAX,
    activation_backward,
    copy_unless_same,
    softmax_backward,
    subtract_row_maximum,
)
from fastnn_kernels.vecmath import exp, log, log1p, sigmoid

BINARY_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY, POISSON, SQUARED_ERROR, ABSOLUTE_ERROR, HUBER = range(6)


@dataclass(frozen=True)
class Cost:
    """`outputs`: the output activations it goes with; `from_logits`: it takes Z to dZ, the others A to dA."""

    name: str
    code: int
    outputs: tuple[str, ...]
    from_logits: bool


COSTS = {
    cost.name: cost
    for cost in (
        Cost("binary_cross_entropy", BINARY_CROSS_ENTROPY, ("sigmoid",), True),
        Cost("softmax_cross_entropy", SOFTMAX_CROSS_ENTROPY, ("softmax",), True),
        Cost("poisson", POISSON, ("exp",), True),
        Cost("squared_error", SQUARED_ERROR, tuple(ACTIVATIONS), False),
        Cost("absolute_error", ABSOLUTE_ERROR, tuple(ACTIVATIONS), False),
        Cost("huber", HUBER, tuple(ACTIVATIONS), False),
    )
}


# Of one element; inlined by order: a call left over would keep its loop from the vectors. Exact, because
# max(z, 0) - z * y must cancel before the small term is added.
_element = register_jitable(forceinline=True, fastmath=set(EXACT), error_model="numpy")


@_element
def _cross_entropy(z, y, zero):
    return ((z if z > zero else zero) - z * y) + log1p(exp(-abs(z)))


@_element
def _deviance(z, y, zero):
    return exp(z) - y * z + (zero if y == zero else y * log(y) - y)


@_element
def _sign(d, zero, one):
    return one if d > zero else (-one if d < zero else d)


@_element
def _clip(d, threshold):
    return threshold if d > threshold else (-threshold if d < -threshold else d)


@kernel
def _sum_rows(elements, weights, cost):
    """cost[i] = weights[i] * sum_j elements[i, j]."""
    if elements.shape[1] == 1:
        for i in range(cost.size):
            cost[i] = elements.flat[i]
    else:
        for i in range(cost.size):
            total = elements.dtype.type(0)
            for j in range(elements.shape[1]):
                total += elements[i, j]
            cost[i] = total
    for i in range(weights.size):
        cost[i] *= weights[i]


@kernel
def _weigh(weights, delta):
    for i in range(weights.size):
        for j in range(delta.shape[1]):
            delta[i, j] *= weights[i]


@kernel(inline=True)
def binary_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ):
    """cost_ij = max(z, 0) - z y + log(1 + exp(-|z|)), with smoothed labels y := y (1 - s) + s / 2.

    Z, Y, dZ: (n_samples, n_out), logits; any n_out labels, each by itself.
    """
    T = dZ.dtype.type
    zero, keep, shift = T(0), T(1) - smoothing, T(0.5) * smoothing
    for i in range(dZ.size):
        dZ.flat[i] = _cross_entropy(Z.flat[i], keep * Y.flat[i] + shift, zero)
    _sum_rows(dZ, weights, cost)
    for i in range(dZ.size):
        dZ.flat[i] = scale * (sigmoid(Z.flat[i]) - (keep * Y.flat[i] + shift))
    _weigh(weights, dZ)


@kernel(inline=True)
def poisson(Z, Y, weights, scale, cost, dZ):
    """cost_ij = exp(z) - y z + (y log y - y), the half deviance under a log link; 0 log 0 = 0.

    Z, Y, dZ: (n_samples, n_out), logs of means.
    """
    zero = dZ.dtype.type(0)
    for i in range(dZ.size):
        dZ.flat[i] = _deviance(Z.flat[i], Y.flat[i], zero)
    _sum_rows(dZ, weights, cost)
    for i in range(dZ.size):
        dZ.flat[i] = scale * (exp(Z.flat[i]) - Y.flat[i])
    _weigh(weights, dZ)


@kernel(inline=True)
def absolute_error(A, Y, weights, scale, cost, dA):
    """cost_ij = |a - y|; its derivative at a = y is taken as 0.

    A, Y, dA: (n_samples, n_out).
    """
    T = dA.dtype.type
    zero, one = T(0), T(1)
    for i in range(dA.size):
        dA.flat[i] = abs(A.flat[i] - Y.flat[i])
    _sum_rows(dA, weights, cost)
    for i in range(dA.size):
        dA.flat[i] = scale * _sign(A.flat[i] - Y.flat[i], zero, one)
    _weigh(weights, dA)


@kernel(inline=True)
def huber(A, Y, weights, threshold, scale, cost, dA):
    """cost_ij = d^2 / 2 if |d| <= threshold, else threshold * (|d| - threshold / 2), with d = a - y.

    A, Y, dA: (n_samples, n_out). With d clipped to c the cost is c * (d - c / 2).
    """
    half = dA.dtype.type(0.5)
    for i in range(dA.size):
        c = _clip(A.flat[i] - Y.flat[i], threshold)
        dA.flat[i] = c * ((A.flat[i] - Y.flat[i]) - half * c)
    _sum_rows(dA, weights, cost)
    for i in range(dA.size):
        dA.flat[i] = scale * _clip(A.flat[i] - Y.flat[i], threshold)
    _weigh(weights, dA)


@kernel(inline=True)
def squared_error(A, Y, weights, scale, cost, dA):
    """cost_ij = (a - y)^2 / 2: Huber's without a threshold.

    A, Y, dA: (n_samples, n_out).
    """
    huber(A, Y, weights, dA.dtype.type(np.inf), scale, cost, dA)


@kernel
def _class_index(label, n_out, zero):
    """The class that `label` names, or -1 if it is NaN, a fraction or out of range."""
    return int(label) if label >= zero and label < n_out and label == np.floor(label) else -1


@kernel(inline=True)
def softmax_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ):
    """cost_i = log sum_j exp(z_j) - sum_j y_j z_j, with smoothed labels y := y (1 - s) + s / n_out.

    Z, dZ: (n_samples, n_out), logits. Y: (n_samples, n_out), rows that sum to 1, or else
    (n_samples, 1), class indices as floats: one that is no class makes its row NaN.
    """
    T = dZ.dtype.type
    zero, one, n_out = T(0), T(1), T(dZ.shape[1])
    keep, shift = one - smoothing, smoothing / n_out
    indices = Y.shape[1] != dZ.shape[1]
    copy_unless_same(Z, dZ)
    subtract_row_maximum(dZ)
    for i in range(dZ.shape[0]):
        total = zero
        if indices:
            k = _class_index(Y[i, 0], n_out, zero)
            if k < 0:
                dZ[i, 0] = T(np.nan)
            else:
                if smoothing != zero:
                    for j in range(dZ.shape[1]):
                        total += dZ[i, j]
                total = shift * total + keep * dZ[i, k]
        else:
            for j in range(dZ.shape[1]):
                total += (keep * Y[i, j] + shift) * dZ[i, j]
        cost[i] = -total
    for i in range(dZ.size):  # one flat loop: rows are often shorter than a vector
        dZ.flat[i] = exp(dZ.flat[i])
    for i in range(dZ.shape[0]):
        total = zero
        for j in range(dZ.shape[1]):
            total += dZ[i, j]
        cost[i] += log(total)
        factor = scale / total
        if indices:
            for j in range(dZ.shape[1]):
                dZ[i, j] = factor * dZ[i, j] - scale * shift
            k = _class_index(Y[i, 0], n_out, zero)
            if k >= 0:
                dZ[i, k] -= scale * keep
        else:
            for j in range(dZ.shape[1]):
                dZ[i, j] = factor * dZ[i, j] - scale * (keep * Y[i, j] + shift)
    for i in range(weights.size):
        cost[i] *= weights[i]
    _weigh(weights, dZ)


@kernel(fastmath=EXACT)
def clip_cross_entropy(Z, Y, weights, code, ceiling, cost):
    """cost[i] = -weights[i] * sum_j log of the label's probability, rounded and clipped: `ceiling` at most.

    Z, Y: (n_samples, n_out), but Y may be class indices; cost: (n_samples,), what the cross-entropy of this
    code gave for them without smoothing; of softmax a row is one element. scikit-learn's losses are such
    numbers, and its decisions to stop. The rounding of 1 - p, p nearly 1, can be seen above half the
    ceiling only, if that is -log of the spacing of 1; all other costs stay as they are.
    """
    zero, one, half = cost.dtype.type(0), cost.dtype.type(1), cost.dtype.type(0.5)
    for i in range(cost.size):
        weight = weights[i] if weights.size > 0 else one
        if cost[i] > weight * half * ceiling:
            total = min(cost[i], weight * ceiling)
            if code == BINARY_CROSS_ENTROPY:
                total = zero
                for j in range(Z.shape[1]):
                    element = _cross_entropy(Z[i, j], Y[i, j], zero)
                    if element > half * ceiling and Y[i, j] == zero:
                        element = -log(one - one / (one + exp(-Z[i, j])))
                    total += weight * min(element, ceiling)
            cost[i] = total


@kernel
def cost_backward(Z, A, Y, weights, code, activation, smoothing, threshold, scale, cost, dZ):
    """Costs and dZ of the output layer, for any cost and output activation; an unknown code gives NaN.

    Z, A, Y, dZ: (n_samples, n_out), but Y may be class indices; weights: (n_samples,) or (0,);
    cost: (n_samples,). A cost from logits does not read A, which may be Z then.
    """
    if code == BINARY_CROSS_ENTROPY:
        binary_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ)
    elif code == SOFTMAX_CROSS_ENTROPY:
        softmax_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ)
    elif code == POISSON:
        poisson(Z, Y, weights, scale, cost, dZ)
    else:
        if code == ABSOLUTE_ERROR:
            absolute_error(A, Y, weights, scale, cost, dZ)
        elif code == HUBER or code == SQUARED_ERROR:
            limit = threshold if code == HUBER else dZ.dtype.type(np.inf)
            huber(A, Y, weights, limit, scale, cost, dZ)
        else:
            for i in range(dZ.shape[0]):
                cost[i] = np.nan
                for j in range(dZ.shape[1]):
                    dZ[i, j] = np.nan
        if activation == SOFTMAX:
            softmax_backward(dZ, A, dZ)
        else:
            activation_backward(dZ, Z, A, activation, dZ)
