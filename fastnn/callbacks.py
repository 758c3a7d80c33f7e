"""Callbacks: what a user may do between the epochs of a run.

A callback is any callable `callback(run) -> bool | None`, called after each epoch; a true result ends the
run. The `Run` that it is given holds the network, the history so far, the epoch's number and the run's
state, which `run.save(path)` writes as a checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fastnn.checks import real, whole
from fastnn.history import History
from fastnn.model import Model


class Training(Protocol):
    """What a callback sees of a run: read all of it, change nothing."""

    network: Model
    history: History
    epoch: int
    epochs: int

    @property
    def threads(self) -> int: ...

    def save(self, path: str | os.PathLike[str], **more: Any) -> None: ...


Callback = Callable[[Any], "bool | None"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs without a cost at least `min_delta` below the best one.

    The cost is the validation cost where there is validation data, else the training cost. With `restore`
    the network ends with the parameters of its best epoch.

    >>> EarlyStopping(patience=5)
    EarlyStopping(patience=5, min_delta=0.0, restore=True)
    """

    patience: int = 10
    min_delta: float = 0.0
    restore: bool = True

    def __post_init__(self) -> None:
        whole("patience", self.patience, 1)
        real("min_delta", self.min_delta)


@dataclass(frozen=True)
class Checkpoint:
    """Write the run to `path` after every `every` epochs: `fit(..., resume=path)` can go on with it.

    >>> Checkpoint("run.safetensors", every=10)
    Checkpoint(path='run.safetensors', every=10)
    """

    path: str | os.PathLike[str]
    every: int = 1

    def __post_init__(self) -> None:
        os.fspath(self.path)
        whole("every", self.every, 1)

    def __call__(self, run: Training) -> None:
        if run.epoch % self.every == 0:
            run.save(self.path)
