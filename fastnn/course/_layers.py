"""One layer forward and back, through the kernels for samples in columns: what all course helpers share.

A_prev, dA_prev (n_in, n_samples), W, dW (n_out, n_in), b, db (n_out, 1), Z, A, dZ, dA (n_out, n_samples).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from fastnn.checks import Array, real
from fastnn.course._arrays import (
    FLOAT64,
    agree,
    by_columns,
    elements,
    is_plain,
    labels,
    matrices,
    missing,
    readable,
)
from fastnn_kernels import columns
from fastnn_kernels.activations import IDENTITY
from fastnn_kernels.matmul import PACK_BYTES
from fastnn_kernels.on_arrays import activation_backward, activation_forward, binary_cross_entropy

NO_SCRATCH, NO_SCRATCH_32 = np.empty(0), np.empty(0, np.float32)
forward_scratch_size = lru_cache(columns.forward_scratch_size)
backward_scratch_size = lru_cache(columns.backward_scratch_size)


def forward(names: str, A_prev: Any, W: Any, b: Any, code: int) -> tuple[Array, Array, tuple[Array, ...]]:
    """Z = W A_prev + b and A = g(Z), then A_prev, W and b for a cache: as given where that can be."""
    cache: tuple[Array, ...] = A_prev, W, b
    transposed = False
    if is_plain(A_prev) and is_plain(W) and is_plain(b) and A_prev.dtype is W.dtype is b.dtype:
        X = A_prev
    else:
        A_prev, W, b = cache = matrices(names, A_prev, W, b)
        X, transposed = by_columns(A_prev)
        W, b = readable(W), readable(b)
    n_out, n_in = W.shape
    rows, n_samples = A_prev.shape
    if rows != n_in or b.shape != (n_out, 1):
        raise _no_layer(names, A_prev, W, b)
    dtype = W.dtype
    Z = A = np.empty((n_out, n_samples), dtype)
    if code != IDENTITY:
        A = np.empty((n_out, n_samples), dtype)
    scratch = NO_SCRATCH if dtype is FLOAT64 else NO_SCRATCH_32
    if transposed or A_prev.nbytes >= PACK_BYTES:  # else the product reads A_prev where it is
        scratch = np.empty(forward_scratch_size(n_in, n_out, n_samples, dtype.itemsize), dtype)
    columns.layer_forward(X, transposed, W, b, code, Z, A, scratch)
    return Z, A, cache


def _no_layer(names: str, A_prev: Array, W: Array, b: Array) -> ValueError:
    first, second, third = names.split()
    if A_prev.shape[0] != W.shape[1]:
        return ValueError(
            f"{second} has shape {W.shape} and {first} {A_prev.shape}: the product {second} {first} takes as "
            f"many rows of {first} (features) as {second} has columns; samples are columns here"
        )
    return ValueError(
        f"{third} has shape {b.shape}, expected {(W.shape[0], 1)}: one row for each of {second}"
    )


def backward(
    names: str, dA: Any, Z: Any, code: int, A_prev: Any, W: Any, *, with_input: bool = True
) -> tuple[Array, Array, Array]:
    """dA_prev, dW and db, the last two divided by the number of samples; dA_prev is empty if not wanted.

    Where the activation is the identity dA is dZ, and Z is not looked at.
    """
    given = (dA, A_prev, W) if code == IDENTITY else (dA, A_prev, W, Z)
    dA, A_prev, W, *rest = matrices(names, *given)
    n_out, n_in = W.shape
    rows, n_samples = A_prev.shape
    if rows != n_in or dA.shape != (n_out, n_samples):
        first, second, third = names.split()[:3]
        raise ValueError(
            f"{first} has shape {dA.shape}, {second} {A_prev.shape} and {third} {W.shape}: they must be "
            "(n_out, n_samples), (n_in, n_samples) and (n_out, n_in)"
        )
    for Z in rest:
        agree("Z", Z, names.split()[0], dA)
    dtype = W.dtype
    X, transposed = by_columns(A_prev)
    dA = dZ = readable(dA)
    if code != IDENTITY:
        Z, dZ = readable(Z), np.empty((n_out, n_samples), dtype)
    else:
        Z = dA
    dW, db = np.empty((n_out, n_in), dtype), np.empty((n_out, 1), dtype)
    dA_prev = np.empty((n_in, n_samples), dtype) if with_input else np.empty((0, 0), dtype)
    scratch = np.empty(backward_scratch_size(n_in, n_out, n_samples, dtype.itemsize), dtype)
    columns.layer_backward(
        dA, Z, code, X, transposed, readable(W), 1 / n_samples, dZ, dW, db, dA_prev, scratch
    )
    return dA_prev, dW, db


def weight_gradient(dZ: Any, A_prev: Any) -> Array:
    """dW = dZ A_prev' / n_samples."""
    dZ, A_prev = matrices("dZ A_prev", dZ, A_prev)
    (n_out, n_samples), n_in = dZ.shape, len(A_prev)
    if A_prev.shape[1] != n_samples:
        raise ValueError(f"dZ has shape {dZ.shape} and A_prev {A_prev.shape}: a column of each is a sample")
    X, transposed = by_columns(A_prev)
    scratch = np.empty(backward_scratch_size(n_in, n_out, n_samples, dZ.itemsize), dZ.dtype)
    dW = np.empty((n_out, n_in), dZ.dtype)
    columns.weight_gradient(readable(dZ), X, transposed, 1 / n_samples, dW, scratch)
    return dW


