"""One trainer for all members of a fleet, in whichever way suits their shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.fleet_lanes import LanesEngine
from fastnn.fleet_members import MembersEngine
from fastnn.fleet_plan import LANES, MEMBERS, FleetPlan

ENGINES: dict[str, type[LanesEngine] | type[MembersEngine]] = {LANES: LanesEngine, MEMBERS: MembersEngine}


class FleetTrainer:
    """The state of a fleet's training: moments, steps done, and who goes on.

    params (n_members, n_params): each row a member's flat vector as `Network`'s, read when `train` begins and
    written when it ends. Who is not `active` keeps what he has; who is `diverged` came to a cost that is not
    finite, and has the parameters of before that step.
    """

    def __init__(self, plan: FleetPlan, params: Array) -> None:
        self._engine = ENGINES[plan.arrangement](plan, params)

    @property
    def plan(self) -> FleetPlan:
        return self._engine.plan

    @property
    def workers(self) -> int:
        """The most threads that groups are shared out over."""
        return self._engine.workers

    @property
    def params(self) -> Array:
        return self._engine.params

    @property
    def active(self) -> NDArray[np.bool_]:
        """Who goes on (n_members,), a copy."""
        return self._engine.active

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """Who was stopped by a cost that is not finite (n_members,), a copy."""
        return self._engine.diverged

    @property
    def steps_done(self) -> NDArray[np.int64]:
        """Each member's steps (n_members,), a copy."""
        return self._engine.steps_done

    @property
    def moments(self) -> Array:
        """A copy of the optimizer's running means (n_members, n_moments, n_params)."""
        return self._engine.moments

    def go_on(self, moments: Array, steps_done: Array) -> None:
        """Continue from these running means, after so many steps of each member."""
        self._engine.go_on(moments, steps_done)

    def freeze(self, members: Any) -> None:
        """These members, by number or by a mask, go on no more."""
        self._engine.freeze(members)

    def keep(self, members: Any) -> None:
        """Go on with these members alone, in this order, packed together: the plan, `params` and all else are
        of them from now on. Their rows of `params` are copies.
        """
        chosen = np.arange(self.plan.n_members)[members]
        self._engine = self._engine.keep(chosen)

    def snapshot(self) -> Any:
        """What `restore` goes back to, for as long as the members are the same."""
        return self._engine.snapshot()

    def restore(self, state: Any) -> None:
        self._engine.restore(state)

    def next_slice(self) -> int:
        """How many steps of all members the next compiled call would have at most."""
        return self._engine.next_slice()

    def train(
        self,
        X: Array,
        Y: Array,
        weights: Array,
        orders: NDArray[np.int64],
        spans: NDArray[np.int64],
        rates: NDArray[np.float64],
        on_slice: Callable[[int, float], None] | None = None,
        block: slice | None = None,
    ) -> NDArray[np.float64]:
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
        return self._engine.train(X, Y, weights, orders, spans, rates, on_slice, block)
