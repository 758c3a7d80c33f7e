"""Activations that are z times a gate, which opens from 0 to 1 as z grows: GELU, SiLU and Mish."""

from fastnn_kernels.leaves import leaf
from fastnn_kernels.vecmath import erf, exp, sigmoid


@leaf("activation_forward")
def gelu_forward(T):
    """g = z P(z), P the normal distribution's."""
    half, root_half = T(0.5), T(0.7071067811865476)

    def gelu_forward(a, rows, n):
        for i in range(rows * n):
            a[i] = a[i] * (half + half * erf(a[i] * root_half))

    return gelu_forward


@leaf("activation_backward")
def gelu_backward(T):
    """g' = P(z) + z p(z)."""
    half, root_half, density = T(0.5), T(0.7071067811865476), T(0.3989422804014327)

    def gelu_backward(d, z, rows, n):
        for i in range(rows * n):
            bell = density * exp(-half * z[i] * z[i])
            d[i] *= half + half * erf(z[i] * root_half) + z[i] * bell

    return gelu_backward


@leaf("activation_forward")
def silu_forward(T):
    """g = z sigmoid(z)."""

    def silu_forward(a, rows, n):
        for i in range(rows * n):
            a[i] = a[i] * sigmoid(a[i])

    return silu_forward


@leaf("activation_backward")
def silu_backward(T):
    """g' = s + s (1 - s) z, s = sigmoid(z)."""
    one = T(1)

    def silu_backward(d, z, rows, n):
        for i in range(rows * n):
            s = sigmoid(z[i])
            d[i] *= s + s * (one - s) * z[i]

    return silu_backward


# Beyond it tanh(softplus(z)) is 1 in float64 too, and exp(z)^2 far from infinite.
MISH_ONE = 20.0


@leaf("activation_forward")
def mish_forward(T):
    """g = z tanh(log(1 + exp(z))) = z n / (n + 2), n = w (w + 2), w = exp(z): of one exponential."""
    two, most = T(2), T(MISH_ONE)

    def mish_forward(a, rows, n):
        for i in range(rows * n):
            w = exp(most if a[i] > most else a[i])
            grown = w * (w + two)
            a[i] = a[i] * (grown / (grown + two))

    return mish_forward


@leaf("activation_backward")
def mish_backward(T):
    """g' = t + z (1 - t^2) sigmoid(z), t = n / (n + 2) as above, 1 - t = 2 / (n + 2)."""
    one, two, most = T(1), T(2), T(MISH_ONE)

    def mish_backward(d, z, rows, n):
        for i in range(rows * n):
            low = most if z[i] > most else z[i]
            w = exp(low)
            grown = w * (w + two)
            less = two / (grown + two)
            d[i] *= grown / (grown + two) + low * (less * (two - less)) * (w / (one + w))

    return mish_backward
