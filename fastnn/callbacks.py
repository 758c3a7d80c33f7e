"""Callbacks: what a user may do between the epochs of a run.

A callback is any callable `callback(run) -> bool | None`, called after each epoch; a true result ends the
run. The `Run` that it is given holds the network, the history so far, the epoch's number and the run's
state, which `run.save(path)` writes as a checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastnn.options import real, whole

if TYPE_CHECKING:
    from fastnn.training import Run

Callback = Callable[["Run"], "bool | None"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs without a cost at least `min_delta` below the best one.

    The cost is the validation cost where there is validation data, else the training cost. With `restore`
    the network ends with the parameters of its best epoch.
    """

    patience: int = 10
    min_delta: float = 0.0
    restore: bool = True

    def __post_init__(self) -> None:
        whole("patience", self.patience, 1)
        real("min_delta", self.min_delta)


@dataclass(frozen=True)
class Checkpoint:
    """Write the run to `path` after every `every` epochs: `fit(..., resume=path)` can go on with it."""

    path: str | os.PathLike[str]
    every: int = 1

    def __post_init__(self) -> None:
        os.fspath(self.path)
        whole("every", self.every, 1)

    def __call__(self, run: Run) -> None:
        if run.epoch % self.every == 0:
            run.save(self.path)
