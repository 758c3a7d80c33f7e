"""InputStage: what a fit may learn in front of the first layer, and fold into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastnn.checks import Array, real, whole

Group = tuple[int, int, int]  # first column, columns, elements of a column's code


@dataclass(frozen=True)
class InputStage:
    """A learnt scale of each column of X, and learnt codes of categories: what `fit(input_stage=...)` takes.

    While it trains, the first layer's weights are a product: of a column's scale, which begins at 1, and
    weights; or, of a category's columns, one for each value, of codes (columns, width) and weights (width,
    n_units). Values then share what is learnt of others. The network ends with the products, and is as any
    other; a later fit begins anew, from the nearest such product.

    scale_rate, embedding_rate: how many times as fast as weights scales and codes learn; categories: for each
    its first column and the number of its columns; width: elements of a code.

    >>> InputStage(categories=[(3, 20)])  # columns 3 to 22 are one category
    InputStage(scale_rate=6.0, categories=((3, 20),), width=8, embedding_rate=1.0)
    """

    scale_rate: float = 6.0
    categories: Sequence[tuple[int, int]] = ()
    width: int = 8
    embedding_rate: float = 1.0

    def __post_init__(self) -> None:
        for name in ("scale_rate", "embedding_rate"):
            object.__setattr__(self, name, real(name, getattr(self, name)))
        whole("width", self.width, 1)
        try:
            pairs = [(first, count) for first, count in self.categories]
        except (TypeError, ValueError):
            raise ValueError(
                f"categories={self.categories!r}; give pairs of a first column and a number of columns"
            ) from None
        end, checked = 0, []
        for first, count in sorted((whole("a first column", a), whole("columns", n, 1)) for a, n in pairs):
            if first < end:
                raise ValueError(f"categories={self.categories!r}: two of them share column {first}")
            end = first + count
            checked.append((first, count))
        object.__setattr__(self, "categories", tuple(checked))

    def groups(self, n_in: int) -> list[Group]:
        """All columns of X (n_samples, n_in): of each group its first one, how many, and the codes' width."""
        result: list[Group] = []
        for first, count in (*self.categories, (n_in, 0)):
            if first + count > n_in:
                raise ValueError(
                    f"input_stage has a category of columns {first} to {first + count - 1}; X has {n_in}"
                )
            start = sum(result[-1][:2]) if result else 0
            result += [(column, 1, 1) for column in range(start, first)]
            if count:
                result.append((first, count, min(self.width, count)))
        return result

    def pace(self, group: Group) -> float:
        """How many times as fast as weights the group's codes learn."""
        return float(self.scale_rate if group[1] == 1 else self.embedding_rate)


def factors(V: Array, width: int) -> tuple[Array, Array]:
    """E (rows, width) and W (width, n) of the nearest product, about, to V (rows, n): V itself of that rank.

    The mean square of E is 1. Sums are plain ones, whose bits do not depend on a library's threads.
    """
    if len(V) == 1:
        return np.ones((1, 1)), V.astype(np.float64)
    V = V.astype(np.float64)
    # Mixes of the rows span nearly the space that holds most of them; from round to round more nearly.
    mixes = np.random.default_rng(0).standard_normal((width, len(V)))
    for _ in range(3):
        basis = _orthonormal(np.einsum("ik,kj->ij", mixes, V))
        codes = np.einsum("kj,ij->ki", V, basis)
        mixes = codes.T
    size = float(np.sqrt(np.mean(codes**2))) or 1.0
    return codes / size, size * basis


def _orthonormal(rows: Array) -> Array:
    """Rows of length 1 at right angles that span what these do; zeros in place of what is left over."""
    result = np.zeros_like(rows)
    least = 1e-12 * float(np.sqrt((rows**2).sum(axis=1).max()))
    for i, row in enumerate(rows):
        for _ in range(2):  # what rounding has left of the others
            row = row - np.einsum("i,ij->j", np.einsum("ij,j->i", result[:i], row), result[:i])
        length = float(np.sqrt(np.sum(row**2)))
        if length > least:
            result[i] = row / length
    return result
