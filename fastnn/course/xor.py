"""XOR by hand: two inputs, a layer of sigmoids, and one sigmoid; arrays are (n_features, n_samples).

_params: the list [W1 (n_h, 2), B1 (n_h, 1), W2 (1, n_h), B2 (1, 1)], of any number of inputs and outputs.
Lists and integers are taken too; an argument is never changed. What many copies have wrong, and what these
functions do:

- np.copy(params) of arrays of different shapes, which fails or shares them: here all results are new.
- 1e-5 added inside the sigmoid or the logarithm: here the loss comes from Z2 and is exact at saturation;
  only binary_cross_entropy, which is not given Z2, takes no logarithm of less than the dtype's eps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.checks import Array, whole
from fastnn.course import _layers
from fastnn.course._arrays import ELEMENTWISE, matrices
from fastnn.course._loops import descend

__all__ = [
    "affine",
    "binary_cross_entropy",
    "forward_loss",
    "get_gradients",
    "init_parameters",
    "optimize",
    "sigmoid",
]

IDENTITY, SIGMOID = ELEMENTWISE["identity"], ELEMENTWISE["sigmoid"]


def affine(W: Any, X: Any, B: Any) -> Array:
    """W X + B (n_out, n_samples)."""
    return _layers.forward("X W B", X, W, B, IDENTITY)[0]


def sigmoid(z: Any) -> Array:
    """1 / (1 + exp(-z)), of any shape."""
    return _layers.activate(z, SIGMOID)[0]


def binary_cross_entropy(Y: Any, YHat: Any) -> np.float64:
    """The mean over samples of -(y log(p) + (1 - y) log(1 - p)), with p the probabilities YHat."""
    return _layers.mean_cross_entropy("YHat", YHat, Y)


def init_parameters(num_hidden_units: int = 2, *, seed: int = 42) -> list[Array]:
    """W1 (n_h, 2), B1 (n_h, 1), W2 (1, n_h), B2 (1, 1), all standard normal."""
    n_h, random = whole("num_hidden_units", num_hidden_units, 1), np.random.RandomState(whole("seed", seed))
    return [random.standard_normal(shape) for shape in ((n_h, 2), (n_h, 1), (1, n_h), (1, 1))]


def forward_loss(X: Any, Y: Any, _params: Sequence[Any]) -> tuple[Array, Array, Array, Array, np.float64]:
    """Z1, H = sigmoid(Z1) (n_h, n_samples), Z2, YHat = sigmoid(Z2) (1, n_samples), and the mean loss."""
    W1, B1, W2, B2 = _four(_params)
    Z1, H, _ = _layers.forward("X W1 B1", X, W1, B1, SIGMOID)
    Z2, YHat, _ = _layers.forward("H W2 B2", H, W2, B2, SIGMOID)
    return Z1, H, Z2, YHat, _layers.logistic_loss("Z2", Z2, Y)[0]


def get_gradients(X: Any, Y: Any, _params: Sequence[Any]) -> tuple[list[Array], np.float64]:
    """[dW1, dB1, dW2, dB2] of the mean loss, and the loss."""
    _, H, _, YHat, loss = forward_loss(X, Y, _params)
    W1, _, W2, _ = _params
    dZ2 = _layers.difference("YHat", YHat, Y)
    dH, dW2, dB2 = _layers.backward("dZ2 H W2", dZ2, None, IDENTITY, H, W2)
    dZ1 = _layers.hidden_gradient("H", dH, H, SIGMOID)
    _, dW1, dB1 = _layers.backward("dZ1 X W1", dZ1, None, IDENTITY, X, W1, with_input=False)
    return [dW1, dB1, dW2, dB2], loss


def optimize(
    X: Any, Y: Any, _params: Sequence[Any], learning_rate: float = 0.1, iteration: int = 1000
) -> tuple[list[Array], list[float], Array]:
    """New params after so many steps of gradient descent, the loss of every 100th before its step, and YHat.

    YHat is the output of the new params. The steps run in compiled code.
    """
    _, W1, B1, W2, B2 = matrices("X W1 B1 W2 B2", X, *_four(_params))
    start = [(W1, B1), (W2, B2)]
    layers, losses = descend(X, Y, start, ("sigmoid", "sigmoid"), learning_rate, iteration)
    params = [array for layer in layers for array in layer]
    return params, losses, forward_loss(X, Y, params)[3]


def _four(_params: Sequence[Any]) -> Sequence[Any]:
    try:
        if len(_params) == 4:
            return _params
    except TypeError:
        pass
    raise ValueError(f"_params is {_params!r}: expected the list [W1, B1, W2, B2]")
