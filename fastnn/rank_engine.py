"""The compiled calls of a step whose batch is shared by several ranks: gradient, sum, update."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.plan import Plan
from fastnn.ranks import Ranks
from fastnn.trainer import Engine
from fastnn_kernels import epoch


class RankEngine(Engine):
    """An engine that adds up the ranks' gradients once a step, with their costs behind them."""

    def __init__(self, plan: Plan, ranks: Ranks) -> None:
        super().__init__(plan)
        self._ranks, self._done = ranks, 0
        self._weights, self._firsts = np.empty(0), np.empty(0, np.int64)

    def expect(self, weights: NDArray[np.float64], firsts: NDArray[np.int64]) -> None:
        """Of each of the next steps the weight of the whole batch, and the place in it of our first row."""
        self._weights, self._firsts, self._done = weights, firsts, 0

    def call(self, spans: Array, rates: Array, costs: Array, first_step: int, workers: int) -> int:
        """As `Engine.call`; costs are those of the whole batches."""
        before, gradient = self._done, self.work.gradient_and_one
        status = self._part(epoch.LOAD, spans[:1], rates[:1], costs[:1], first_step, workers)
        for index in range(len(spans)):
            here = slice(index, index + 1)
            step = spans[here], rates[here], costs[here], first_step + index, workers
            self.work.run["batch_weight"] = self._weights[self._done]
            self.work.run["first_row"] = self._firsts[self._done]
            if spans[index, 0] < spans[index, 1]:
                status = self._part(epoch.GRADIENT, *step)
            else:  # all rows are the others'
                gradient[:] = 0
            gradient[-1] = costs[index, epoch.COST]
            self._ranks.sum(gradient)
            costs[index, epoch.COST] = gradient[-1]
            if not np.isfinite(gradient[-1]):
                status = epoch.DIVERGED
                break
            status = self._part(epoch.UPDATE, *step)
            self._done += 1
        self._finished = self._done - before
        return status

    def _part(
        self, part: int, spans: Array, rates: Array, costs: Array, first_step: int, workers: int
    ) -> int:  # fmt: skip
        self.work.run["part"] = part
        return super().call(spans, rates, costs, first_step, workers)

    @property
    def steps_finished(self) -> int:
        return self._finished
