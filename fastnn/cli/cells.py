"""What the cells of a table's column are: numbers, dates, texts, and which are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.inputs import InputError

if TYPE_CHECKING:
    import pandas as pd

MICROSECONDS_PER_DAY = 86_400_000_000
ISO_DATE = r"\d{4}-\d\d-\d\d"
# What the cells of a column without a type of its own may be, by pandas' names for them.
INFERRED = {
    **dict.fromkeys(("boolean", "integer", "floating", "mixed-integer-float", "decimal"), "numbers"),
    **dict.fromkeys(("date", "datetime", "datetime64"), "dates"),
    **dict.fromkeys(("string", "time", "mixed-integer"), "texts"),
}


def kind_of(column: pd.Series) -> str:
    """What the column holds: "numbers" (truth values too), "dates", "texts", "nothing" or "other values"."""
    import pandas as pd

    dtype = column.dtype
    if not column.notna().any():
        return "nothing"
    if isinstance(dtype, pd.CategoricalDtype):
        return "texts"
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "dates"
    kind = INFERRED.get(pd.api.types.infer_dtype(column, skipna=True), "other values")
    return "dates" if kind == "texts" and _spell_dates(column) else kind


def _spell_dates(column: pd.Series) -> bool:
    """Whether all texts are dates as ISO 8601 has them."""
    texts = column.dropna().astype(str)
    return bool(texts.str.match(ISO_DATE).all() and _dates(texts).notna().all())


def _dates(cells: pd.Series) -> pd.Series:
    """The cells as points in time, missing where they are none."""
    import pandas as pd

    return pd.to_datetime(cells.astype(str), format="ISO8601", errors="coerce", utc=True)


def as_numbers(column: pd.Series) -> NDArray[np.float64]:
    """The cells as numbers (n_samples,), NaN where they are missing; texts too, if they spell numbers."""
    import pandas as pd

    kind, present = kind_of(column), column.notna().to_numpy()
    if kind in ("dates", "other values"):
        raise InputError(f"column {column.name!r} holds {kind}; the model takes numbers there")
    cells = column[present]
    if kind == "texts":
        cells = pd.to_numeric(cells.astype(str), errors="coerce")
    result = np.full(len(column), np.nan)
    result[present] = cells.to_numpy(dtype=np.float64)
    _require(column, ~present | np.isfinite(result), "a finite number")
    return result


def as_days(column: pd.Series) -> NDArray[np.float64]:
    """The cells as days since 1970 (n_samples,), NaN where they are missing."""
    kind, present = kind_of(column), column.notna().to_numpy()
    if kind in ("numbers", "other values"):
        raise InputError(f"column {column.name!r} holds {kind}; the model takes dates there")
    result = np.full(len(column), np.nan)
    if kind != "nothing":
        dates = _dates(column)
        _require(column, ~present | dates.notna().to_numpy(), "a date like 2024-12-31")
        times = dates[present].dt.tz_localize(None).to_numpy("datetime64[us]")
        result[present] = times.astype(np.int64) / MICROSECONDS_PER_DAY
    return result


def as_texts(column: pd.Series) -> NDArray[Any]:
    """The cells as texts (n_samples,), None where they are missing."""
    present = column.notna().to_numpy()
    result = np.full(len(column), None, object)
    result[present] = [text_of(cell) for cell in column[present].tolist()]
    return result


def text_of(cell: Any) -> str:
    """One text for what means the same: 3 and 3.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _require(column: pd.Series, good: NDArray[np.bool_], wanted: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        cell, number = str(column.iloc[row]), column.index[row] + 1
        raise InputError(
            f"column {column.name!r} holds {cell!r} in row {number}; the model takes {wanted} there"
        )
