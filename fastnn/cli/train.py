"""`fastnn train`: from a table to a trained network, its file and its scores."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.callbacks import EarlyStopping
from fastnn.cli.inputs import InputError, check_output, widths
from fastnn.cli.measure import reference_step_seconds, warm_up
from fastnn.cli.model import Model, Reader, Say, known_rows, scores
from fastnn.cli.preprocessing import Preprocessing
from fastnn.cli.progress import Progress
from fastnn.cli.tables import read_table
from fastnn.cli.target import Target
from fastnn.history import History
from fastnn.network import Network
from fastnn.optimizers import Adam
from fastnn.options import real
from fastnn.run import Run
from fastnn.storage import write, write_bytes

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
HIDDEN, ACTIVATION = "64,64", "relu"


@dataclass(frozen=True)
class Options:
    """What stands on the command line; None where nothing does."""

    data: str
    target: str | None
    task: str | None
    hidden: str | None
    activation: str | None
    dropout: float | None
    epochs: int
    batch_size: int
    lr: float
    val: float
    early_stopping: int | None
    seed: int | None
    threads: int | None
    out: Path | None
    plot: Path | None
    resume: Path | None


@dataclass(frozen=True)
class Outcome:
    """What a training came to. Scores are those of the held-out rows, if there are any."""

    network: Network
    reader: Reader
    history: History
    epochs: int
    rows: int
    held_out: int
    scores: dict[str, float]
    seconds: float
    reference_seconds: float


class Keeper:
    """A callback that remembers the state of the epoch to keep: the best one if `best`, else the last."""

    def __init__(self, best: bool) -> None:
        self.best = best
        self._kept: tuple[Run, int, int, Any] | None = None

    def __call__(self, run: Run) -> None:
        if not self.best or run.best_epoch in (0, run.epoch):
            self._kept = run, run.epoch, run.network.epochs_trained, run._trainer.snapshot()

    def rewind(self) -> Run | None:
        """The run as it was then; None if there was no such epoch."""
        if self._kept is None:
            return None
        run, epoch, epochs_trained, state = self._kept
        run.epoch, run.network.epochs_trained = epoch, epochs_trained
        run._trainer.restore(state)
        lists = {f.name: getattr(run.history, f.name) for f in fields(History) if f.name != "stopped"}
        run.history = History(**{name: values[:epoch] for name, values in lists.items()})
        return run


def train(options: Options, say: Say) -> Outcome:
    """Train, and write the files that were asked for. All is checked before the training."""
    saved = None if options.resume is None else Model.load(options.resume)
    check_output("--out", options.out, options.data, options.plot)
    check_output("--plot", options.plot, options.data, options.resume)
    if options.plot is not None:
        _check_picture(options.plot)
    real("--val", options.val, 0, 1)
    network, reader, rest, held_out = _prepare(options, saved, say)
    rule = None if options.early_stopping is None else EarlyStopping(options.early_stopping)
    keeper = Keeper(best=rule is not None)
    warm_up()
    with Progress(options.epochs, reader.target.score_name) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fit warns of a Ctrl-C; what it came to is said below
        history = network.fit(
            *rest,
            validation_data=held_out if len(held_out[0]) else None,
            epochs=options.epochs,
            batch_size=options.batch_size,
            optimizer=Adam(options.lr),
            early_stopping=rule,
            callbacks=[keeper, progress],
            resume=options.resume,
            threads=options.threads or "auto",
        )
    before = len(saved.about["run"]["history"]["cost"]) if saved else 0
    if len(history) == before:
        if history.stopped and history.stopped.startswith("interrupted"):
            raise KeyboardInterrupt
        raise InputError(
            f"{str(options.resume)!r} is trained for {before} epochs already; give more --epochs"
        )
    run = keeper.rewind()
    if run is None and saved is not None:  # none of the new epochs was better than the one that it holds
        network.epochs_trained = saved.about["network"]["epochs_trained"]
        if options.out is not None:
            write(options.out, saved.arrays, saved.about)
    elif run is not None and options.out is not None:
        run.save(options.out, table=reader.to_dict())
    if options.plot is not None:
        _draw(history, options.plot)
    epochs = len(history) - before
    steps = epochs * -(-len(rest[0]) // options.batch_size)
    return Outcome(
        network,
        reader,
        history,
        epochs,
        len(rest[0]),
        len(held_out[0]),
        scores(network, reader.target, *(held_out if len(held_out[0]) else rest)),
        sum(history.seconds[before:]),
        steps * reference_step_seconds(network, *rest, options.batch_size),
    )


def _prepare(
    options: Options, saved: Model | None, say: Say
) -> tuple[Network, Reader, tuple[Array, Array], tuple[Array, Array]]:
    """The network to train, how tables are read for it, the rows to train on, and those held out."""
    table = read_table(options.data)
    name = options.target or (saved.reader.target.name if saved else table.target)
    if name is None:
        raise InputError(f"--target is missing; the columns are {', '.join(map(repr, table.frame.columns))}")
    if saved:
        _agree(options, saved)
    frame = known_rows(table.frame, name, say)
    target = saved.reader.target if saved else Target.learn(frame[name], options.task)
    seed = saved.network.seed if saved else options.seed or 0
    held = _held_out(target, frame[name], options.val, seed)
    if saved:
        network, reader = saved.network, saved.reader
    else:
        if target.task == "regression":
            target = Target.learn(frame[name][~held], target.task)
        preprocessing, notes = Preprocessing.learn(frame[~held].drop(columns=name))
        for note in notes:
            say(note)
        reader = Reader(preprocessing, target)
        network = Network(
            [
                preprocessing.n_features,
                *widths(HIDDEN if options.hidden is None else options.hidden),
                target.n_out,
            ],
            activation=ACTIVATION if options.activation is None else options.activation,
            output=target.output,
            dropout=options.dropout or 0.0,
            seed=seed,
        )
    X, y = reader.features(frame, say), target.codes(frame[name]).astype(np.float32)
    return network, reader, (X[~held], y[~held]), (X[held], y[held])


def _agree(options: Options, saved: Model) -> None:
    """What is given for a model that is there already is what it has."""
    described, target = saved.network.describe(), saved.reader.target
    hidden = described["sizes"][1:-1]

    def per_layer(value: Any) -> Any:
        return None if value is None else [value] * len(hidden)

    pairs = {
        "target": (options.target, target.name),
        "task": (options.task, target.task),
        "hidden": (None if options.hidden is None else widths(options.hidden), hidden),
        "activation": (per_layer(options.activation), described["activation"]),
        "dropout": (per_layer(options.dropout), described["dropout"]),
        "seed": (options.seed, saved.network.seed),
    }
    for name, (given, theirs) in pairs.items():
        if given is not None and given != theirs:
            raise InputError(
                f"--{name} {getattr(options, name)}: the model of --resume has {theirs}; leave the option out"
            )


def _held_out(target: Target, column: pd.Series, share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows (n_samples,) are held out: `share` of all, and of each class, drawn from the seed."""
    codes = target.codes(column) if target.labels else np.zeros(len(column))
    shuffled = np.random.default_rng(seed).permutation(len(column))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    steps = np.floor(share * np.arange(len(column) + 1) + 0.5)
    held = np.zeros(len(column), bool)
    held[by_class] = np.diff(steps) > 0
    if held.all() or (share > 0 and not held.any()):
        raise InputError(
            f"--val {share} of {len(column)} rows leaves no rows on one side; give another share"
        )
    return held


def _check_picture(path: Path) -> None:
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise InputError("--plot needs matplotlib: pip install 'fastnn[plot]'") from None
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        raise InputError(f"--plot {str(path)!r}: the name is to end in one of {', '.join(sorted(kinds))}")


def _draw(history: History, path: Path) -> None:
    from io import BytesIO

    from matplotlib.figure import Figure

    from fastnn.plots import learning_curves

    figure, contents = Figure(layout="constrained"), BytesIO()
    learning_curves(history, figure.subplots())
    figure.savefig(contents, format=path.suffix[1:].lower())
    write_bytes(path, contents.getvalue())
