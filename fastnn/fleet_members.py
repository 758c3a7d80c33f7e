"""The training of a fleet whose members fill the tiles by themselves: one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.fleet_plan import FleetPlan
from fastnn.optimizers import Rule
from fastnn.plan import Plan
from fastnn.trainer import DivergenceError, Trainer

TURN = 1 / 8  # of the time of a slice


class MembersTrainer:
    """As `LanesTrainer`, but each member is trained by itself: see there.

    Members of equal plans take turns in one trainer, as if each went on in a trainer of its own.
    """

    workers = 1  # at members; at each of them its own trainer has more

    def __init__(self, plan: FleetPlan, params: Array, trainers: list[Trainer] | None = None) -> None:
        self.plan, self.params = plan, params
        self._active = np.ones(plan.n_members, bool)
        self._diverged = np.zeros(plan.n_members, bool)
        self._steps = np.zeros(plan.n_members, np.int64)
        self._trainers = trainers or self._new_trainers()
        here = self._trainers[0].moments_here
        self._moments = np.zeros((plan.n_members, len(here), here[0].size if here else 0), plan.dtype)

    def _new_trainers(self) -> list[Trainer]:
        """Each member's."""
        kernel, known, result = self.plan.settings.optimizer.kernel, dict[Plan, Trainer](), []
        for k, betas in enumerate(self.plan.betas.tolist()):
            plan = self.plan.alone(k, Rule(name=kernel, decay_rates=tuple(betas)))
            if plan not in known:
                known[plan] = Trainer(plan, self.params[k])
            result.append(known[plan])
        return result

    def _seated(self, k: int) -> Trainer:
        """The trainer of this member, which is in it now; `_risen` must follow."""
        trainer = self._trainers[k]
        trainer.params, trainer.steps_done = self.params[k], int(self._steps[k])
        for here, own in zip(trainer.moments_here, self._moments[k], strict=True):
            here[:] = own
        return trainer

    def _risen(self, k: int) -> None:
        """Keep what this member's trainer has come to."""
        trainer = self._trainers[k]
        self._steps[k] = trainer.steps_done
        for here, own in zip(trainer.moments_here, self._moments[k], strict=True):
            own[:] = here

    @property
    def active(self) -> NDArray[np.bool_]:
        return self._active.copy()

    @property
    def diverged(self) -> NDArray[np.bool_]:
        return self._diverged.copy()

    @property
    def steps_done(self) -> NDArray[np.int64]:
        return self._steps.copy()

    def freeze(self, members: Any) -> None:
        self._active[members] = False

    @property
    def moments(self) -> Array:
        return np.stack([self._seated(k).moments for k in range(self.plan.n_members)])

    def go_on(self, moments: Array, steps_done: Array) -> None:
        for k, (own, steps) in enumerate(zip(moments, steps_done, strict=True)):
            self._seated(k).go_on(own, int(steps))
            self._risen(k)

    def snapshot(self) -> Any:
        return [x.copy() for x in (self.params, self._moments, self._steps, self._active, self._diverged)]

    def restore(self, state: Any) -> None:
        self.params[:], self._moments[:], self._steps[:], self._active[:], self._diverged[:] = state

    def keep(self, members: Any) -> MembersTrainer:
        chosen = np.arange(self.plan.n_members)[members]
        trainers = [self._trainers[k] for k in chosen]
        kept = MembersTrainer(self.plan.kept(chosen), self.params[chosen], trainers)
        kept.restore([x[chosen] for x in self.snapshot()])
        return kept

    def next_slice(self) -> int:
        """The steps of each member's turn: some milliseconds, beside which a tenth of one is little.

        In whole slices the last member's first turn would come after seconds, and a Ctrl-C before it.
        """
        return self._trainers[0].next_slice(TURN)

    def train(
        self, X: Array, Y: Array, weights: Array, orders: Array, spans: Array, rates: Array,
        on_slice: Callable[[int, float], None] | None = None, block: slice | None = None,
    ) -> NDArray[np.float64]:  # fmt: skip
        first, end, _ = (block or slice(None)).indices(self.plan.n_members)
        costs = np.full((spans.shape[-2], end - first, 2), np.nan)
        for place in np.flatnonzero(self._active[first:end]):
            k = int(first + place)
            own = spans[place] if spans.ndim == 3 else spans
            taken = np.flatnonzero(own[:, 1] > own[:, 0])
            x, y, w = (a[k] if a.ndim > n else a for a, n in zip((X, Y, weights), (2, 2, 1), strict=True))
            order, rate = (
                orders[place] if orders.ndim == 2 else orders,
                rates[..., place] if rates.ndim == 3 else rates,
            )
            rate = np.ascontiguousarray(rate[taken])
            trainer, before = self._seated(k), self.params[k].copy()
            try:
                told = trainer.train(x, y, w, order, own[taken], rate)
            except DivergenceError:
                self._active[k], self._diverged[k] = False, True
            else:
                costs[taken, place] = told
                if on_slice is not None:
                    on_slice(0, float(told.sum(axis=1).mean()) if len(told) else np.nan)
            finally:
                self._risen(k)
                if not np.isfinite(self.params[k]).all():
                    self.params[k], self._active[k], self._diverged[k] = before, False, True
        if on_slice is not None:
            on_slice(len(costs), float(np.nanmean(costs.sum(axis=2))) if np.isfinite(costs).any() else np.nan)
        return costs
