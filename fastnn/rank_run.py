"""A run of training whose rows are spread over ranks: as `Run`, with the same network on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.data import Rows
from fastnn.rank_engine import RankEngine
from fastnn.ranks import Ranks
from fastnn.run import Run
from fastnn.trainer import DivergenceError, Trainer
from fastnn_kernels.simd import VECTOR_BYTES


class RankRun(Run):
    """One rank's part of a run.

    batch_size: rows of a step on all ranks together; that of the settings is the most that one of them has.
    All ranks take the same steps, and come to the same parameters, costs and decisions.
    """

    def __init__(self, ranks: Ranks, batch_size: int, *about: Any) -> None:
        self.ranks, self._together = ranks, batch_size
        self.add, self.remarks = ranks.sum, ranks.rank == 0
        self._engine: RankEngine
        self._counts: list[int] = []
        super().__init__(*about)
        self.raises = True  # a Ctrl-C ends all ranks

    def new_trainer(self) -> Trainer:
        plan = self.plan(in_parts=True)
        self._engine = RankEngine(plan, self.ranks)
        return Trainer(plan, self.network.params, self._engine)

    def drive(self) -> None:
        plan = self.trainer.plan
        here = plan.lanes, plan.layout.size, VECTOR_BYTES
        self.ranks.require_same({"the layout of parameters, which the processor decides": here})
        with self.ranks.together(DivergenceError):
            super().drive()

    def undecided(self) -> int:
        return min(1, super().undecided())  # how many epochs fit into a slice is each rank's own affair

    def parts(self) -> Iterator[Rows]:
        """As many parts on each rank as the one with the most has; the others then have no rows in them."""
        source = super().parts()
        rows = next(source)  # a rank without any has raised an error
        own: Rows | None = rows
        while any(counts := self.ranks.all(0 if own is None else len(own))):
            self._counts = counts
            rows = own or replace(rows, chosen=np.arange(0))
            yield rows
            own = next(source, None)

    def order(self, rows: Rows, part: int, count: int) -> NDArray[np.int64]:
        order = rows.numbers
        if self.watch.shuffle and sum(self._counts) > self._together:  # one batch has no order
            order = order.copy()
            key = [self.network.seed, self.network.epochs_trained, part, self.ranks.rank]
            np.random.default_rng(key).shuffle(order)
        return order

    def batches(
        self, rows: Rows, order: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
        ends, shares = self.ranks.batches(self._counts, self._together)
        spans = np.stack([ends[:-1], ends[1:]], axis=1)
        weights = np.diff(ends).astype(np.float64)
        if rows.weights.size:
            before = np.append(0.0, np.cumsum(rows.weights[order], dtype=np.float64))
            weights = before[ends[1:]] - before[ends[:-1]]
        self.ranks.sum(weights)
        firsts = shares[: self.ranks.rank].sum(axis=0)
        self._engine.expect(np.where(weights > 0, weights, 1.0), firsts)
        return spans, shares.sum(axis=0)

    def note(self, costs: Array, seconds: float) -> None:
        super().note(costs, seconds)
        reasons = self.ranks.all(self.history.stopped)
        self.history.stopped = next(filter(None, reasons), None)
