"""Kernels on arrays: thin ones over the leaves, for Python callers and for users' own compiled code.

Arrays are C-contiguous, of one element type, and (n_samples, n_out) or of any one shape where rows do not
matter. Codes stand in the registries ACTIVATIONS and COSTS; an unknown one gives NaN.
"""

import numpy as np
from numba.extending import register_jitable

from fastnn_kernels import costs, optimizers
from fastnn_kernels._jit import kernel
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS
from fastnn_kernels.leaves import by_code, leaf
from fastnn_kernels.simd import flat_view
from fastnn_kernels.softmax import softmax_rows, softmax_rows_backward


@leaf("activation_forward")
def unknown_forward(T):
    """NaN, where no activation has the code."""

    def unknown_forward(a, rows, n):
        for i in range(rows * n):
            a[i] = T(np.nan)

    return unknown_forward


@leaf("activation_backward")
def unknown_backward(T):
    """NaN, where no activation has the code."""

    def unknown_backward(d, source, rows, n):
        for i in range(rows * n):
            d[i] = T(np.nan)

    return unknown_backward


NEED_Z = tuple(x.code for x in ACTIVATIONS.values() if x.needs_z)
_forward_by_code = by_code([(x.code, x.forward) for x in ACTIVATIONS.values()], unknown_forward)
_backward_by_code = by_code([(x.code, x.backward) for x in ACTIVATIONS.values()], unknown_backward)


@kernel
def copy_unless_same(source, target):
    """target = source; both of one shape."""
    if source.ctypes.data != target.ctypes.data:
        for i in range(target.size):
            target.flat[i] = source.flat[i]


@kernel
def activation_forward(Z, code, A):
    """A = g(Z), over the rows for softmax; an unknown code gives NaN.

    Z, A: (n_samples, n_out), C-contiguous; A may be Z.
    """
    copy_unless_same(Z, A)
    _forward_by_code(code, flat_view(A, 0, A.size), A.shape[0], A.size // max(1, A.shape[0]))


@kernel
def activation_backward(dA, Z, A, code, dZ):
    """dZ = dA * g'(Z), over the rows for softmax; an unknown code gives NaN.

    dA, Z, A, dZ: (n_samples, n_out), C-contiguous; dZ may be dA; Z is read only where g' is taken from it.
    """
    copy_unless_same(dA, dZ)
    rows, n = dZ.shape[0], dZ.size // max(1, dZ.shape[0])
    source = flat_view(Z, 0, Z.size) if code in NEED_Z else flat_view(A, 0, A.size)
    _backward_by_code(code, flat_view(dZ, 0, dZ.size), source, rows, n)


@kernel
def softmax_forward(Z, A):
    """A = softmax of each row of Z;  A may be Z."""
    copy_unless_same(Z, A)
    softmax_rows(flat_view(A, 0, A.size), A.shape[0], A.shape[1])


@kernel
def softmax_backward(dA, A, dZ):
    """dZ = A * (dA - its mean under A), row by row;  dZ may be dA."""
    copy_unless_same(dA, dZ)
    softmax_rows_backward(flat_view(dZ, 0, dZ.size), flat_view(A, 0, A.size), A.shape[0], A.shape[1])


@leaf("cost")
def unknown_cost_rows(T):
    """NaN, where no cost has the code."""
    nan = T(np.nan)

    def unknown_cost_rows(
        z, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, dz
    ):
        for i in range(rows):
            cost[i] = nan
            for j in range(n):
                dz[i * n + j] = nan

    return unknown_cost_rows


FROM_LOGITS = tuple(x.code for x in COSTS.values() if x.from_logits)
BINARY = COSTS["binary_cross_entropy"].code
_cost_by_code = by_code([(x.code, x.rows) for x in COSTS.values()], unknown_cost_rows)


def _on_arrays(rows):
    """What the thin kernels below share: the leaf's call for whole arrays."""

    @register_jitable
    def call(Z, Y, weights, smoothing, threshold, scale, cost, delta):
        z, y, w = flat_view(Z, 0, Z.size), flat_view(Y, 0, Y.size), flat_view(weights, 0, weights.size)
        c, d = flat_view(cost, 0, cost.size), flat_view(delta, 0, delta.size)
        size = weights.size > 0, Z.shape[0], Z.shape[1], Y.shape[1]
        rows(z, y, w, *size, smoothing, threshold, scale, True, c, d)

    return call


_binary = _on_arrays(costs.binary_cross_entropy_rows)
_softmax = _on_arrays(costs.softmax_cross_entropy_rows)
_poisson = _on_arrays(costs.poisson_rows)
_absolute = _on_arrays(costs.absolute_error_rows)
_huber = _on_arrays(costs.huber_rows)
_quantile = _on_arrays(costs.quantile_rows)
_squared = _on_arrays(costs.squared_error_rows)


@kernel
def binary_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ):
    """Y: any n_out labels, each by itself."""
    _binary(Z, Y, weights, smoothing, 0.0, scale, cost, dZ)


