"""The commands and their options; what goes wrong becomes one line and an exit code."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from fastnn.cli.inputs import InputError, Say, check_output
from fastnn.cli.one_line import INTERRUPTED, OneLine
from fastnn.cli.options import (
    Data,
    Decimal,
    DecimalSign,
    Encoding,
    Json,
    ModelFile,
    Na,
    Out,
    Preset,
    Quiet,
    Seed,
    Sep,
    Task,
    hush,
    option,
    say,
)
from fastnn.cli.terminal import require_stdout, write_out

app = typer.Typer(
    cls=OneLine, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback(invoke_without_command=True)
def fastnn(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Train dense neural networks on this machine's CPU, and use them."""
    if version:
        from fastnn.version import __version__

        print(f"fastnn {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def train(
    data: Data,
    target: Annotated[str | None, option("Column to predict. Built-in data know theirs.")] = None,
    task: Annotated[Task | None, option("What to learn. Default: what the target looks like.")] = None,
    preset: Annotated[
        Preset | None, option("fast: one quick network; default: five; best: fifteen larger ones.")
    ] = None,
    time_budget: Annotated[float | None, option("Train as many networks as so many seconds allow.")] = None,
    hidden: Annotated[
        str | None, option("Widths of the hidden layers, or none. Default: the preset's")
    ] = None,
    activation: Annotated[str | None, option("Of the hidden layers. Default: selu or mish")] = None,
    epochs: Annotated[int | None, option("Passes over the rows. Default: the preset's", min=1)] = None,
    batch_size: Annotated[int | None, option("Rows of a step. Default: the preset's", min=1)] = None,
    lr: Annotated[float | None, option("Highest learning rate of AdamW. Default: the preset's")] = None,
    l2: Annotated[float | None, option("Weight decay of AdamW. Default: the preset's")] = None,
    dropout: Annotated[float | None, option("Share of hidden units left out in a step.")] = None,
    class_weight: Annotated[
        str | None, option("Weights of classes: balanced, or such as yes=5,no=1.")
    ] = None,
    val: Annotated[
        float,
        option("Share of the rows held out for the report; 0: it is of rows out of bag.", show_default=True),
    ] = 0.2,
    features: Annotated[list[str] | None, option("The only columns to learn from: a,b.")] = None,
    drop: Annotated[list[str] | None, option("Columns to leave out: a,b.")] = None,
    types: Annotated[
        list[str] | None,
        option("What columns hold: zip=texts,when=day-first. Also numbers, dates, month-first, year-first."),
    ] = None,
    sep: Sep = None,
    decimal: DecimalSign = None,
    encoding: Encoding = None,
    na: Na = None,
    seed: Seed = 0,
    threads: Annotated[int | None, option("Default: all; the result is the same.", min=1, max=1024)] = None,
    out: Annotated[Path | None, option("Write the model to this file.")] = None,
    plot: Annotated[Path | None, option("Draw the learning curves into this file.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    resume: Annotated[Path | None, typer.Option(hidden=True)] = None,
    early_stopping: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Train a TabularClassifier or TabularRegressor on a table, and say how good it is on rows held out.

    Numbers, dates and texts are read as people write them, and it is said how. A target of texts, of two
    values or of a few whole numbers is learnt as classes, any other as numbers. Each network keeps its best
    epoch.

    A Ctrl-C ends the training after the epoch that is being trained: the networks so far are reported and
    written, and the exit code is 130. A second one gives up, and no file is written.
    """
    if resume is not None:
        raise InputError(
            f"--resume {str(resume)!r}: no epoch is left to go on from, as networks keep their best; "
            "train again, with --time-budget or --preset best for more"
        )
    if early_stopping is not None:
        raise InputError("--early-stopping: each network keeps its best epoch by itself; leave it out")
    if out is None:
        require_stdout()
    from fastnn.cli.columns import Rules
    from fastnn.cli.inputs import names_in, types_in
    from fastnn.cli.report import show_json, show_training, training_told
    from fastnn.cli.tables import Text
    from fastnn.cli.train import Options
    from fastnn.cli.train import train as run

    tell = hush if quiet else say
    settings = dict(
        preset=preset and preset.value, time_budget=time_budget, activation=activation, epochs=epochs,
        min_steps=None if epochs is None else 0, batch_size=batch_size, learning_rate=lr, weight_decay=l2,
        dropout=dropout, n_jobs=threads or -1,
    )  # fmt: skip
    outcome = run(
        Options(
            data=data, target=target, task=task and task.value, settings=settings, class_weight=class_weight,
            hidden=hidden, val=val, seed=seed, text=Text(sep, encoding),
            rules=Rules(decimal and decimal.value, tuple(na or ()), types_in(types or ())),
            features=names_in(features or ()), drop=names_in(drop or ()), out=out, plot=plot, quiet=quiet,
        ),
        tell,
    )  # fmt: skip
    if as_json:
        show_json(training_told(outcome, out))
    else:
        show_training(outcome)
    tell("the model is not kept: --out writes it to a file" if out is None else f"the model is in {out}")
    if outcome.interrupted:
        say("interrupted: the networks so far are kept")
        raise typer.Exit(INTERRUPTED)


@app.command()
def predict(
    model: ModelFile,
    data: Data,
    out: Out = None,
    keep: Annotated[
        list[str] | None, option("Columns of DATA to put before the predictions, as they stand there: a,b.")
    ] = None,
    proba: Annotated[bool, option("The probability of each class too.", "--proba")] = False,
    spreadsheet: Annotated[
        bool,
        option(
            "Put a ' before texts that a spreadsheet would take for formulas: = + - @ begin them.",
            "--spreadsheet",
        ),
    ] = False,
    sep: Sep = None,
    decimal: DecimalSign = None,
    encoding: Encoding = None,
    na: Na = None,
    quiet: Quiet = False,
) -> None:
    """Predict each row of a table: its class, or its number."""
    if out is None:
        require_stdout()
    from fastnn.cli.inputs import names_in
    from fastnn.cli.model import Model, beside
    from fastnn.cli.tables import no_formulas, write_table

    tell = hush if quiet else say
    check_output("--out", out, model, *(name for name in data if name != "-"))
    loaded = Model.load(model)
    table, rules = _read(data, sep, decimal, encoding, na, tell)
    predictions = loaded.predictions(loaded.frame(table, rules, tell), proba)
    predictions = beside(table, names_in(keep or ()), predictions)
    if spreadsheet:
        predictions = no_formulas(predictions)
    if out is None:
        write_out(predictions.to_csv(index=False))
    else:
        write_table(predictions, out)
        tell(f"{len(predictions):,} predictions are in {out}")


@app.command()
def evaluate(
    model: ModelFile,
    data: Data,
    sep: Sep = None,
    decimal: DecimalSign = None,
    encoding: Encoding = None,
    na: Na = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say how good a model is on a table that holds the truth."""
    require_stdout()
    from fastnn.cli.model import Model
    from fastnn.cli.report import show_json, show_report

    tell, loaded = hush if quiet else say, Model.load(model)
    report = loaded.report(*_read(data, sep, decimal, encoding, na, tell), tell)
    if as_json:
        show_json({"target": loaded.target, "task": loaded.task, **report.to_dict()})
    else:
        show_report("fastnn evaluate", report)


@app.command()
def explain(
    model: ModelFile,
    data: Data,
    plot: Annotated[Path | None, option("Draw the importances into this file.")] = None,
    sep: Sep = None,
    decimal: DecimalSign = None,
    encoding: Encoding = None,
    na: Na = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say which columns matter: how much worse a model is on a table with the truth if one is shuffled."""
    require_stdout()
    from dataclasses import asdict

    from fastnn.cli.explain import explain as measure
    from fastnn.cli.model import Model
    from fastnn.cli.pictures import check_picture, draw_importances
    from fastnn.cli.report import show_importances, show_json

    check_output("--plot", plot, model, *(name for name in data if name != "-"))
    if plot is not None:
        check_picture(plot)
    tell, loaded = hush if quiet else say, Model.load(model)
    table, rules = _read(data, sep, decimal, encoding, na, tell)
    found = measure(loaded, table, rules, seed, tell)
    if plot is not None:
        draw_importances(found, plot)
    if as_json:
        show_json(asdict(found))
    else:
        show_importances(found)


def _read(
    data: list[str], sep: str | None, decimal: Decimal | None, encoding: str | None, na: list[str] | None,
    tell: Say,
) -> tuple[Any, Any]:  # fmt: skip
    """The table of some files, and what is told of how its cells are read."""
    from fastnn.cli.columns import Rules
    from fastnn.cli.tables import Text, read_table

    frame = read_table(data, Text(sep, encoding), tell).frame
    return frame, Rules(decimal and decimal.value, tuple(na or ()))


@app.command()
def bench() -> None:
    """Measure kernels and training against the NumPy reference on this machine, in some seconds."""
    require_stdout()
    from fastnn.cli.bench import show_bench

    show_bench()


@app.command()
def info() -> None:
    """Show the processor, the threads, the cache of compiled kernels, and versions."""
    require_stdout()
    from fastnn.cli.info import facts
    from fastnn.cli.report import show

    show("fastnn info", facts())


@app.command()
def warmup() -> None:
    """Compile the kernels of training and prediction into the cache, which takes some seconds once."""
    from fastnn.cli.progress import steps_bar
    from fastnn.cli.report import duration, show
    from fastnn.cli.warmup import compile_all

    started = time.perf_counter()
    with steps_bar("compiling kernels") as report:
        rows = [
            (
                f"kernels for {dtype}",
                f"{count} compiled, {duration(seconds)}" if count else "all in the cache",
            )
            for dtype, count, seconds in compile_all(report)
        ]
    show("fastnn warmup", [*rows, ("in all", duration(time.perf_counter() - started))])
