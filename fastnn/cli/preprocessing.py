"""From a table's columns to the numbers that a network takes, as plain data for a model's file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.cells import as_days, as_numbers, as_texts, kind_of
from fastnn.cli.inputs import InputError

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
# Of a text column: the most frequent categories, each of which is a feature of its own.
MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Numbers:
    """(value - mean) / scale of numbers and truth values; 0, so the mean, where one is missing."""

    kind: ClassVar[str] = "numbers"
    name: str
    mean: float
    scale: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and 0 < self.scale < np.inf):
            raise ValueError(f"mean {self.mean!r} and scale {self.scale!r} of column {self.name!r}")

    @property
    def width(self) -> int:
        return 1

    @staticmethod
    def values(column: pd.Series) -> NDArray[np.float64]:
        return as_numbers(column)

    def features(self, column: pd.Series) -> Array:
        """(n_samples, 1)"""
        scaled = (self.values(column) - self.mean) / self.scale
        return np.nan_to_num(scaled, nan=0.0)[:, None]

    @classmethod
    def learn(cls, column: pd.Series) -> Numbers | str:
        """What the column's values say, or why it is of no use."""
        values = cls.values(column)
        known = values[~np.isnan(values)]
        if known.size == 0 or known.min() == known.max():
            return "one value in all rows"
        # Of shares of the largest: the squares of very large or small numbers would be infinite or zero.
        largest = np.abs(known).max()
        mean, scale = (float(x * largest) for x in (np.mean(known / largest), np.std(known / largest)))
        if scale == 0:
            return "one value in all rows, but for rounding"
        return cls(str(column.name), mean, scale)


@dataclass(frozen=True)
class Dates(Numbers):
    """Dates, as days since 1970."""

    kind: ClassVar[str] = "dates"

    @staticmethod
    def values(column: pd.Series) -> NDArray[np.float64]:
        return as_days(column)


@dataclass(frozen=True)
class Texts:
    """One feature for each category, 1 where a cell is it; a missing or an unknown cell is none of them."""

    kind: ClassVar[str] = "texts"
    name: str
    categories: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))
        if not all(isinstance(x, str) for x in self.categories) or len(set(self.categories)) < self.width:
            raise ValueError(f"categories of column {self.name!r}")

    @property
    def width(self) -> int:
        return len(self.categories)

    def features(self, column: pd.Series) -> Array:
        """(n_samples, n_categories)"""
        number = {category: i for i, category in enumerate(self.categories)}
        codes = np.array([number.get(text, -1) for text in as_texts(column)])
        return codes[:, None] == np.arange(self.width)

    @classmethod
    def learn(cls, column: pd.Series) -> Texts | str:
        """What the column's values say, or why it is of no use."""
        counts = Counter(text for text in as_texts(column) if text is not None)
        if 2 * len(counts) > counts.total() and len(counts) > 1:
            return "text that differs in most rows"
        if len(counts) == 1 and column.notna().all():
            return "one value in all rows"
        most = sorted(counts, key=lambda text: (-counts[text], text))[:MOST_CATEGORIES]
        return cls(str(column.name), tuple(sorted(most)))


Column = Numbers | Dates | Texts
KINDS: dict[str, type[Column]] = {cls.kind: cls for cls in (Numbers, Dates, Texts)}


@dataclass(frozen=True)
class Preprocessing:
    """The columns that a model reads, in order; others are passed over."""

    columns: tuple[Column, ...]

    @property
    def n_features(self) -> int:
        return sum(column.width for column in self.columns)

    @classmethod
    def learn(cls, frame: pd.DataFrame) -> tuple[Preprocessing, list[str]]:
        """From the columns of `frame`; and what is to be said about those of no use."""
        columns: list[Column] = []
        useless: dict[str, list[str]] = {}
        for name in frame.columns:
            kind = kind_of(frame[name])
            result: Column | str = f"cells that hold {kind}"
            if kind in KINDS:
                result = KINDS[kind].learn(frame[name])
            if isinstance(result, str):
                useless.setdefault(result, []).append(name)
            else:
                columns.append(result)
        notes = [f"left out ({why}): {_some(names)}" for why, names in useless.items()]
        if not columns:
            raise InputError(f"there is no column to learn from: {'; '.join(notes) or 'only the target'}")
        return cls(tuple(columns)), notes

    def features(self, frame: pd.DataFrame) -> Array:
        """X (n_samples, n_features) of float32."""
        missing = [repr(column.name) for column in self.columns if column.name not in frame.columns]
        if missing:
            raise InputError(
                f"the table has no column {', '.join(missing)}, which the model takes; "
                f"it has {', '.join(map(repr, frame.columns))}"
            )
        X, start = np.empty((len(frame), self.n_features), np.float32), 0
        for column in self.columns:
            with np.errstate(over="ignore"):
                X[:, start : start + column.width] = column.features(frame[column.name])
            if not np.isfinite(X[:, start]).all():
                raise InputError(
                    f"column {column.name!r} holds values far beyond those that were learnt from"
                )
            start += column.width
        return X

    def to_list(self) -> list[dict[str, Any]]:
        """Plain data, for JSON."""
        return [{"kind": column.kind, **asdict(column)} for column in self.columns]

    @classmethod
    def from_list(cls, columns: Sequence[Mapping[str, Any]]) -> Preprocessing:
        """What `to_list` described; KeyError, TypeError or ValueError for anything else."""
        described = [dict(column) for column in columns]
        return cls(tuple(KINDS[column.pop("kind")](**column) for column in described))

    def unknown(self, frame: pd.DataFrame) -> list[str]:
        """What is to be said about texts that are none of the categories."""
        notes = []
        for column in self.columns:
            if isinstance(column, Texts):
                texts = {text for text in as_texts(frame[column.name]) if text is not None}
                new = sorted(texts.difference(column.categories))
                if new:
                    notes.append(
                        f"column {column.name!r} holds {len(new)} texts that the model does not know, "
                        f"such as {new[0]!r}: it takes them as missing"
                    )
        return notes


def _some(names: Sequence[str]) -> str:
    """The first few of many names."""
    few = ", ".join(map(repr, names[:5]))
    return few if len(names) <= 5 else f"{few} and {len(names) - 5} more columns"
