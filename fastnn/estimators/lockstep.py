"""Many fits at once: those of one shape are one fleet, whose members keep step from epoch to epoch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.estimators.blocks import Blocks
from fastnn.estimators.shuffles import Shuffles
from fastnn.estimators.stochastic import Stochastic
from fastnn.fleet_plan import FleetPlan
from fastnn.fleet_trainer import FleetTrainer, fleet_trainer
from fastnn.trainer import DivergenceError, Trainer

# The rows' numbers of the epochs of all members that one call may have: 64 MiB of them.
MOST_POSITIONS = 1 << 23
# When no more than this share of a fleet is left, those are packed together.
PACKED_SHARE = 0.75


def train_together(runs: Sequence[Stochastic]) -> list[Exception | None]:
    """Train all of these to their ends, each by its own rules; what went wrong with each, or None.

    A member's numbers depend neither on the others nor on the number of threads.
    """
    fleets: dict[Any, list[int]] = defaultdict(list)
    kinds: dict[int, Any] = {}  # twins have one table of layers
    for number, run in enumerate(runs):
        table = id(run.plan.layers)
        if table not in kinds or run.plan.sparse or run.plan.bfloat16:
            kinds[table] = _kind(run, number)
        fleets[kinds[table]].append(number)
    errors: dict[int, Exception] = {}
    for numbers in fleets.values():
        if len(numbers) == 1:
            _attempt(errors, numbers[0], lambda run=runs[numbers[0]]: _alone(run))  # type: ignore[misc]
        else:
            Lockstep({number: runs[number] for number in numbers}, errors).drive()
    return [errors.get(number) for number in range(len(runs))]


def _kind(run: Stochastic, number: int) -> Any:
    """Equal of runs that can be members of one fleet."""
    plan, settings, layers = run.plan, run.plan.settings, run.plan.layers.copy()
    if plan.sparse or plan.bfloat16:
        return number
    layers["keep"] = 1
    shape = layers.tobytes(), plan.dtype.str, plan.cost, plan.n_targets, plan.weighted
    return *shape, settings.optimizer.kernel, replace(settings, l2=0.0, optimizer=type(settings.optimizer)())


def _attempt(errors: dict[int, Exception], number: int, work: Callable[[], None]) -> bool:
    """Whether a member's work could be done; if not, why stands in `errors`."""
    try:
        work()
    except Exception as error:
        errors[number] = error
    return number not in errors


def _alone(run: Stochastic) -> None:
    with run.hooks:
        trainer = Trainer.of(run.own_plan(), run.params)
        run.train(trainer)
        trainer.spare()


