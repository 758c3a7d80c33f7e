"""Successive halving over epochs: how many candidates go how far."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """So many candidates are trained to so many epochs in all."""

    n_candidates: int
    epochs: int


def rungs(n_candidates: int, factor: float, epochs: int) -> list[Rung]:
    """Each rung has 1 / factor of the candidates of the one before, for factor times the epochs.

    The last one reaches `epochs`.

    >>> [(rung.n_candidates, rung.epochs) for rung in rungs(27, 3, 200)]
    [(27, 7), (9, 22), (3, 66), (1, 200)]
    """
    count = 1
    while factor**count <= min(n_candidates, epochs):
        count += 1
    return [
        Rung(math.ceil(n_candidates / factor**number), max(1, int(epochs / factor ** (count - 1 - number))))
        for number in range(count)
    ]
