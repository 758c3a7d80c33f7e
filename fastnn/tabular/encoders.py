"""What becomes of one column: numbers that a network takes, said by plain data that JSON holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.tabular.frames import as_days, as_floats, as_texts

# Beyond so many interquartile ranges there is no more to be seen.
FARTHEST = 1e6
# Turns in an interquartile range, times 2 pi, that nobody draws: there a cosine is noise.
FASTEST = 1e9
# A smooth clip: numbers far out go to this many interquartile ranges.
CLIP = 3.0
# Quantile bins and categories stand in for many weights that move together: a smaller step suits them.
# 0.5 was the best of 1, 0.5 and 0.3 over nine tables, by little more than the noise between seeds.
BIN_SCALE, CATEGORY_SCALE = 0.5, 0.5
FEW_CATEGORIES, MOST_CATEGORIES = 8, 100


@dataclass(frozen=True)
class Numbers:
    """Numbers v as z = (v - median) / IQR, clipped smoothly: z / sqrt(1 + (z/3)^2), and what is made of z.

    edges (bins + 1,): quantiles; of each bin the share that v has passed, in steps from 0 to 1. rates,
    phases (waves,): sqrt(2) cos(rate z + phase). missing: a feature that is 1 where a cell is missing; all
    others are 0 there.
    """

    kind: ClassVar[str] = "numbers"
    name: str
    median: float
    spread: float
    missing: bool = False
    edges: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    phases: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        told = self.median, self.spread, *self.edges, *self.rates, *self.phases
        good = are_finite(told) and self.spread > 0 and isinstance(self.missing, bool)
        if not good or len(self.rates) != len(self.phases) or len(self.edges) == 1:
            raise ValueError(f"the numbers that describe column {self.name!r} cannot be")
        for name in ("edges", "rates", "phases"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        for name in ("median", "spread"):
            object.__setattr__(self, name, float(getattr(self, name)))
        with np.errstate(over="ignore"):
            apart = np.diff(self.edges)
        if not ((apart > 0) & (apart < np.inf)).all() or max(map(abs, self.rates), default=0.0) > FASTEST:
            raise ValueError(f"the numbers that describe column {self.name!r} cannot be")

    @property
    def width(self) -> int:
        return 1 + self.missing + max(0, len(self.edges) - 1) + len(self.rates)

    def values(self, cells: Array) -> NDArray[np.float64]:
        return as_floats(self.name, cells)

    def features(self, cells: Array) -> Array:
        """(n_samples, width)"""
        v = self.values(cells)
        unknown = np.isnan(v)
        with np.errstate(over="ignore"):
            z = np.clip((v - self.median) / self.spread, -FARTHEST, FARTHEST)
        z /= np.sqrt(1 + (z / CLIP) ** 2)
        parts = [z[:, None]]
        if self.edges:
            low, high = np.array(self.edges[:-1]), np.array(self.edges[1:])
            parts.append(BIN_SCALE * (np.clip(v[:, None], low, high) - low) / (high - low))
        if self.rates:
            parts.append(np.sqrt(2) * np.cos(z[:, None] * np.array(self.rates) + np.array(self.phases)))
        result = np.concatenate(parts, axis=1)
        result[unknown] = 0
        return np.hstack([result, unknown[:, None]]) if self.missing else result

    @classmethod
    def learn(cls, name: str, cells: Array, detail: Detail, random: np.random.Generator) -> Encoder | str:
        """What the column's values say, or why it is of no use."""
        v = cls(name, 0.0, 1.0).values(cells)
        known = v[np.isfinite(v)]
        values = np.unique(known)
        missing = bool(np.isnan(v).any())
        if values.size < 2:
            return Flag(name, 0.0, 1.0, cls.kind) if missing and values.size else "one value in all rows"
        if is_numbering(known) and not missing:
            return "a number of each row"
        least, most = float(values[0]), float(values[-1])
        with np.errstate(over="ignore", invalid="ignore"):
            low, median, high = (float(x) for x in np.quantile(known, (0.25, 0.5, 0.75)))
        spread = high - low or 0.5 * most - 0.5 * least
        if not np.isfinite([spread, most - least]).all() or spread < np.finfo(np.float64).tiny:
            return "numbers that are too large, or too close to each other, to be told apart"
        if values.size == 2:
            return Flag(name, least, most, cls.kind)
        edges: Array = np.empty(0)
        if detail.bins > 1:
            edges = np.unique(np.quantile(known, np.linspace(0, 1, detail.bins + 1)))
            with np.errstate(over="ignore"):
                apart = np.diff(edges)
            edges = edges if len(edges) > 2 and (apart < np.inf).all() else edges[:0]
        rates = 2 * np.pi * detail.wave_scale * random.standard_normal(detail.waves)
        phases = random.uniform(-np.pi, np.pi, detail.waves)
        return cls(name, median, float(spread), missing, tuple(edges), tuple(rates), tuple(phases))


@dataclass(frozen=True)
class Dates(Numbers):
    """Dates, as days since 1970; then as for numbers."""

    kind: ClassVar[str] = "dates"

    def values(self, cells: Array) -> NDArray[np.float64]:
        return as_days(self.name, cells)


