"""Checks of what stands on the command line, before any work is done."""

from __future__ import annotations

import os
from pathlib import Path


class InputError(Exception):
    """What the user gave cannot be used; the message is one line that says why."""


def widths(hidden: str) -> list[int]:
    """The widths in a text like 128,64; none in "none"."""
    if hidden.strip().lower() == "none":
        return []
    parts = [part.strip() for part in hidden.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 and int(part) > 0 for part in parts):
        raise InputError(f"--hidden {hidden!r}: give widths such as 128,64, or none for no hidden layer")
    return [int(part) for part in parts]


def check_output(option: str, path: Path | None, *inputs: str | Path | None) -> None:
    """A file can be written to `path`, and it is none of those that are read."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{option} {str(path)!r} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"{option} {str(path)!r}: there is no folder {str(path.parent)!r}")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not path.is_file()):
        raise InputError(f"{option} {str(path)!r} cannot be written; give another place")
    for other in inputs:
        if other is not None and path.resolve() == Path(other).resolve():
            raise InputError(f"{option} {str(path)!r} would overwrite a file that another argument names")
