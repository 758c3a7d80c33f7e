"""What stands between users and kernels that trust raw pointers: checks of plain values and of arrays.

Everything is checked before any work. Errors say what was given and what was expected.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
# What other libraries call it.
SYNONYMS = {
    **dict.fromkeys(("mse", "mean_squared_error", "l2"), "squared_error"),
    **dict.fromkeys(("mae", "mean_absolute_error", "l1"), "absolute_error"),
    **dict.fromkeys(("bce", "log_loss", "logloss", "binary_crossentropy"), "binary_cross_entropy"),
    **dict.fromkeys(("cross_entropy", "crossentropy", "categorical_crossentropy"), "softmax_cross_entropy"),
    **{"logistic": "sigmoid", "linear": "identity", "none": "identity", "swish": "silu"},
}


def real(name: str, value: Any, low: float = 0.0, high: float = np.inf, *, above: bool = False) -> float:
    """`value` as a float, with low <= value < high; low < value if `above`."""
    good = isinstance(value, Real) and not isinstance(value, bool)
    if not (good and (low < value if above else low <= value) and value < high):
        least = f"above {low:g}" if above else f"of at least {low:g}"
        most = "finite" if high == np.inf else f"below {high:g}"
        raise ValueError(f"{name}={value!r} must be a number {least} and {most}")
    return float(value)


def whole(name: str, value: Any, low: int = 0, high: float = np.inf) -> int:
    """`value` as an int, with low <= value <= high."""
    good = isinstance(value, Integral) and not isinstance(value, bool)
    if not (good and low <= value <= high):
        most = "" if high == np.inf else f" and at most {high}"
        raise ValueError(f"{name}={value!r:.80} must be a whole number of at least {low}{most}")
    return int(value)


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}={value!r} must be True or False")
    return bool(value)


def choice(kind: str, name: str, registry: Mapping[str, Any]) -> Any:
    """registry[name], or an error that lists the names and repeats the nearest one."""
    if name not in registry:
        near = meant(name, registry)
        raise ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(registry)}{near}")
    return registry[name]


def meant(name: Any, registry: Iterable[str]) -> str:
    """What an error ends with if one of the names is near."""
    from difflib import get_close_matches  # a tenth of the time of `import fastnn`, for errors alone

    word = str(name).strip().lower().replace("-", "_").replace(" ", "_")
    names = {entry.lower(): entry for entry in registry}
    near = [SYNONYMS.get(word), *get_close_matches(word, names, 1)]
    found = [names[entry] for entry in near if entry in names]
    return f"; did you mean {found[0]!r}?" if found else ""


def widths(name: str, sizes: Any) -> tuple[int, ...]:
    """The widths of a network's layers, from the inputs' to the outputs'."""
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise ValueError(f"{name}={sizes!r}; give a list of widths, from the inputs' to the outputs'")
    result = tuple(whole(f"a width in {name}", size, 1) for size in sizes)
    if len(result) < 2:
        raise ValueError(f"{name}={list(result)}; expected at least two widths: the inputs' and the outputs'")
    return result


