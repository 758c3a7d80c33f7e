"""What users call a table, as named columns of NumPy: DataFrames of any library, arrays, sparse matrices."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array, csr_rows, is_sparse

NUMBERS, DATES, TEXTS, NOTHING = "numbers", "dates", "texts", "nothing"
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?\Z")
MICROSECONDS_PER_DAY = 86_400_000_000


def names_of(X: Any) -> list[str] | None:
    """The names of a DataFrame's columns, None where columns have none."""
    names = getattr(X, "column_names", None)
    if names is None:
        names = getattr(X, "columns", None)
    return None if names is None or callable(names) else [str(name) for name in names]


def columns_of(X: Any) -> list[Array]:
    """The columns of a table, each an array (n_samples,); what is masked in one is missing."""
    if names_of(X) is not None:
        # By position: two columns may have one name. pandas has iloc, polars and pyarrow do not want it.
        labels = getattr(X, "column_names", None)
        labels = X.columns if labels is None else labels
        take = getattr(X, "iloc", None)
        if take is not None:
            return [_values(take[:, i]) for i in range(len(labels))]
        return [_values(X[label]) for label in labels]
    if is_sparse(X):
        X = csr_rows("X", X, X.dtype).toarray()  # which checks the indices: scipy trusts them
    array = np.asarray(X)
    if isinstance(X, np.ma.MaskedArray):
        numbers = array.dtype.kind in "biuf"
        array = array.astype(np.float64 if numbers else object)  # a copy
        array[np.ma.getmaskarray(X)] = np.nan if numbers else None
    if array.ndim != 2:
        hint = (
            "Reshape your data: X.reshape(-1, 1) is one column, X.reshape(1, -1) one row"
            if array.ndim < 2
            else "a table has rows and columns"
        )
        raise ValueError(f"Expected 2D array, got {array.ndim}D array of shape {array.shape}. {hint}")
    return [array[:, i] for i in range(array.shape[1])]


def _values(column: Any) -> Array:
    """A column of a DataFrame; categories are texts, whatever they are made of."""
    if hasattr(getattr(column, "dtype", None), "categories") and hasattr(column, "astype"):
        return np.asarray(column.astype(object))
    values = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
    return values[:, 0] if values.ndim == 2 else values


def categories_of(X: Any) -> list[int]:
    """The places of the columns that a DataFrame itself calls categorical."""
    dtypes = getattr(X, "dtypes", None)
    if dtypes is None or names_of(X) is None:
        return []
    return [i for i, dtype in enumerate(dtypes) if hasattr(dtype, "categories")]


def repeated_in(names: Iterable[str]) -> list[str]:
    """Those that are there more than once; there may be hundreds of thousands."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def known_cells(cells: Array) -> NDArray[np.bool_]:
    """Which cells (n_samples,) are not missing."""
    if cells.dtype.kind == "f":
        return ~np.isnan(cells)
    if cells.dtype.kind in "mM":
        return ~np.isnat(cells)
    if cells.dtype.kind == "O":
        return np.array([not _is_missing(cell) for cell in cells], bool)
    return np.ones(len(cells), bool)


def _is_missing(cell: Any) -> bool:
    if cell is None:
        return True
    if isinstance(cell, str):
        return False
    try:
        return bool(cell != cell)
    except (TypeError, ValueError):  # pandas.NA has no truth value, nor has an array
        return type(cell).__name__ == "NAType"


def kind_of(name: str, cells: Array) -> str:
    """What a column holds: NUMBERS (truth values too), DATES, TEXTS or NOTHING."""
    kind = cells.dtype.kind
    known = cells[known_cells(cells)]
    if kind == "c":
        raise ValueError(f"Complex data not supported: column {name!r} holds {cells.dtype}")
    if kind in "biuf":
        return NUMBERS if known.size else NOTHING
    if kind in "mM":
        return (DATES if kind == "M" else NUMBERS) if known.size else NOTHING
    if not known.size:
        return NOTHING
    if kind in "US":
        return _kind_of_texts(known)
    if all(isinstance(cell, Real | Decimal | np.bool_) for cell in known):
        return NUMBERS
    if all(isinstance(cell, datetime.date | np.datetime64) for cell in known):
        return DATES
    for cell in known:
        if not isinstance(cell, str | Real | Decimal | np.generic | bytes | datetime.date | datetime.time):
            raise TypeError(
                f"column {name!r} holds {cell!r:.60}: an argument must be a string or a real number, a truth "
                "value or a date"
            )
    return _kind_of_texts(known) if all(isinstance(cell, str) for cell in known) else TEXTS


def _kind_of_texts(known: Array) -> str:
    if all(ISO_DATE.match(str(text)) for text in known):
        return DATES
    try:
        known.astype(np.float64)
    except ValueError:
        return TEXTS
    return NUMBERS


def as_floats(name: str, cells: Array) -> NDArray[np.float64]:
    """Numbers (n_samples,) of float64, NaN where a cell is missing; texts where they spell numbers."""
    if cells.dtype.kind in "biuf":
        return cells.astype(np.float64)
    result, known = np.full(len(cells), np.nan), known_cells(cells)
    if cells.dtype.kind == "m":
        result[known] = cells[known] / np.timedelta64(1, "s")
        return result
    for row in np.flatnonzero(known):
        try:
            result[row] = float(cells[row])
        except (TypeError, ValueError, OverflowError):
            raise ValueError(
                f"column {name!r} holds {cells[row]!r:.60} in row {row}: the model has learnt numbers there"
            ) from None
    return result


def as_days(name: str, cells: Array) -> NDArray[np.float64]:
    """Dates (n_samples,) as days since 1970, NaN where a cell is missing."""
    result, known = np.full(len(cells), np.nan), known_cells(cells)
    try:
        if cells.dtype.kind == "M":
            times = cells[known].astype("datetime64[us]")
        else:
            times = np.array([_moment(cell) for cell in cells[known]], "datetime64[us]")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"column {name!r} holds what is no date ({error}): the model has learnt dates there"
        ) from None
    result[known] = times.astype(np.int64) / MICROSECONDS_PER_DAY
    return result


def _moment(cell: Any) -> np.datetime64:
    if isinstance(cell, np.datetime64):
        return cell.astype("datetime64[us]")
    if not isinstance(cell, datetime.date):
        cell = datetime.datetime.fromisoformat(str(cell))
    if isinstance(cell, datetime.datetime) and cell.tzinfo is not None:
        cell = cell.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(cell, "us")


def as_texts(cells: Array) -> list[str | None]:
    """The cells as texts, None where they are missing; 3 and 3.0 are one text."""
    return [
        _text(cell) if there else None
        for cell, there in zip(cells.tolist(), known_cells(cells).tolist(), strict=True)
    ]


def _text(cell: Any) -> str:
    whole = isinstance(cell, float | Decimal) and math.isfinite(cell) and cell % 1 == 0
    if isinstance(cell, bytes):
        return cell.decode(errors="replace")
    return str(int(cell)) if whole else str(cell)


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of these names, for a message."""
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
