"""Costs, each fused with its gradient with respect to the logits Z or to the output A.

All of them: cost[i] = weights[i] * sum_j cost_ij, not scaled; delta = scale * weights[i] * its derivative.
Z (or A), Y, delta: (n_samples, n_out); delta may be Z (or A), which it then overwrites.
weights: (n_samples,), or empty for all one; cost: (n_samples,).
"""

from dataclasses import dataclass

import numpy as np

from fastnn_kernels._jit import EXACT, kernel
from fastnn_kernels.activations import (
    ACTIVATIONS,
    SOFTMAX,
    activation_backward,
    copy_unless_same,
    softmax_backward,
    subtract_row_maximum,
)
from fastnn_kernels.vecmath import exp, log, log1p

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


@kernel(fastmath=EXACT)
def _binary_cross_entropy(z, y, zero, one):
    """Cost and derivative; exact, because max(z, 0) - z * y must cancel before the small term is added."""
    e = exp(-abs(z))
    positive = z > zero
    cost = ((z if positive else zero) - z * y) + log1p(e)
    return cost, (one if positive else e) / (one + e) - y


@kernel
def _poisson(z, y, zero):
    mean = exp(z)
    return mean - y * z + (zero if y == zero else y * log(y) - y), mean - y


@kernel
def _absolute(a, y, zero, one):
    d = a - y
    return abs(d), one if d > zero else (-one if d < zero else d)


@kernel
def _huber(a, y, threshold, half):
    """With d clipped to c: c * (d - c/2) is d^2/2 inside, threshold * |d| - threshold^2/2 outside."""
    d = a - y
    c = threshold if d > threshold else (-threshold if d < -threshold else d)
    return c * (d - half * c), c


@kernel
def _weigh(weights, cost, delta):
    if weights.size > 0:
        for i in range(delta.shape[0]):
            cost[i] *= weights[i]
            for j in range(delta.shape[1]):
                delta[i, j] *= weights[i]


@kernel
def binary_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ):
    """cost_ij = max(z, 0) - z y + log(1 + exp(-|z|)), with smoothed labels y := y (1 - s) + s / 2.

    Z, Y, dZ: (n_samples, n_out), logits; any n_out labels, each by itself; dZ may be Z.
    """
    T = dZ.dtype.type
    zero, one = T(0), T(1)
    keep, shift = one - smoothing, T(0.5) * smoothing
    flat, labels = dZ.reshape(dZ.size), Y.reshape(Y.size)
    copy_unless_same(Z.reshape(Z.size), flat)
    if dZ.shape[1] == 1:  # the usual case; the nest below would run it without vectors
        for i in range(flat.size):
            cost[i], d = _binary_cross_entropy(flat[i], keep * labels[i] + shift, zero, one)
            flat[i] = scale * d
    else:
        for i in range(dZ.shape[0]):
            total = zero
            for j in range(dZ.shape[1]):
                c, d = _binary_cross_entropy(dZ[i, j], keep * Y[i, j] + shift, zero, one)
                total += c
                dZ[i, j] = scale * d
            cost[i] = total
    _weigh(weights, cost, dZ)


@kernel
def poisson(Z, Y, weights, scale, cost, dZ):
    """cost_ij = exp(z) - y z + (y log y - y), the half deviance under a log link; 0 log 0 = 0.

    Z, Y, dZ: (n_samples, n_out), logs of means; dZ may be Z.
    """
    zero = dZ.dtype.type(0)
    flat, counts = dZ.reshape(dZ.size), Y.reshape(Y.size)
    copy_unless_same(Z.reshape(Z.size), flat)
    if dZ.shape[1] == 1:
        for i in range(flat.size):
            cost[i], d = _poisson(flat[i], counts[i], zero)
            flat[i] = scale * d
    else:
        for i in range(dZ.shape[0]):
            total = zero
            for j in range(dZ.shape[1]):
                c, d = _poisson(dZ[i, j], Y[i, j], zero)
                total += c
                dZ[i, j] = scale * d
            cost[i] = total
    _weigh(weights, cost, dZ)


