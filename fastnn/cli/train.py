"""`fastnn train`: from a table to a fitted TabularClassifier or TabularRegressor, its file and its report."""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import real
from fastnn.cli.columns import TEXTS, Rules, kind_in, read_columns
from fastnn.cli.inputs import InputError, Say, check_output, some, widths
from fastnn.cli.measure import reference_step_seconds, warm_up
from fastnn.cli.model import HELD_OUT, Model, only
from fastnn.cli.pictures import check_picture, draw_curves
from fastnn.cli.progress import Progress
from fastnn.cli.scores import Report
from fastnn.cli.tables import Text, read_table
from fastnn.cli.target import REGRESSION, known_rows, learnt_as
from fastnn.tabular import TabularClassifier, TabularRegressor
from fastnn.tabular.recipe import PRESETS

Array = NDArray[Any]
BATCH_SIZE = PRESETS["default"].batch_size


@dataclass(frozen=True)
class Options:
    """What stands on the command line; None where nothing does.

    settings: of the estimator, by its parameters' names; class_weight as it is written there.
    """

    data: Sequence[str]
    target: str | None
    task: str | None
    settings: Mapping[str, Any]
    class_weight: str | None
    hidden: str | None
    val: float
    seed: int
    text: Text
    rules: Rules
    features: Sequence[str]
    drop: Sequence[str]
    out: Path | None
    plot: Path | None
    quiet: bool


@dataclass(frozen=True)
class Outcome:
    """What a training came to; scored: which rows the report is of."""

    model: Model
    report: Report
    scored: str
    rows: int
    held_out: int
    seconds: float
    numpy_seconds: float
    interrupted: bool


