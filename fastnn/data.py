"""From what users have (arrays, lists, DataFrames, files mapped to memory) to what the kernels read.

Everything is checked here, before any work: the kernels trust their pointers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._validation import as_kernels_want

Array = NDArray[Any]

# Rows are checked and converted this many bytes at a time, so that a file larger than memory can pass.
CHUNK_BYTES = 1 << 24


def _numbers(name: str, values: Any) -> Array:
    """`values` as an array of real numbers, in whatever type and layout it has."""
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype.kind == "O" and not isinstance(values, np.ndarray):
        # A DataFrame of mixed numeric columns arrives as objects.
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            pass
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}; it must hold real numbers: convert or encode it first"
        )
    return array


def _first_bad_row(array: Array) -> int | None:
    """The first row with a NaN or an infinity, reading a chunk at a time."""
    if array.dtype.kind != "f":
        return None
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        finite = np.isfinite(array[start : start + step])
        if not finite.all():
            rows = finite.reshape(len(finite), -1).all(axis=1)
            return start + int(np.argmin(rows))
    return None


def _require_finite(name: str, array: Array) -> None:
    row = _first_bad_row(array)
    if row is not None:
        raise ValueError(f"{name} holds NaN or infinity, first in row {row}; impute or drop such rows")


def as_features(X: Any, n_in: int, dtype: np.dtype[Any], *, name: str = "X", finite: bool = True) -> Array:
    """X as (n_samples, n_in), C-contiguous and of `dtype`; copied only if it is not so already.

    A memory-mapped file of another dtype is left as it is: its rows are converted as they are needed.
    """
    array = _numbers(name, X)
    if array.ndim != 2:
        hint = f"reshape one sample to (1, {n_in})" if array.ndim == 1 else "give one row per sample"
        raise ValueError(f"{name} has shape {array.shape}; expected (n_samples, {n_in}): {hint}")
    if array.shape[1] != n_in:
        raise ValueError(f"{name} has {array.shape[1]} columns; the network takes {n_in}")
    if len(array) == 0:
        raise ValueError(f"{name} has no rows; give at least one sample")
    if finite:
        _require_finite(name, array)
    if isinstance(array, np.memmap) and not is_readable(array, dtype):
        return array
    converted = np.asarray(as_kernels_want(array, dtype))
    if finite and converted is not array and converted.dtype.itemsize < array.dtype.itemsize:
        _require_finite(f"{name}, as {dtype},", converted)
    return converted


def is_readable(X: Array, dtype: np.dtype[Any]) -> bool:
    """Whether the kernels can read X as it stands."""
    return X.dtype == dtype and X.flags.c_contiguous and X.flags.aligned


def as_targets(y: Any, n_samples: int, n_out: int, cost: str, dtype: np.dtype[Any], name: str = "y") -> Array:
    """y as (n_samples, n_out), or class indices (n_samples, 1) for softmax, checked for the cost."""
    array = _numbers(name, y)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; expected (n_samples,) or (n_samples, {n_out})")
    if len(array) != n_samples:
        raise ValueError(f"{name} has {len(array)} rows, X has {n_samples}; they must be the same samples")
    classes = cost == "softmax_cross_entropy" and array.shape[1] == 1 != n_out
    if array.shape[1] != n_out and not classes:
        raise ValueError(f"{name} has {array.shape[1]} columns; the network gives {n_out}")
    _require_finite(name, array)
    if classes:
        _require(name, array, (array >= 0) & (array < n_out) & (array == np.floor(array)),
                 f"class indices must be whole numbers from 0 to {n_out - 1}")  # fmt: skip
    elif cost == "softmax_cross_entropy":
        ones = np.abs(array.sum(axis=1, dtype=np.float64) - 1) < 1e-3
        _require(
            name, array, (array >= 0) & ones[:, None], "rows must be one-hot or probabilities that sum to 1"
        )
    elif cost == "binary_cross_entropy":
        _require(name, array, (array >= 0) & (array <= 1), "labels must be 0 or 1, or probabilities between")
    elif cost == "poisson":
        _require(name, array, array >= 0, "counts must not be negative")
    return as_kernels_want(array, dtype)


def _require(name: str, array: Array, good: Array, rule: str) -> None:
    if not good.all():
        row = int(np.argmin(good.all(axis=1)))
        raise ValueError(f"{name} holds {array[row].tolist()} in row {row}; {rule}")


def as_weights(
    sample_weight: Any, class_weight: Mapping[int, float] | str | None, Y: Array, dtype: np.dtype[Any]
) -> Array:
    """Per-sample weights (n_samples,), or an empty array where all are one."""
    if sample_weight is None and class_weight is None:
        return np.empty(0, dtype)
    weights = np.ones(len(Y))
    if sample_weight is not None:
        weights = _numbers("sample_weight", sample_weight).astype(np.float64)
        if weights.shape != (len(Y),):
            raise ValueError(f"sample_weight has shape {weights.shape}; expected ({len(Y)},)")
        _require_finite("sample_weight", weights)
        if weights.min() < 0 or weights.max() == 0:
            raise ValueError("sample_weight must not be negative, and not zero for all samples")
    if class_weight is not None:
        weights = weights * _class_weights(class_weight, Y)
    return np.ascontiguousarray(weights, dtype)


def _class_weights(class_weight: Mapping[int, float] | str, Y: Array) -> Array:
    labels = Y[:, 0] if Y.shape[1] == 1 else Y.argmax(axis=1)
    classes, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight={class_weight!r}; give 'balanced' or a dict of class to weight")
        return (len(labels) / (len(classes) * counts))[index]
    weights = np.array([float(class_weight.get(int(label), 1.0)) for label in classes])
    if not (np.all(np.isfinite(weights)) and np.all(weights >= 0) and np.any(weights > 0)):
        raise ValueError(
            f"class_weight={dict(class_weight)!r}; weights must be finite, not negative, not all zero"
        )
    return weights[index]
