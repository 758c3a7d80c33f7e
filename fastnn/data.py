"""From what users have (arrays, lists, DataFrames, files mapped to memory) to what the kernels read.

Everything is checked here, before any work: the kernels trust their pointers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn._validation import as_kernels_want, is_sparse
from fastnn.options import real

if TYPE_CHECKING:
    from fastnn.network import Network

Array = NDArray[Any]
Chunk = tuple[Array, Array, Array]  # X, Y, weights

# Rows are checked and converted this many bytes at a time, so that a file larger than memory can pass.
CHUNK_BYTES = 1 << 24


def _numbers(name: str, values: Any) -> Array:
    """`values` as an array of real numbers, in whatever type and layout it has."""
    if is_sparse(values):
        raise TypeError(
            f"{name} is a sparse matrix; give {name}.toarray(), or take MLPClassifier, MLPRegressor"
        )
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; fill what is masked, or drop it")
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} does not make an array: {error}") from None
    if array.dtype.kind == "O" and not isinstance(values, np.ndarray):
        # A DataFrame of mixed numeric columns arrives as objects.
        try:
            if not any(isinstance(value, str | bytes) for value in array.flat):
                array = array.astype(np.float64)
        except (TypeError, ValueError):
            pass
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}; it must hold real numbers: convert or encode it first"
        )
    return array


def _row_chunks(array: Array) -> Iterator[tuple[int, Array]]:
    """Rows of `array`, a chunk that fits in memory at a time, and the number of the first."""
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        yield start, array[start : start + step]


def _require_finite(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    """No NaN, no infinity, and none that a conversion to `dtype` would bring."""
    if array.dtype.kind != "f":
        return
    for start, rows in _row_chunks(array):
        with np.errstate(over="ignore"):
            finite = np.isfinite(rows.astype(dtype, copy=False))
        if not finite.all():
            bad = int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
            if np.isfinite(rows[bad]).all():
                raise ValueError(f"{name} is too large for {dtype} in row {start + bad}; scale it")
            raise ValueError(
                f"{name} holds NaN or infinity, first in row {start + bad}; impute or drop such rows"
            )


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
        _require_finite(name, array, dtype)
    if isinstance(array, np.memmap) and not is_readable(array, dtype):
        return array
    return np.asarray(as_kernels_want(array, dtype))


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
    _require_finite(name, array, dtype)
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
    return np.asarray(as_kernels_want(array, dtype))


def _require(name: str, array: Array, good: Array, rule: str) -> None:
    if not good.all():
        row = int(np.argmin(good.all(axis=1)))
        raise ValueError(f"{name} holds {array[row].tolist()} in row {row}; {rule}")


def as_weights(sample_weight: Any, n_samples: int, dtype: np.dtype[Any]) -> Array:
    """Per-sample weights (n_samples,), or an empty array where all are one."""
    if sample_weight is None:
        return np.empty(0, dtype)
    weights = np.asarray(_numbers("sample_weight", sample_weight))
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight has shape {weights.shape}; expected ({n_samples},)")
    _require_finite("sample_weight", weights, dtype)
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError("sample_weight must not be negative, and not zero for all samples")
    weights = as_kernels_want(weights, dtype)
    if not np.finfo(dtype).tiny <= weights.sum(dtype=np.float64) <= np.finfo(dtype).max:
        raise ValueError(f"the sum of sample_weight is too large or too small for {dtype}: scale the weights")
    return weights


def class_weights(network: Network, class_weight: Mapping[int, float] | str | None, Y: Array) -> Array | None:
    """The weight of each row's class (n_samples,), or None if `class_weight` is."""
    if class_weight is None:
        return None
    if network.cost == "softmax_cross_entropy":
        n_classes = network.n_out
        labels = (Y[:, 0] if Y.shape[1] == 1 else Y.argmax(axis=1)).astype(np.int64)
    elif network.cost == "binary_cross_entropy" and network.n_out == 1:
        n_classes = 2
        labels = (Y[:, 0] > 0.5).astype(np.int64)
    else:
        raise ValueError(f"class_weight needs classes; {network} has none: give sample_weight")
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


def as_chunk(
    network: Network,
    data: Sequence[Any],
    class_weight: Mapping[int, float] | str | None = None,
    *,
    uniform: bool = False,
) -> Chunk:
    """X, Y and weights from (X, y) or (X, y, sample_weight), checked.

    `uniform`: in one form for all chunks of a stream, with weights for all rows, and rows for classes.
    """
    X = as_features(data[0], network.n_in, network.dtype)
    Y = as_targets(data[1], len(X), network.n_out, network.cost, network.dtype)
    weights = as_weights(data[2] if len(data) == 3 else None, len(X), network.dtype)
    balance = class_weights(network, class_weight, Y)
    if uniform:
        weights = weights if weights.size else np.ones(len(X), network.dtype)
        if Y.shape[1] != network.n_out:
            rows = np.zeros((len(X), network.n_out), network.dtype)
            rows[np.arange(len(X)), Y[:, 0].astype(np.int64)] = 1
            Y = rows
    if balance is not None:
        weights = np.asarray(weights * balance if weights.size else balance, network.dtype)
        if not (uniform or weights.any()):
            raise ValueError("the weights are zero for all samples")
    return X, Y, weights


def is_chunk(data: Any) -> bool:
    return isinstance(data, tuple | list) and len(data) in (2, 3)


def as_validation(network: Network, data: Any) -> Chunk:
    if not is_chunk(data):
        raise ValueError("validation_data must be a tuple (X, y) or (X, y, sample_weight)")
    try:
        return as_chunk(network, data)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None


def chunk_reader(
    network: Network, source: Any, class_weight: Any, epochs: int
) -> Callable[[], Iterator[Chunk]]:
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

    def read() -> Iterator[Chunk]:
        for number, chunk in enumerate(source() if callable(source) else source):
            if not is_chunk(chunk):
                raise ValueError(
                    f"chunk {number} is a {type(chunk).__name__}, not a tuple (X, y) or (X, y, sample_weight)"
                    "; or is it y that is missing?"
                )
            try:
                checked = as_chunk(network, chunk, class_weight, uniform=True)
            except (TypeError, ValueError) as error:
                raise type(error)(f"chunk {number}: {error}") from None
            yield checked

    return read


def split_off(network: Network, data: Chunk, share: float) -> tuple[Chunk, Chunk]:
    """The rows to train on, and `share` of the rows for validation, drawn from the seed."""
    X, Y, weights = data
    n_held = round(share * len(X))
    if not 0 < n_held < len(X):
        raise ValueError(f"validation_split={share} of {len(X)} rows leaves no rows on one side")
    order = np.random.default_rng([network.seed, 1 << 32]).permutation(len(X))
    held, rest = np.sort(order[:n_held]), np.sort(order[n_held:])

    def rows(chosen: NDArray[np.int64]) -> Chunk:
        features = np.asarray(as_kernels_want(X[chosen], network.dtype))
        return features, Y[chosen], weights[chosen] if weights.size else weights

    return rows(rest), rows(held)


def readable_parts(X: Array, dtype: np.dtype[Any]) -> Iterator[tuple[int, Array]]:
    """X in parts that the kernels can read, and the number of each part's first row."""
    if is_readable(X, dtype):
        yield 0, np.asarray(X)
    else:  # a file of another type
        for start, rows in _row_chunks(X):
            yield start, np.asarray(as_kernels_want(rows, dtype))
