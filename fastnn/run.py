"""A run of training: its epochs, its best parameters, and its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.callbacks import EarlyStopping
from fastnn.data import Array, Chunk
from fastnn.engine import DivergenceError, Settings, Trainer
from fastnn.history import History
from fastnn.storage import SavedRun, write

if TYPE_CHECKING:
    from fastnn.network import Network

Report = Callable[[int, float], None]  # steps of a slice, and their mean cost


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
        self.per_epoch = 1  # the steps that schedules count as an epoch
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

    def save(self, path: str | os.PathLike[str], **more: Any) -> None:
        """Write a checkpoint, atomically: `fit(..., resume=path)` goes on as if nothing had happened.

        `more`: what else its description is to hold, for JSON.
        """
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
        write(path, arrays, {"network": self.network.describe(), "run": state, **more})

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

    def train_epochs(
        self,
        chunks: Callable[[], Iterable[Chunk]],
        count: int,
        shuffle: bool,
        report: Report,
    ) -> Array:
        """`count` passes over the chunks, one where there are several chunks; the mean cost of each.

        If it diverges, fewer are tried; a single one raises, and leaves the state as it was before it.
        """
        network, trainer, costs, rows = self.network, self._trainer, np.zeros(count), 0
        before = trainer.snapshot()
        try:
            for number, chunk in enumerate(chunks()):
                rows += len(chunk[0])
                costs += self._train_chunk(chunk, number, count, shuffle, report)
            if not np.isfinite(network.params).all():
                raise DivergenceError("the parameters are no longer finite: use a smaller learning rate")
        except DivergenceError as error:
            trainer.restore(before)
            if count > 1:
                return self.train_epochs(chunks, count // 2, shuffle, report)
            raise DivergenceError(
                f"epoch {self.epoch + 1}: {error}; the parameters are those before it"
            ) from None
        except Exception:  # a chunk that could not be read, or was bad
            trainer.restore(before)
            raise
        if rows == 0:
            raise ValueError(f"there were no chunks in epoch {self.epoch + 1}; give at least one")
        self.epoch += count
        network.epochs_trained += count
        return costs / rows

    def _train_chunk(self, chunk: Chunk, number: int, count: int, shuffle: bool, report: Report) -> Array:
        """The sums of the rows' costs in `count` passes over one chunk, the rows in a new order in each."""
        (X, Y, weights), network, trainer = chunk, self.network, self._trainer
        n_rows, batch = len(X), self._settings.batch_size
        starts = np.arange(0, n_rows, batch)
        spans = np.stack([starts, np.minimum(starts + batch, n_rows)], axis=1)
        sizes = spans[:, 1] - spans[:, 0]
        order = np.arange(n_rows)
        if shuffle and n_rows > batch:  # one batch has no order
            order = np.tile(order, (count, 1))
            for epoch in range(count):
                key = [network.seed, network.epochs_trained + epoch, number]
                np.random.default_rng(key).shuffle(order[epoch])
            order, ends = order.ravel(), np.arange(count) * n_rows
        else:
            ends = np.zeros(count, np.int64)
        spans = (ends[:, None, None] + spans).reshape(-1, 2)
        if number == 0:
            self.per_epoch = len(starts)
        steps = np.arange(trainer.steps_done, trainer.steps_done + len(spans))
        rates = self._settings.optimizer.corrected(steps, self.per_epoch)
        costs = trainer.train(X, Y, weights, order, spans, rates, report).sum(axis=1)
        return (costs.reshape(count, -1) * sizes).sum(axis=1)

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
