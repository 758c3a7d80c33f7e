"""What the columns of a file hold: texts that spell numbers or dates become such, and it is said how."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.inputs import ORDERS, InputError, Say, some
from fastnn.cli.spelling import COMMA, MARKS, MISSING, POINT, TRUTH, USUAL, date, number
from fastnn.tabular.frames import as_texts, kind_of

if TYPE_CHECKING:
    import pandas as pd

# A column holds numbers, or dates, if such a share of its cells does; of the share HINT it is said why not.
ENOUGH, HINT = 0.9, 0.5
MOST_NOTES, SAMPLE = 20, 1000
NUMBERS, DATES, TEXTS = "numbers", "dates", "texts"


@dataclass(frozen=True)
class Rules:
    """How cells are read, where that is told; the rest is found out.

    decimal: "." or ","; na: more marks of missing cells; types: of columns, from TYPES; habits: how the model
    has read a column, which decides where the whole file leaves it open.
    """

    decimal: str | None = None
    na: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    habits: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Texts:
    """A column's different texts, how often each is there, and which of them stands in each row (-1: none).

    marks: of missing cells, but for the usual ones, and how often each was there; its count is then 0.
    """

    name: str
    texts: list[str]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    marks: list[tuple[str, int]]

    @classmethod
    def of(cls, name: str, column: pd.Series, na: Collection[str]) -> Texts | None:
        """None where the column holds no texts, or what is no text besides."""
        import pandas as pd

        if isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
            return None
        if not (isinstance(column.dtype, np.dtype) or pd.api.types.is_string_dtype(column.dtype)):
            return None
        if isinstance(column.dtype, pd.CategoricalDtype):
            return None
        cells, kind = column.to_numpy(object), pd.api.types.infer_dtype(column, skipna=True)
        if kind.startswith("mixed") and any(isinstance(cell, str) for cell in cells):
            try:
                kind_of(name, cells)  # which refuses lists and the like
            except (TypeError, ValueError):
                return None
            cells = np.array(as_texts(cells), object)
        elif kind != "string":
            return None
        rows, found = pd.factorize(cells)
        texts, missing = [str(text) for text in found], MISSING.union(na)
        gone = np.array([text.strip() in missing for text in texts] + [True])
        counts = np.bincount(rows[rows >= 0], minlength=len(texts))
        marks = [
            (text, int(count))
            for text, count, mark in zip(texts, counts, gone[:-1], strict=True)
            if mark and text.strip() not in USUAL
        ]
        return cls(name, texts, np.where(gone[:-1], 0, counts), np.where(gone[rows], -1, rows), marks)

    def first(self, n: int) -> Texts:
        return Texts(self.name, self.texts[:n], self.counts[:n], self.rows[:0], [])

    def plain_numbers(self) -> list[Any] | None:
        """The numbers that Python itself reads in all texts, whole ones as int, else None: quick for many."""

        def plain(text: str) -> float | int:
            return int(text) if text.removeprefix("-").isdigit() and len(text) < 300 else float(text)

        try:
            return [
                plain(text.strip()) if n else None for text, n in zip(self.texts, self.counts, strict=True)
            ]
        except ValueError:
            return None

    def series(self, values: list[Any], index: Any) -> pd.Series:
        """A column with such a value for each text; whole numbers stay whole, where none is missing."""
        import pandas as pd

        values = [value if n else None for value, n in zip(values, self.counts, strict=True)] + [None]
        kinds = {type(value) for value in values} - {type(None)}
        dtype: Any = object
        if kinds == {int} and not (self.rows < 0).any() and None not in np.array(values, object)[self.rows]:
            dtype = np.int64 if all(v is None or abs(v) < 1 << 63 for v in values) else np.float64
            values = [0 if value is None else value for value in values]
        elif kinds and kinds <= {int, float}:
            dtype, values = np.float64, [np.nan if value is None else value for value in values]
        elif kinds == {datetime.datetime}:
            dtype = "datetime64[us]"
        return pd.Series(np.array(values, dtype)[self.rows], index, dtype=dtype)


@dataclass
class Spelling:
    """One way to read a column's texts: a value for each, and what share of the cells has one."""

    how: str
    values: list[Any]
    seen: set[str]
    share: float = 0.0
    cells: int = 0

    @classmethod
    def of(cls, column: Texts, how: str) -> Spelling:
        seen: set[str] = set()
        values = column.plain_numbers() if how == POINT else None
        read = partial(number, decimal=how, seen=seen) if how in (POINT, COMMA) else partial(date, order=how)
        values = [read(text.strip()) for text in column.texts] if values is None else values
        good = np.array([value is not None for value in values], bool)
        cells = int(column.counts[good].sum())
        strange = [
            int(n)
            for text, n in zip(compress(column.texts, ~good), column.counts[~good], strict=True)
            if text.strip().lower() not in MARKS
        ]
        judged = cells + sum(strange)
        return cls(how, values, seen, cells / judged if judged else 0.0, cells)


