"""Memory and leaves of compiled calls: who makes a record of addresses keeps alive what they point to."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn_kernels import leaves

CACHE_LINE = 64
# By NumPy's C interface an array's pointer to its data stands right behind the head of the Python object.
_HEAD = object.__basicsize__
_PROBE = np.zeros(1)


def _address(array: Array) -> int:
    return int(ctypes.c_void_p.from_address(id(array) + _HEAD).value or 0)


def _slow_address(array: Array) -> int:
    return int(array.ctypes.data)


# Where an array's data begin: `array.ctypes.data` makes objects for a microsecond, half a prediction's time.
address = _address if _address(_PROBE) == _slow_address(_PROBE) else _slow_address


def aligned_zeros(size: int, dtype: Any) -> Array:
    """A zeroed vector that begins at a cache line."""
    itemsize = np.dtype(dtype).itemsize
    buffer = np.zeros(size + CACHE_LINE // itemsize, dtype)
    start = -buffer.ctypes.data % CACHE_LINE // itemsize
    return buffer[start : start + size]


class Memory:
    """Zeroed vectors of one element type, and records whose fields are set to numbers or to leaves."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype, self.itemsize = dtype, dtype.itemsize
        self._kept: list[Array] = []
        self._wanted: list[tuple[Any, str, leaves.Leaf]] = []

    def zeros(self, size: int, dtype: Any = None) -> Array:
        """A vector that lives as long as this memory."""
        return self.keep(aligned_zeros(size, self.dtype if dtype is None else dtype))

    def keep(self, array: Array) -> Array:
        self._kept.append(array)
        return array

    @property
    def nbytes(self) -> int:
        """What its vectors take."""
        return sum(array.nbytes for array in self._kept)

    def room(self, size: int, dtype: Any = None) -> int:
        """The address of so many zeros."""
        return int(self.zeros(size, dtype).ctypes.data)

    def rows(self, array: Array, row: int) -> int:
        """The address of the table of the addresses of the rows of `array`, each of `row` elements."""
        starts = np.arange(array.size // row, dtype=np.int64)
        return int(self.keep(array.ctypes.data + self.itemsize * row * starts).ctypes.data)

    def put(self, record: Any, **values: Any) -> None:
        """Set fields of a record, or of several: numbers, None for 0, or leaves, which `connect` fetches."""
        for name, value in values.items():
            if isinstance(value, leaves.Leaf):
                self._wanted.append((record, name, value))
            else:
                record[name] = 0 if value is None else value

    def connect(self, *more: leaves.Leaf) -> None:
        """Fill in the addresses of all leaves: what is not on the disk is compiled now, `more` with them."""
        leaves.prepare([(leaf, self.dtype) for _, _, leaf in self._wanted] + [(leaf, None) for leaf in more])
        for record, name, leaf in self._wanted:
            record[name] = leaf.address(self.dtype)
        self._wanted.clear()
