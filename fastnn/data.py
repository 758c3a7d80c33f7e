"""From what users have (arrays, lists, DataFrames, sparse rows, mapped files) to what the kernels read.

Everything is checked here, before any work: the kernels trust their pointers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.arrow import parquet as parquet  # part of what this module offers
from fastnn.checks import Array, as_kernels_want, as_numbers, csr_rows, is_readable, is_sparse, real
from fastnn.task import Task

ClassWeight = Mapping[int, float] | str | None
# Rows are checked and converted this many bytes at a time, so that a file larger than memory can pass.
CHECKED_BYTES = 1 << 24


@dataclass(frozen=True)
class Rows:
    """Samples as the engine takes them: X (n, n_in) dense, mapped to memory or CSR, Y (n, n_targets).

    weights: (n,), or (0,) where all are one; chosen: the numbers of the rows that count, or None for all.
    """

    X: Any
    Y: Array
    weights: Array
    chosen: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.Y if self.chosen is None else self.chosen)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Of the rows that count."""
        return np.arange(len(self.Y)) if self.chosen is None else self.chosen

    @property
    def sparse(self) -> bool:
        return is_sparse(self.X)

    def take(self, numbers: NDArray[np.int64]) -> Rows:
        """A copy of the rows with these numbers."""
        X = self.X[numbers]
        if not self.sparse:
            X = as_kernels_want(X, self.Y.dtype)
        return Rows(X, self.Y[numbers], self.weights[numbers] if self.weights.size else self.weights)