def read_columns(frame: pd.DataFrame, rules: Rules, say: Say) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table with numbers, dates and texts in its columns; and how those that were texts were read."""
    unknown = sorted(set(rules.types) - set(frame.columns))
    if unknown:
        raise InputError(f"--types: there is no column {unknown[0]!r}; the table has {some(frame.columns)}")
    texts = {name: Texts.of(str(name), frame[name], rules.na) for name in frame.columns}
    found = {name: _spellings(column, rules) for name, column in texts.items() if column is not None}
    decimal, order = rules.decimal or _usual(found, (POINT, COMMA)), _usual(found, ORDERS)
    columns, habits, notes = {}, {}, []
    for name in frame.columns:
        column = texts[name]
        if column is None:
            columns[name] = _typed(name, frame[name], rules)
            continue
        habit = rules.habits.get(name)
        usual = decimal or habit or POINT, order or habit or ORDERS[0]
        chosen = next((x for x in found[name] if x.how in usual), None) or next(iter(found[name]), None)
        values, note = _read(column, chosen, found[name], rules.types.get(name))
        columns[name] = column.series(values, frame.index)
        if chosen is not None:
            habits[name] = chosen.how
        notes += [f"{name}: {note}"] if note else []
    for note in notes[:MOST_NOTES]:
        say(note)
    if len(notes) > MOST_NOTES:
        say(f"so are {len(notes) - MOST_NOTES:,} more columns")
    import pandas as pd

    return pd.DataFrame(columns, index=frame.index, columns=frame.columns), habits


def _spellings(column: Texts, rules: Rules) -> list[Spelling]:
    """The ways in which enough of the cells can be read, the best first; those of numbers before dates."""
    wanted = rules.types.get(column.name)
    if wanted == TEXTS or not column.counts.any():
        return []
    if wanted in (None, NUMBERS):
        numbers = _best(column, (rules.decimal,) if rules.decimal else (POINT, COMMA))
        if wanted or numbers[0].share >= HINT:
            return numbers
    if wanted in (None, DATES, *ORDERS):
        sample = [text.strip() for text, count in zip(column.texts, column.counts, strict=True) if count]
        if wanted is None and not any(text[:1].isdigit() for text in sample):
            return []
        orders = (wanted,) if wanted in ORDERS else ORDERS
        dates = _best(column, orders)
        if wanted or dates[0].share >= HINT:
            return dates
    return []


def _best(column: Texts, ways: Sequence[str]) -> list[Spelling]:
    """Those of the ways in which most cells can be read; of many texts the first ones tell which to try."""
    if len(column.texts) > SAMPLE and len(ways) > 1:
        ways = [spelling.how for spelling in _best(column.first(SAMPLE), ways)]
    spellings = [Spelling.of(column, way) for way in ways]
    most = max(spelling.cells for spelling in spellings)
    return [spelling for spelling in spellings if spelling.cells == most]


def _usual(found: Mapping[str, list[Spelling]], ways: tuple[str, ...]) -> str | None:
    """The way that most columns leave no doubt of; None where all do."""
    sure = [x[0].how for x in found.values() if len(x) == 1 and x[0].how in ways]
    return max(ways, key=sure.count) if sure else None


def _read(
    column: Texts, chosen: Spelling | None, spellings: list[Spelling], wanted: str | None
) -> tuple[list[Any], str]:
    """A value for each text, and what is to be said about it."""
    lower = {text.strip().lower() for text, count in zip(column.texts, column.counts, strict=True) if count}
    if lower and lower <= TRUTH.keys() and wanted in (None, NUMBERS):
        return [bool(TRUTH.get(text.strip().lower())) for text in column.texts], ""
    if chosen is None:
        return list(column.texts), ""
    kind = NUMBERS if chosen.how in (POINT, COMMA) else DATES
    strange = [
        (text, int(count))
        for text, value, count in zip(column.texts, chosen.values, column.counts, strict=True)
        if value is None and count
    ]
    strange = sorted((*strange, *column.marks), key=lambda x: -x[1])
    if chosen.share < ENOUGH and wanted is None:
        text, total = strange[0][0], int(column.counts.sum())
        return list(column.texts), (
            f"read as texts: {total - chosen.cells:,} of {total:,} cells are no {kind}, such as "
            f"{text!r:.40}; --types {column.name}={kind} takes these as missing"
        )
    told = [f"{count:,} cell{'s were' if count > 1 else ' was'} {text!r:.40}" for text, count in strange[:3]]
    if len(strange) > 3:
        told.append(f"{sum(count for _, count in strange[3:]):,} cells were others; all these are missing")
    told = [*sorted(chosen.seen), *told]
    if chosen.how == COMMA and not _same(spellings):
        told = ["decimal commas", *told]
    if kind == DATES and chosen.how != "year-first":
        told = [chosen.how if len(spellings) == 1 else f"{chosen.how}, as nothing says otherwise", *told]
    return chosen.values, f"read as {kind}, {', '.join(told)}" if told else ""


def _same(spellings: list[Spelling]) -> bool:
    """Whether there is no difference between the ways to read it."""
    return len(spellings) > 1 and spellings[0].values == spellings[1].values


def _typed(name: str, column: pd.Series, rules: Rules) -> pd.Series:
    """A column whose file says what it holds; --types may only call it texts."""
    wanted = rules.types.get(name)
    if wanted == TEXTS:
        return column.astype("category")
    if wanted is not None:
        kind = kind_in(name, column)
        if kind not in (wanted, "nothing") and not (kind == DATES and wanted in ORDERS):
            raise InputError(f"column {name!r} holds {kind}, and {wanted} are to be there")
    return column


def kind_in(name: str, column: pd.Series) -> str:
    """As `kind_of` says it; "other values" of lists and the like."""
    try:
        return kind_of(name, column.to_numpy())
    except (TypeError, ValueError):
        return "other values"
