"""What goes to the screen: names and labels come from data and models, and may hold a terminal's commands."""

from __future__ import annotations

import os
import sys

from fastnn.cli.inputs import InputError

# So few characters go through a pipe whole or fail. Of more, a Python without buffers (PYTHONUNBUFFERED)
# drops the rest in silence when the reader goes away.
PIECE = 1024


def shown(text: str) -> str:
    """`text` with the escapes of characters that cannot be seen or that turn it around: \\x1b for ESC."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def require_stdout() -> None:
    """Standard output is there to be written to, before any work is done for it."""
    if sys.stdout is None:
        raise InputError("standard output is closed, and the result goes there")


def write_out(text: str) -> None:
    """Text to standard output: as it is, but for a terminal without what it would take for commands."""
    if sys.stdout.isatty():
        text = "".join(f"{shown(line)}\n" for line in text.removesuffix("\n").split("\n"))
    for start in range(0, len(text), PIECE):
        sys.stdout.write(text[start : start + PIECE])


def flush_stdout() -> None:
    """Whether all was written is known now, and not when nobody asks any more; what was not is given up."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise
