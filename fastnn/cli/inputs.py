"""Checks of what stands on the command line, before any work is done."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from pathlib import Path

from fastnn.files import replaceable

FEW = 8
# What --types calls the contents of columns.
ORDERS = ("day-first", "month-first", "year-first")
TYPES = ("numbers", "texts", "dates", *ORDERS)
Say = Callable[[str], None]


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
    try:
        target, _ = replaceable(path)
    except OSError as error:
        raise InputError(f"{option} {error}") from None
    if not os.access(target.parent, os.W_OK):
        raise InputError(f"{option} {str(path)!r} cannot be written; give another place")
    for other in inputs:
        if other is not None and target == Path(os.path.realpath(other)):
            raise InputError(f"{option} {str(path)!r} would overwrite a file that another argument names")


def some(names: Collection[str]) -> str:
    """The first few of what may be very many names."""
    few = ", ".join(map(repr, islice(names, FEW)))
    return few if len(names) <= FEW else f"{few} and {len(names) - FEW:,} more"


def names_in(given: Sequence[str]) -> list[str]:
    """The names of columns in texts such as a,b; a name with a comma is given as "a,b" in quotes."""
    return [name.strip() for row in csv.reader(given, skipinitialspace=True) for name in row if name.strip()]


def types_in(given: Sequence[str]) -> dict[str, str]:
    """Kinds of columns by name, from texts such as zip=texts,when=day-first."""
    result = {}
    for part in names_in(given):
        name, _, kind = part.rpartition("=")
        if not name or kind not in TYPES:
            raise InputError(f"--types {part!r}: give such as zip=texts; there are {', '.join(TYPES)}")
        result[name] = kind
    return result