@kernel
def softmax_cross_entropy(Z, Y, weights, smoothing, scale, cost, dZ):
    """Y: (n_samples, n_out), or class indices (n_samples, 1)."""
    _softmax(Z, Y, weights, smoothing, 0.0, scale, cost, dZ)


@kernel
def poisson(Z, Y, weights, scale, cost, dZ):
    """Z: logs of means."""
    _poisson(Z, Y, weights, 0.0, 0.0, scale, cost, dZ)


@kernel
def absolute_error(A, Y, weights, scale, cost, dA):
    """|a - y|."""
    _absolute(A, Y, weights, 0.0, 0.0, scale, cost, dA)


@kernel
def huber(A, Y, weights, threshold, scale, cost, dA):
    """Squares up to the threshold, a line beyond."""
    _huber(A, Y, weights, 0.0, threshold, scale, cost, dA)


@kernel
def quantile(A, Y, weights, scale, cost, dA):
    """Y (n_samples, 2 n_out): numbers, then the quantile of each."""
    _quantile(A, Y, weights, 0.0, 0.0, scale, cost, dA)


@kernel
def squared_error(A, Y, weights, scale, cost, dA):
    """(a - y)^2 / 2."""
    _squared(A, Y, weights, 0.0, 0.0, scale, cost, dA)


@kernel
def cost_backward(Z, A, Y, weights, code, activation, smoothing, threshold, scale, cost, dZ):
    """Costs and dZ of the output layer, for any cost and output activation; an unknown code gives NaN.

    Z, A, Y, dZ: (n_samples, n_out), but Y may be class indices, or hold quantiles, too; weights:
    (n_samples,) or (0,); cost: (n_samples,). A cost from logits does not read A, which may be Z then.
    """
    given = flat_view(Z, 0, Z.size) if code in FROM_LOGITS else flat_view(A, 0, A.size)
    y, w = flat_view(Y, 0, Y.size), flat_view(weights, 0, weights.size)
    c, d = flat_view(cost, 0, cost.size), flat_view(dZ, 0, dZ.size)
    size = weights.size > 0, Z.shape[0], Z.shape[1], Y.shape[1]
    numbers = np.float64(smoothing), np.float64(threshold), np.float64(scale)
    _cost_by_code(code, given, y, w, *size, *numbers, True, c, d)
    if code not in FROM_LOGITS:
        activation_backward(dZ, Z, A, activation, dZ)


@kernel
def clip_cross_entropy(Z, Y, weights, code, ceiling, cost):
    """cost, what the cross-entropy of this code gave for Z and Y without smoothing, rounded and clipped."""
    z, y, w = flat_view(Z, 0, Z.size), flat_view(Y, 0, Y.size), flat_view(weights, 0, weights.size)
    size, c = (weights.size > 0, Z.shape[0], Z.shape[1], Y.shape[1]), flat_view(cost, 0, cost.size)
    if code == BINARY:
        costs.clip_binary_rows(z, y, w, *size, ceiling, c)
    else:
        costs.clip_softmax_rows(z, y, w, *size, ceiling, c)


def _on_vectors(update):
    """The leaf's call for whole vectors (n,); mean, square: what it keeps, or any where it keeps less."""

    @register_jitable
    def call(scalars, rates, clip, l2, grads, mean, square, params):
        n = params.size
        g, p = flat_view(grads, 0, n), flat_view(params, 0, n)
        m, v = flat_view(mean, 0, n), flat_view(square, 0, n)
        update(scalars, rates, clip, l2, False, g, m, v, p, n)

    return call


_sgd = _on_vectors(optimizers.sgd_update)
_momentum = _on_vectors(optimizers.momentum_update)
_nesterov = _on_vectors(optimizers.nesterov_update)
_adam = _on_vectors(optimizers.adam_formula)


@kernel
def sgd(grads, rate, clip, l2, params):
    """params -= rate * g, g = clip * grads + l2 * params."""
    _sgd((0.0, 0.0), (np.float64(rate), 0.0, 0.0), clip, l2, grads, params, params, params)


@kernel
def momentum(grads, rate, mu, clip, l2, velocity, params):
    """velocity = mu * velocity - rate * g; params += velocity."""
    scalars, rates = (np.float64(mu), 0.0), (np.float64(rate), 0.0, 0.0)
    _momentum(scalars, rates, clip, l2, grads, velocity, velocity, params)


@kernel
def nesterov(grads, rate, mu, clip, l2, velocity, params):
    """velocity = mu * velocity - rate * g; params += mu * velocity - rate * g."""
    scalars, rates = (np.float64(mu), 0.0), (np.float64(rate), 0.0, 0.0)
    _nesterov(scalars, rates, clip, l2, grads, velocity, velocity, params)


@kernel
def adam(grads, rate, beta1, beta2, epsilon, clip, l2, decay, mean, square, params):
    """mean, square: of g and g^2; params -= decay * params + rate * mean / (sqrt(square) + epsilon)."""
    scalars = np.float64(beta1), np.float64(beta2)
    rates = np.float64(rate), np.float64(epsilon), np.float64(decay)
    _adam(scalars, rates, clip, l2, grads, mean, square, params)
