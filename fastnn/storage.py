"""Files: networks and checkpoints as safetensors, which hold numbers and text and run no code.

A file is written beside its target, synced and renamed over it: a reader, or a run that is killed at any
moment, finds the old file or the new one, never a part. A digest of the contents stands in the header,
so that a file with a flipped bit is refused, not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

Array = NDArray[Any]
FORMAT, VERSION = "fastnn", 1


class ModelFileError(ValueError):
    """The file is not a whole fastnn file."""


def write(path: str | os.PathLike[str], arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write named arrays and a description that JSON can hold, atomically."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = json.dumps(about)
    metadata = {"format": FORMAT, "version": str(VERSION), "about": text, "digest": _digest(contiguous, text)}
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(save(contiguous, metadata))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the description of a file that `write` made; ModelFileError for any other file."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {os.fspath(path)!r}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ModelFileError("it is a safetensors file, but not of fastnn")
            if int(metadata["version"]) > VERSION:
                raise ModelFileError(
                    f"its version is {metadata['version']}, newer than {VERSION}: update fastnn"
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        text = metadata["about"]
        if metadata["digest"] != _digest(arrays, text):
            raise ModelFileError("its contents do not match their digest")
        about = json.loads(text)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ModelFileError(f"{os.fspath(path)!r} is not a whole fastnn file: {error}") from None
    return arrays, about


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
