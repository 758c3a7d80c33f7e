"""What data, scores and files need to know of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn_kernels.costs import COSTS


@dataclass(frozen=True)
class Task:
    """The shape and type of X and Y, and what the outputs are held against, by the registries' names."""

    n_in: int
    n_out: int
    output: str
    cost: str
    huber_threshold: float
    dtype: np.dtype[Any]

    @property
    def targets(self) -> str:
        """What Y holds: "labels", "classes", "counts" or "numbers"."""
        return str(COSTS[self.cost].targets)

    @property
    def from_logits(self) -> bool:
        """Whether the cost is computed from what the output's activation is given."""
        return bool(COSTS[self.cost].from_logits)
