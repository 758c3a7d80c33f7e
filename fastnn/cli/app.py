"""The commands and their options; what goes wrong becomes one line and an exit code."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fastnn.cli.inputs import InputError, check_output
from fastnn.datasets import DATASETS
from fastnn.engine import DivergenceError

BAD_INPUT, INTERRUPTED = 2, 130
DATA_HELP = f"Built-in data ({', '.join(DATASETS)}), or a CSV or Parquet file; ./iris is a file of that name."


class OneLine(TyperGroup):
    """Errors that a user can mend are one line on standard error and exit code 2, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
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


class Task(StrEnum):
    binary = "binary"
    multi_class = "multi-class"
    regression = "regression"


app = typer.Typer(
    cls=OneLine, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP, show_default=False)]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that fastnn train --out wrote.")]


def say(line: str) -> None:
    """A line that is not the result."""
    typer.echo(f"fastnn: {line}", err=True)


def option(text: str, **more: Any) -> Any:
    return typer.Option(help=text, show_default=more.pop("show_default", False), **more)


@app.callback(invoke_without_command=True)
def fastnn(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Train dense neural networks on this machine's CPU, and use them."""
    if version:
        from fastnn import __version__

        print(f"fastnn {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def train(
    data: Data,
    target: Annotated[str | None, option("Column to predict. Built-in data know theirs.")] = None,
    task: Annotated[Task | None, option("What to learn. Default: what the target looks like.")] = None,
    hidden: Annotated[str | None, option("Widths of the hidden layers, or none. Default: 64,64")] = None,
    activation: Annotated[str | None, option("Of the hidden layers. Default: relu")] = None,
    epochs: Annotated[
        int, option("Passes over the data, those before --resume included.", min=1, show_default=True)
    ] = 100,
    batch_size: Annotated[int, option("Rows of a step.", min=1, show_default=True)] = 32,
    lr: Annotated[float, option("Learning rate of Adam.", show_default=True)] = 1e-3,
    dropout: Annotated[
        float | None, option("Share of the hidden units left out in a step. Default: 0")
    ] = None,
    val: Annotated[float, option("Share of the rows that is held out.", show_default=True)] = 0.2,
    early_stopping: Annotated[
        int | None, option("Stop after so many epochs without a better cost; keep the best.", min=1)
    ] = None,
    seed: Annotated[int | None, option("Of all that is random. Default: 0", min=0)] = None,
    threads: Annotated[int | None, option("Default: as many as pay.", min=1, max=1024)] = None,
    out: Annotated[Path | None, option("Write the model to this file.")] = None,
    plot: Annotated[Path | None, option("Draw the learning curves into this file.")] = None,
    resume: Annotated[
        Path | None, option("Go on with this model, on the same data; its options are the defaults.")
    ] = None,
) -> None:
    """Train a network on a table and say how good it is on rows held out.

    Numbers and dates are scaled, texts one-hot encoded, missing cells filled in. A target of texts, of two
    values or of a few whole numbers is learnt as classes, any other as numbers.

    A Ctrl-C ends the training early: the last finished epoch (with --early-stopping the best one) is
    reported and written as if it were the last, and the exit code is 130. Before there is one, no file is
    written.
    """
    given = {**locals(), "task": task and task.value}
    from fastnn.cli.report import show_training
    from fastnn.cli.train import Options
    from fastnn.cli.train import train as run

    outcome = run(Options(**given), say)
    show_training(outcome)
    if out is None:
        say("the model is not kept: --out writes it to a file")
    else:
        say(f"the model is in {out}")
    if (outcome.history.stopped or "").startswith("interrupted"):
        say(f"{outcome.history.stopped}: the epochs before are kept")
        raise typer.Exit(INTERRUPTED)


@app.command()
def predict(
    model: ModelFile,
    data: Data,
    out: Annotated[
        Path | None, option("Write CSV, or Parquet by its name, here, not to standard output.")
    ] = None,
) -> None:
    """Predict each row of a table: its class and the probability of each class, or its number."""
    from fastnn.cli.model import Model
    from fastnn.cli.tables import read_table, write_table

    check_output("--out", out, model, data)
    predictions = Model.load(model).predict(read_table(data).frame, say)
    if out is None:
        predictions.to_csv(sys.stdout, index=False)
    else:
        write_table(predictions, out)
        say(f"{len(predictions):,} predictions are in {out}")


@app.command()
def evaluate(model: ModelFile, data: Data) -> None:
    """Say how good a model is on a table that holds the truth."""
    from fastnn.cli.model import Model
    from fastnn.cli.report import show_scores
    from fastnn.cli.tables import read_table

    show_scores(*Model.load(model).evaluate(read_table(data).frame, say))


@app.command()
def bench() -> None:
    """Measure kernels and training against the NumPy reference on this machine, in some seconds."""
    from fastnn.cli.bench import show_bench

    show_bench()


@app.command()
def info() -> None:
    """Show the processor, the threads, the cache of compiled kernels, and versions."""
    from fastnn.cli.info import facts
    from fastnn.cli.report import show

    show("fastnn info", facts())


@app.command()
def warmup() -> None:
    """Compile the kernels of training and prediction into the cache, which takes some seconds once."""
    from fastnn.cli.measure import warm_up
    from fastnn.cli.report import duration, show

    rows = ((f"kernels for {dtype}", duration(warm_up(dtype))) for dtype in ("float32", "float64"))
    show("fastnn warmup", rows)