class Lockstep:
    """The epochs of a fleet whose members have rules, rows, orders and rates of their own.

    runs: by any number, under which `errors` is told what went wrong with one.
    """

    def __init__(self, runs: dict[int, Stochastic], errors: dict[int, Exception]) -> None:
        self._runs, self._errors = runs, errors
        self._seats = list(runs)  # who is in the trainer; of those some may be through
        self._going = dict.fromkeys(runs)
        self._known_spans: dict[int, NDArray[np.int64]] = {}
        first = next(iter(runs.values()))
        shared, plans = first.plan, [run.plan for run in runs.values()]
        self._batch = first.batch_size
        blocks = Blocks(run.rows for run in runs.values())
        self._first = dict(zip(runs, blocks.firsts, strict=True))
        self._data = blocks.joined()
        plan = FleetPlan.of(
            shared.layers, shared.dtype, shared.cost, shared.n_targets, shared.weighted, shared.settings,
            [plan.seed for plan in plans], l2=[run.l2 for run in runs.values()],
            betas=[run.solver.optimizer.betas for run in runs.values()],
            keeps=[plan.layers["keep"] for plan in plans],
        )  # fmt: skip
        params = np.stack([run.params for run in runs.values()])
        self._trainer: FleetTrainer = fleet_trainer(plan, params)
        if any(run.solver.moments is not None for run in runs.values()):
            shape = plan.n_moments, plan.n_params
            moments = [
                np.zeros(shape, plan.dtype) if run.solver.moments is None else run.solver.moments
                for run in runs.values()
            ]
            self._trainer.go_on(np.stack(moments), np.array([run.solver.steps for run in runs.values()]))

    def drive(self) -> None:
        """Epochs until nobody is left who wants another one."""
        self._share_orders()
        with ExitStack() as stack:
            for number in self._seats:
                if self._runs[number].hooks.wanted:
                    self._try(number, lambda run: stack.enter_context(run.hooks))
            while most := self._leave():
                for number in self._going:
                    if self._runs[number].hooks.wanted:
                        self._try(number, lambda run: run.begin())
                self._epochs(most)
        self._settle(self._seats)

    def _try(self, number: int, work: Callable[[Stochastic], Any]) -> bool:
        return _attempt(self._errors, number, lambda: work(self._runs[number]))

    def _share_orders(self) -> None:
        """Who would draw the same orders as another takes his."""
        known: dict[bytes, Shuffles] = {}
        given = {id(run.shuffles): run.shuffles for run in self._runs.values()}
        shared = {key: known.setdefault(one.source, one) for key, one in given.items()}
        for run in self._runs.values():
            run.shuffles = shared[id(run.shuffles)]

    def _leave(self) -> int:
        """How many epochs those want at least who are left when those are gone who are through, or failed."""
        wanted = {
            number: self._runs[number].undecided() for number in self._going if number not in self._errors
        }
        staying = [number for number, epochs in wanted.items() if epochs]
        if len(staying) < len(self._going):
            places = {number: place for place, number in enumerate(self._seats)}
            self._trainer.freeze([places[number] for number in self._going if not wanted.get(number)])
            self._going = dict.fromkeys(staying)
            if staying and len(staying) <= PACKED_SHARE * len(self._seats):
                self._settle([number for number in self._seats if number not in self._going])
                self._trainer = self._trainer.keep([places[number] for number in staying])
                self._seats, self._known_spans = list(staying), {}
        return min((wanted[number] for number in staying), default=0)

    def _settle(self, numbers: Sequence[int]) -> None:
        """Leave the running means with these, who are through or go on elsewhere."""
        places, moments = {number: place for place, number in enumerate(self._seats)}, self._trainer.moments
        for number in numbers:
            self._runs[number].solver.moments = moments[places[number]].copy()

    def _epochs(self, most: int) -> None:
        """So many epochs of all, or fewer."""
        runs = [self._runs[number] for number in self._seats]
        n_rows = max(run.n_rows for run in runs)
        n_steps = -(-n_rows // self._batch)
        fitting = min(self._trainer.next_slice() // n_steps, MOST_POSITIONS // (n_rows * len(runs)))
        count = max(1, min(most, fitting))
        orders, rates = self._orders(count, n_rows), np.zeros((len(runs), count, n_steps, 3))
        for run, own in zip(runs, rates, strict=True):
            own[:, : run.per_epoch] = run.rates(run.per_epoch, count).reshape(count, -1, 3)
        for place, run in enumerate(runs):
            if run.hooks.wanted:  # which may have changed them
                self._trainer.params[place] = run.params
        spans = self._spans(count, n_rows, n_steps)
        steps = spans.reshape(len(runs), -1, 2), rates.reshape(len(runs), -1, 3).transpose(1, 2, 0)
        costs = self._trainer.train(*self._data, orders, *steps)
        sizes = (spans[..., 1] - spans[..., 0])[..., None]
        told = costs.reshape(count, n_steps, -1, 2).transpose(2, 0, 1, 3)
        rows = np.array([run.n_rows for run in runs])[:, None, None]
        means = np.where(sizes > 0, told * sizes, 0).sum(axis=2) / rows
        diverged = self._trainer.diverged
        for place, (number, run) in enumerate(zip(self._seats, runs, strict=True)):
            if number in self._going and number not in self._errors:
                run.params[:] = self._trainer.params[place]
                try:
                    self._note(run, means[place], bool(diverged[place]))
                except Exception as error:
                    self._errors[number] = error

    def _orders(self, count: int, n_rows: int) -> NDArray[np.int64]:
        """The numbers of the rows of the next epochs of all (n_members, count * n_rows)."""
        orders, known, which = [np.zeros((count, n_rows), np.int64)], dict[tuple[int, int], int](), []
        for number in self._seats:
            run, first = self._runs[number], self._first[number]
            key = id(run.shuffles), first
            if number in self._going and key not in known:
                order = np.zeros((count, n_rows), np.int64)
                try:
                    order[:, : run.n_rows] = run.order(run.rows, 0, count) + first
                except Exception as error:
                    self._errors[number] = error
                known[key] = len(orders)
                orders.append(order)
            which.append(known.get(key, 0))
        return np.stack(orders).reshape(len(orders), -1)[which]

    def _spans(self, count: int, n_rows: int, n_steps: int) -> NDArray[np.int64]:
        """The batches (n_members, count, n_steps, 2); an epoch has n_rows positions."""
        if count not in self._known_spans:
            rows = np.array([self._runs[number].n_rows for number in self._seats])[:, None, None]
            starts = np.minimum(np.arange(0, n_steps * self._batch, self._batch), rows)
            spans = np.stack([starts, np.minimum(starts + self._batch, rows)], axis=-1)
            self._known_spans[count] = spans + n_rows * np.arange(count)[:, None, None]
        return self._known_spans[count]

    @staticmethod
    def _note(run: Stochastic, costs: Array, diverged: bool) -> None:
        if diverged:
            good = int(np.isfinite(costs).all(axis=1).argmin())
            if good:
                run.note(costs[:good], 0.0)
            run.diverged(DivergenceError("the cost is not finite"))
        else:
            run.note(costs, 0.0)
