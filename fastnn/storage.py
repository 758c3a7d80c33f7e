"""Files: networks and checkpoints as safetensors, which hold numbers and text and run no code.

A digest of the contents stands in the header, so that a file with a flipped bit is refused, not used. It
proves no honesty: whatever a file says is checked before it is believed, and what cannot be is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fastnn.checks import Array
from fastnn.files import write_bytes

FORMAT, VERSION = "fastnn", 1
# Of the part of a file that says what it holds; safetensors has the same limit.
LONGEST_HEADER = 100_000_000
# What comes of using a description as if it were one.
NONSENSE = (
    *(SafetensorError, ValueError, KeyError, IndexError, TypeError, AttributeError),
    *(OverflowError, RecursionError),
)


class ModelFileError(ValueError):
    """The file is not a whole fastnn file: cut short, changed, or of something else.

    >>> from fastnn import Network, version
    >>> Network.load(version.__file__)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ModelFileError: a Python file is no fastnn file
    """


def write(path: str | os.PathLike[str], arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write named arrays and a description that JSON can hold, atomically."""
    # Copies: another thread may be training these very arrays, and the digest is to be that of the file.
    contiguous = {name: np.array(array, order="C") for name, array in arrays.items()}
    text = json.dumps(about)
    metadata = {"format": FORMAT, "version": str(VERSION), "about": text, "digest": _digest(contiguous, text)}
    write_bytes(path, save(contiguous, metadata))


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Whatever turns out to be nonsense inside is a ModelFileError that begins with `what`."""
    try:
        yield
    except ModelFileError:
        raise
    except NONSENSE as error:
        raise ModelFileError(f"{what}: {error}") from None


class RefusesNonsense:
    """Of an estimator, before its other bases: what is no pickled state of one is a ModelFileError."""

    def __setstate__(self, state: Any) -> None:
        with refusing(f"the pickled state of {type(self).__name__} is not whole"):
            super().__setstate__(dict(state))  # type: ignore[misc]


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the description of a file that `write` made; ModelFileError for any other file."""
    name = os.fspath(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"{name!r} is a folder, not a file")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {name!r}")
    with refusing(f"{name!r} is not a whole fastnn file"), open(path, "rb") as file:
        header, metadata = _header(file)
        if metadata.get("format") != FORMAT:
            raise ModelFileError(f"{name!r} is a safetensors file, but not of fastnn")
        version = int(metadata["version"])
        if version > VERSION:
            raise ModelFileError(f"{name!r} has version {version}, newer than {VERSION}: update fastnn")
        if version < 1:
            raise ValueError(f"it has version {version}")
        # Read, not mapped: a mapped file that shrinks while it is read takes the process with it.
        arrays, text = load(header + file.read()), metadata["about"]
        if metadata["digest"] != _digest(arrays, text):
            raise ValueError("its contents do not match their digest")
        about = json.loads(text)
        if not isinstance(about, dict):
            raise ValueError("its description is no JSON object")
    return arrays, about


def _header(file: BinaryIO) -> tuple[bytes, dict[str, str]]:
    """The bytes before the numbers, and the metadata among them."""
    start = file.read(8)
    size = int.from_bytes(start, "little")
    if len(start) < 8 or size > min(LONGEST_HEADER, os.fstat(file.fileno()).st_size):
        raise ValueError("it does not begin as a safetensors file")
    header = file.read(size)
    metadata = json.loads(header).get("__metadata__", {})
    if len(header) < size or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its header is no safetensors header")
    return start + header, metadata


def _digest(arrays: Mapping[str, Array], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()