def bias_gradient(dZ: Any) -> Array:
    """db (n_out, 1): the mean of dZ over samples."""
    (dZ,) = matrices("dZ", dZ)
    db = np.empty((len(dZ), 1), dZ.dtype)
    columns.bias_gradient(readable(dZ), 1 / dZ.shape[1], db)
    return db


def input_gradient(W: Any, dZ: Any) -> Array:
    """dA_prev = W' dZ."""
    W, dZ = matrices("W dZ", W, dZ)
    (n_out, n_in), n_samples = W.shape, dZ.shape[1]
    if len(dZ) != n_out:
        raise ValueError(f"W has shape {W.shape} and dZ {dZ.shape}: a row of each is an output")
    scratch = np.empty(backward_scratch_size(n_in, n_out, n_samples, W.itemsize), W.dtype)
    dA_prev = np.empty((n_in, n_samples), W.dtype)
    columns.input_gradient(readable(W), readable(dZ), dA_prev, scratch)
    return dA_prev


def activate(Z: Any, code: int) -> tuple[Array, Array]:
    """A = g(Z) of any shape, and Z as an array; both are scalars if Z is one."""
    if is_plain(Z):
        A = np.empty(Z.shape, Z.dtype)
        activation_forward(Z, code, A)
        return A, Z
    array = elements("Z", Z)
    A = np.empty(array.shape, array.dtype)
    activation_forward(array.reshape(1, -1), code, A.reshape(1, -1))
    return (A if A.ndim else A[()]), (Z if type(Z) is np.ndarray else array)


def activation_gradient(dA: Any, Z: Any, code: int) -> Array:
    """dZ = dA * g'(Z), of any one shape."""
    if is_plain(dA) and is_plain(Z) and dA.dtype is Z.dtype and dA.shape == Z.shape:
        dZ = np.empty(dA.shape, dA.dtype)
        columns.activation_gradient(dA, Z, code, dZ, np.empty(columns.ELEMENTS, dA.dtype))
        return dZ
    dA, Z = elements("dA", dA), elements("Z", Z)
    agree("dA", dA, "Z", Z)
    if dA.dtype != Z.dtype:
        dA, Z = (array.astype(np.float64, copy=False) for array in (dA, Z))
    dZ = np.empty(dA.shape, dA.dtype)
    scratch = np.empty(columns.ELEMENTS, dA.dtype)
    columns.activation_gradient(dA.reshape(1, -1), Z.reshape(1, -1), code, dZ.reshape(1, -1), scratch)
    return dZ if dZ.ndim else dZ[()]