@kernel
def absolute_error(A, Y, weights, scale, cost, dA):
    """cost_ij = |a - y|; its derivative at a = y is taken as 0.

    A, Y, dA: (n_samples, n_out); dA may be A.
    """
    T = dA.dtype.type
    zero, one = T(0), T(1)
    flat, targets = dA.reshape(dA.size), Y.reshape(Y.size)
    copy_unless_same(A.reshape(A.size), flat)
    if dA.shape[1] == 1:
        for i in range(flat.size):
            cost[i], d = _absolute(flat[i], targets[i], zero, one)
            flat[i] = scale * d
    else:
        for i in range(dA.shape[0]):
            total = zero
            for j in range(dA.shape[1]):
                c, d = _absolute(dA[i, j], Y[i, j], zero, one)
                total += c
                dA[i, j] = scale * d
            cost[i] = total
    _weigh(weights, cost, dA)


@kernel
def huber(A, Y, weights, threshold, scale, cost, dA):
    """cost_ij = d^2 / 2 if |d| <= threshold, else threshold * (|d| - threshold / 2), with d = a - y.

    A, Y, dA: (n_samples, n_out); dA may be A.
    """
    T = dA.dtype.type
    zero, half = T(0), T(0.5)
    flat, targets = dA.reshape(dA.size), Y.reshape(Y.size)
    copy_unless_same(A.reshape(A.size), flat)
    if dA.shape[1] == 1:
        for i in range(flat.size):
            cost[i], d = _huber(flat[i], targets[i], threshold, half)
            flat[i] = scale * d
    else:
        for i in range(dA.shape[0]):
            total = zero
            for j in range(dA.shape[1]):
                c, d = _huber(dA[i, j], Y[i, j], threshold, half)
                total += c
                dA[i, j] = scale * d
            cost[i] = total
    _weigh(weights, cost, dA)


@kernel
def squared_error(A, Y, weights, scale, cost, dA):
    """cost_ij = (a - y)^2 / 2: Huber's without a threshold.

    A, Y, dA: (n_samples, n_out); dA may be A.
    """
    huber(A, Y, weights, dA.dtype.type(np.inf), scale, cost, dA)


@kernel
def _class_index(label, n_out, zero):
    """The class that `label` names, or -1 if it is NaN, a fraction or out of range."""
    return int(label) if label >= zero and label < n_out and label == np.floor(label) else -1


@kernel
def softmax_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ):
    """cost_i = log sum_j exp(z_j) - sum_j y_j z_j, with smoothed labels y := y (1 - s) + s / n_out.

    Z, dZ: (n_samples, n_out), logits; dZ may be Z. Y: (n_samples, n_out), rows that sum to 1,
    or else (n_samples, 1), class indices as floats: one that is no class makes its row NaN.
    """
    T = dZ.dtype.type
    zero, one, n_out = T(0), T(1), T(dZ.shape[1])
    keep, shift = one - smoothing, smoothing / n_out
    indices = Y.shape[1] != dZ.shape[1]
    flat = dZ.reshape(dZ.size)
    copy_unless_same(Z.reshape(Z.size), flat)
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
    for i in range(flat.size):  # one flat loop: rows are often shorter than a vector
        flat[i] = exp(flat[i])
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
    _weigh(weights, cost, dZ)


@kernel
def cost_backward(Z, A, Y, weights, code, activation, smoothing, threshold, scale, cost, dZ):
    """Costs and dZ of the output layer, for any cost and output activation; an unknown code gives NaN.

    Z, A, Y, dZ: (n_samples, n_out), but Y may be class indices; weights: (n_samples,) or (0,);
    cost: (n_samples,). A cost from logits does not read A, and dZ may be Z.
    """
    flat = dZ.reshape(dZ.size)
    if code == BINARY_CROSS_ENTROPY:
        binary_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ)
    elif code == SOFTMAX_CROSS_ENTROPY:
        softmax_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ)
    elif code == POISSON:
        poisson(Z, Y, weights, scale, cost, dZ)
    else:
        if code == SQUARED_ERROR:
            squared_error(A, Y, weights, scale, cost, dZ)
        elif code == ABSOLUTE_ERROR:
            absolute_error(A, Y, weights, scale, cost, dZ)
        elif code == HUBER:
            huber(A, Y, weights, threshold, scale, cost, dZ)
        else:
            for i in range(cost.size):
                cost[i] = np.nan
            for i in range(flat.size):
                flat[i] = np.nan
        if activation == SOFTMAX:
            softmax_backward(dZ, A, dZ)
        else:
            activation_backward(flat, Z.reshape(Z.size), A.reshape(A.size), activation, flat)
