"""Rows from Parquet files, a piece at a time, while the piece before is trained on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from glob import glob
from typing import Any

import numpy as np

from fastnn.checks import Array, whole

Chunk = tuple[Array, ...]
Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def parquet(
    files: Files,
    target: str | Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    weight: str | None = None,
    rows: int = 1 << 16,
) -> Callable[[], Iterator[Chunk]]:
    """Parquet files as chunks (X, y) or (X, y, weights) for `Network.fit`, in the order of their names.

    files: a path, a pattern such as "2026-*.parquet", or a list of them; target: the column or columns of y;
    columns: those of X, all others if left out; weight: the column of the rows' weights; rows: of a chunk.
    Columns are numbers or truth values, without gaps. While one chunk is trained on, a thread reads the next:
    no more than three are in memory, however large the files are. Each chunk is shuffled by itself.

    >>> import tempfile
    >>> import pandas as pd
    >>> from fastnn import Network
    >>> frame = pd.DataFrame({"a": np.linspace(0, 1, 500), "b": np.linspace(1, -1, 500)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     frame.assign(y=frame.a * 2).to_parquet(f"{folder}/rows.parquet")
    ...     source = parquet(f"{folder}/*.parquet", "y", rows=100)
    ...     history = Network([2, 8, 1], seed=0).fit(source, epochs=20)
    >>> history.cost[-1] < history.cost[0] / 10
    True
    """
    whole("rows", rows, 1)
    paths = _paths(files)
    targets = [target] if isinstance(target, str) else list(target)
    beside = [*targets, *([weight] if weight is not None else [])]
    inputs = _inputs(paths, beside, columns)

    def source() -> Iterator[Chunk]:
        return _read_ahead(_chunks(paths, inputs, targets, weight, rows))

    return source


def _paths(files: Files) -> list[str]:
    listed = [files] if isinstance(files, str | os.PathLike) else files
    paths: list[str] = []
    for file in [os.fspath(file) for file in listed]:
        found = [file] if os.path.exists(file) else sorted(glob(file))
        if not found:
            raise FileNotFoundError(f"no file is called {file!r}, or fits it as a pattern")
        paths += found
    if not paths:
        raise ValueError("files is an empty list; give a path, a pattern, or a list of them")
    return paths


def _inputs(paths: list[str], beside: list[str], columns: Sequence[str] | None) -> list[str]:
    """The columns of X, which all files must have, as numbers."""
    inputs = None if columns is None else list(columns)
    for path in paths:
        schema = _module().read_schema(path)
        if inputs is None:
            inputs = [name for name in schema.names if name not in beside]
        for name in [*inputs, *beside]:
            if schema.names.count(name) != 1:
                raise ValueError(f"{path!r} has {schema.names.count(name)} columns {name!r}, expected one")
            kind = schema.field(name).type
            if np.dtype(kind.to_pandas_dtype()).kind not in "biuf":
                raise TypeError(
                    f"column {name!r} of {path!r} has type {kind}, expected numbers; encode it, or leave it "
                    "out by columns="
                )
    if not inputs:
        raise ValueError("no column is left for X")
    return inputs


def _module() -> Any:
    try:
        from pyarrow import parquet as module
    except ImportError:
        raise ImportError("Parquet files need pyarrow: pip install 'fastnn[cli]'") from None
    return module


def _chunks(
    paths: list[str], inputs: list[str], targets: list[str], weight: str | None, rows: int
) -> Iterator[Chunk]:
    wanted = list(dict.fromkeys([*inputs, *targets, *([] if weight is None else [weight])]))
    for path in paths:
        with _module().ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=wanted):
                for name in wanted:
                    if batch.column(name).null_count:
                        raise ValueError(
                            f"column {name!r} of {path!r} has gaps; fill them, or drop such rows"
                        )
                X, y = _matrix(batch, inputs), _matrix(batch, targets)
                y = y[:, 0] if len(targets) == 1 else y
                yield (X, y) if weight is None else (X, y, _matrix(batch, [weight])[:, 0])


def _matrix(batch: Any, names: list[str]) -> Array:
    """These columns (n, len(names)), in float32 if all of them are."""
    parts = [batch.column(name).to_numpy(zero_copy_only=False) for name in names]
    dtype = np.float32 if all(part.dtype == np.float32 for part in parts) else np.float64
    return np.stack(parts, axis=1, dtype=dtype, casting="unsafe")


def _read_ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    from concurrent.futures import ThreadPoolExecutor  # which `import fastnn` need not wait for

    with ThreadPoolExecutor(1, "fastnn-parquet") as thread:
        coming = thread.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = thread.submit(next, chunks, None)
            yield chunk
