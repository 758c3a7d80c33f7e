"""The fit loop: epochs, validation, early stopping, callbacks, checkpoints, and what ends a run early."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from fastnn.callbacks import Callback, Checkpoint, EarlyStopping
from fastnn.data import Array, Chunk, as_chunk, as_validation, chunk_reader, split_off
from fastnn.engine import DivergenceError, Settings, Trainer
from fastnn.history import History
from fastnn.optimizers import Optimizer, as_optimizer
from fastnn.options import check_fit
from fastnn.scores import cost_and_score
from fastnn.storage import SavedRun, read_run, write

if TYPE_CHECKING:
    from fastnn.network import Network


class Run:
    """A run of training: what callbacks see, and what a checkpoint holds.

    `network`, `history`, `epoch` (epochs finished) and `epochs` (epochs wanted) are for callbacks to read.
    """

    def __init__(
        self, network: Network, settings: Settings, epochs: int, n_targets: int, weighted: bool
    ) -> None:
        self.network, self.epochs = network, epochs
        self.history = History()
        self.epoch = 0
        self.best_cost, self.best_epoch = np.inf, 0
        self.best_params: Array | None = None
        self._settings, self._shape = settings, (n_targets, weighted)
        self._start(int(np.random.SeedSequence([network.seed, network.epochs_trained]).generate_state(1)[0]))

    def _start(self, seed: int) -> None:
        """A trainer whose dropout masks follow from `seed`."""
        self._seed = seed
        network = self.network
        self._trainer = Trainer(
            network._layers, network.params, network.cost, *self._shape, seed, self._settings
        )

    @property
    def threads(self) -> int:
        """The number of threads that this run uses."""
        return self._trainer.workers

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint, atomically: `fit(..., resume=path)` goes on as if nothing had happened."""
        arrays = {"params": self.network.params, "moments": self._trainer.moments}
        if self.best_params is not None:
            arrays["best_params"] = self.best_params
        state = {
            "optimizer": type(self._settings.optimizer).__name__,
            "epoch": self.epoch,
            "steps": self._trainer.steps_done,
            "seed": self._seed,
            "best_cost": self.best_cost,
            "best_epoch": self.best_epoch,
            "history": self.history.to_dict(),
        }
        write(path, arrays, {"network": self.network.describe(), "run": state})

    def restore(self, saved: SavedRun) -> None:
        """Go on from a checkpoint of a run of the same network with the same optimizer."""
        mine = type(self._settings.optimizer).__name__
        if (saved.optimizer, saved.moments.shape) != (mine, self._trainer.moments.shape):
            other = "other settings of it" if saved.optimizer == mine else mine
            raise ValueError(f"{saved.path!r} is the checkpoint of a run with {saved.optimizer}, not {other}")
        self._start(saved.seed)
        self.network.params[:] = saved.network.params
        self.network.seed, self.network.epochs_trained = saved.network.seed, saved.network.epochs_trained
        self._trainer.moments[:] = saved.moments
        self._trainer.steps_done = saved.steps
        self.epoch, self.history = saved.epoch, saved.history
        self.best_cost, self.best_epoch = saved.best_cost, saved.best_epoch
        self.best_params = saved.best_params

    def follow(self, run: Run) -> None:
        """Go on from an earlier run of the same network with the same kind of optimizer."""
        self._start(run._seed)
        self._trainer.moments[:] = run._trainer.moments
        self._trainer.steps_done = run._trainer.steps_done
        self.epoch, self.history = run.epoch, run.history
        self.best_cost, self.best_epoch, self.best_params = run.best_cost, run.best_epoch, run.best_params

    def train_epoch(
        self, chunks: Iterable[Chunk], shuffle: bool, report: Callable[[int, float], None]
    ) -> float:
        """One pass over the chunks; the mean cost. Leaves the parameters as they were if it diverges."""
        network, cost, rows, steps, first_steps = self.network, 0.0, 0, 0, 0
        before = network.params.copy()
        try:
            for number, (X, Y, weights) in enumerate(chunks):
                order = np.arange(len(X))
                if shuffle and len(X) > self._settings.batch_size:  # one batch has no order
                    random = np.random.default_rng([network.seed, network.epochs_trained, number])
                    random.shuffle(order)
                n_steps = -(-len(X) // self._settings.batch_size)
                first_steps = first_steps or n_steps

                def on_slice(done: int, mean: float, before: int = steps) -> None:
                    report(before + done, mean)

                cost += len(X) * self._trainer.epoch(X, Y, weights, order, first_steps, on_slice)
                rows += len(X)
                steps += n_steps
            if not np.isfinite(network.params).all():
                raise DivergenceError("the parameters are no longer finite: use a smaller learning rate")
        except DivergenceError as error:
            network.params[:] = before
            raise DivergenceError(
                f"epoch {self.epoch + 1}: {error}; the parameters are those before it"
            ) from None
        except Exception:  # a chunk that could not be read, or was bad
            network.params[:] = before
            raise
        if rows == 0:
            raise ValueError(f"there were no chunks in epoch {self.epoch + 1}; give at least one")
        self.epoch += 1
        network.epochs_trained += 1
        return cost / rows

    def note(self, rule: EarlyStopping | None) -> None:
        """Compare the newest cost with the best one; it may be time to stop."""
        if rule is None or not self.history.cost:
            return
        cost = (self.history.val_cost or self.history.cost)[-1]
        if cost < self.best_cost - rule.min_delta:
            self.best_cost, self.best_epoch = cost, self.epoch
            self.best_params = self.network.params.copy() if rule.restore else None
        if self.epoch - self.best_epoch >= rule.patience:
            self.history.stopped = f"no better cost in {rule.patience} epochs"


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
    _train(run, chunks, shuffle, validation, rule, callbacks, progress)
    return run.history


def _train(
    run: Run,
    chunks: Callable[[], Iterator[Chunk]],
    shuffle: bool,
    validation: Chunk | None,
    rule: EarlyStopping | None,
    callbacks: Sequence[Callback],
    progress: bool,
) -> None:
    """Epochs until one of the reasons to stop."""
    network, history, trainer = run.network, run.history, run._trainer
    # tqdm starts a thread for a bar that it does not show, too, and then a fork is a hazard.
    bar = tqdm(unit=" batches") if progress else None
    done = finished = steps = 0

    def report(batches: int, cost: float) -> None:
        nonlocal done
        if bar is not None:
            bar.update(batches - done)
            bar.set_postfix(cost=f"{cost:.4g}")
        done = batches

    try:
        while run.epoch < run.epochs and history.stopped is None:
            done, finished, steps = 0, run.epoch, trainer.steps_done
            if bar is not None:
                bar.set_description(f"epoch {run.epoch + 1}/{run.epochs}")
            started = time.perf_counter()
            entry = {"cost": run.train_epoch(chunks(), shuffle, report)}
            entry["seconds"] = time.perf_counter() - started
            last = np.array([trainer.steps_done - 1])
            entry["lr"] = float(run._settings.optimizer.learning_rates(last, trainer.per_epoch)[0])
            if validation is not None:
                entry["val_cost"], entry["val_score"] = cost_and_score(network, *validation)
            history.append(entry)
            run.note(rule)
            for callback in callbacks:
                if callback(run):
                    history.stopped = history.stopped or f"a callback stopped it after epoch {run.epoch}"
    except KeyboardInterrupt:
        within = f"in epoch {run.epoch + 1} after {trainer.steps_done - steps} batches"
        history.stopped = f"interrupted {within if run.epoch == finished else f'after epoch {run.epoch}'}"
        best = rule is not None and rule.restore and run.best_params is not None
        kept = "best epoch" if best else "last finished slice"
        warnings.warn(f"training was {history.stopped}; the parameters of the {kept} are kept", stacklevel=4)
    finally:
        if bar is not None:
            bar.close()
    if rule is not None and rule.restore and run.best_params is not None:
        network.params[:] = run.best_params
