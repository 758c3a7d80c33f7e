"""Activation functions and their derivatives: leaves that work in place on rows * n elements.

The registry below says all there is to know of each; whoever needs a fact about an activation takes it
from there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastnn_kernels.gates import (
    gelu_backward,
    gelu_forward,
    mish_backward,
    mish_forward,
    silu_backward,
    silu_forward,
)
from fastnn_kernels.leaves import leaf
from fastnn_kernels.softmax import softmax_rows, softmax_rows_backward
from fastnn_kernels.table_tiles import TABLES, exp_over, sigmoid_over, tanh_over
from fastnn_kernels.vecmath import exp, expm1, sigmoid, softplus, tanh

LEAKY_RELU_SLOPE = 0.01
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclass(frozen=True)
class Activation:
    """g: `forward(A, rows, n)` turns Z into A; `backward(dA, source, rows, n)` dA into dZ = dA * g'.

    needs_z: the source of the derivative is Z; for all others it is A, and Z may be overwritten.
    slope: of its negative part, where g is a bent line: the products do that by themselves.
    quadratic: c0, c1, c2 where g' = c0 + c1 a + c2 a^2: products on lines do that.
    elementwise: as a hidden layer's must be; rectifies: it lets about half of its inputs pass, for which
    initial weights make up; cost: what goes with it as an output, unless one is named.
    """

    name: str
    code: int
    forward: Callable | None
    backward: Callable | None
    needs_z: bool = False
    slope: float | None = None
    quadratic: tuple[float, float, float] | None = None
    elementwise: bool = True
    rectifies: bool = False
    cost: str = "squared_error"


def _forward(name, function, tables=None):
    """The leaf A = function(Z), element by element, in vectors; `tables`: a faster way for float32."""

    def define_loop(T):
        def forward(a, rows, n):
            for i in range(rows * n):
                a[i] = function(a[i])

        return forward

    def define(T):
        if tables is None or not TABLES or T is not np.float32:
            return define_loop(T)

        def forward(a, rows, n):
            tables(a, rows * n)

        return forward

    define.__module__ = __name__
    return leaf("activation_forward", name=name, on_arrays=define_loop)(define)


sigmoid_forward = _forward("sigmoid_forward", sigmoid, sigmoid_over)
tanh_forward = _forward("tanh_forward", tanh, tanh_over)
exp_forward = _forward("exp_forward", exp, exp_over)
softplus_forward = _forward("softplus_forward", softplus)


@leaf("activation_backward")
def sigmoid_backward(T):
    """g' = a (1 - a)."""
    one = T(1)

    def sigmoid_backward(d, a, rows, n):
        for i in range(rows * n):
            d[i] *= a[i] * (one - a[i])

    return sigmoid_backward


@leaf("activation_backward")
def tanh_backward(T):
    """g' = (1 - a) (1 + a)."""
    one = T(1)

    def tanh_backward(d, a, rows, n):
        for i in range(rows * n):
            d[i] *= (one - a[i]) * (one + a[i])

    return tanh_backward


def _bent(name, slope):
    """A line of slope 1 above zero and of another below, and its derivative; a NaN goes on."""

    def define_forward(T):
        zero, below = T(0), T(slope)

        def forward(a, rows, n):
            for i in range(rows * n):
                a[i] = (below * a[i] if slope else zero) if a[i] <= zero else a[i]

        return forward

    def define_backward(T):
        zero, one, below = T(0), T(1), T(slope)

        def backward(d, a, rows, n):
            for i in range(rows * n):  # a NaN in A is neither <= 0 nor > 0
                d[i] *= below if a[i] <= zero else (one if a[i] > zero else a[i])

        return backward

    define_forward.__module__ = define_backward.__module__ = __name__
    return (
        leaf("activation_forward", name=f"{name}_forward")(define_forward),
        leaf("activation_backward", name=f"{name}_backward")(define_backward),
    )


relu_forward, relu_backward = _bent("relu", 0.0)
leaky_relu_forward, leaky_relu_backward = _bent("leaky_relu", LEAKY_RELU_SLOPE)


def _exponential_below(name, scale, alpha):
    """g = scale z above zero, scale alpha (exp(z) - 1) below; there g' = a + scale alpha."""

    def define_forward(T):
        zero, above, below = T(0), T(scale), T(scale * alpha)

        def forward(a, rows, n):
            for i in range(rows * n):
                low = below * expm1(a[i])
                a[i] = above * a[i] if a[i] > zero else low

        return forward

    def define_backward(T):
        zero, above, below = T(0), T(scale), T(scale * alpha)

        def backward(d, a, rows, n):
            for i in range(rows * n):
                d[i] *= above if a[i] > zero else a[i] + below

        return backward

    define_forward.__module__ = define_backward.__module__ = __name__
    return (
        leaf("activation_forward", name=f"{name}_forward")(define_forward),
        leaf("activation_backward", name=f"{name}_backward")(define_backward),
    )


elu_forward, elu_backward = _exponential_below("elu", 1.0, 1.0)
selu_forward, selu_backward = _exponential_below("selu", SELU_SCALE, SELU_ALPHA)


@leaf("activation_backward")
def softplus_backward(T):
    """g' = sigmoid(z) = 1 - exp(-a)."""

    def softplus_backward(d, a, rows, n):
        for i in range(rows * n):
            d[i] *= -expm1(-a[i])

    return softplus_backward


@leaf("activation_backward")
def exp_backward(T):
    """g' = a."""

    def exp_backward(d, a, rows, n):
        for i in range(rows * n):
            d[i] *= a[i]

    return exp_backward


IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU, ELU, GELU, SILU, SOFTPLUS, EXP, SOFTMAX, SELU, MISH = range(13)
ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("identity", IDENTITY, None, None, slope=1.0),
        Activation(
            "sigmoid",
            SIGMOID,
            sigmoid_forward,
            sigmoid_backward,
            quadratic=(0.0, 1.0, -1.0),
            cost="binary_cross_entropy",
        ),
        Activation("tanh", TANH, tanh_forward, tanh_backward, quadratic=(1.0, 0.0, -1.0)),
        Activation("relu", RELU, relu_forward, relu_backward, slope=0.0, rectifies=True),
        Activation(
            "leaky_relu",
            LEAKY_RELU,
            leaky_relu_forward,
            leaky_relu_backward,
            slope=LEAKY_RELU_SLOPE,
            rectifies=True,
        ),
        Activation("elu", ELU, elu_forward, elu_backward, rectifies=True),
        Activation("gelu", GELU, gelu_forward, gelu_backward, needs_z=True, rectifies=True),
        Activation("silu", SILU, silu_forward, silu_backward, needs_z=True, rectifies=True),
        Activation("softplus", SOFTPLUS, softplus_forward, softplus_backward, rectifies=True),
        Activation("exp", EXP, exp_forward, exp_backward, quadratic=(0.0, 1.0, 0.0), cost="poisson"),
        Activation(
            "softmax",
            SOFTMAX,
            softmax_rows,
            softmax_rows_backward,
            elementwise=False,
            cost="softmax_cross_entropy",
        ),
        Activation("selu", SELU, selu_forward, selu_backward),
        Activation("mish", MISH, mish_forward, mish_backward, needs_z=True, rectifies=True),
    )
}
BY_CODE = {activation.code: activation for activation in ACTIVATIONS.values()}
