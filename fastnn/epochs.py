"""The one driver of epochs: batches, slices by time, divergence, Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.data import Rows
from fastnn.threads import end_if_given_up
from fastnn.trainer import DivergenceError, Trainer

# Who presses Ctrl-C again so soon wants more than the end of one training among many.
AGAIN_SECONDS = 1.0
# Before and after a group of epochs all parameters are copied and looked at: 4 to 12% of a slice's 50 ms.
# So a group is as long as some slices, unless its orders had more numbers than stay in cache.
GROUP_SLICES, GROUP_NUMBERS = 4, 1 << 17


class Epochs:
    """Epochs of `trainer`, which changes `params`; n_rows: of each epoch, if that is known.

    A subclass says where rows, their order and the rates come from, what an epoch brings, and when to stop.
    """

    last_interrupt: ClassVar[float] = -np.inf

    def __init__(self, trainer: Trainer, params: Array, n_rows: int | None = None) -> None:
        self.trainer, self.params, self.batch_size = trainer, params, int(trainer.settings.batch_size)
        # The steps that schedules count as an epoch.
        self.per_epoch = 1 if n_rows is None else -(-n_rows // self.batch_size)
        self.steps_before = 0  # the epochs that are being trained
        self.raises = False  # whether a Ctrl-C is raised again when the state is in order

    def undecided(self) -> int:
        """How many epochs may run before anything has to be looked at; 0 to stop."""
        raise NotImplementedError

    def begin(self) -> None:
        """Called before the epochs of each group."""

    def parts(self) -> Iterable[Rows]:
        """The rows of an epoch, in one part or in chunks of which each is trained on by itself."""
        raise NotImplementedError

    def order(self, rows: Rows, part: int, count: int) -> NDArray[np.int64]:
        """The numbers of the rows in each of the next epochs (count, n), or (n,) if always the same."""
        raise NotImplementedError

    def batches(
        self, rows: Rows, order: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
        """Where each step's rows begin and end in an epoch's order (n_steps, 2), and its batch's size."""
        n_rows = order.shape[-1]
        starts = np.arange(0, n_rows, self.batch_size)
        spans = np.stack([starts, np.minimum(starts + self.batch_size, n_rows)], axis=1)
        return spans, spans[:, 1] - spans[:, 0]

    def rates(self, n_steps: int, count: int) -> NDArray[np.float64]:
        """Rate, epsilon and decay of each step (count * n_steps, 3) of the next epochs of so many steps."""
        raise NotImplementedError

    def report(self, steps: int, cost: float) -> None:
        """Called after each slice, with its steps and their mean cost."""

    def note(self, costs: Array, seconds: float) -> None:
        """Each epoch's mean cost and penalty (count, 2), and the seconds that one took."""
        raise NotImplementedError

    def diverged(self, error: DivergenceError) -> None:
        """An epoch could not be trained: the state is that before it."""
        raise error

    def interrupted(self) -> None:
        """A Ctrl-C came; whole steps of the epochs that were being trained are done."""
        raise NotImplementedError

    def drive(self) -> None:
        """Epochs until `undecided` says that it is enough: as many at once as some slices have time for."""
        try:
            while most := self.undecided():
                self.steps_before = self.trainer.steps_done
                self.begin()
                one = self.trainer.next_slice()
                steps = max(one, min(GROUP_SLICES * one, GROUP_NUMBERS // self.batch_size))
                self._train(max(1, min(most, steps // self.per_epoch)))
        except KeyboardInterrupt:
            now = time.monotonic()
            self.raises |= now - Epochs.last_interrupt < AGAIN_SECONDS
            Epochs.last_interrupt = now
            self.interrupted()
            if self.raises:
                raise

    def _train(self, count: int) -> None:
        """So many epochs; if they diverge, fewer are tried."""
        before, started = self.trainer.snapshot(), time.perf_counter()
        costs, n_rows = np.zeros((count, 2)), 0
        try:
            for number, rows in enumerate(self.parts()):
                sums, n = self._pass(rows, number, count)
                costs += sums
                n_rows += n
            if not (self.trainer.settings.tolerant or np.isfinite(self.params).all()):
                raise DivergenceError("the parameters are no longer finite: use a smaller learning rate")
        except DivergenceError as error:
            self.trainer.restore(before)
            return self._train(count // 2) if count > 1 else self.diverged(error)
        except Exception:  # a chunk that could not be read, or was bad
            self.trainer.restore(before)
            raise
        self.note(costs / n_rows, (time.perf_counter() - started) / count)

    def _after_slice(self, steps: int, cost: float) -> None:
        end_if_given_up()
        self.report(steps, cost)

    def _pass(self, rows: Rows, part: int, count: int) -> tuple[Array, int]:
        """`count` passes over a part: the sums of the rows' costs and penalties (count, 2), and its rows."""
        order = self.order(rows, part, count)
        spans, sizes = self.batches(rows, order)
        shifts = np.arange(count) * (order.shape[-1] if order.ndim == 2 else 0)
        spans = (shifts[:, None, None] + spans).reshape(-1, 2)
        if part == 0:
            self.per_epoch = len(sizes)
        rates = self.rates(len(sizes), count)
        data = rows.X, rows.Y, rows.weights
        costs = self.trainer.train(*data, order.ravel(), spans, rates, self._after_slice)
        return (costs.reshape(count, -1, 2) * sizes[:, None]).sum(axis=1), int(sizes.sum())
