"""The command `fastnn`: train on a table, predict, measure, without a line of Python."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = ("typer", "rich", "pandas", "pyarrow")


def main() -> None:
    """Run the command line; without the packages that it needs, say what to install."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        print(
            f"fastnn: the command line needs {', '.join(missing)}: pip install 'fastnn[cli]'", file=sys.stderr
        )
        sys.exit(2)
    try:
        from fastnn.cli.app import app

        app(prog_name="fastnn")
    except KeyboardInterrupt:  # while it was still being imported
        sys.exit(130)
