"""The mathematics of the kernels in plain NumPy: the oracle of the tests and the baseline of the benchmarks.

The names and formulas are the kernels', but every function returns its results and overwrites nothing.
Shapes: X (n_samples, n_in), W (n_in, n_out), b (n_out,), Z, A, Y (n_samples, n_out); the dtype is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import erf

from fastnn.checks import Array

SELU = 1.0507009873554805, 1.6732632423543772  # its scale and its alpha

# Activations: A = g(Z), and dZ = dA * g'(Z) with g' taken from Z and A.


def sigmoid(Z: Array) -> Array:
    e = np.exp(-np.abs(Z))
    return np.where(Z >= 0, 1, e) / (1 + e)


def relu(Z: Array) -> Array:
    return np.maximum(Z, 0)


def leaky_relu(Z: Array) -> Array:
    return np.where(Z <= 0, 0.01 * Z, Z)


def elu(Z: Array) -> Array:
    return np.where(Z > 0, Z, np.expm1(np.minimum(Z, 0)))


def normal_cdf(Z: Array) -> Array:
    return 0.5 + 0.5 * erf(Z * np.sqrt(0.5).astype(Z.dtype))


def gelu_derivative(Z: Array, A: Array) -> Array:
    return normal_cdf(Z) + Z * np.exp(-0.5 * Z * Z) / np.sqrt(2 * np.pi).astype(Z.dtype)


def silu_derivative(Z: Array, A: Array) -> Array:
    s = sigmoid(Z)
    return s + s * (1 - s) * Z


def softplus(Z: Array) -> Array:
    return np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))


def mish_derivative(Z: Array, A: Array) -> Array:
    t = np.tanh(softplus(Z))
    return t + Z * ((1 - t) * (1 + t)) * sigmoid(Z)


def step(A: Array, low: float) -> Array:
    """1 where A > 0, `low` where A <= 0, NaN where A is."""
    return np.where(A > 0, 1, np.where(A <= 0, low, A)).astype(A.dtype)


def softmax(Z: Array) -> Array:
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


softmax_forward = softmax


class Activation(NamedTuple):
    forward: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array] | None  # softmax mixes the elements of a row: it has none


ACTIVATIONS = {
    "identity": Activation(lambda Z: Z.copy(), lambda Z, A: np.ones_like(A)),
    "sigmoid": Activation(sigmoid, lambda Z, A: A * (1 - A)),
    "tanh": Activation(np.tanh, lambda Z, A: (1 - A) * (1 + A)),
    "relu": Activation(relu, lambda Z, A: step(A, 0)),
    "leaky_relu": Activation(leaky_relu, lambda Z, A: step(A, 0.01)),
    "elu": Activation(elu, lambda Z, A: np.where(A > 0, 1, A + 1)),
    "gelu": Activation(lambda Z: Z * normal_cdf(Z), gelu_derivative),
    "silu": Activation(lambda Z: Z * sigmoid(Z), silu_derivative),
    "softplus": Activation(softplus, lambda Z, A: -np.expm1(-A)),
    "exp": Activation(np.exp, lambda Z, A: A),
    "softmax": Activation(softmax, None),
    "selu": Activation(
        lambda Z: np.asarray(SELU[0] * np.where(Z > 0, Z, SELU[1] * np.expm1(np.minimum(Z, 0))), Z.dtype),
        lambda Z, A: np.where(A > 0, SELU[0], A + SELU[0] * SELU[1]).astype(A.dtype),
    ),
    "mish": Activation(lambda Z: Z * np.tanh(softplus(Z)), mish_derivative),
}


def activation_forward(Z: Array, name: str) -> Array:
    return ACTIVATIONS[name].forward(Z)


def activation_backward(dA: Array, Z: Array, A: Array, name: str) -> Array:
    derivative = ACTIVATIONS[name].derivative
    return softmax_backward(dA, A) if derivative is None else dA * derivative(Z, A)


def softmax_backward(dA: Array, A: Array) -> Array:
    return A * (dA - (dA * A).sum(axis=1, keepdims=True))


# Costs: (cost, delta) with cost[i] = weights[i] * sum_j cost_ij and delta = scale * weights[i] * derivative.


def weigh(costs: Array, delta: Array, weights: Array | None, scale: float) -> tuple[Array, Array]:
    cost, delta = costs.sum(axis=1), scale * delta
    return (cost, delta) if weights is None else (weights * cost, weights[:, None] * delta)


def binary_cross_entropy(
    Z: Array, Y: Array, weights: Array | None = None, smoothing: float = 0, scale: float = 1
) -> tuple[Array, Array]:
    Y = Y * (1 - smoothing) + smoothing / 2
    costs = np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))
    return weigh(costs, sigmoid(Z) - Y, weights, scale)


def softmax_cross_entropy(
    Z: Array, Y: Array, weights: Array | None = None, smoothing: float = 0, scale: float = 1
) -> tuple[Array, Array]:
    n_out = Z.shape[1]
    if Y.shape[1] != n_out:  # class indices, as floats
        known = np.isin(Y, np.arange(n_out))
        Y = np.where(known, Y == np.arange(n_out), np.nan).astype(Z.dtype)
    Y = Y * (1 - smoothing) + smoothing / n_out
    shifted = Z - Z.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return weigh(Y * (log_total - shifted), softmax(Z) - Y, weights, scale)


def poisson(Z: Array, Y: Array, weights: Array | None = None, scale: float = 1) -> tuple[Array, Array]:
    y_log_y = Y * np.log(np.where(Y == 0, 1, Y))
    return weigh(np.exp(Z) - Y * Z + (y_log_y - Y), np.exp(Z) - Y, weights, scale)


def squared_error(A: Array, Y: Array, weights: Array | None = None, scale: float = 1) -> tuple[Array, Array]:
    return weigh(0.5 * (A - Y) ** 2, A - Y, weights, scale)


def absolute_error(A: Array, Y: Array, weights: Array | None = None, scale: float = 1) -> tuple[Array, Array]:
    return weigh(np.abs(A - Y), np.sign(A - Y), weights, scale)


def huber(
    A: Array, Y: Array, weights: Array | None = None, threshold: float = 1, scale: float = 1
) -> tuple[Array, Array]:
    d = np.abs(A - Y)
    costs = np.where(d <= threshold, 0.5 * d**2, threshold * (d - 0.5 * threshold))
    return weigh(costs, np.clip(A - Y, -threshold, threshold), weights, scale)


def quantile(A: Array, Y: Array, weights: Array | None = None, scale: float = 1) -> tuple[Array, Array]:
    """Y (n_samples, 2 n_out): the numbers, then the quantile of each."""
    y, q = np.hsplit(Y, 2)
    slope = np.where(A > y, 1 - q, np.where(A < y, -q, A - y))
    return weigh(slope * (A - y), slope, weights, scale)


SMOOTHED = {f.__name__: f for f in (binary_cross_entropy, softmax_cross_entropy)}
FROM_OUTPUT = {f.__name__: f for f in (squared_error, absolute_error, quantile)}


def cost_backward(
    Z: Array,
    A: Array,
    Y: Array,
    weights: Array | None,
    cost: str,
    activation: str,
    smoothing: float = 0,
    threshold: float = 1,
    scale: float = 1,
) -> tuple[Array, Array]:
    """(cost, dZ) of the output layer, for any cost and output activation."""
    if cost in SMOOTHED:
        return SMOOTHED[cost](Z, Y, weights, smoothing, scale)
    if cost == "poisson":
        return poisson(Z, Y, weights, scale)
    if cost == "huber":
        costs, dA = huber(A, Y, weights, threshold, scale)
    else:
        costs, dA = FROM_OUTPUT[cost](A, Y, weights, scale)
    return costs, activation_backward(dA, Z, A, activation)


# Layers and networks.


def affine_forward(X: Array, W: Array, b: Array) -> Array:
    return X @ W + b


def affine_backward(X: Array, W: Array, dZ: Array) -> tuple[Array, Array, Array]:
    """dW, db, dX."""
    return X.T @ dZ, dZ.sum(axis=0), dZ @ W.T


def layer_backward(
    dA: Array, X: Array, W: Array, Z: Array, A: Array, name: str
) -> tuple[Array, Array, Array, Array]:
    """dZ, dW, db, dX."""
    dZ = activation_backward(dA, Z, A, name)
    return dZ, *affine_backward(X, W, dZ)


def forward(
    X: Array, weights: Sequence[Array], biases: Sequence[Array], activations: Sequence[str]
) -> tuple[list[Array], list[Array]]:
    """All Z and all A; A[0] is X, so that layer l takes A[l] to Z[l] to A[l + 1]."""
    Z: list[Array] = []
    A = [X]
    for W, b, name in zip(weights, biases, activations, strict=True):
        Z.append(affine_forward(A[-1], W, b))
        A.append(activation_forward(Z[-1], name))
    return Z, A


def gradients(
    X: Array,
    Y: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    cost: str,
    sample_weights: Array | None = None,
    smoothing: float = 0,
    threshold: float = 1,
    scale: float = 1,
) -> tuple[Array, list[Array], list[Array]]:
    """The cost of each sample, and all dW and db."""
    Z, A = forward(X, weights, biases, activations)
    options = smoothing, threshold, scale
    costs, dZ = cost_backward(Z[-1], A[-1], Y, sample_weights, cost, activations[-1], *options)
    dW, db = [], []
    for layer in reversed(range(len(weights))):
        dW_layer, db_layer, dX = affine_backward(A[layer], weights[layer], dZ)
        dW.append(dW_layer)
        db.append(db_layer)
        if layer > 0:
            dZ = activation_backward(dX, Z[layer - 1], A[layer], activations[layer - 1])
    return costs, dW[::-1], db[::-1]


# Optimizers: from flat vectors, new moments and new params; g = clip * grads + l2 * params.


def sgd(grads: Array, rate: float, clip: float, l2: float, params: Array) -> Array:
    """New params."""
    return params - rate * (clip * grads + l2 * params)


def momentum(
    grads: Array, rate: float, mu: float, clip: float, l2: float, velocity: Array, params: Array
) -> tuple[Array, Array]:
    """New velocity and params."""
    velocity = mu * velocity - rate * (clip * grads + l2 * params)
    return velocity, params + velocity


def nesterov(
    grads: Array, rate: float, mu: float, clip: float, l2: float, velocity: Array, params: Array
) -> tuple[Array, Array]:
    """New velocity and params."""
    g = clip * grads + l2 * params
    velocity = mu * velocity - rate * g
    return velocity, params + mu * velocity - rate * g


def adam(
    grads: Array,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    clip: float,
    l2: float,
    decay: float,
    mean: Array,
    square: Array,
    params: Array,
) -> tuple[Array, Array, Array]:
    """New mean, square and params; rate and epsilon are corrected for the bias by the caller."""
    g = clip * grads + l2 * params
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    return mean, square, params - decay * params - rate * mean / (np.sqrt(square) + epsilon)


def squared_norm(grads: Array) -> float:
    return float(np.sum(grads.astype(np.float64) ** 2))
