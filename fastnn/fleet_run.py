"""A run of a fleet's training: its epochs, what is judged after each, and who goes on."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fastnn.bar import Bar
from fastnn.checks import Array
from fastnn.epochs import AGAIN_SECONDS, Epochs
from fastnn.fleet_data import FleetRows
from fastnn.fleet_forward import FleetForward
from fastnn.fleet_history import FleetHistory
from fastnn.fleet_plan import FleetPlan
from fastnn.fleet_rates import member_betas, member_rates
from fastnn.fleet_trainer import FleetTrainer, fleet_trainer
from fastnn.model import Model
from fastnn.orders import shuffle
from fastnn.plan import Settings
from fastnn.run import Watch
from fastnn.threads import step_seconds

# What the orders, rates and costs of the members of a block may take, of the bytes of the fleet, its running
# means and its data, and in all: larger fleets are trained in blocks. But a block is to take each thread so
# long, as it costs 0.3 ms: 1,024 networks of 2-4-1 took 8% longer in blocks of 2 MB than in those of 8.
SHARE, MOST_BYTES, BLOCK_SECONDS = 0.1, 1 << 23, 8e-3


@dataclass(frozen=True)
class FleetMembers:
    """What a run knows of a fleet and changes: a network of its shape, and what is each member's own.

    params (n, n_params), seeds (n,), epochs_trained (n,), keeps (n, n_layers).
    """

    like: Model
    forward: FleetForward
    params: Array
    seeds: NDArray[np.int64]
    epochs_trained: NDArray[np.int64]
    keeps: Array


class FleetRun:
    """One training of all members, from its settings to the end."""

    def __init__(
        self, fleet: FleetMembers, settings: Settings, l2: NDArray[np.float64], epochs: int, data: FleetRows,
        held: FleetRows | None, watch: Watch,
    ) -> None:  # fmt: skip
        self.fleet, self.settings, self.epochs = fleet, settings, epochs
        self.data, self.held, self.watch = data, held, watch
        n = len(fleet.params)
        self.members = np.arange(n)  # who is in the trainer still
        self._counts = np.array([len(rows) for rows in data.rows])
        keys = zip(fleet.seeds.tolist(), fleet.epochs_trained.tolist(), strict=True)
        dropout = bool((fleet.keeps < 1).any())
        seeds = [int(np.random.SeedSequence(key).generate_state(1)[0]) if dropout else 0 for key in keys]
        plan = FleetPlan.of(
            fleet.like.layers, fleet.like.dtype, fleet.like.cost, data.Y.shape[-1], data.weights.size > 0,
            settings, seeds, l2=l2, betas=member_betas(settings.optimizer, n), keeps=fleet.keeps,
        )  # fmt: skip
        self.trainer: FleetTrainer = fleet_trainer(plan, fleet.params)
        self._costs: list[Array] = []
        self._scores: list[tuple[Array, Array]] = []
        self._seconds: list[float] = []
        self.reasons: dict[int, str] = {}
        self.diverged = np.zeros(n, bool)
        self._best = np.full(n, np.inf), np.zeros(n, np.int64)
        self._best_params: Array | None = None
        self._bar: Bar | None = None
        self._shown, self._stopped = 0.0, ""

    @property
    def _per_epoch(self) -> NDArray[np.int64]:
        """The steps of an epoch of each member in the trainer."""
        return -(-self._counts[self.members] // self.settings.batch_size)

    def train(self) -> FleetHistory:
        """All epochs, to the end; members end with their best parameters, if they were asked for."""
        raises = self.watch.interrupt == "raise"
        if self.watch.progress:
            self._bar = Bar(self.epochs)
        try:
            while len(self._costs) < self.epochs and self.trainer.active.any():
                self._train(self._next())
        except KeyboardInterrupt:
            now = time.monotonic()
            raises |= now - Epochs.last_interrupt < AGAIN_SECONDS
            Epochs.last_interrupt = now
            self._stopped = f"interrupted in epoch {min(len(self._costs) + 1, self.epochs)}"
            if raises:
                raise
            text = f"training was {self._stopped}; the parameters of the last finished slice are kept"
            warnings.warn(text, stacklevel=3)
        finally:
            if self._bar is not None:
                self._bar.close()
            if self._best_params is not None:
                known = np.isfinite(self._best[0])
                self.fleet.params[known] = self._best_params[known]
        if lost := int(self.diverged.sum()):
            some = ", ".join(map(str, np.flatnonzero(self.diverged)[:5])) + (", ..." if lost > 5 else "")
            warnings.warn(
                f"{lost} of {len(self.diverged)} members diverged and stopped (see `diverged`): {some}; "
                "use smaller learning rates, clip_norm, or scale the features",
                stacklevel=3,
            )
        return self._history()

    def _next(self) -> int:
        """How many epochs may run before anything has to be looked at."""
        if self._bar is not None or self.held is not None or self.watch.rule is not None:
            return 1
        fitting = self._block_bytes // (self._member_bytes * min(self._least, len(self.members)))
        sliced = self.trainer.next_slice() // int(self._per_epoch.max())
        return max(1, min(self.epochs - len(self._costs), fitting, sliced))

    @property
    def _least(self) -> int:
        """The members that are trained at a time at least: a group for each thread."""
        return int(self.trainer.plan.lanes * self.trainer.workers)

    @property
    def _member_bytes(self) -> int:
        """About what an epoch of a member takes: its order, and each step's span, rates and costs."""
        return 8 * int(self._counts.max()) + 100 * int(self._per_epoch.max())

    @property
    def _block_bytes(self) -> int:
        """The most that what is known of a block's epochs takes: see SHARE."""
        plan, (X, Y, weights) = self.trainer.plan, (self.data.X, self.data.Y, self.data.weights)
        kept = (1 + plan.n_moments) * self.trainer.params.nbytes + X.nbytes + Y.nbytes + weights.nbytes
        step = step_seconds(plan.layers, plan.settings.batch_size, plan.dtype.itemsize)
        enough = BLOCK_SECONDS * self.trainer.workers / (step * int(self._per_epoch.max()))
        return int(min(MOST_BYTES, max(SHARE * kept, enough * self._member_bytes)))

    def _blocks(self, count: int) -> Iterator[slice]:
        """Members that are trained at a time: as many as their bytes allow, whole groups for each thread."""
        blocks = -(-count * self._member_bytes * len(self.members) // self._block_bytes)
        size = max(1, len(self.members) // (blocks * self._least)) * self._least
        for first in range(0, len(self.members), size):
            yield slice(first, min(first + size, len(self.members)))

    def _train(self, count: int) -> None:
        """So many epochs of all who are in the trainer."""
        trainer, members, per_epoch = self.trainer, self.members, self._per_epoch
        started, done = time.perf_counter(), trainer.steps_done
        self._shown = float(len(self._costs))
        told = np.full((count, len(members)), np.nan)
        try:
            data = self.data.sets(members)
            for block in self._blocks(count):
                told[:, block] = self._train_block(data, count, block)
        finally:
            # Of a Ctrl-C too: each member's epochs that are done.
            if trainer.params is not self.fleet.params:  # else NumPy would copy all of them
                self.fleet.params[members] = trainer.params
            finished = (trainer.steps_done - done) // per_epoch
            self.fleet.epochs_trained[members] += finished
            self._note_lost()
        ran = np.arange(count)[:, None] < finished
        for epoch in range(count):
            row = np.full(len(self.fleet.params), np.nan)
            row[members] = np.where(ran[epoch], told[epoch], np.nan)
            self._costs.append(row)
            self._seconds.append((time.perf_counter() - started) / count)
        self._judge()
        self._pack()

    def _train_block(self, data: tuple[Array, Array, Array], count: int, block: slice) -> Array:
        """So many epochs of some members: the mean cost of each epoch of each of them (count, n)."""
        members, done = self.members[block], self.trainer.steps_done[block]
        per_epoch, most = self._per_epoch[block], int(self._per_epoch.max())
        orders, spans = self._orders(count, block), self._spans(count, most, members)
        rates = member_rates(self.settings.optimizer, members, done, per_epoch, most, count)
        share = len(members) / len(self.members)
        report = partial(self._report, self._bar, share) if self._bar else None
        costs = self.trainer.train(*data, orders, spans, rates, report, block)
        sizes = (spans[..., 1] - spans[..., 0]).reshape(-1, count, most)
        told = (costs[..., 0] + costs[..., 1]).T.reshape(len(members), count, most)
        told = (np.where(np.isfinite(told), told, 0.0) * sizes).sum(axis=2).T / self._counts[members]
        return np.asarray(told)

    def _orders(self, count: int, block: slice) -> NDArray[np.int64]:
        """The numbers of the rows of these epochs (n, count * rows), as each member's network draws them."""
        members, counts, fleet = self.members[block], self._counts, self.fleet
        orders = np.zeros((len(members), count * int(counts[members].max())), np.int64)
        for own, k in zip(orders, members.tolist(), strict=True):
            n = int(counts[k])
            own[: count * n].reshape(count, n)[:] = self.data.rows[k]
        if self.watch.shuffle:
            several = counts[members] > self.settings.batch_size  # one batch has no order
            drawn = np.where(self.trainer.active[block] & several, counts[members], 0)
            about = fleet.seeds[members], fleet.epochs_trained[members], drawn
            shuffle(*about, orders, count, self.settings.threads)
        return orders

    def _spans(self, count: int, most: int, members: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each step's rows stand in a member's order (n, count * most, 2), or in all of them alike."""
        batch, rows = self.settings.batch_size, self._counts[members]
        rows = rows[:1] if (rows == rows[0]).all() else rows
        starts = np.arange(most) * batch
        first = np.minimum(starts, rows[:, None])
        last = np.minimum(starts + batch, rows[:, None])
        one = np.stack([first, last], axis=2)[:, None]
        spans = one + (np.arange(count) * rows[:, None])[:, :, None, None]
        spans = spans.reshape(len(rows), count * most, 2)
        return spans[0] if len(rows) == 1 else spans

    def _report(self, bar: Bar, share: float, steps: int, cost: float) -> None:
        self._shown = min(self._shown + share * steps / int(self._per_epoch.max()), float(self.epochs))
        bar.show(self._shown, cost=cost)

    def _note_lost(self) -> None:
        lost = self.trainer.diverged & ~self.diverged[self.members]
        for k in self.members[lost].tolist():
            self.diverged[k] = True
            self.reasons[k] = f"diverged in epoch {len(self._costs) + 1} or soon after it"

    def _judge(self) -> None:
        """Validation of the members that go on, and the end of those that have got no better."""
        members, active = self.members, self.trainer.active
        if self.held is not None:
            val = np.full((2, len(self.fleet.params)), np.nan)
            judged = members[active]
            val[:, judged] = self.fleet.forward.judge(self.trainer.params[active], judged, self.held)
            self._scores.append((val[0], val[1]))
        rule, epoch = self.watch.rule, len(self._costs)
        if rule is None:
            return
        best, when = self._best
        cost = self._scores[-1][0] if self.held is not None else self._costs[-1]
        with np.errstate(invalid="ignore"):
            better = cost < best - rule.min_delta
        best[better], when[better] = cost[better], epoch
        if rule.restore:
            if self._best_params is None:
                self._best_params = self.fleet.params.copy()
            self._best_params[better] = self.fleet.params[better]
        over = active & (epoch - when[members] >= rule.patience)
        self.trainer.freeze(over)
        for k in members[over].tolist():
            self.reasons[k] = f"no better cost in {rule.patience} epochs"

    def _pack(self) -> None:
        """Go on with those that are active alone, where that saves half of the vectors."""
        going, lanes = self.trainer.active, self.trainer.plan.lanes
        if (
            2 * -(-int(going.sum()) // lanes) <= self.trainer.plan.n_groups
            and going.any()
            and not going.all()
        ):
            self.trainer = self.trainer.keep(going)
            self.members = self.members[going]

    def _history(self) -> FleetHistory:
        n = len(self.fleet.params)
        scores = [np.array([s[i] for s in self._scores]).reshape(-1, n) for i in range(2)]
        costs = np.array(self._costs).reshape(-1, n)
        return FleetHistory(costs, scores[0], scores[1], self._seconds, self.reasons, self._stopped or None)
