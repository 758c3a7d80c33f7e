"""What a checkpoint holds of a run, read back and held against the network that is to go on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fastnn.checks import Array, whole
from fastnn.history import History
from fastnn.model import MOST_EPOCHS, Model
from fastnn.storage import ModelFileError, read, refusing


@dataclass(frozen=True)
class SavedRun:
    """What a checkpoint holds; `network` is the network as it was then."""

    path: str
    network: Model
    optimizer: str
    moments: Array
    best_params: Array | None
    seed: int
    steps: int
    epoch: int
    best_cost: float
    best_epoch: int
    history: History


def read_run(path: str | os.PathLike[str], network: Model) -> SavedRun:
    """The checkpoint of a run of this network; of its seed too, if it has another one."""
    name, (arrays, about) = os.fspath(path), read(path)
    saved, state = type(network).restored(arrays, about, name), about.get("run")
    if state is None:
        raise ModelFileError(f"{name!r} is a saved network, not a checkpoint of a run")
    mine, theirs = network.describe(), saved.describe()
    same = {key for key in mine if mine[key] == theirs[key]} | {"seed", "epochs_trained"}
    different = [f"{key}: {theirs[key]!r}, not {mine[key]!r}" for key in mine if key not in same]
    if different:
        raise ValueError(f"{name!r} is the checkpoint of another network: {'; '.join(different)}")
    with refusing(f"{name!r} is not a whole checkpoint"):
        epoch = whole("epoch", state["epoch"], 0, MOST_EPOCHS)
        run = SavedRun(
            name,
            saved,
            optimizer=state["optimizer"],
            moments=arrays["moments"],
            best_params=arrays.get("best_params"),
            seed=whole("seed", state["seed"]),
            steps=whole("steps", state["steps"], epoch, MOST_EPOCHS),
            epoch=epoch,
            best_cost=_number("best_cost", state["best_cost"]),
            best_epoch=whole("best_epoch", state["best_epoch"], 0, epoch),
            history=_history(state["history"], epoch),
        )
        if not isinstance(run.optimizer, str) or np.isnan(run.best_cost):
            raise ValueError(f"its optimizer is {run.optimizer!r}, its best cost {run.best_cost!r}")
        like, best = saved.params, run.best_params if run.best_params is not None else saved.params
        if run.moments.dtype != like.dtype or (best.dtype, best.shape) != (like.dtype, like.shape):
            raise ValueError("its arrays are not those of its network")
    return run


def _number(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, no number")
    return float(value)


def _history(values: Mapping[str, Any], epoch: int) -> History:
    """The History of so many epochs that `to_dict` described."""
    lists = {name: value for name, value in values.items() if name != "stopped"}
    for name, entries in lists.items():
        least = 0 if name.startswith("val_") else epoch  # not all epochs need have had validation data
        if not isinstance(entries, list) or not least <= len(entries) <= epoch:
            raise ValueError(f"its history has no {name} of {epoch} epochs")
        lists[name] = [_number(name, entry) for entry in entries]
    missing = [f.name for f in fields(History) if f.name not in values]
    if missing or len(lists["val_cost"]) != len(lists["val_score"]):
        raise ValueError("its history is not whole")
    return History.from_dict(lists)
