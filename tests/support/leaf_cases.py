"""Leaves, compiled one by one and called as the loops call them."""

from functools import cache

import numba
import numpy as np

import fastnn_kernels.line_moves
import fastnn_kernels.line_tiles  # noqa: F401  (these register leaves that no workspace wants yet)
from fastnn import workspace  # noqa: F401  (this, all others)
from fastnn_kernels import leaves
from fastnn_kernels.leaves import LEAVES
from fastnn_kernels.simd import VECTOR_BYTES

CALLED = set()  # names of the leaves that tests have called


@cache
def _through(family):
    """A compiled function that calls a leaf of this family as the loops do."""
    call = leaves.caller(family)
    return numba.njit(lambda address, arguments: call(address, *arguments))


@cache
def compiled(name, dtype):
    """A function that calls a leaf by address: arrays are handed over as theirs, None as 0."""
    leaf = LEAVES[name]
    letters, call, address = (
        leaves.FAMILIES[leaf.family].partition(">")[0],
        _through(leaf.family),
        leaf.address(dtype),
    )

    def checked(*arguments):
        assert len(arguments) == len(letters), (name, letters)
        for letter, value in zip(letters, arguments, strict=True):
            expected = {"p": np.dtype(dtype), "I": np.int64, "D": np.float64, "w": np.int32}.get(letter)
            assert expected is None or value is None or value.dtype == expected, (name, letter)
        CALLED.add(name)
        given = (0 if x is None else x.ctypes.data if isinstance(x, np.ndarray) else x for x in arguments)
        return call(address, tuple(given))

    return checked


def lanes(dtype):
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def addresses(A):
    """The table of the rows of A."""
    return A.ctypes.data + np.arange(A.shape[0], dtype=np.int64) * A.strides[0]
