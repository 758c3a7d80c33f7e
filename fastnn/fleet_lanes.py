"""The training of a fleet with networks in lanes, over the compiled loop: its slices and its threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array, as_kernels_want
from fastnn.fleet_plan import FleetPlan
from fastnn.fleet_workspace import FleetWorkspace
from fastnn.slices import Slices
from fastnn.threads import run_team, step_seconds, threads_for
from fastnn_kernels.team import TEAM_SIZE

FIRST_SLICE = 16  # steps: only measuring tells what a step costs
# A slice carries each group through at least so many steps: its vectors come into cache once a slice.
LEAST_STEPS = 4

State = tuple[Array, list[Array], Array, Array, Array]


class LanesTrainer:
    """The state of a fleet's training: moments, steps done, and who goes on; `MembersTrainer` is another.

    params (n_members, n_params): each row a member's flat vector as `Network`'s, read when a slice begins and
    written when it ends. Who is not `active` keeps what he has; who is `diverged` came to a cost that is not
    finite, and has the parameters of before that step, or to such parameters, and has those of before the
    slice. workers: the most threads that groups are shared out over.
    """

    def __init__(self, plan: FleetPlan, params: Array) -> None:
        self.plan, self.params = plan, params
        self.workers = max(1, min(threads_for(plan.settings.threads), plan.n_groups))
        self.work = FleetWorkspace(plan, self.workers)
        self._loop, self._address = self.work.loop.function(), self.work.run.ctypes.data
        rows = plan.settings.batch_size
        seconds = step_seconds(plan.layers, rows, plan.dtype.itemsize) * plan.n_members / self.workers
        self._slices = Slices(seconds, FIRST_SLICE)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Who goes on (n_members,), a copy."""
        return self.work.active[: self.plan.n_members] != 0

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """Who was stopped by a cost or parameters that are not finite (n_members,), a copy."""
        return self.work.diverged[: self.plan.n_members] != 0

    @property
    def steps_done(self) -> NDArray[np.int64]:
        """Each member's steps (n_members,), a copy."""
        return self.work.steps[: self.plan.n_members].copy()

    def freeze(self, members: Any) -> None:
        """These members, by number or by a mask, go on no more."""
        self.work.active[: self.plan.n_members][members] = 0

    @property
    def moments(self) -> Array:
        """A copy of the optimizer's running means (n_members, n_moments, n_params)."""
        result = np.empty((self.plan.n_members, self.plan.n_moments, self.plan.n_params), self.plan.dtype)
        for number, moment in enumerate(self.work.moments):
            self.work.store(moment, result[:, number])
        return result

    def go_on(self, moments: Array, steps_done: Array) -> None:
        """Continue from these running means, after so many steps of each member."""
        for number, moment in enumerate(self.work.moments):
            self.work.load(moments[:, number], moment)
        self.work.steps[: self.plan.n_members] = steps_done

    def snapshot(self) -> State:
        """What `restore` goes back to."""
        work = self.work
        tables = work.steps.copy(), work.active.copy(), work.diverged.copy()
        return self.params.copy(), [m.copy() for m in work.moments], *tables

    def restore(self, state: State) -> None:
        work = self.work
        self.params[:], moments, work.steps[:], work.active[:], work.diverged[:] = state
        for mine, moment in zip(work.moments, moments, strict=True):
            mine[:] = moment

    def keep(self, members: Any) -> LanesTrainer:
        """These members alone, in this order, packed together, who go on as if nothing had been.

        Their rows of `params` are copies.
        """
        chosen = np.arange(self.plan.n_members)[members]
        kept = LanesTrainer(self.plan.kept(chosen), self.params[chosen])
        kept.go_on(self.moments[chosen], self.steps_done[chosen])
        kept.work.active[: len(chosen)] = self.work.active[chosen]
        kept.work.diverged[: len(chosen)] = self.work.diverged[chosen]
        kept._slices = self._slices
        return kept

    def next_slice(self, share: float = 1.0) -> int:
        """How many steps of all members, or a share of them, the next compiled call would have at most."""
        return max(LEAST_STEPS, self._slices.next(1 / share))

    def train(
        self, X: Array, Y: Array, weights: Array, orders: Array, spans: Array, rates: Array,
        on_slice: Callable[[int, float], None] | None = None, block: slice | None = None,
    ) -> NDArray[np.float64]:  # fmt: skip
        """Step i of member k is over the rows orders[k, spans[k, i, 0] : spans[k, i, 1]]; returns costs.

        X (n, n_in) of all members, or (n_members, n, n_in); Y (n, n_targets) likewise; weights (n,),
        (n_members, n), or (0,) where all are one. orders (n_members, n_positions), or (n_positions,) of all;
        spans (n_members, n_steps, 2), or (n_steps, 2) of all: an empty one is no step of this member. rates
        (n_steps, 3, n_members), or (n_steps, 3) of all: see `Optimizer.corrected`. The costs (n_steps,
        n_members, 2) are each step's mean before its update, and its penalty; NaN where there was no step.
        `on_slice` is told after each slice how many steps it had and their mean cost.

        block: members that alone are trained, from a multiple of the plan's lanes on; orders, spans, rates
        and costs are theirs.
        """
        lanes, n_steps, step = self.plan.lanes, spans.shape[-2], 0
        first, end, _ = (block or slice(None)).indices(self.plan.n_members)
        groups = range(first // lanes, -(-end // lanes))
        share = len(groups) / self.plan.n_groups
        costs = np.full((n_steps, len(groups) * lanes, 2), np.nan)
        kept = self._show(X, Y, weights, orders, spans, rates, costs, groups)
        while step < n_steps:
            last = min(n_steps, step + self.next_slice(share))
            started = time.perf_counter()
            self._call(step, last, groups)
            self._slices.note(last - step, (time.perf_counter() - started) / share)
            if on_slice is not None:
                told = costs[step:last, : end - first].sum(axis=2)
                on_slice(last - step, float(np.nanmean(told)) if np.isfinite(told).any() else np.nan)
            step = last
        del kept
        return costs[:, : end - first]

    def _show(
        self, X: Array, Y: Array, weights: Array, orders: Array, spans: Array, rates: Array, costs: Array,
        groups: range,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Tell the loop where these stand; what must stay alive while it reads them.

        The loop counts members from the fleet's first one, so that tables of some begin before their memory.
        """
        work, plan, run = self.work, self.plan, self.work.run[0]
        work.show(self.params)
        data = [as_kernels_want(x, plan.dtype) for x in (X, Y, weights)]
        orders, spans = as_kernels_want(orders, np.int64), as_kernels_want(spans, np.int64)
        padding, first = work.padding(), groups.start * plan.lanes
        # A set of rows of each member's own stands behind that of the one before.
        firsts = [
            padding * (x.shape[1] if x.ndim > own else 0) for x, own in zip(data, (2, 2, 1), strict=True)
        ]
        here = padding[first : groups.stop * plan.lanes] - first
        addresses = orders.ctypes.data + (here * orders.strides[0] if orders.ndim == 2 else 0 * here)
        if spans.ndim == 3:
            spans = spans[here]
        if rates.ndim == 2:
            rates = np.repeat(rates[..., None], len(here), axis=2)
        elif rates.shape[2] < len(here):  # lanes are left over
            rates = rates.take(here, axis=2)
        rates = as_kernels_want(rates, np.float64)
        span_row = 2 * spans.shape[1] if spans.ndim == 3 else 0
        work.put(
            run, x=data[0].ctypes.data, y=data[1].ctypes.data, x_firsts=firsts[0].ctypes.data,
            y_firsts=firsts[1].ctypes.data, weight_firsts=firsts[2].ctypes.data,
            weights=data[2].ctypes.data if data[2].size else 0, orders=addresses.ctypes.data - 8 * first,
            spans=spans.ctypes.data - 8 * first * span_row, span_row=span_row, told_row=len(here),
            rates=rates.ctypes.data - 8 * first, costs_told=costs.ctypes.data - 16 * first,
        )  # fmt: skip
        return *data, *firsts, orders, addresses, spans, rates

    def _call(self, first: int, last: int, groups: range) -> None:
        """One compiled call: these groups through these steps."""
        self.work.taken[:] = groups.start
        self.work.put(self.work.run[0], first_step=first, last_step=last, n_groups=groups.stop)
        run_team(self.workers, np.zeros(TEAM_SIZE, np.int64), self._enter)

    def _enter(self, worker: int) -> int:
        return int(self._loop(self._address, worker))
