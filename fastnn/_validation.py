"""What stands between Python callers and kernels that trust raw pointers: the checks of a call's arguments.

Inputs of one dtype, sizes that agree, outputs that overlap nothing. Whatever is wrong raises before
anything has been written, and says what was given and what was expected.
"""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
RANGES = {"smoothing": (0, 1), "threshold": (0, np.inf)}  # of scalars; the others take any number but NaN


class Call:
    """The checked arguments of one call of a kernel.

    An input is given with the names of its dimensions, X=(X, "n_samples n_in") for example, or "..." for
    any shape; a name means one size throughout the call. `arrays` are the inputs as kernels want them.
    """

    def __init__(self, **inputs: tuple[Any, str]) -> None:
        self._sizes: dict[str, tuple[Any, str, str]] = {}  # dimension: its size, whose, along what
        self._memory: list[tuple[str, Array]] = []
        values = {name: self.add(name, *value) for name, value in inputs.items()}
        self.dtype = common_dtype(values.values())
        self.arrays = {name: as_kernels_want(value, self.dtype) for name, value in values.items()}

    def add(self, name: str, value: Any, dimensions: str) -> Array:
        """Check one more input, whose dtype is its own affair; a CSR matrix is represented by its data."""
        parts = value.parts if isinstance(value, Csr) else (real_array(name, value),)
        self._agree(name, value.shape if isinstance(value, Csr) else parts[0].shape, dimensions)
        self._memory += [(name, part) for part in parts]
        return parts[0]

    def size(self, dimension: str) -> int:
        return self._sizes[dimension][0]

    def numbers(self, options: Mapping[str, Any]) -> list[Any]:
        """Scalars of the call's dtype, each within the range that its name has."""
        return [self.dtype.type(real_number(name, value)) for name, value in options.items()]

    def scratch(self, scratch_size: Any, dimensions: str) -> Array:
        """As many elements as the kernel's own `scratch_size` asks for."""
        return np.empty(scratch_size(*map(self.size, dimensions.split()), self.dtype.itemsize), self.dtype)

    def outputs(
        self, out: Sequence[Any] | None, overwrites: Mapping[str, str] | None = None, /, **dimensions: str
    ) -> list[Array]:
        """The outputs named by `dimensions`: those in `out`, checked, and new ones where there is none.

        `overwrites` maps an output to the input that it may be. Without dimensions an output is not wanted:
        kernels take an empty matrix for that.
        """
        if out is None:
            out = (None,) * len(dimensions)
        if not isinstance(out, (tuple, list)) or len(out) != len(dimensions):
            raise TypeError(f"out is to be a tuple of an array or None for each of {', '.join(dimensions)}")
        memory, results = list(self._memory), []
        for (name, names), array in zip(dimensions.items(), out, strict=True):
            shape = self._shape(names)
            if array is None:
                array = np.empty(shape, self.dtype)
            elif not names:
                raise ValueError(f"the output {name} is not computed in this call: give None for it")
            else:
                check_output(name, array, shape, self.dtype)
                check_overlap(name, array, memory, (overwrites or {}).get(name))
            memory.append((name, array))
            results.append(np.asarray(array))
        return results

    def _shape(self, dimensions: str) -> Any:
        if dimensions == "...":
            return self.size(dimensions)
        return tuple(map(self.size, dimensions.split())) or (0, 0)

    def _agree(self, name: str, shape: tuple[int, ...], dimensions: str) -> None:
        """Hold `shape` against the sizes known so far, and learn the new ones."""
        if 0 in shape:
            raise ValueError(f"{name} is empty, its shape is {shape}: expected at least 1 in each dimension")
        names, wanted = dimensions.split(), f"{name} is to be ({dimensions.replace(' ', ', ')})"
        axes: tuple[str, ...] = ("rows", "columns") if len(names) == 2 else ("elements",)
        sizes: tuple[Any, ...] = shape
        if dimensions == "...":
            wanted, sizes, axes = "they are to be the same", (shape,), ("as its shape",)
        elif len(shape) != len(names):
            raise ValueError(f"{name} has shape {shape}: {wanted}")
        for dimension, size, axis in zip(names, sizes, axes, strict=True):
            known, owner, owner_axis = self._sizes.setdefault(dimension, (size, name, axis))
            if size != known:
                found = f"{name} has {size} {axis}, but {owner} has {known} {owner_axis}"
                raise ValueError(f"{found}: {wanted}")


