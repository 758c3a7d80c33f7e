"""From tables to the matrix that networks take: learnt once, kept as plain data, said in remarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.tabular.encoders import (
    Dates,
    Detail,
    Encoder,
    Numbers,
    Texts,
    described,
    many_categories,
    restored,
)
from fastnn.tabular.frames import (
    DATES,
    NOTHING,
    TEXTS,
    categories_of,
    columns_of,
    kind_of,
    names_of,
    repeated_in,
    some,
)

# A wider matrix costs more than its detail is worth: of many columns each gets less of it.
MOST_FEATURES = 1500


@dataclass(frozen=True)
class Preprocessing:
    """The columns that a model reads, by name or, without names, by position; others are passed over.

    n_columns: of the table that was learnt from; named: whether its columns had names; places: where the
    columns that are read stood there.
    """

    encoders: tuple[Encoder, ...]
    places: tuple[int, ...]
    n_columns: int
    named: bool

    @property
    def n_features(self) -> int:
        return sum(encoder.width for encoder in self.encoders)

    @classmethod
    def learn(
        cls, X: Any, detail: Detail, random: np.random.Generator, categories: Sequence[Any] = ()
    ) -> tuple[Preprocessing, list[str]]:
        """From the columns of a table; and what is to be said about those that are left out.

        categories: names or positions of columns whose values are categories, whatever they look like.
        """
        names, columns = names_of(X), columns_of(X)
        titles = names if names is not None else [f"column {i}" for i in range(len(columns))]
        repeated = repeated_in(titles)
        if repeated:
            raise ValueError(f"more than one column is called {some(repeated)}: rename them")
        chosen = {titles[i] for i in categories_of(X)}
        for which in categories:
            title = which if names is not None and which in titles else None
            if title is None and isinstance(which, int | np.integer) and 0 <= which < len(titles):
                title = titles[which]
            if title is None:
                raise ValueError(f"categories has {which!r}; the columns are {some(titles)}")
            chosen.add(title)
        kinds = [
            TEXTS if name in chosen else kind_of(name, cells)
            for name, cells in zip(titles, columns, strict=True)
        ]
        detail = affordable(detail, sum(kind not in (TEXTS, NOTHING) for kind in kinds))
        encoders: list[Encoder] = []
        places: list[int] = []
        useless: dict[str, list[str]] = {}
        for place, (name, cells, kind) in enumerate(zip(titles, columns, kinds, strict=True)):
            if kind == NOTHING:
                result: Encoder | str = "no value in any row"
            elif kind == TEXTS:
                result = Texts.learn(name, cells, chosen=name in chosen)
            else:
                result = (Dates if kind == DATES else Numbers).learn(name, cells, detail, random)
            if isinstance(result, str):
                useless.setdefault(result, []).append(name)
            else:
                encoders.append(result)
                places.append(place)
        remarks = [f"left out ({why}): {some(names)}" for why, names in useless.items()]
        return cls(tuple(encoders), tuple(places), len(columns), names is not None), remarks

    def features(self, X: Any) -> Array:
        """The matrix (n_samples, n_features) of float32; without any column that tells, a column of zeros."""
        names, columns = names_of(X), columns_of(X)
        n_samples = len(columns[0]) if columns else 0
        if names is not None and self.named:
            place = {name: i for i, name in enumerate(names)}
            missing = [encoder.name for encoder in self.encoders if encoder.name not in place]
            if missing:
                raise ValueError(
                    f"the table has no column {some(missing)}, which the model takes; it has {some(names)}"
                )
            cells = [columns[place[encoder.name]] for encoder in self.encoders]
        else:
            if len(columns) != self.n_columns:
                raise ValueError(f"X has {len(columns)} columns; the model has learnt from {self.n_columns}")
            cells = [columns[i] for i in self.places]
        result = np.zeros((n_samples, max(1, self.n_features)), np.float32)
        start = 0
        for encoder, column in zip(self.encoders, cells, strict=True):
            result[:, start : start + encoder.width] = encoder.features(column)
            start += encoder.width
        return result

    def parts(self) -> dict[int, slice]:
        """For the place of each column that is read: its features."""
        ends = np.cumsum([encoder.width for encoder in self.encoders])
        return {
            place: slice(int(end) - encoder.width, int(end))
            for place, encoder, end in zip(self.places, self.encoders, ends, strict=True)
        }

    def categories(self) -> tuple[tuple[int, int], ...]:
        """The features of each column of many categories: the first, and how many."""
        spans = zip(self.encoders, self.parts().values(), strict=True)
        return tuple((part.start, encoder.width) for encoder, part in spans if many_categories(encoder))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        encoders = [described(encoder) for encoder in self.encoders]
        return {
            "encoders": encoders, "places": list(self.places), "n_columns": self.n_columns,
            "named": self.named,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """What `to_dict` described; KeyError, TypeError or ValueError for anything else."""
        encoders = tuple(restored(description) for description in values["encoders"])
        places, n_columns = tuple(values["places"]), values["n_columns"]
        if not isinstance(n_columns, int) or len(places) != len(encoders):
            raise ValueError("its columns have no places")
        if not all(isinstance(place, int) and 0 <= place < n_columns for place in places):
            raise ValueError("a column stands beyond the table")
        if len(set(places)) < len(places) or len({encoder.name for encoder in encoders}) < len(encoders):
            raise ValueError("a column is there twice")
        return cls(encoders, places, n_columns, bool(values["named"]))


def affordable(detail: Detail, n_numbers: int) -> Detail:
    """So much detail that numbers take at most about MOST_FEATURES features; waves give way first."""
    most = max(0, MOST_FEATURES // max(1, n_numbers) - 1)
    bins = min(detail.bins, most)
    return replace(detail, bins=bins if bins > 1 else 0, waves=min(detail.waves, max(0, most - bins)))