def per_layer(name: str, value: Any, n_hidden: int) -> tuple[Any, ...]:
    """One value for each hidden layer: `value` for all, or those in a list."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return (value,) * n_hidden
    values = tuple(value)
    if len(values) != n_hidden:
        raise ValueError(f"{name}={value!r} has {len(values)} entries; there are {n_hidden} hidden layers")
    return values


def float_type(dtype: Any) -> np.dtype[Any]:
    """float32 or float64, by any of its names."""
    try:
        if dtype is not None and np.dtype(dtype) in (np.float32, np.float64):
            return np.dtype(dtype)
    except TypeError:
        pass
    raise ValueError(f"dtype={dtype!r}; give 'float32' or 'float64'")


def is_sparse(X: Any) -> bool:
    """Whether X comes from scipy.sparse, which takes longer to import than all of this package."""
    return hasattr(X, "tocsr")


def assign(name: str, vector: Array, values: Any) -> None:
    """Copy numbers into a vector, if they have its shape."""
    array = as_numbers(name, values)
    if array.shape != vector.shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {vector.shape}")
    vector[:] = array


def require_unmasked(name: str, values: Any) -> None:
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; fill what is masked, or drop it")


def as_numbers(name: str, values: Any) -> Array:
    """`values` as an array of real numbers, in whatever type and layout it has."""
    if is_sparse(values):
        raise TypeError(f"{name} is a sparse matrix; give {name}.toarray(): only X may be one")
    require_unmasked(name, values)
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} does not make an array: {error}") from None
    if array.dtype.kind == "O" and array is not values and hasattr(values, "__array__"):  # pandas
        try:
            if not any(isinstance(value, str | bytes) for value in array.flat):
                array = array.astype(np.float64)
        except (TypeError, ValueError):
            pass
    if array.dtype.kind not in "biuf":
        what = _strange(array, values)
        raise TypeError(
            f"{name} has dtype {array.dtype}, expected real numbers: convert or encode it first{what}"
        )
    return array


def _strange(array: Array, values: Any) -> str:
    """Which column of an array without a type of its own holds what, in which row."""
    if array.dtype.kind not in "OSU":
        return ""
    for index, value in np.ndenumerate(array):
        if not isinstance(value, Real):
            columns = getattr(values, "columns", range(array.shape[-1] if array.ndim else 0))
            column = f"column {list(columns)[index[-1]]!r} " if len(index) == 2 else "it "
            plain = value.item() if isinstance(value, np.generic) else value
            return f"; {column}holds {plain!r:.80}" + (f" in row {index[0]}" if index else "")
    return ""


def common_dtype(arrays: Iterable[Array]) -> np.dtype[Any]:
    """float32 if that is the type of all float arrays; integers, booleans and float16 have no say."""
    sizes = {array.itemsize for array in arrays if array.dtype.kind == "f" and array.itemsize > 2}
    return np.dtype(np.float32 if sizes == {4} else np.float64)


def is_readable(X: Array, dtype: np.dtype[Any]) -> bool:
    """Whether the kernels can read X as it stands."""
    return X.dtype == dtype and X.flags.c_contiguous and X.flags.aligned


def is_plain(X: Any, dtype: DTypeLike) -> bool:
    """Whether X is an array that need not be looked at any further; that is told in 0.2 us."""
    return type(X) is np.ndarray and X.dtype == dtype and X.flags.carray


def as_kernels_want(array: Array, dtype: DTypeLike) -> Array:
    """`array` itself where it can be, else a copy: of this dtype, contiguous and aligned."""
    if is_plain(array, dtype):  # NumPy takes fifty times as long to say so
        return array
    array = np.asarray(np.require(array, dtype, ["C", "A"]))
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


def require_whole(array: Any) -> None:
    """A file that the array is mapped to still has all that it had: reading on would end the process."""
    while array is not None:
        name = getattr(array, "filename", None)
        # One that is deleted has no name to be cut by.
        if isinstance(array, np.memmap) and name is not None and os.path.exists(name):
            size, least = os.path.getsize(name), array.offset + array.nbytes
            if size < least:
                raise ValueError(f"{str(name)!r} was cut to {size:,} bytes while it was read, of {least:,}")
        array = array.array if isinstance(array, _SameMemory) else getattr(array, "base", None)


class Csr:
    """The arrays of a CSR matrix from scipy.sparse: kernels follow its indices blindly."""

    def __init__(self, name: str, X: Any) -> None:
        if X.format != "csr" or X.ndim != 2:
            raise TypeError(f"{name} is a sparse matrix of format {X.format!r}: give {name}.tocsr(), in 2-D")
        self.shape: tuple[int, int] = X.shape
        data, indices, indptr = self.parts = [as_numbers(name, x) for x in (X.data, X.indices, X.indptr)]
        shapes = [part.shape for part in self.parts]
        if any(len(shape) != 1 for shape in shapes):
            raise ValueError(f"{name}: data, indices and indptr have the shapes {shapes}, expected flat ones")
        if {indices.dtype.kind, indptr.dtype.kind} - {*"iu"}:
            raise TypeError(f"{name}: expected indices and indptr of an integer type")
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


def csr_rows(name: str, X: Any, dtype: np.dtype[Any]) -> Any:
    """X, from scipy.sparse, as a CSR matrix of this type whose indices stay inside it."""
    X = X.tocsr()
    Csr(name, X)
    with np.errstate(over="ignore"):
        values = X.data.astype(dtype, copy=False)
    return X if values is X.data else type(X)((values, X.indices, X.indptr), shape=X.shape)