def mean_cross_entropy(name: str, A: Any, Y: Any) -> np.float64:
    """-(sum of y log(a) + (1 - y) log(1 - a)) / n_samples, with a and 1 - a at least the dtype's eps."""
    (A,) = matrices(name, A)
    A = readable(A)
    return np.float64(columns.cross_entropy(A, labels("Y", Y, name, A)) / A.shape[1])


def logistic_loss(name: str, Z: Array, Y: Any) -> tuple[np.float64, Array]:
    """The mean cross-entropy of the sigmoid of Z, exact at saturation, and its derivative by Z."""
    dZ, costs, scalar = np.empty(Z.shape, Z.dtype), np.empty(Z.shape[0], Z.dtype), Z.dtype.type
    Y, scale = labels("Y", Y, name, Z), scalar(1 / Z.shape[1])
    binary_cross_entropy(Z, Y, np.empty(0, Z.dtype), scalar(0), scale, costs, dZ)
    return np.float64(costs.sum(dtype=np.float64) / Z.shape[1]), dZ


def difference(name: str, A: Any, Y: Any) -> Array:
    """A - Y: the dZ of a sigmoid layer whose cost is the cross-entropy."""
    (A,) = matrices(name, A)
    return np.subtract(A, labels("Y", Y, name, A), order="C")


def hidden_gradient(name: str, dA: Array, A: Any, code: int) -> Array:
    """dA * g'(Z), with g' taken from A = g(Z) as sigmoid and tanh allow; overwrites dA and returns it."""
    (A,) = matrices(name, A)
    agree(f"d{name}", dA, name, A)
    A = readable(A.astype(dA.dtype, copy=False))
    activation_backward(dA, A, A, code, dA)
    return dA


def cross_entropy_gradient(name: str, A: Any, Z: Any, Y: Any) -> Array:
    """The cross-entropy's derivative by Z, for A the sigmoid of Z: A - Y, at saturation too."""
    A, Z = matrices(f"{name} Z", A, Z)
    agree(name, A, "Z", Z)
    A = readable(A)
    dZ = np.empty(A.shape, A.dtype)
    columns.cross_entropy_gradient(A, readable(Z), labels("Y", Y, name, A), dZ)
    return dZ


def checked_rate(learning_rate: Any) -> float:
    """A finite number of at least zero; of a plain float that is told in a tenth of the time."""
    if type(learning_rate) is float and 0 <= learning_rate < np.inf:
        return learning_rate
    return real("learning_rate", learning_rate)


def step(name: str, params: Any, grads: Any, learning_rate: float) -> Array:
    """params - learning_rate * grads, a new matrix."""
    if not (
        is_plain(params) and type(grads) is np.ndarray and grads.dtype is params.dtype and grads.flags.carray
    ):
        params, grads = map(readable, matrices(f"{name} d{name}", params, grads))
    shape = params.shape
    if grads.shape != shape:
        agree(f"d{name}", grads, name, params)
    new = np.empty(shape, params.dtype)
    columns.descend(params, grads, learning_rate, new)
    return new


def steps(parameters: Mapping[str, Any], grads: Mapping[str, Any], learning_rate: Any) -> dict[str, Array]:
    """`step` of each of the parameters by name, in a new dictionary."""
    rate = checked_rate(learning_rate)
    try:
        return {name: step(name, value, grads["d" + name], rate) for name, value in parameters.items()}
    except KeyError as error:
        raise missing("grads", grads, error.args[0]) from None


def classes(A: Array) -> Array:
    """1 where A > 0.5, else 0, in A's type."""
    return (A > 0.5).astype(A.dtype)
