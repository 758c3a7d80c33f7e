"""The training of a fleet whose members fill the tiles by themselves: each in a trainer of one network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.fleet_plan import FleetPlan
from fastnn.plan import Plan
from fastnn.threads import end_if_given_up, threads_for, trainings_in
from fastnn.trainer import DivergenceError, Trainer

TURN = 1 / 8  # of the time of a slice


class MembersTrainer:
    """As `LanesTrainer`, but each member is trained by itself: see there.

    In each thread members that drop units alike take turns in one trainer, as if each went on in a trainer of
    its own. Fewer members than threads come one after another, and each has all threads.
    """

    def __init__(self, plan: FleetPlan, params: Array) -> None:
        self.plan, self.params = plan, params
        threads = threads_for(plan.settings.threads)
        self.workers = threads if threads <= plan.n_members else 1
        self._active = np.ones(plan.n_members, bool)
        self._diverged = np.zeros(plan.n_members, bool)
        self._steps = np.zeros(plan.n_members, np.int64)
        self._plans, self._which = self._shared_plans()
        self._first: dict[int, Trainer] = {}  # the trainers of this thread; each other one has its own
        self._free = [self._first, *({} for _ in range(self.workers - 1))]
        for k in np.unique(self._which, return_index=True)[1]:
            self._trainer(k, self._first)  # compiles what is needed, in this thread
        # With dropout parameters may stand in another layout, which pads them.
        longest = max(max((m.size for m in t.moments_here), default=0) for t in self._first.values())
        self._moments = np.zeros((plan.n_members, plan.n_moments, longest), plan.dtype)

    def _shared_plans(self) -> tuple[list[Plan], list[int]]:
        """The plans that are needed, and which of them is each member's."""
        plan = self.plan
        if self.workers > 1:
            plan = replace(plan, settings=replace(plan.settings, threads=1))
        _, firsts, which = np.unique(plan.keeps, axis=0, return_index=True, return_inverse=True)
        return [plan.alone(k) for k in firsts], which.ravel().tolist()

    def _trainer(self, k: int, trainers: dict[int, Trainer]) -> Trainer:
        """Of these trainers the one for this member."""
        which = self._which[k]
        if which not in trainers:
            trainers[which] = Trainer(self._plans[which], self.params[k])
        return trainers[which]

    def _seated(self, k: int, trainers: dict[int, Trainer]) -> Trainer:
        """The trainer that this member is in now; `_risen` must follow."""
        trainer, plan = self._trainer(k, trainers), self.plan
        trainer.params, trainer.steps_done = self.params[k], int(self._steps[k])
        trainer.tune(plan.l2[k], plan.betas[k], plan.seeds[k])
        for here, own in zip(trainer.moments_here, self._moments[k], strict=True):
            here[:] = own[: here.size]
        return trainer

    def _risen(self, k: int, trainer: Trainer) -> None:
        """Keep what this member's trainer has come to."""
        self._steps[k] = trainer.steps_done
        for here, own in zip(trainer.moments_here, self._moments[k], strict=True):
            own[: here.size] = here

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
        result = np.empty((*self._moments.shape[:2], self.plan.n_params), self.plan.dtype)
        for k, moments in enumerate(result):
            self._trainer(k, self._first).store(self._moments[k], moments)
        return result

    def go_on(self, moments: Array, steps_done: Array) -> None:
        for k, given in enumerate(moments):
            self._trainer(k, self._first).load(given, self._moments[k])
        self._steps[:] = steps_done

    def snapshot(self) -> Any:
        return [x.copy() for x in (self.params, self._moments, self._steps, self._active, self._diverged)]

    def restore(self, state: Any) -> None:
        self.params[:], self._moments[:], self._steps[:], self._active[:], self._diverged[:] = state

    def keep(self, members: Any) -> MembersTrainer:
        chosen = np.arange(self.plan.n_members)[members]
        kept = MembersTrainer(self.plan.kept(chosen), self.params[chosen])
        kept.go_on(self.moments[chosen], self._steps[chosen])
        kept._active[:], kept._diverged[:] = self._active[chosen], self._diverged[chosen]
        return kept

    def next_slice(self) -> int:
        """The steps of each member's turn: some milliseconds, beside which a tenth of one is little.

        In whole slices the last member's first turn would come after seconds, and a Ctrl-C before it.
        """
        return self._trainer(0, self._first).next_slice(TURN)

    def train(
        self, X: Array, Y: Array, weights: Array, orders: Array, spans: Array, rates: Array,
        on_slice: Callable[[int, float], None] | None = None, block: slice | None = None,
    ) -> NDArray[np.float64]:  # fmt: skip
        first, end, _ = (block or slice(None)).indices(self.plan.n_members)
        costs = np.full((spans.shape[-2], end - first, 2), np.nan)
        steps = spans[..., 1] > spans[..., 0]  # an empty one is none
        everywhere = steps.all()

        def turn(place: int) -> int:
            """The steps of the member at this place of the block."""
            k, own = int(first + place), spans[place] if spans.ndim == 3 else spans
            taken = slice(None) if everywhere else steps[place] if spans.ndim == 3 else steps
            x, y, w = (a[k] if a.ndim > n else a for a, n in zip((X, Y, weights), (2, 2, 1), strict=True))
            order = orders[place] if orders.ndim == 2 else orders
            rate = np.ascontiguousarray((rates[..., place] if rates.ndim == 3 else rates)[taken])
            trainers = self._free.pop() if self._free else {}  # none after a Ctrl-C in this line
            trainer, before = self._seated(k, trainers), self.params[k].copy()
            try:
                costs[taken, place] = trainer.train(x, y, w, order, own[taken], rate, after_slice)
            except DivergenceError:
                self._active[k], self._diverged[k] = False, True
            finally:
                self._risen(k, trainer)
                self._free.append(trainers)
                if not np.isfinite(self.params[k]).all():
                    self.params[k], self._active[k], self._diverged[k] = before, False, True
            return place

        chosen = np.flatnonzero(self._active[first:end]).tolist()
        with trainings_in(self.workers) if self.workers > 1 else nullcontext() as pool:
            for place in pool.map(turn, chosen) if pool else map(turn, chosen):
                if on_slice is not None:
                    on_slice(0, mean_of(costs[:, place]))
        if on_slice is not None:
            on_slice(len(costs), mean_of(costs))
        return costs


def after_slice(steps: int, cost: float) -> None:
    end_if_given_up()


def mean_of(costs: Array) -> float:
    """The mean cost with its penalty, of the steps that have one; costs (..., 2)."""
    told = costs.sum(axis=-1)
    told = told[np.isfinite(told)]
    return float(told.mean()) if told.size else np.nan
