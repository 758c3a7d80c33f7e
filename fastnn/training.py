"""From the options of `fit` to a run: everything is checked here, before any work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from fastnn.callbacks import Callback, Checkpoint, EarlyStopping
from fastnn.checkpoints import SavedRun, read_run
from fastnn.checks import flag, real, whole
from fastnn.data import ClassWeight, Rows, as_rows, as_validation, chunk_reader, split_off
from fastnn.files import replaceable
from fastnn.input_stage import InputStage
from fastnn.model import MOST_EPOCHS, Model
from fastnn.optimizers import Optimizer, as_optimizer
from fastnn.plan import Settings
from fastnn.precision import BFLOAT16
from fastnn.run import Run, Samples, Watch
from fastnn.task import Task
from fastnn_kernels.costs import COSTS


@dataclass(frozen=True)
class Options:
    """What `Network.fit` is given besides X and y: see there."""

    epochs: int
    batch_size: int | None
    optimizer: Optimizer | str
    l2: float
    clip_norm: float | None
    label_smoothing: float
    sample_weight: Any
    class_weight: ClassWeight
    validation_data: Sequence[Any] | None
    validation_split: float
    early_stopping: EarlyStopping | int | None
    callbacks: Sequence[Callback]
    checkpoint: Checkpoint | str | os.PathLike[str] | None
    resume: str | os.PathLike[str] | None
    progress: bool
    shuffle: bool
    threads: int | str
    interrupt: str
    comm: Any = None
    input_stage: InputStage | None = None

    def check(self, cost: str) -> None:
        whole("epochs", self.epochs, 0, MOST_EPOCHS)
        if self.batch_size is not None:
            whole("batch_size", self.batch_size, 1)
        real("l2", self.l2)
        if self.clip_norm is not None:
            real("clip_norm", self.clip_norm, above=True)
        if real("label_smoothing", self.label_smoothing, 0, 1) > 0 and not COSTS[cost].smoothable:
            costs = ", ".join(name for name, entry in COSTS.items() if entry.smoothable)
            raise ValueError(f"label_smoothing goes with the costs {costs}, not {cost}")
        if real("validation_split", self.validation_split, 0, 1) > 0 and self.validation_data is not None:
            raise ValueError("give validation_data or validation_split, not both")
        if self.threads != "auto":
            try:
                whole("threads", self.threads, 1, 1024)
            except ValueError as error:
                raise ValueError(f"{error}, or 'auto'") from None
        if self.interrupt not in ("stop", "raise"):
            raise ValueError(f"interrupt={self.interrupt!r} must be 'stop' or 'raise'")
        flag("shuffle", self.shuffle)
        flag("progress", self.progress)
        if not isinstance(self.callbacks, list | tuple) or not all(map(callable, self.callbacks)):
            given = repr(self.callbacks)
            hint = "; give EarlyStopping as early_stopping=" if "EarlyStopping(" in given else ""
            raise TypeError(f"callbacks={given} must be a list of functions that take the run{hint}")

    def check_stage(self, network: Model) -> None:
        """What an input stage does not go with."""
        stage = self.input_stage
        if stage is None:
            return
        if not isinstance(stage, InputStage):
            raise TypeError(f"input_stage={stage!r} must be an InputStage, or None")
        stage.groups(network.n_in)
        saving = [x for x in self.callbacks if isinstance(x, Checkpoint)]
        refused = {
            "checkpoint": self.checkpoint is not None or saving,
            "resume": self.resume is not None,
            "comm": self.comm is not None,
            "l2 (give AdamW with a weight_decay)": self.l2 > 0,
            "bfloat16": network.precision == BFLOAT16,
            "a first layer of one unit": network.sizes[1] == 1,
        }
        for name, there in refused.items():
            if there:
                raise ValueError(f"input_stage does not go with {name}")

    def watch(self) -> Watch:
        rule, callbacks = self.early_stopping, self.callbacks
        if rule is not None and not isinstance(rule, EarlyStopping):
            if isinstance(rule, bool):
                raise ValueError(f"early_stopping={rule}; give a patience such as 10, or EarlyStopping()")
            rule = EarlyStopping(rule)
        if self.checkpoint is not None:
            saver = self.checkpoint
            saver = saver if isinstance(saver, Checkpoint) else Checkpoint(saver)
            replaceable(saver.path)  # or it fails now, and not after an epoch
            callbacks = (*callbacks, saver)
        return Watch(rule, callbacks, self.progress, self.shuffle, self.interrupt)

    def samples(self, task: Task, X: Any, y: Any, seed: int, uniform: bool) -> Samples:
        """The rows to train on and those held out; `uniform`: in the form that all chunks have."""
        held_out = None
        if y is None:
            if self.sample_weight is not None or self.validation_split:
                raise ValueError(
                    "with chunks, give weights in the chunks and held-out data as validation_data"
                )
            read = chunk_reader(task, X, self.class_weight, self.epochs)
            opened = read()
            first = next(opened, None)  # it tells whether they are sparse
            begun = [opened] if first is None else [chain([first], opened)]
            shape = task.n_out, True, first is not None and first.sparse
            parts: Callable[[], Iterable[Rows]] = lambda: begun.pop() if begun else read()  # noqa: E731
        else:
            rows = as_rows(task, (X, y, self.sample_weight), self.class_weight, uniform=uniform)
            if self.validation_split:
                rows, held_out = split_off(rows, self.validation_split, seed)
            shape = rows.Y.shape[1], rows.weights.size > 0, rows.sparse
            parts = lambda: [rows]  # noqa: E731
        if self.validation_data is not None:
            held_out = as_validation(task, self.validation_data)
        return Samples(parts, None if y is None else len(rows), shape, held_out)


@dataclass(frozen=True)
class Checked:
    """What a run is made of, when all of it is in order."""

    optimizer: Optimizer
    watch: Watch
    samples: Samples
    saved: SavedRun | None

    def settings(self, network: Model, options: Options, batch_size: int, threads: int | str) -> Settings:
        return Settings(
            self.optimizer,
            batch_size,
            l2=float(options.l2),
            clip_norm=np.inf if options.clip_norm is None else float(options.clip_norm),
            label_smoothing=float(options.label_smoothing),
            huber_threshold=network.huber_threshold,
            threads=threads if isinstance(threads, str) else int(threads),
            input_stage=options.input_stage,
        )


def check(network: Model, X: Any, y: Any, options: Options, incremental: bool) -> Checked:
    """Raise if anything is not in order; the network is left as it is."""
    options.check(network.cost)
    options.check_stage(network)
    optimizer = as_optimizer(options.optimizer)
    optimizer.learning_rates(np.arange(2), 1)  # a schedule that cannot work fails here, not in the loop
    watch = options.watch()
    if options.batch_size is None and (y is None or incremental):
        raise ValueError("batch_size=None must be a number where the data come in chunks")
    resume = options.resume
    saved = read_run(resume, network) if resume is not None and os.path.exists(resume) else None
    seed = network.seed if saved is None else saved.network.seed
    return Checked(optimizer, watch, options.samples(network.task, X, y, seed, incremental), saved)


def prepare(
    network: Model, X: Any, y: Any, options: Options, *, incremental: bool = False, earlier: Run | None = None
) -> Run:
    """A run of training that may begin; if `incremental`, it goes on from the `earlier` one where it can."""
    checked = check(network, X, y, options, incremental)
    batch_size, n_rows = options.batch_size, checked.samples.n_rows
    if n_rows is not None and not incremental:
        batch_size = n_rows if batch_size is None else min(batch_size, n_rows)
    settings = checked.settings(network, options, int(batch_size or 0), options.threads)
    run = Run(network, settings, int(options.epochs), checked.samples, checked.watch, earlier)
    if checked.saved is not None:
        run.restore(checked.saved)
    return run
