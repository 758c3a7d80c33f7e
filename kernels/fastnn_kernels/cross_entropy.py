"""The cross-entropies, of labels each by itself and of classes, and what all costs share.

Leaves of the signature that costs.py describes.
"""

import numpy as np
from numba import types

from fastnn_kernels._jit import EXACT, FAST
from fastnn_kernels.glue import inlined
from fastnn_kernels.leaves import leaf
from fastnn_kernels.softmax import row_maximum_subtracted
from fastnn_kernels.vecmath import exp, log, log1p, sigmoid

# Of one element; inlined by order: a call left over would keep its loop from the vectors. Exact, because
# max(z, 0) - z * y must cancel before the small term is added.
element_function = inlined(lambda x, *others: x, EXACT)


@element_function
def _cross_entropy(z, y, zero):
    return ((z if z > zero else zero) - z * y) + log1p(exp(-abs(z)))


_inlined = inlined(lambda *others: types.void, FAST)


@_inlined
def sum_rows(elements, weights, weighted, rows, n, zero, cost):
    """cost[i] = weights[i] * sum_j elements[i, j]."""
    if n == 1:
        for i in range(rows):
            cost[i] = elements[i]
    else:
        for i in range(rows):
            total = zero
            for j in range(n):
                total += elements[i * n + j]
            cost[i] = total
    if weighted:
        for i in range(rows):
            cost[i] *= weights[i]


@_inlined
def weigh_rows(weights, weighted, rows, n, delta):
    if weighted:
        for i in range(rows):
            for j in range(n):
                delta[i * n + j] *= weights[i]


@leaf("cost")
def binary_cross_entropy_rows(T):
    """cost_ij = max(z, 0) - z y + log(1 + exp(-|z|)), with smoothed labels y := y (1 - s) + s / 2."""
    zero, one, half = T(0), T(1), T(0.5)

    def binary_cross_entropy_rows(
        z, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, dz
    ):
        keep, shift, factor = one - T(smoothing), half * T(smoothing), T(scale)
        if asked:
            for i in range(rows * n):
                dz[i] = _cross_entropy(z[i], keep * y[i] + shift, zero)
            sum_rows(dz, weights, weighted, rows, n, zero, cost)
        for i in range(rows * n):
            dz[i] = factor * (sigmoid(z[i]) - (keep * y[i] + shift))
        weigh_rows(weights, weighted, rows, n, dz)

    return binary_cross_entropy_rows


@inlined(lambda *others: types.int64, FAST)
def _class_index(label, n_out, zero):
    """The class that `label` names, or -1 if it is NaN, a fraction or out of range."""
    return int(label) if label >= zero and label < n_out and label == int(label) else -1


@leaf("cost")
def softmax_cross_entropy_rows(T):
    """cost_i = log sum_j exp(z_j) - sum_j y_j z_j, with smoothed labels y := y (1 - s) + s / n_out.

    Y: (n_samples, n_out), rows that sum to 1, or else (n_samples, 1), class indices as floats: one that is
    no class makes its row NaN.
    """
    zero, one, nan = T(0), T(1), T(np.nan)

    def softmax_cross_entropy_rows(
        z, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, dz
    ):
        keep, shift, factor = one - T(smoothing), T(smoothing) / T(n), T(scale)
        indices = n_targets != n
        for i in range(rows * n):
            dz[i] = z[i]
        row_maximum_subtracted(dz, rows, n)
        for i in range(rows):
            total = zero
            if indices:
                k = _class_index(y[i], T(n), zero)
                if k < 0:
                    dz[i * n] = nan
                else:
                    if shift != zero:
                        for j in range(n):
                            total += dz[i * n + j]
                    total = shift * total + keep * dz[i * n + k]
            else:
                for j in range(n):
                    total += (keep * y[i * n + j] + shift) * dz[i * n + j]
            cost[i] = -total
        for i in range(rows * n):  # one flat loop: rows are often shorter than a vector
            dz[i] = exp(dz[i])
        for i in range(rows):
            total = zero
            for j in range(n):
                total += dz[i * n + j]
            cost[i] += log(total)
            share = factor / total
            if indices:
                for j in range(n):
                    dz[i * n + j] = share * dz[i * n + j] - factor * shift
                k = _class_index(y[i], T(n), zero)
                if k >= 0:
                    dz[i * n + k] -= factor * keep
            else:
                for j in range(n):
                    dz[i * n + j] = share * dz[i * n + j] - factor * (keep * y[i * n + j] + shift)
        if weighted:
            for i in range(rows):
                cost[i] *= weights[i]
        weigh_rows(weights, weighted, rows, n, dz)

    return softmax_cross_entropy_rows


def _clipped(name, binary):
    """A cross-entropy as scikit-learn tells it: of probabilities rounded and clipped.

    cost[i] = -weights[i] * sum_j log of the label's probability, `ceiling` at most, from what the
    cross-entropy gave without smoothing; of softmax a row is one element. The rounding of 1 - p, p nearly 1,
    can be seen above half the ceiling only, if that is -log of the spacing of 1; other costs stay.
    """

    def define(T):
        zero, one, half = T(0), T(1), T(0.5)

        def clip(z, y, weights, weighted, rows, n, n_targets, ceiling, cost):
            most = T(ceiling)
            for i in range(rows):
                weight = weights[i] if weighted else one
                if cost[i] > weight * half * most:
                    total = min(cost[i], weight * most)
                    if binary:
                        total = zero
                        for j in range(n):
                            label = y[i * n + j]
                            element = _cross_entropy(z[i * n + j], label, zero)
                            if element > half * most and label == zero:
                                element = -log(one - one / (one + exp(-z[i * n + j])))
                            total += weight * min(element, most)
                    cost[i] = total

        return clip

    define.__module__ = __name__
    return leaf("cost_clip", EXACT, name)(define)


clip_binary_rows, clip_softmax_rows = _clipped("clip_binary_rows", True), _clipped("clip_softmax_rows", False)
