"""The column to predict: classes or numbers, and as what an estimator learns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.columns import kind_in
from fastnn.cli.inputs import InputError, Say, some
from fastnn.tabular.frames import NUMBERS, TEXTS, as_floats, as_texts

if TYPE_CHECKING:
    import pandas as pd

BINARY, MULTI_CLASS, REGRESSION = "binary", "multi-class", "regression"
# Whole numbers are classes if there are so few of them, and so many rows of each on average.
MOST_CLASSES, ROWS_PER_CLASS = 20, 5


def known_rows(frame: pd.DataFrame, target: str, say: Say) -> pd.DataFrame:
    """The rows that have a target."""
    if target not in frame.columns:
        raise InputError(f"there is no column {target!r}; the table has {some(frame.columns)}")
    known = frame[target].notna()
    if not known.any():
        raise InputError(f"the target {target!r} is missing in all {len(frame)} rows")
    if not known.all():
        say(f"{(~known).sum():,} of {len(frame):,} rows are left out: their target is missing")
    return frame[known]


def learnt_as(column: pd.Series, task: str | None) -> tuple[str, NDArray[Any]]:
    """The task, found out if not given, and y (n_samples,): numbers, or labels that are texts or whole."""
    name, cells = str(column.name), column.to_numpy(object)
    kind = kind_in(name, column)
    if kind not in (NUMBERS, TEXTS):
        raise InputError(f"the target {name!r} holds {kind}; give a column of numbers or of classes")
    values = set(cells.tolist())
    task = task or _task(values, kind, len(cells))
    if task == REGRESSION:
        y = numbers_of(name, cells)
        if y.min() == y.max():
            raise InputError(f"the target {name!r} has one value in all rows: there is nothing to learn")
        return task, y
    labels = labels_of(cells)
    n_labels = len(np.unique(labels))
    if n_labels < 2:
        raise InputError(f"the target {name!r} has one class, {str(labels[0])!r}: there is nothing to learn")
    if task == BINARY and n_labels > 2:
        raise InputError(f"the target {name!r} has {n_labels} classes; --task binary takes 2")
    if 2 * n_labels > len(cells):
        raise InputError(
            f"the target {name!r} has {n_labels} classes in {len(cells)} rows: that is too few rows for each"
        )
    return task, labels


def _task(values: set[Any], kind: str, n_rows: int) -> str:
    """Texts and truth values are classes, two values too, and a few whole numbers; the rest is numbers."""
    if kind == NUMBERS and not all(isinstance(value, bool) for value in values):
        whole = all(not isinstance(value, str) and float(value).is_integer() for value in values)
        few = len(values) <= MOST_CLASSES and ROWS_PER_CLASS * len(values) <= n_rows
        if not (whole and (few or len(values) == 2)):
            return REGRESSION
    return BINARY if len(values) == 2 else MULTI_CLASS


def numbers_of(name: str, cells: NDArray[Any]) -> NDArray[np.float64]:
    """The cells as finite numbers (n_samples,)."""
    try:
        y = as_floats(name, cells)
    except ValueError:
        y = np.full(len(cells), np.nan)
    good = np.isfinite(y)
    if not good.all():
        row = int(np.argmin(good))
        cell = next((c for c in cells if isinstance(c, str)), cells[row])
        raise InputError(
            f"the target {name!r} holds {str(cell)!r:.60}; a regression takes finite numbers there"
        )
    return y


def labels_of(cells: NDArray[Any]) -> NDArray[Any]:
    """Labels (n_samples,): int64 where all are whole numbers, so that 10 comes after 9, else texts."""
    texts = as_texts(cells)
    if not any(isinstance(cell, str | bool | np.bool_) for cell in cells):
        try:
            return np.array([int(str(text)) for text in texts], np.int64)
        except (ValueError, OverflowError):
            pass
    return np.array(texts, str)


def codes_of(name: str, cells: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """The place of each cell's label (n_samples,) among the classes of a model."""
    place = {str(label): i for i, label in enumerate(classes.tolist())}
    texts = as_texts(cells)
    unknown = next((text for text in texts if text not in place), None)
    if unknown is not None:
        raise InputError(
            f"the target {name!r} holds {unknown!r:.60}; "
            f"the model knows {', '.join(list(place)[:MOST_CLASSES])}"
        )
    return np.array([place[str(text)] for text in texts], np.int64)
