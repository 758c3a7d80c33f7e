"""Files: networks and checkpoints as safetensors, which hold numbers and text and run no code.

A file is written beside its target, synced and renamed over it: a reader, or a run that is killed at any
moment, finds the old file or the new one, never a part. A kill may leave a .<name>.<random> behind. A
digest of the contents stands in the header, so that a file with a flipped bit is refused, not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fastnn.history import History

if TYPE_CHECKING:
    from fastnn.network import Network

Array = NDArray[Any]
FORMAT, VERSION = "fastnn", 1


class ModelFileError(ValueError):
    """The file is not a whole fastnn file."""


@dataclass(frozen=True)
class SavedRun:
    """What a checkpoint holds; `network` is the network as it was then."""

    path: str
    network: Network
    optimizer: str
    moments: Array
    best_params: Array | None
    seed: int
    steps: int
    epoch: int
    best_cost: float
    best_epoch: int
    history: History


def write(path: str | os.PathLike[str], arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write named arrays and a description that JSON can hold, atomically."""
    # Copies: another thread may be training these very arrays, and the digest is to be that of the file.
    contiguous = {name: np.array(array, order="C") for name, array in arrays.items()}
    text = json.dumps(about)
    metadata = {"format": FORMAT, "version": str(VERSION), "about": text, "digest": _digest(contiguous, text)}
    write_bytes(path, save(contiguous, metadata))


def write_bytes(path: str | os.PathLike[str], contents: bytes) -> None:
    """Write a file, atomically and durably."""
    target = Path(path).resolve()  # a link stays, and what it leads to is replaced
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the description of a file that `write` made; ModelFileError for any other file."""
    name = os.fspath(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"{name!r} is a folder, not a file")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {name!r}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ModelFileError(f"{name!r} is a safetensors file, but not of fastnn")
            version = int(metadata["version"])
            if version > VERSION:
                raise ModelFileError(f"{name!r} has version {version}, newer than {VERSION}: update fastnn")
            if version < 1:
                raise ValueError(f"it has version {version}")
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        text = metadata["about"]
        if metadata["digest"] != _digest(arrays, text):
            raise ValueError("its contents do not match their digest")
        about = json.loads(text)
        if not isinstance(about, dict):
            raise ValueError("its description is no JSON object")
    except ModelFileError:
        raise
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{name!r} is not a whole fastnn file: {error}") from None
    return arrays, about


def read_run(path: str | os.PathLike[str], network: Network) -> SavedRun:
    """The checkpoint of a run of this network; of its seed too, if it has another one."""
    name, (arrays, about) = os.fspath(path), read(path)
    saved, state = type(network)._restored(arrays, about, name), about.get("run")
    if state is None:
        raise ModelFileError(f"{name!r} is a saved network, not a checkpoint of a run")
    mine, theirs = network.describe(), saved.describe()
    same = {key for key in mine if mine[key] == theirs[key]} | {"seed", "epochs_trained"}
    different = [f"{key}: {theirs[key]!r}, not {mine[key]!r}" for key in mine if key not in same]
    if different:
        raise ValueError(f"{name!r} is the checkpoint of another network: {'; '.join(different)}")
    try:
        run = SavedRun(
            name,
            saved,
            optimizer=str(state["optimizer"]),
            moments=arrays["moments"],
            best_params=arrays.get("best_params"),
            seed=int(state["seed"]),
            steps=int(state["steps"]),
            epoch=int(state["epoch"]),
            best_cost=float(state["best_cost"]),
            best_epoch=int(state["best_epoch"]),
            history=History.from_dict({**state["history"], "stopped": None}),
        )
        if min(run.seed, run.steps, run.epoch, run.best_epoch) < 0:
            raise ValueError("it counts below zero")
        like, best = saved.params, run.best_params if run.best_params is not None else saved.params
        if run.moments.dtype != like.dtype or (best.dtype, best.shape) != (like.dtype, like.shape):
            raise ValueError("its arrays are not those of its network")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelFileError(f"{name!r} is not a whole checkpoint: {error}") from None
    return run


def _digest(arrays: Mapping[str, Array], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be synced."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
