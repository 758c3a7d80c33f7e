"""Activation functions, applied to whole arrays, and their derivatives.

Every loop works in place: output = input first, unless they are one array already. A loop from one
array to another that may be the same would be compiled twice, and run without vectors when it is.
"""

from dataclasses import dataclass

import numpy as np

from fastnn_kernels._jit import kernel
from fastnn_kernels.vecmath import erf, exp, expm1, sigmoid, softplus, tanh

IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU, ELU, GELU, SILU, SOFTPLUS, EXP, SOFTMAX = range(11)
LEAKY_RELU_SLOPE = 0.01


@dataclass(frozen=True)
class Activation:
    """`needs_z`: the derivative is taken from Z; all others take it from A, and Z may be overwritten."""

    name: str
    code: int
    needs_z: bool = False


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("identity", IDENTITY),
        Activation("sigmoid", SIGMOID),
        Activation("tanh", TANH),
        Activation("relu", RELU),
        Activation("leaky_relu", LEAKY_RELU),
        Activation("elu", ELU),
        Activation("gelu", GELU, needs_z=True),
        Activation("silu", SILU, needs_z=True),
        Activation("softplus", SOFTPLUS),
        Activation("exp", EXP),
        Activation("softmax", SOFTMAX),
    )
}


@kernel
def copy_unless_same(source, target):
    """target = source; both flat (n,)."""
    if source.ctypes.data != target.ctypes.data:
        for i in range(target.size):
            target[i] = source[i]


@kernel
def activation_forward(Z, code, A):
    """A = g(Z), element by element; an unknown code gives NaN.

    Z, A: flat (n,); A may be Z.
    """
    T = A.dtype.type
    zero, half, root_half, slope = T(0), T(0.5), T(0.7071067811865476), T(LEAKY_RELU_SLOPE)
    copy_unless_same(Z, A)
    if code == IDENTITY:
        pass
    elif code == SIGMOID:
        for i in range(A.size):
            A[i] = sigmoid(A[i])
    elif code == TANH:
        for i in range(A.size):
            A[i] = tanh(A[i])
    elif code == RELU:
        for i in range(A.size):
            A[i] = zero if A[i] <= zero else A[i]
    elif code == LEAKY_RELU:
        for i in range(A.size):
            A[i] = slope * A[i] if A[i] <= zero else A[i]
    elif code == ELU:
        for i in range(A.size):
            a = expm1(A[i])
            A[i] = A[i] if A[i] > zero else a
    elif code == GELU:
        for i in range(A.size):
            A[i] = A[i] * (half + half * erf(A[i] * root_half))
    elif code == SILU:
        for i in range(A.size):
            A[i] = A[i] * sigmoid(A[i])
    elif code == SOFTPLUS:
        for i in range(A.size):
            A[i] = softplus(A[i])
    elif code == EXP:
        for i in range(A.size):
            A[i] = exp(A[i])
    else:
        for i in range(A.size):
            A[i] = T(np.nan)


@kernel
def activation_backward(dA, Z, A, code, dZ):
    """dZ = dA * g'(Z), element by element; an unknown code gives NaN.

    dA, Z, A, dZ: flat (n,); dZ may be dA; Z is read only where the activation needs it.
    """
    T = dZ.dtype.type
    zero, one, half, slope = T(0), T(1), T(0.5), T(LEAKY_RELU_SLOPE)
    root_half, density = T(0.7071067811865476), T(0.3989422804014327)
    copy_unless_same(dA, dZ)
    if code == IDENTITY:
        pass
    elif code == SIGMOID:
        for i in range(dZ.size):
            dZ[i] *= A[i] * (one - A[i])
    elif code == TANH:
        for i in range(dZ.size):
            dZ[i] *= (one - A[i]) * (one + A[i])
    elif code == RELU:  # a NaN in A is neither <= 0 nor > 0, and goes on
        for i in range(dZ.size):
            dZ[i] *= zero if A[i] <= zero else (one if A[i] > zero else A[i])
    elif code == LEAKY_RELU:
        for i in range(dZ.size):
            dZ[i] *= slope if A[i] <= zero else (one if A[i] > zero else A[i])
    elif code == ELU:
        for i in range(dZ.size):
            dZ[i] *= one if A[i] > zero else A[i] + one
    elif code == GELU:
        for i in range(dZ.size):
            z = Z[i]
            dZ[i] *= half + half * erf(z * root_half) + z * density * exp(-half * z * z)
    elif code == SILU:
        for i in range(dZ.size):
            s = sigmoid(Z[i])
            dZ[i] *= s + s * (one - s) * Z[i]
    elif code == SOFTPLUS:
        for i in range(dZ.size):
            dZ[i] *= -expm1(-A[i])
    elif code == EXP:
        for i in range(dZ.size):
            dZ[i] *= A[i]
    else:
        for i in range(dZ.size):
            dZ[i] = T(np.nan)


@kernel
def softmax_forward(Z, A):
    """A[i, j] = exp(Z[i, j] - m) / sum_k exp(Z[i, k] - m), m the maximum of row i.

    Z, A: (n_samples, n_out); A may be Z.
    """
    flat = A.reshape(A.size)
    copy_unless_same(Z.reshape(Z.size), flat)
    subtract_row_maximum(A)
    for i in range(flat.size):  # one flat loop: rows are often shorter than a vector
        flat[i] = exp(flat[i])
    zero, one = A.dtype.type(0), A.dtype.type(1)
    for i in range(A.shape[0]):
        total = zero
        for j in range(A.shape[1]):
            total += A[i, j]
        factor = one / total
        for j in range(A.shape[1]):
            A[i, j] *= factor


@kernel
def subtract_row_maximum(A):
    """A[i, j] -= max_k A[i, k], in place; A: (n_samples, n_out)."""
    for i in range(A.shape[0]):
        largest = A[i, 0]
        for j in range(A.shape[1]):
            largest = A[i, j] if A[i, j] > largest else largest
        for j in range(A.shape[1]):
            A[i, j] -= largest


@kernel
def softmax_backward(dA, A, dZ):
    """dZ[i, j] = A[i, j] * (dA[i, j] - sum_k dA[i, k] A[i, k]).

    dA, A, dZ: (n_samples, n_out); dZ may be dA.
    """
    copy_unless_same(dA.reshape(dA.size), dZ.reshape(dZ.size))
    zero = dZ.dtype.type(0)
    for i in range(dZ.shape[0]):
        mean = zero
        for j in range(dZ.shape[1]):
            mean += dZ[i, j] * A[i, j]
        for j in range(dZ.shape[1]):
            dZ[i, j] = A[i, j] * (dZ[i, j] - mean)