class Pressed:
    """A callback that ends a training after a Ctrl-C; a second one is a KeyboardInterrupt."""

    def __init__(self, say: Say) -> None:
        self.say, self.pressed = say, False

    def __call__(self, run: Any) -> bool:
        return self.pressed

    def press(self, *_: Any) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        self.say("interrupted: the epoch is trained to its end, and what there is then is kept")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Where Python would raise KeyboardInterrupt: in the main thread, if nobody has said otherwise."""
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self.press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def train(options: Options, say: Say) -> Outcome:
    """Train, and write the files that were asked for. All is checked before the training."""
    files = [name for name in options.data if name != "-"]
    check_output("--out", options.out, *files, options.plot)
    check_output("--plot", options.plot, *files)
    if options.plot is not None:
        check_picture(options.plot)
    real("--val", options.val, 0, 1)
    frame, target, habits = _table(options, say)
    task, y = learnt_as(frame[target], options.task)
    held = held_out(None if task == REGRESSION else y, len(y), options.val, options.seed)
    X = frame.drop(columns=target)
    estimator = _estimator(options, task, y, X)
    warm_up()
    pressed = Pressed(say)
    progress = Progress(estimator, "R2" if task == REGRESSION else "accuracy", shown=not options.quiet)
    with progress, pressed.listening(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        estimator.fit(X[~held], y[~held], callbacks=[pressed, progress])
        seconds = time.perf_counter() - started
    if not estimator.preprocessing_.encoders:
        raise InputError(f"there is no column to learn from: {'; '.join(estimator.remarks_)}")
    for remark in estimator.remarks_:
        say(remark)
    shares = ()
    if task != REGRESSION:
        counts = np.unique(y[~held], return_counts=True)[1]
        shares = tuple((counts / counts.sum()).tolist())
    model = Model(estimator, target, habits, options.rules.na, shares)
    if held.any():
        report, scored = model.judged(frame[held], model.truth(frame[held])), HELD_OUT
    else:
        report, scored = model.out_of_bag(frame)
    if options.out is not None:
        model.save(options.out)
    if options.plot is not None:
        draw_curves(estimator.history_, progress.score_name, options.plot)
    rows, n_held = int((~held).sum()), int(held.sum())
    return Outcome(
        model, report, scored, rows, n_held, seconds, _numpy_seconds(estimator, X[~held]), pressed.pressed
    )


def _table(options: Options, say: Say) -> tuple[Any, str, dict[str, str]]:
    """The rows to learn from, with columns as they are learnt; the target; and how texts were read."""
    table = read_table(options.data, options.text, say)
    target = options.target or table.target
    if target is None:
        raise InputError(f"--target is missing; the columns are {some(table.frame.columns)}")
    if target not in table.frame:
        raise InputError(f"there is no column {target!r}; the table has {some(table.frame.columns)}")
    frame = only(table.frame, target, options.features, options.drop)
    frame, habits = read_columns(frame, options.rules, say)
    frame = known_rows(frame, target, say)
    others = [name for name in frame if name != target]
    strange = [
        name
        for name in others
        if frame[name].dtype == object and kind_in(name, frame[name]) == "other values"
    ]
    if strange:
        say(f"left out (cells that hold other values): {some(strange)}")
    if len(strange) == len(others):
        raise InputError("there is no column to learn from: only the target")
    return frame.drop(columns=strange), target, habits


def _estimator(options: Options, task: str, y: Array, X: Any) -> Any:
    settings = {name: value for name, value in options.settings.items() if value is not None}
    if options.hidden is not None:
        settings["hidden_layer_sizes"] = tuple(widths(options.hidden))
    settings["categories"] = [x for x, kind in options.rules.types.items() if kind == TEXTS and x in X]
    if task == REGRESSION:
        if options.class_weight is not None:
            raise InputError("--class-weight is for classes, and the target is learnt as numbers")
        return TabularRegressor(random_state=options.seed, **settings)
    weight = class_weight(options.class_weight, np.unique(y))
    return TabularClassifier(random_state=options.seed, class_weight=weight, **settings)


def class_weight(text: str | None, classes: Array) -> Any:
    """ "balanced", or the weights in a text such as yes=5,no=1; 1 for classes that it does not name."""
    if text is None or text == "balanced":
        return text
    weights = dict.fromkeys(classes.tolist(), 1.0)
    by_text = {str(label): label for label in weights}
    for part in text.split(","):
        label, _, weight = part.rpartition("=")
        try:
            value = float(weight)
        except ValueError:
            value = -1.0
        if label not in by_text or not 0 <= value < np.inf:
            raise InputError(
                f"--class-weight {text!r}: give balanced, or weights such as {next(iter(by_text))}=5; "
                f"the classes are {some(by_text)}"
            )
        weights[by_text[label]] = value
    return weights


def held_out(labels: Array | None, n_rows: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows (n_rows,) are held out: `share` of all, and of each label, drawn from the seed."""
    codes = np.zeros(n_rows) if labels is None else np.unique(labels, return_inverse=True)[1]
    shuffled = np.random.default_rng(seed).permutation(n_rows)
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    steps = np.floor(share * np.arange(n_rows + 1) + 0.5)
    held = np.zeros(n_rows, bool)
    held[by_class] = np.diff(steps) > 0
    if held.all() or (share > 0 and not held.any()):
        raise InputError(f"--val {share} of {n_rows} rows leaves no rows on one side; give another share")
    if labels is not None and len(np.unique(labels[~held])) < len(np.unique(labels)):
        raise InputError(f"--val {share} of {n_rows} rows holds out all rows of a class; give another share")
    return held


def _numpy_seconds(estimator: Any, X: Any) -> float:
    """Of the same steps in the NumPy reference, from a few of them."""
    network, batch = estimator.networks_[0], min(len(X), estimator.batch_size or BATCH_SIZE)
    few = X.iloc[: 10 * batch]
    targets = np.zeros(len(few), network.dtype)
    told = estimator.history_
    steps = sum(len(one["cost"]) * -(-len(X) * 4 // (5 * batch)) for one in told)
    return steps * reference_step_seconds(network, estimator.preprocessing_.features(few), targets, batch)
