"""A run of a network's training: its epochs, its best parameters, and its checkpoint."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.bar import Bar
from fastnn.callbacks import Callback, EarlyStopping
from fastnn.checkpoints import SavedRun
from fastnn.checks import Array, require_whole
from fastnn.data import Rows
from fastnn.epochs import Epochs
from fastnn.history import History
from fastnn.model import Model
from fastnn.orders import shuffled
from fastnn.plan import Plan, Settings
from fastnn.precision import BFLOAT16
from fastnn.remarks import remark, spread
from fastnn.scores import Sums, alone
from fastnn.storage import write
from fastnn.trainer import DivergenceError, Trainer


@dataclass(frozen=True)
class Samples:
    """The rows of a run: in each epoch the same or, if n_rows is None, read anew; and those held out.

    shape: what a trainer's memory depends on: number of targets, whether rows have weights, whether X is CSR.
    """

    read: Callable[[], Iterable[Rows]]
    n_rows: int | None
    shape: tuple[int, bool, bool]
    held_out: Rows | None


@dataclass(frozen=True)
class Watch:
    """What is done between epochs, and how rows are ordered."""

    rule: EarlyStopping | None = None
    callbacks: Sequence[Callback] = ()
    progress: bool = False
    shuffle: bool = True
    interrupt: str = "stop"


class Run(Epochs):
    """A run of training: what callbacks see, and what a checkpoint holds.

    `network`, `history`, `epoch` (epochs finished) and `epochs` (epochs wanted) are for callbacks to read.
    """

    add: Sums = staticmethod(alone)  # what sums over held-out rows are put through
    remarks = True  # on what went wrong

    def __init__(
        self,
        network: Model,
        settings: Settings,
        epochs: int,
        samples: Samples,
        watch: Watch,
        earlier: Run | None = None,
    ) -> None:
        """With `earlier` it goes on from that run, if it was one with the same kind of optimizer."""
        self.network, self.settings, self.samples, self.watch = network, settings, samples, watch
        self.history, self.epoch, self.epochs = History(), 0, epochs
        self.best_cost, self.best_epoch = np.inf, 0
        self.best_params: Array | None = None
        self.seed: int
        self._finished = 0  # epochs, when those that are being trained began
        self._bar: Bar | None = None
        if earlier is not None and earlier.settings.optimizer.kernel == settings.optimizer.kernel:
            self.seed, trainer = earlier.seed, earlier.trainer
            if (earlier.settings, earlier.samples.shape) != (settings, samples.shape):
                trainer = self.new_trainer()
                trainer.go_on(earlier.trainer.moments, earlier.trainer.steps_done)
            self._take_over(earlier)
            self.epochs, self.history.stopped = self.epoch + epochs, None
        else:
            key = [network.seed, network.epochs_trained]
            self.seed = int(np.random.SeedSequence(key).generate_state(1)[0])
            trainer = self.new_trainer()
        super().__init__(trainer, network.params, samples.n_rows)
        self.raises = watch.interrupt == "raise"

    def plan(self, in_parts: bool = False) -> Plan:
        """The plan of a trainer whose dropout masks follow from the run's seed."""
        network, (n_targets, weighted, sparse) = self.network, self.samples.shape
        options = n_targets, weighted, self.seed, self.settings, sparse
        bfloat16 = network.precision == BFLOAT16
        about = network.layers, network.dtype, network.cost, *options
        return Plan(*about, bfloat16=bfloat16, in_parts=in_parts)

    def new_trainer(self) -> Trainer:
        return Trainer(self.plan(), self.network.params)

    def _take_over(self, record: SavedRun | Run) -> None:
        self.epoch, self.history = record.epoch, record.history
        self.best_cost, self.best_epoch = record.best_cost, record.best_epoch
        self.best_params = record.best_params

    @property
    def threads(self) -> int:
        """The number of threads that this run uses."""
        return int(self.trainer.workers)

    @property
    def _most_threads(self) -> int | None:
        return None if isinstance(self.settings.threads, str) else self.settings.threads

    def save(self, path: str | os.PathLike[str], **more: Any) -> None:
        """Write a checkpoint, atomically: `fit(..., resume=path)` goes on as if nothing had happened.

        `more`: what else its description is to hold, for JSON.
        """
        if self.settings.input_stage is not None:
            raise ValueError(
                "a run with an input stage has no checkpoints; save the network when it is trained"
            )
        arrays = {"params": self.network.params, "moments": self.trainer.moments}
        if self.best_params is not None:
            arrays["best_params"] = self.best_params
        state = {
            "optimizer": type(self.settings.optimizer).__name__,
            "epoch": self.epoch,
            "steps": self.trainer.steps_done,
            "seed": self.seed,
            "best_cost": self.best_cost,
            "best_epoch": self.best_epoch,
            "history": self.history.to_dict(),
        }
        write(path, arrays, {"network": self.network.describe(), "run": state, **more})

    def restore(self, saved: SavedRun) -> None:
        """Go on from a checkpoint of a run of the same network with the same optimizer."""
        mine = type(self.settings.optimizer).__name__
        if (saved.optimizer, saved.moments.shape) != (mine, self.trainer.moments.shape):
            other = "other settings of it" if saved.optimizer == mine else mine
            raise ValueError(f"{saved.path!r} is the checkpoint of a run with {saved.optimizer}, not {other}")
        self.seed = saved.seed
        self.trainer = self.new_trainer()
        self.trainer.go_on(saved.moments, saved.steps)
        self._take_over(saved)
        self.network.params[:] = saved.network.params
        self.network.seed, self.network.epochs_trained = saved.network.seed, saved.network.epochs_trained
        self._note_best()  # it may have been at its end already

    # What the driver asks

    def undecided(self) -> int:
        if self.history.stopped is not None:
            return 0
        watched = self._bar is not None or self.watch.rule is not None or self.watch.callbacks
        if watched or self.samples.n_rows is None or self.samples.held_out is not None:
            return min(1, max(0, self.epochs - self.epoch))
        return max(0, self.epochs - self.epoch)

    def begin(self) -> None:
        self._finished = self.epoch

    def parts(self) -> Iterator[Rows]:
        number = -1
        for number, rows in enumerate(self.samples.read()):
            if rows.sparse != self.samples.shape[-1]:
                kinds = ("dense", "sparse") if rows.sparse else ("sparse", "dense")
                raise ValueError(f"chunk {number}: X is {kinds[1]}, that of the first chunk {kinds[0]}")
            require_whole(rows.X)
            yield rows
        if number < 0:
            raise ValueError(f"there were no chunks in epoch {self.epoch + 1}; give at least one")

    def order(self, rows: Rows, part: int, count: int) -> NDArray[np.int64]:
        order = rows.numbers
        if not self.watch.shuffle or len(rows) <= self.batch_size:  # one batch has no order
            return order
        network, wanted = self.network, (self.epochs - self.epoch) * len(order)
        return shuffled(order, network.seed, network.epochs_trained, part, count, wanted)

    def rates(self, n_steps: int, count: int) -> NDArray[np.float64]:
        steps = np.arange(self.trainer.steps_done, self.trainer.steps_done + n_steps * count)
        return self.settings.optimizer.corrected(steps, self.per_epoch)

    def report(self, steps: int, cost: float) -> None:
        if self._bar is not None:
            done = self.trainer.steps_done - self.steps_before
            within = 0.0 if self.samples.n_rows is None else min(1.0, done / self.per_epoch)
            self._bar.show(self.epoch + within, cost=cost, **self._score)

    @property
    def _score(self) -> dict[str, float]:
        """The newest validation score, by its name, if there is one."""
        return {"val_score": scores[-1]} if (scores := self.history.val_score) else {}

    def note(self, costs: Array, seconds: float) -> None:
        self.epoch += len(costs)
        self.network.epochs_trained += len(costs)
        lasts = self.trainer.steps_done - 1 - self.per_epoch * np.arange(len(costs))[::-1]
        rates = self.settings.optimizer.learning_rates(lasts, self.per_epoch)
        for cost, rate in zip(costs.sum(axis=1), rates, strict=True):
            entry = {"cost": float(cost), "seconds": seconds, "lr": float(rate)}
            if self.samples.held_out is not None:
                scores = self.network.cost_and_score(self.samples.held_out, self._most_threads, self.add)
                entry["val_cost"], entry["val_score"] = scores
            self.history.append(entry)
        self._note_best()
        if self._bar is not None:
            self._bar.show(self.epoch, cost=self.history.cost[-1], **self._score)
        for callback in self.watch.callbacks:
            if callback(self):
                stopped = f"a callback stopped it after epoch {self.epoch}"
                self.history.stopped = self.history.stopped or stopped

    def _note_best(self) -> None:
        """Compare the newest cost with the best one; it may be time to stop."""
        rule = self.watch.rule
        if rule is None or not self.history.cost:
            return
        cost = (self.history.val_cost or self.history.cost)[-1]
        if cost < self.best_cost - rule.min_delta:
            self.best_cost, self.best_epoch = cost, self.epoch
            self.best_params = self.network.params.copy() if rule.restore else None
        if self.epoch - self.best_epoch >= rule.patience:
            self.history.stopped = f"no better cost in {rule.patience} epochs"

    def diverged(self, error: DivergenceError) -> None:
        text = f"epoch {self.epoch + 1}: {error}; the parameters are those before it"
        raise DivergenceError(text) from None

    @property
    def _keeps_best(self) -> bool:
        return self.watch.rule is not None and self.watch.rule.restore and self.best_params is not None

    def interrupted(self) -> None:
        steps, per_epoch = self.trainer.steps_done - self.steps_before, self.per_epoch
        epochs, batches = divmod(steps, sys.maxsize if self.samples.n_rows is None else per_epoch)
        within = f"in epoch {self.epoch + epochs + 1} after {batches} batches"
        when = within if self.epoch == self._finished else f"after epoch {self.epoch}"
        self.history.stopped = f"interrupted {when}"
        kept = "best epoch" if self._keeps_best else "last finished slice"
        text = f"training was {self.history.stopped}; the parameters of the {kept} are kept"
        if not self.raises:
            warnings.warn(text, stacklevel=5)

    def train(self) -> History:
        """All epochs, to the end; the network ends with its best parameters, if they were asked for."""
        if self.watch.progress:
            self._bar = Bar(self.epochs, self.epoch)
        told = 0.0, 0.0
        if self.samples.n_rows is not None:
            told = spread(self.network.task, next(iter(self.samples.read())).Y)
        try:
            self.drive()
        except KeyboardInterrupt:
            self._restore_best()
            raise
        finally:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            # A network keeps its last run of partial_fit, but not the data.
            self.samples = replace(self.samples, read=tuple, held_out=None)
        self._restore_best()
        if self.remarks:
            remark(self.history, *told, stacklevel=3)
        return self.history

    def _restore_best(self) -> None:
        if self._keeps_best:
            self.network.params[:] = self.best_params
