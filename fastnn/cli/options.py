"""What several commands take, and how they say what is not their result."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from fastnn.cli.terminal import shown
from fastnn.datasets import DATASETS

DATA_HELP = (
    f"Built-in data ({', '.join(DATASETS)}), or files of text (CSV), Parquet or Excel, by gzip or not; "
    "several have the same columns, and may be a pattern; - is standard input, ./iris a file of that name."
)


class Task(StrEnum):
    binary = "binary"
    multi_class = "multi-class"
    regression = "regression"


class Preset(StrEnum):
    fast = "fast"
    default = "default"
    best = "best"


class Decimal(StrEnum):
    point = "."
    comma = ","


def say(line: str) -> None:
    """A line that is not the result."""
    typer.echo(shown(f"fastnn: {line}"), err=True)


def hush(line: str) -> None:
    """Say nothing."""


def option(text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, show_default=more.pop("show_default", False), **more)


Data = Annotated[list[str], typer.Argument(metavar="DATA...", help=DATA_HELP, show_default=False)]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that fastnn train --out wrote.")]
Sep = Annotated[str | None, option("What separates cells: one character, or tab. Found out by itself.")]
DecimalSign = Annotated[Decimal | None, option("Decimal sign of numbers. Found out by itself.")]
Encoding = Annotated[str | None, option("Of text, such as latin-1. Found out by itself.")]
Na = Annotated[list[str] | None, option("A text that means a missing cell; may be given several times.")]
Quiet = Annotated[bool, option("Say nothing but errors and the result.", "--quiet")]
Json = Annotated[bool, option("The result as a line of JSON.", "--json")]
Out = Annotated[Path | None, option("Write CSV, or Parquet by its name, here, not to standard output.")]
Seed = Annotated[int, option("Of all that is random.", min=0, show_default=True)]