@dataclass(frozen=True)
class Flag:
    """Numbers, dates or truth values of which there are two: -1 and +1, and 0 where a cell is missing."""

    kind: ClassVar[str] = "flag"
    name: str
    low: float
    high: float
    of: str = "numbers"

    width: ClassVar[int] = 1

    def __post_init__(self) -> None:
        kinds = Numbers.kind, Dates.kind
        good = are_finite((self.low, self.high)) and 0.5 * self.high - 0.5 * self.low > 0
        if not (good and self.of in kinds):
            raise ValueError(f"the two values of column {self.name!r} cannot be")

    def features(self, cells: Array) -> Array:
        """(n_samples, 1)"""
        v = as_days(self.name, cells) if self.of == Dates.kind else as_floats(self.name, cells)
        middle, half = 0.5 * self.low + 0.5 * self.high, 0.5 * self.high - 0.5 * self.low
        return np.nan_to_num((np.clip(v, self.low, self.high) - middle) / half, nan=0.0)[:, None]


@dataclass(frozen=True)
class Texts:
    """One feature for each category, 1 where a cell is it; of two categories one feature, -1 or +1.

    A missing or an unknown cell is none of them: zeros.
    """

    kind: ClassVar[str] = "texts"
    name: str
    categories: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))
        texts = all(isinstance(text, str) for text in self.categories)
        if not self.categories or not texts or len(set(self.categories)) < len(self.categories):
            raise ValueError(f"the categories of column {self.name!r} cannot be")

    @property
    def width(self) -> int:
        return 1 if len(self.categories) == 2 else len(self.categories)

    def codes(self, cells: Array) -> NDArray[np.int64]:
        number = {category: i for i, category in enumerate(self.categories)}
        return np.array([-1 if text is None else number.get(text, -1) for text in as_texts(cells)], np.int64)

    def features(self, cells: Array) -> Array:
        """(n_samples, width)"""
        codes = self.codes(cells)[:, None]
        if self.width == 1 and len(self.categories) == 2:
            return np.where(codes < 0, 0.0, 2.0 * codes - 1)
        scale = CATEGORY_SCALE if many_categories(self) else 1.0
        return scale * (codes == np.arange(self.width))

    @classmethod
    def learn(cls, name: str, cells: Array, *, chosen: bool = False) -> Texts | str:
        """What the column's values say, or why it is of no use; chosen: its user calls it categories."""
        texts = as_texts(cells)
        counts = Counter(text for text in texts if text is not None)
        if 2 * len(counts) > counts.total() and len(counts) > 2 and not chosen:
            return "text that differs in most rows"
        if len(counts) == 1 and None not in texts:
            return "one value in all rows"
        most = sorted(counts, key=lambda text: (-counts[text], text))[:MOST_CATEGORIES]
        return cls(name, tuple(sorted(most)))


Encoder = Numbers | Dates | Flag | Texts
KINDS: dict[str, type[Any]] = {cls.kind: cls for cls in (Numbers, Dates, Flag, Texts)}


@dataclass(frozen=True)
class Detail:
    """How finely numbers are told: quantile bins, waves, and how fast these swing."""

    bins: int = 16
    waves: int = 8
    wave_scale: float = field(default=0.1)


def many_categories(encoder: Encoder) -> bool:
    """Whether its features are those of more categories than are told apart one by one."""
    return isinstance(encoder, Texts) and len(encoder.categories) > FEW_CATEGORIES


def is_numbering(known: NDArray[np.float64]) -> bool:
    """Whether the numbers are those of rows: whole, all different, and nearly all of a range there.

    "Nearly": a part of the rows, drawn at random, is still such.
    """
    if len(known) < 50 or (known != np.floor(known)).any():
        return False
    return len(np.unique(known)) == len(known) and known.max() - known.min() < 1.5 * len(known)


def require_no_dates(encoders: Sequence[Encoder], where: str) -> None:
    """ValueError, by name, if one of these columns holds dates."""
    for encoder in encoders:
        if isinstance(encoder, Dates) or (isinstance(encoder, Flag) and encoder.of == Dates.kind):
            raise ValueError(
                f"{where} cannot read dates, and the model takes the column {encoder.name!r}: train on a "
                "table with its days as numbers"
            )


def are_finite(values: Iterable[Any]) -> bool:
    """Whether all are numbers, and finite: a file may say anything."""
    return all(isinstance(x, int | float) and abs(float(x)) < np.inf for x in values)


def described(encoder: Encoder) -> dict[str, Any]:
    """Plain data, for JSON."""
    return {"kind": encoder.kind, **asdict(encoder)}


def restored(description: dict[str, Any]) -> Encoder:
    """What `described` gave; KeyError, TypeError or ValueError for anything else."""
    values = dict(description)
    kind = KINDS[values.pop("kind")]
    if not isinstance(values["name"], str):
        raise ValueError(f"{values['name']!r} as the name of a column")
    "".join((values["name"], *values.get("categories", ()))).encode()  # what cannot be written is no text
    encoder: Encoder = kind(**values)
    return encoder