class Csr:
    """The arrays of a CSR matrix from scipy.sparse: kernels follow its indices blindly."""

    def __init__(self, name: str, X: Any) -> None:
        if X.format != "csr" or X.ndim != 2:
            raise TypeError(f"{name} is a sparse matrix of format {X.format!r}: give {name}.tocsr(), in 2-D")
        self.shape: tuple[int, int] = X.shape
        data, indices, indptr = self.parts = [real_array(name, x) for x in (X.data, X.indices, X.indptr)]
        if any(part.ndim != 1 for part in self.parts) or {indices.dtype.kind, indptr.dtype.kind} - {*"iu"}:
            raise TypeError(
                f"{name}: expected flat data, indices and indptr, the last two of an integer type"
            )
        narrow = indices.dtype == indptr.dtype == np.int32
        indices, indptr = (as_kernels_want(x, np.int32 if narrow else np.int64) for x in (indices, indptr))
        (n_rows, n_columns), end = self.shape, indptr[-1] if indptr.size else 0
        if indptr.size != n_rows + 1 or indptr[0] != 0 or np.any(indptr[1:] < indptr[:-1]):
            raise ValueError(f"{name}.indptr: expected {n_rows + 1} numbers that rise from 0")
        if end > min(data.size, indices.size):
            raise ValueError(f"{name}.indptr ends at {end}, beyond the end of indices or data")
        low, high = (indices[:end].min(), indices[:end].max()) if end else (0, 0)
        if low < 0 or high >= n_columns:
            raise ValueError(f"{name}.indices run from {low} to {high}, expected 0 to {n_columns - 1}")
        self.indices, self.indptr = indices, indptr


def is_sparse(X: Any) -> bool:
    """Whether X comes from scipy.sparse, which takes longer to import than all of this package."""
    return hasattr(X, "tocsr")


def real_array(name: str, value: Any) -> Array:
    if is_sparse(value):
        raise TypeError(f"{name} is a sparse matrix: only X of affine_forward and affine_backward may be one")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}, expected real numbers, for float32 or float64")
    return array


def common_dtype(arrays: Iterable[Array]) -> np.dtype[Any]:
    """float32 if that is the type of all float arrays; integers, booleans and float16 have no say."""
    sizes = {array.itemsize for array in arrays if array.dtype.kind == "f" and array.itemsize > 2}
    return np.dtype(np.float32 if sizes == {4} else np.float64)


def as_kernels_want(array: Array, dtype: DTypeLike) -> Array:
    """`array` itself where it can be, else a copy: of this dtype, contiguous and aligned."""
    array = np.require(array, dtype, ["C", "A"])
    return array if array.flags.writeable else np.asarray(_SameMemory(array))


class _SameMemory:
    """A read-only array under a type that says nothing of it.

    Kernels do not write their inputs, but numba would compile them anew, for seconds, for each
    combination of read-only arguments.
    """

    def __init__(self, array: Array) -> None:
        self.array = array
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def check_output(name: str, array: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    wanted = f"expected a NumPy array of shape {shape} and dtype {dtype}, C-contiguous, aligned and writeable"
    if not isinstance(array, np.ndarray):
        raise TypeError(f"the output {name} is a {type(array).__name__}, {wanted}")
    if array.dtype != dtype:
        raise TypeError(f"the output {name} has dtype {array.dtype}, {wanted}")
    if array.shape != shape:
        raise ValueError(f"the output {name} has shape {array.shape}, {wanted}")
    for flag in ("C_CONTIGUOUS", "ALIGNED", "WRITEABLE"):
        if not array.flags[flag]:
            raise ValueError(f"the output {name} is not {flag}, {wanted}")


def check_overlap(name: str, array: Array, others: Iterable[tuple[str, Array]], same: str | None) -> None:
    """`array` shares memory with none of `others`, unless it is the very array called `same`."""
    for other_name, other in others:
        if np.shares_memory(array, other) and not (other_name == same and _identical(array, other)):
            advice = f", or {same} itself to overwrite it" if same not in (None, name) else ""
            raise ValueError(f"the output {name} overlaps {other_name}: give memory of its own{advice}")


def _identical(a: Array, b: Array) -> bool:
    return a.ctypes.data == b.ctypes.data and (a.dtype, a.shape, a.strides) == (b.dtype, b.shape, b.strides)


def real_number(name: str, value: Any) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"{name} is a {type(value).__name__}, expected a real number")
    low, high = RANGES.get(name, (-np.inf, np.inf))
    if not low <= float(value) <= high:
        raise ValueError(f"{name} is {value}, expected a number from {low} to {high}")
    return float(value)


def choice(kind: str, name: str, registry: Mapping[str, Any]) -> Any:
    """registry[name], or an error that lists the names."""
    if name not in registry:
        raise ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(registry)}")
    return registry[name]


def class_column(call: Call, name: str, value: Any) -> Array:
    """Indices of classes (n_samples,) as the column of floats that kernels take for them."""
    labels, n_out = call.add(name, value, "n_samples"), call.size("n_out")
    if not np.all((labels >= 0) & (labels < n_out) & (labels == np.floor(labels))):
        low, high = labels.min(), labels.max()
        raise ValueError(f"{name} holds {low} to {high}, expected indices of classes: 0 to {n_out - 1}")
    # A column as wide as the output is not indices to a kernel, but rows that sum to 1.
    return as_kernels_want(labels if n_out > 1 else np.ones(labels.size), call.dtype).reshape(-1, 1)
