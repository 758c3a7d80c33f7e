"""What happened in a fleet's training, epoch by epoch and member by member."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastnn.history import History


@dataclass(repr=False)
class FleetHistory:
    """Arrays (n_epochs, n_members), NaN where a member had stopped; val_cost and val_score may be empty.

    cost: mean of the batches' costs before their updates, weight penalty included; val_cost: cost of the
    validation data after the epoch; val_score: its accuracy for classes, R2 for numbers; seconds:
    of each epoch; reasons: why a member stopped before its last epoch, by its number. `stopped` says why all
    did, or is None.

    >>> FleetHistory(np.array([[0.7, 0.6], [0.5, 0.4]]), seconds=[0.1, 0.1])
    FleetHistory of 2 members, 2 epochs: cost 0.65 -> 0.45, 0.2 s
    """

    cost: NDArray[np.float64]
    val_cost: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    val_score: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    seconds: list[float] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    stopped: str | None = None

    def __len__(self) -> int:
        return len(self.cost)

    def __getitem__(self, member: int) -> History:
        """The History of one member; its seconds are those of the whole fleet, its rates are not told."""
        ran = np.isfinite(self.cost[:, member])
        cost, val_cost, val_score = (
            values[ran, member].tolist() if len(values) else []
            for values in (self.cost, self.val_cost, self.val_score)
        )
        seconds = [second for second, here in zip(self.seconds, ran, strict=True) if here]
        number = member % self.cost.shape[1]
        return History(cost, val_cost, val_score, [], seconds, self.reasons.get(number, self.stopped))

    def __repr__(self) -> str:
        epochs, members = self.cost.shape
        text = f"FleetHistory of {members} members, {epochs} epoch{'s' * (epochs != 1)}"
        if epochs:
            first, last = (
                float(np.nanmean(row)) if np.isfinite(row).any() else np.nan for row in self.cost[[0, -1]]
            )
            text += f": cost {first:.4g} -> {last:.4g}, {sum(self.seconds):.3g} s"
        return f"{text}; {self.stopped}" if self.stopped else text
