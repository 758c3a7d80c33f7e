"""The rows of many fits in one array each: what several have is there once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fastnn.checks import Array
from fastnn.data import Rows


class Blocks:
    """Different sets of rows; firsts: for each that was given, where it begins among all."""

    def __init__(self, given: Iterable[Rows]) -> None:
        self._blocks: list[tuple[int, Rows]] = []
        self._alike: dict[tuple[int, bytes], list[tuple[int, Rows]]] = {}
        self._n_rows = 0
        sets = list(given)
        known = {number: self._place(rows) for number, rows in {id(rows): rows for rows in sets}.items()}
        self.firsts = [known[id(rows)] for rows in sets]

    def _place(self, rows: Rows) -> int:
        # Most are told apart by their first row.
        likely = self._alike.setdefault((rows.X.shape[0], rows.X[:1].tobytes()), [])
        for first, other in likely:
            if _equal(rows, other):
                return first
        block = self._n_rows, rows
        likely.append(block)
        self._blocks.append(block)
        self._n_rows += rows.X.shape[0]
        return block[0]

    def joined(self) -> tuple[Array, Array, Array]:
        """X (n, n_in), Y (n, n_targets) and weights (n,) or (0,) of all of them, one after another."""
        parts = [(rows.X, rows.Y, rows.weights) for _, rows in self._blocks]
        if len(parts) == 1:
            return parts[0]
        X, Y, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return X, Y, weights


def _equal(a: Rows, b: Rows) -> bool:
    pairs = (a.X, b.X), (a.Y, b.Y), (a.weights, b.weights)
    return all(one is other or np.array_equal(one, other) for one, other in pairs)
