"""The arguments of the course helpers, as the kernels read them; a helper that fails has changed nothing.

Arrays are matrices, one column a sample. What is a float array in C or Fortran order is taken as it is,
since a check that took longer than a small product would leave nothing of its speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.checks import Array, as_kernels_want, as_numbers, choice, common_dtype
from fastnn_kernels.activations import ACTIVATIONS

FLOAT64, FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)
ELEMENTWISE = {name: entry.code for name, entry in ACTIVATIONS.items() if entry.elementwise}


def is_plain(value: Any) -> bool:
    """Whether `value` is a matrix that kernels read as it stands; asking takes a quarter of a small ufunc."""
    return (
        type(value) is np.ndarray
        and ((dtype := value.dtype) is FLOAT64 or dtype is FLOAT32)
        and value.ndim == 2
        and value.flags.carray
        and value.size > 0
    )


def matrices(names: str, *values: Any) -> tuple[Array, ...]:
    """The `values`, in errors called by the words of `names`, as matrices of one float type.

    Those that are so already are returned themselves, in either order.
    """
    dtype = getattr(values[0], "dtype", None)
    for value in values:
        if type(value) is not np.ndarray or value.dtype is not dtype or value.ndim != 2 or not value.size:
            break
    else:
        if dtype is FLOAT64 or dtype is FLOAT32:
            return values
    return _converted(names.split(), values)


def _converted(names: list[str], values: tuple[Any, ...]) -> tuple[Array, ...]:
    arrays = [as_numbers(name, value) for name, value in zip(names, values, strict=True)]
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 2:
            raise ValueError(
                f"{name} has shape {array.shape}, expected two dimensions: reshape(-1, 1) makes one column "
                "of it, reshape(1, -1) one row"
            )
        if not array.size:
            raise ValueError(f"{name} is empty, its shape is {array.shape}: expected at least one element")
    dtype = common_dtype(arrays)
    return tuple(array.astype(dtype, copy=False) for array in arrays)


def readable(array: Array) -> Array:
    """The array itself where kernels can read it, else a copy in C order."""
    return array if array.flags.carray else as_kernels_want(array, array.dtype)


def by_columns(A: Array) -> tuple[Array, bool]:
    """A or its transpose, whichever stands in C order, and whether it is the transpose."""
    flags = A.flags
    if flags.carray:
        return A, False
    # Not flags.farray, which is true of strided arrays too.
    return (readable(A.T), True) if flags.f_contiguous else (readable(A), False)


def elements(name: str, values: Any) -> Array:
    """`values` of any shape as a float array in C order, which may share their memory."""
    if (
        type(values) is np.ndarray
        and values.flags.carray
        and (values.dtype is FLOAT64 or values.dtype is FLOAT32)
    ):
        return values
    array = as_numbers(name, values)
    return as_kernels_want(array, common_dtype([array])).reshape(array.shape)


def agree(first: str, A: Array, second: str, B: Array) -> None:
    """Both have one shape, or an error that gives the two."""
    if A.shape != B.shape:
        raise ValueError(f"{first} has shape {A.shape}, but {second} has {B.shape}: they must be the same")


def labels(name: str, Y: Any, other: str, A: Array) -> Array:
    """Y as an array of A's shape and type; (n_samples,) stands for (1, n_samples)."""
    if type(Y) is not np.ndarray or Y.dtype is not A.dtype or not Y.flags.carray:
        Y = as_kernels_want(as_numbers(name, Y), A.dtype)
    if Y.ndim == 1 and A.shape[0] == 1:
        Y = Y.reshape(1, -1)
    agree(name, Y, other, A)
    return Y


def entry(name: str, dictionary: Mapping[str, Any], key: str) -> Any:
    """dictionary[key], or an error that lists the keys there are."""
    try:
        return dictionary[key]
    except (KeyError, TypeError, IndexError):
        raise missing(name, dictionary, key) from None


def missing(name: str, dictionary: Any, key: str) -> ValueError:
    """The error that lists the keys there are."""
    keys = ", ".join(map(str, dictionary)) if isinstance(dictionary, Mapping) else type(dictionary).__name__
    return ValueError(f"{name} has no {key!r}: expected a dictionary with that key, given {keys}")


def activation_code(activation: str) -> int:
    """The kernels' code of an activation that works element by element."""
    return int(choice("activation", activation, ELEMENTWISE))
