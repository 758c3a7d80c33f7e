"""The orders in which the epochs of a fit take its rows."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Shuffles:
    """The numbers of the rows to train on, shuffled before each epoch as scikit-learn shuffles them.

    numbers (n,): in the order before the first epoch; random: what shuffles them, or None to leave them so.
    """

    def __init__(self, numbers: NDArray[np.int64], random: np.random.RandomState | None) -> None:
        self._numbers, self._random = numbers.copy(), random
        self._drawn: list[NDArray[np.int64]] = []  # orders of the epochs from `_first` on
        self._first = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What comes from another process may be memory that nobody may write to."""
        vars(self).update(state, _numbers=state["_numbers"].copy())

    def __len__(self) -> int:
        return self._numbers.size

    @property
    def source(self) -> bytes:
        """Equal of two that give equal orders from now on."""
        state = None if self._random is None else self._random.get_state(legacy=False)
        return pickle.dumps((state, self._numbers, self._drawn, self._first))

    def epochs(self, first: int, count: int) -> NDArray[np.int64]:
        """The orders of the epochs from `first` on (count, n), or (n,) if all are the same.

        Those before `first` are forgotten.
        """
        if self._random is None:
            return self._numbers
        while self._first < first:
            self._first += 1
            if self._drawn:
                self._drawn.pop(0)
            else:
                self._random.shuffle(self._numbers)
        while len(self._drawn) < count:
            self._random.shuffle(self._numbers)
            self._drawn.append(self._numbers.copy())
        return np.stack(self._drawn[:count])
