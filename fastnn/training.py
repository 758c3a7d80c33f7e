"""The fit loop: epochs, validation, early stopping, callbacks, checkpoints, and what ends a run early."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from fastnn.callbacks import Callback, Checkpoint, EarlyStopping
from fastnn.data import Chunk, as_chunk, as_validation, chunk_reader, split_off
from fastnn.engine import Settings
from fastnn.history import History
from fastnn.optimizers import Optimizer, as_optimizer
from fastnn.options import check_fit
from fastnn.run import Run
from fastnn.scores import cost_and_score
from fastnn.storage import read_run

if TYPE_CHECKING:
    from fastnn.network import Network


def fit(
    network: Network,
    X: Any,
    y: Any = None,
    *,
    epochs: int = 10,
    batch_size: int | None = 32,
    optimizer: Optimizer | str = "adam",
    l2: float = 0.0,
    clip_norm: float | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | str | None = None,
    validation_data: Sequence[Any] | None = None,
    validation_split: float = 0.0,
    early_stopping: EarlyStopping | int | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = False,
    shuffle: bool = True,
    threads: int | str = "auto",
    _partial: bool = False,
) -> History:
    """Train the network from its current parameters; returns the History.

    X (n_samples, n_in), y (n_samples,) or (n_samples, n_out); class indices or one-hot rows for softmax.
    With y left out, X is an iterable of chunks (X, y) or (X, y, sample_weight), or a function that returns
    one; schedules then count the first chunk's batches as an epoch.

    batch_size: rows of a step, None for all; l2: penalty l2/2 * sum of squared weights (not biases);
    clip_norm: largest norm of a step's gradient; label_smoothing: share of each label spread over all.
    class_weight: dict of class to weight, or 'balanced'. validation_data: (X, y) or (X, y, sample_weight);
    validation_split: share of the rows held out, drawn once from the seed. early_stopping: an EarlyStopping
    or its patience. checkpoint: a path or Checkpoint written after each epoch; resume: a checkpoint to go
    on from, seed included, if there is one. threads: a number, or 'auto' for what pays. A Ctrl-C ends the
    run with a warning and keeps the parameters of the last finished slice: of some 50 ms, or of one step.
    """
    check_fit(network.cost, locals())
    optimizer = as_optimizer(optimizer)
    optimizer.learning_rates(np.arange(2), 1)  # a schedule that cannot work fails here, not in the loop
    rule = early_stopping
    if rule is not None and not isinstance(rule, EarlyStopping):
        rule = EarlyStopping(rule)
    if checkpoint is not None:
        saver = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)
        if not Path(saver.path).parent.is_dir():
            raise FileNotFoundError(f"there is no folder for the checkpoint {os.fspath(saver.path)!r}")
        callbacks = (*callbacks, saver)
    if batch_size is None and (y is None or _partial):
        raise ValueError("batch_size=None must be a number where the data come in chunks")
    saved = read_run(resume, network) if resume is not None and os.path.exists(resume) else None
    validation = None
    if y is None:
        if sample_weight is not None or validation_split:
            raise ValueError("with chunks, give weights in the chunks and held-out data as validation_data")
        chunks = chunk_reader(network, X, class_weight, epochs)
        shape, capacity = (network.n_out, True), int(batch_size or 0)
    else:
        data = as_chunk(network, (X, y, sample_weight), class_weight, uniform=_partial)
        if validation_split:
            data, validation = split_off(saved.network if saved else network, data, validation_split)
        chunks = lambda: iter([data])  # noqa: E731
        shape, capacity = (data[1].shape[1], data[2].size > 0), int(batch_size or len(data[0]))
        if not _partial:
            capacity = min(capacity, len(data[0]))
    if validation_data is not None:
        validation = as_validation(network, validation_data)
    settings = Settings(
        optimizer,
        capacity,
        l2=float(l2),
        clip_norm=np.inf if clip_norm is None else float(clip_norm),
        label_smoothing=float(label_smoothing),
        huber_threshold=network.huber_threshold,
        threads=threads if threads == "auto" else int(threads),
    )
    earlier = network._run if _partial else None
    if earlier is not None and (earlier._settings, earlier._shape) == (settings, shape):
        run = earlier
    else:
        run = Run(network, settings, epochs, *shape)
        if earlier is not None and earlier._settings.optimizer.kernel == optimizer.kernel:
            run.follow(earlier)
    if saved is not None:
        run.restore(saved)
        run.note(rule)  # it may have been at its end already
    if _partial:
        network._run, run.epochs, run.history.stopped = run, run.epoch + epochs, None
    _train(run, chunks, y is not None, shuffle, validation, rule, callbacks, progress)
    return run.history


def _train(
    run: Run,
    chunks: Callable[[], Iterator[Chunk]],
    repeatable: bool,
    shuffle: bool,
    validation: Chunk | None,
    rule: EarlyStopping | None,
    callbacks: Sequence[Callback],
    progress: bool,
) -> None:
    """Epochs until one of the reasons to stop: as many in a slice as fit, if nobody waits for each."""
    network, history, trainer = run.network, run.history, run._trainer
    # tqdm starts a thread for a bar that it does not show, too, and then a fork is a hazard.
    bar = tqdm(unit=" batches") if progress else None
    watched = not repeatable or bar is not None or validation is not None or rule is not None or callbacks
    finished = steps = 0

    def report(batches: int, cost: float) -> None:
        if bar is not None:
            bar.update(batches)
            bar.set_postfix(cost=f"{cost:.4g}")

    try:
        while run.epoch < run.epochs and history.stopped is None:
            finished, steps = run.epoch, trainer.steps_done
            if bar is not None:
                bar.set_description(f"epoch {run.epoch + 1}/{run.epochs}")
            fitting = 1 if watched else max(1, trainer.next_slice() // run.per_epoch)
            count = min(run.epochs - run.epoch, fitting)
            started = time.perf_counter()
            costs = run.train_epochs(chunks, count, shuffle, report)
            seconds = (time.perf_counter() - started) / len(costs)
            lasts = trainer.steps_done - 1 - run.per_epoch * np.arange(len(costs))[::-1]
            rates = run._settings.optimizer.learning_rates(lasts, run.per_epoch)
            for cost, rate in zip(costs, rates, strict=True):
                entry = {"cost": float(cost), "seconds": seconds, "lr": float(rate)}
                if validation is not None:
                    entry["val_cost"], entry["val_score"] = cost_and_score(network, *validation)
                history.append(entry)
            run.note(rule)
            for callback in callbacks:
                if callback(run):
                    history.stopped = history.stopped or f"a callback stopped it after epoch {run.epoch}"
    except KeyboardInterrupt:
        epochs, batches = divmod(trainer.steps_done - steps, run.per_epoch if repeatable else sys.maxsize)
        within = f"in epoch {run.epoch + epochs + 1} after {batches} batches"
        history.stopped = f"interrupted {within if run.epoch == finished else f'after epoch {run.epoch}'}"
        best = rule is not None and rule.restore and run.best_params is not None
        kept = "best epoch" if best else "last finished slice"
        warnings.warn(f"training was {history.stopped}; the parameters of the {kept} are kept", stacklevel=4)
    finally:
        if bar is not None:
            bar.close()
    if rule is not None and rule.restore and run.best_params is not None:
        network.params[:] = run.best_params