def require_finite(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    """No NaN, no infinity, and none that a conversion to `dtype` would bring."""
    if array.dtype.kind != "f":
        return
    step = max(1, CHECKED_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        rows = array[start : start + step]
        with np.errstate(over="ignore"):
            finite = np.isfinite(rows.astype(dtype, copy=False))
        if not finite.all():
            bad = int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
            if np.isfinite(rows[bad]).all():
                raise ValueError(f"{name} is too large for {dtype} in row {start + bad}; scale it")
            raise ValueError(
                f"{name} holds NaN or infinity, first in row {start + bad}; impute or drop such rows"
            )


def as_features(X: Any, n_in: int, dtype: np.dtype[Any], *, name: str = "X", finite: bool = True) -> Any:
    """X as (n_samples, n_in), C-contiguous and of `dtype`, or CSR; copied only if it is not so already.

    A memory-mapped file of another dtype is left as it is: its rows are converted as they are needed.
    """
    array = X if is_sparse(X) else as_numbers(name, X)
    if array.ndim != 2:
        hint = f"reshape one sample to (1, {n_in})" if array.ndim == 1 else "give one row per sample"
        raise ValueError(f"{name} has shape {array.shape}; expected (n_samples, {n_in}): {hint}")
    if array.shape[1] != n_in:
        raise ValueError(f"{name} has {array.shape[1]} columns; the network takes {n_in}")
    if array.shape[0] == 0:
        raise ValueError(f"{name} has no rows; give at least one sample")
    if is_sparse(X):
        result = csr_rows(name, X, dtype)
        if finite and not np.isfinite(result.data).all():
            row = int(np.searchsorted(result.indptr, np.argmin(np.isfinite(result.data)), "right")) - 1
            raise ValueError(f"{name} holds NaN or infinity as {dtype}, first in row {row}; impute or scale")
        return result
    if finite:
        require_finite(name, array, dtype)
    if isinstance(array, np.memmap) and not is_readable(array, dtype):
        return array
    with np.errstate(over="ignore"):  # where it need not be finite
        return as_kernels_want(array, dtype)


def as_targets(y: Any, n_samples: int, task: Task, name: str = "y") -> Array:
    """y as (n_samples, n_out), or class indices (n_samples, 1), checked for the cost."""
    try:
        array, n_out, kind = as_numbers(name, y), task.n_out, task.targets
    except TypeError as error:
        if task.targets in ("classes", "labels") and np.asarray(y).dtype.kind in "OSU":
            numbers = f"np.unique({name}, return_inverse=True)[1]"
            raise TypeError(f"{error}; MLPClassifier takes classes of any kind, or give {numbers}") from None
        raise
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; expected (n_samples,) or (n_samples, {n_out})")
    if len(array) != n_samples:
        raise ValueError(f"{name} has {len(array)} rows, X has {n_samples}; they must be the same samples")
    indices = kind == "classes" and array.shape[1] == 1 != n_out
    columns, rule = n_out, f"the network gives {n_out}"
    if kind == "quantiles":
        columns, rule = (
            2 * n_out,
            f"expected {n_out} numbers and then the quantile of each: {2 * n_out} columns",
        )
    if array.shape[1] != columns and not indices:
        raise ValueError(f"{name} has {array.shape[1]} columns; {rule}")
    require_finite(name, array, task.dtype)
    good, rule = array == array, ""
    if indices:
        good = (array >= 0) & (array < n_out) & (array == np.floor(array))
        rule = f"class indices must be whole numbers from 0 to {n_out - 1}"
    elif kind == "classes":
        good = (array >= 0) & (np.abs(array.sum(axis=1, dtype=np.float64) - 1) < 1e-3)[:, None]
        rule = "rows must be one-hot or probabilities that sum to 1"
    elif kind == "labels":
        good = (array >= 0) & (array <= 1)
        rule = "labels must be 0 or 1, or probabilities between"
    elif kind == "counts":
        good, rule = array >= 0, "counts must not be negative"
    elif kind == "quantiles":
        good = (array > 0) & (array < 1) | (np.arange(columns) < n_out)
        rule = "quantiles must be above 0 and below 1"
    elif task.cost == "squared_error":
        with np.errstate(over="ignore"):
            good = np.isfinite(np.square(array.astype(task.dtype, copy=False)) * n_out)
        rule = f"its square is infinite in {task.dtype}: scale {name}"
    if not good.all():
        row = int(np.argmin(good.all(axis=1)))
        raise ValueError(f"{name} holds {array[row].tolist()} in row {row}; {rule}")
    return as_kernels_want(array, task.dtype)


def as_weights(sample_weight: Any, n_samples: int, dtype: np.dtype[Any]) -> Array:
    """Per-sample weights (n_samples,), or an empty array where all are one."""
    if sample_weight is None:
        return np.empty(0, dtype)
    weights = as_numbers("sample_weight", sample_weight)
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight has shape {weights.shape}; expected ({n_samples},)")
    require_finite("sample_weight", weights, dtype)
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError("sample_weight must not be negative, and not zero for all samples")
    weights = as_kernels_want(weights, dtype)
    tiny = weights < np.finfo(dtype).tiny
    if tiny.any():  # the sum of a batch of such weights has no reciprocal
        weights = np.where(tiny, dtype.type(0), weights)
    if not np.finfo(dtype).tiny <= weights.sum(dtype=np.float64) <= np.finfo(dtype).max:
        raise ValueError(f"the sum of sample_weight is too large or too small for {dtype}: scale the weights")
    return weights


def class_weights(task: Task, class_weight: ClassWeight, Y: Array) -> Array | None:
    """The weight of each row's class (n_samples,), or None if `class_weight` is."""
    if class_weight is None:
        return None
    if task.targets == "classes":
        n_classes = task.n_out
        labels = (Y[:, 0] if Y.shape[1] == 1 else Y.argmax(axis=1)).astype(np.int64)
    elif task.targets == "labels" and task.n_out == 1:
        n_classes = 2
        labels = (Y[:, 0] > 0.5).astype(np.int64)
    else:
        raise ValueError(
            f"class_weight needs classes; {task.n_out} outputs with cost={task.cost!r} have none: "
            "give sample_weight"
        )
    if class_weight == "balanced":
        counts = np.bincount(labels, minlength=n_classes)
        return (len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[labels]
    if not isinstance(class_weight, Mapping):
        raise ValueError(f"class_weight={class_weight!r}; give 'balanced' or a dict of class to weight")
    unknown = [label for label in class_weight if label not in range(n_classes)]
    if unknown:
        raise ValueError(f"class_weight has the keys {unknown!r}; the classes are 0 to {n_classes - 1}")
    weights = np.array([real("class_weight", class_weight.get(label, 1)) for label in range(n_classes)])
    if not weights.any():
        raise ValueError(f"class_weight={dict(class_weight)!r} must not be zero for all classes")
    return weights[labels]


def as_rows(
    task: Task, data: Sequence[Any], class_weight: ClassWeight = None, *, uniform: bool = False
) -> Rows:
    """Rows from (X, y) or (X, y, sample_weight), checked.

    `uniform`: in one form for all chunks of a stream, with weights for all rows, and rows for classes.
    """
    X = as_features(data[0], task.n_in, task.dtype)
    n_samples = X.shape[0]
    Y = as_targets(data[1], n_samples, task)
    weights = as_weights(data[2] if len(data) == 3 else None, n_samples, task.dtype)
    balance = class_weights(task, class_weight, Y)
    if uniform:
        weights = weights if weights.size else np.ones(n_samples, task.dtype)
        if Y.shape[1] != task.n_out:
            indices, Y = Y[:, 0].astype(np.int64), np.zeros((n_samples, task.n_out), task.dtype)
            Y[np.arange(n_samples), indices] = 1
    if balance is not None:
        weights = np.asarray(weights * balance if weights.size else balance, task.dtype)
        if not (uniform or weights.any()):
            raise ValueError("the weights are zero for all samples")
    return Rows(X, Y, weights)


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple | list) and len(data) in (2, 3)


def as_validation(task: Task, data: Any) -> Rows:
    if not _is_pair(data):
        raise ValueError("validation_data must be a tuple (X, y) or (X, y, sample_weight)")
    try:
        return as_rows(task, data)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None


def chunk_reader(
    task: Task, source: Any, class_weight: ClassWeight, epochs: int
) -> Callable[[], Iterator[Rows]]:
    """A function that reads the chunks of `source` once through, each checked when it comes."""
    if not callable(source):
        try:
            once = iter(source) is source
        except TypeError:
            raise TypeError(
                f"X is a {type(source).__name__} and y is missing; give fit(X, y), a list of chunks (X, y), "
                "or a function that returns an iterator of them"
            ) from None
        if once and epochs > 1:
            raise ValueError(
                f"an iterator can be read once, not in {epochs} epochs: give a list of chunks, or a "
                "function that returns a new iterator"
            )

    def read() -> Iterator[Rows]:
        for number, chunk in enumerate(source() if callable(source) else source):
            if not _is_pair(chunk):
                raise ValueError(
                    f"chunk {number} is a {type(chunk).__name__}, not a tuple (X, y) or (X, y, sample_weight)"
                    "; or is it y that is missing?"
                )
            try:
                rows = as_rows(task, chunk, class_weight, uniform=True)
            except (TypeError, ValueError) as error:
                raise type(error)(f"chunk {number}: {error}") from None
            yield rows

    return read


def split_off(rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """The rows to train on, chosen without a copy, and `share` of the rows for validation.

    Drawn from the seed.
    """
    n_held = round(share * len(rows))
    if not 0 < n_held < len(rows):
        raise ValueError(f"validation_split={share} of {len(rows)} rows leaves no rows on one side")
    order = np.random.default_rng([seed, 1 << 32]).permutation(len(rows))
    chosen, held = np.sort(order[n_held:]), np.sort(order[:n_held])
    if rows.weights.size and not (rows.weights[held].any() and rows.weights[chosen].any()):
        raise ValueError(f"validation_split={share} leaves only rows of weight zero on one side")
    return replace(rows, chosen=chosen), rows.take(held)
