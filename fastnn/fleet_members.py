"""The training of a fleet whose members fill the tiles by themselves: one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.fleet_plan import FleetPlan
from fastnn.optimizers import Rule
from fastnn.trainer import DivergenceError, Trainer


class MembersEngine:
    """What `FleetTrainer` does where members are trained one after another: see there."""

    def __init__(self, plan: FleetPlan, params: Array, trainers: list[Trainer] | None = None) -> None:
        self.plan, self.params = plan, params
        kernel = plan.settings.optimizer.kernel
        self.workers = 1  # at members; at each of them its own trainer has more
        self._active = np.ones(plan.n_members, bool)
        self._diverged = np.zeros(plan.n_members, bool)
        self._trainers = trainers or [
            Trainer(plan.alone(k, Rule(name=kernel, decay_rates=(float(b[0]), float(b[1])))), row)
            for k, (b, row) in enumerate(zip(plan.betas, params, strict=True))
        ]
        for trainer, row in zip(self._trainers, params, strict=True):
            trainer.params = row

    @property
    def active(self) -> NDArray[np.bool_]:
        return self._active.copy()

    @property
    def diverged(self) -> NDArray[np.bool_]:
        return self._diverged.copy()

    @property
    def steps_done(self) -> NDArray[np.int64]:
        return np.array([trainer.steps_done for trainer in self._trainers], np.int64)

    def freeze(self, members: Any) -> None:
        self._active[members] = False

    @property
    def moments(self) -> Array:
        return np.stack([trainer.moments for trainer in self._trainers])

    def go_on(self, moments: Array, steps_done: Array) -> None:
        for trainer, own, steps in zip(self._trainers, moments, steps_done, strict=True):
            trainer.go_on(own, int(steps))

    def snapshot(self) -> Any:
        return [trainer.snapshot() for trainer in self._trainers], self._active.copy(), self._diverged.copy()

    def restore(self, state: Any) -> None:
        own, self._active[:], self._diverged[:] = state
        for trainer, snapshot in zip(self._trainers, own, strict=True):
            trainer.restore(snapshot)

    def keep(self, members: NDArray[np.int64]) -> MembersEngine:
        trainers = [self._trainers[k] for k in members]
        kept = MembersEngine(self.plan.kept(members), self.params[members], trainers)
        kept._active[:], kept._diverged[:] = self._active[members], self._diverged[members]
        return kept

    def next_slice(self) -> int:
        return max(1, self._trainers[0].next_slice() // len(self._trainers))

    def train(
        self, X: Array, Y: Array, weights: Array, orders: Array, spans: Array, rates: Array,
        on_slice: Callable[[int, float], None] | None = None, block: slice | None = None,
    ) -> NDArray[np.float64]:  # fmt: skip
        first, end, _ = (block or slice(None)).indices(self.plan.n_members)
        costs = np.full((spans.shape[-2], end - first, 2), np.nan)
        for place in np.flatnonzero(self._active[first:end]):
            k = first + place
            own = spans[place] if spans.ndim == 3 else spans
            taken = np.flatnonzero(own[:, 1] > own[:, 0])
            x, y, w = (a[k] if a.ndim > n else a for a, n in zip((X, Y, weights), (2, 2, 1), strict=True))
            order, rate = (
                orders[place] if orders.ndim == 2 else orders,
                rates[..., place] if rates.ndim == 3 else rates,
            )
            rate = np.ascontiguousarray(rate[taken])
            try:
                told = self._trainers[k].train(x, y, w, order, own[taken], rate)
            except DivergenceError:
                self._active[k], self._diverged[k] = False, True
            else:
                costs[taken, place] = told
                if on_slice is not None:
                    on_slice(0, float(told.sum(axis=1).mean()) if len(told) else np.nan)
        if on_slice is not None:
            on_slice(len(costs), float(np.nanmean(costs.sum(axis=2))) if np.isfinite(costs).any() else np.nan)
        return costs
