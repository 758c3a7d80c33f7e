"""What goes wrong becomes one line and an exit code."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from fastnn.cli.inputs import InputError
from fastnn.cli.options import say
from fastnn.cli.terminal import flush_stdout
from fastnn.trainer import DivergenceError

BAD_INPUT, INTERRUPTED = 2, 130


class OneLine(TyperGroup):
    """Errors that a user can mend are one line on standard error and exit code 2, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            flush_stdout()
            return result
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None

    def main(self, *args: Any, **extra: Any) -> Any:
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except Exception as error:
            # The command line's own errors know how they are to be shown.
            own = getattr(error, "format_message", None)
            if own is None and not isinstance(
                error, InputError | ValueError | OSError | MemoryError | DivergenceError
            ):
                raise
            say(" ".join((own() if own else str(error) or type(error).__name__).split()))
            code = BAD_INPUT
        sys.exit(code)
