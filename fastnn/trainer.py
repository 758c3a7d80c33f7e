"""One run of training over the compiled loop: its slices, its threads, and the way back from a slice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array, as_kernels_want, is_readable
from fastnn.fit_memory import FitMemory
from fastnn.lines_workspace import LinesWorkspace
from fastnn.memory import address
from fastnn.pairs_workspace import PairsWorkspace
from fastnn.plan import Plan
from fastnn.slices import Slices
from fastnn.threads import Pace, run_team, step_seconds
from fastnn.workspace import PanelWorkspace
from fastnn_kernels import epoch
from fastnn_kernels.lines import PAIRS, SAMPLES, UNITS

# How many trainers are put by, none of which has more memory.
MOST_SPARE, MOST_SPARE_BYTES = 8, 1 << 20
FIRST_SLICE = 64  # steps: only measuring tells what a step costs
TRIAL = 8  # a slice that compares a team with one thread has so many times fewer steps
# Rows of a file of another type are converted this many bytes at a time.
CONVERTED_BYTES = 4 << 20
WORKSPACES: dict[str, type[FitMemory]] = {
    UNITS: PanelWorkspace,
    SAMPLES: LinesWorkspace,
    PAIRS: PairsWorkspace,
}


class DivergenceError(ArithmeticError):
    """The cost is no longer finite: the learning rate is too high, or the data are not scaled.

    >>> from fastnn import Network
    >>> X = np.linspace(0.0, 1e6, 100).reshape(-1, 1)
    >>> Network([1, 8, 1], seed=0).fit(X, X, epochs=20, optimizer="sgd")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    DivergenceError: epoch 1: the cost is no longer finite
    """


class Engine:
    """A workspace, and the compiled call that all workers enter."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.work = plan, WORKSPACES[plan.lanes](plan)
        self._loop, self._address = self.work.loop.function(), self.work.run.ctypes.data
        self._data: tuple[Any, ...] = ()

    def show(self, X: Any, Y: Array, weights: Array, order: NDArray[np.int64]) -> None:
        """Let the loop read these data, which stay alive until the next ones are shown."""
        plan, dtype = self.plan, self.plan.dtype
        if plan.sparse:
            types: tuple[Any, ...] = dtype, np.int32, np.int64
            parts = [as_kernels_want(x, t) for x, t in zip((X.data, X.indices, X.indptr), types, strict=True)]
        else:
            parts = [as_kernels_want(X, dtype)]
        Y, order = as_kernels_want(Y, dtype), as_kernels_want(order, np.int64)
        self._data = *parts, Y, weights, order
        run, addresses = self.work.run[0], [address(x) for x in parts]
        run["x"], run["x_bytes"] = addresses[0], 0 if plan.sparse else parts[0].strides[0]
        if plan.sparse:
            run["indices"], run["indptr"] = addresses[1:]
        run["y"], run["order"] = address(Y), address(order)
        run["weights"] = address(weights) if weights.size else 0

    def forget(self) -> None:
        """Let the data go."""
        self._data = ()

    def call(self, spans: Array, rates: Array, costs: Array, first_step: int, workers: int) -> int:
        """One compiled call over these steps, by all workers; this thread is the first. How it ended."""
        spans, rates = as_kernels_want(spans, np.int64), as_kernels_want(rates, np.float64)
        run, team, done = self.work.run[0], self.work.team, self.work.done
        team[:] = done[0] = 0
        run["spans"], run["rates"], run["costs_told"] = address(spans), address(rates), address(costs)
        run["n_steps"], run["first_step"], run["workers"] = len(spans), first_step, workers
        run["shares"] = address(self.work.shares[workers])
        return run_team(workers, team, self.enter)

    def enter(self, worker: int) -> int:
        """One worker's part of the compiled call."""
        return int(self._loop(self._address, worker))

    @property
    def steps_finished(self) -> int:
        """Of the last call, however it ended."""
        return int(self.work.done[0])


class Trainer:
    """The state of a run: moments, steps done and workspace for one network, cost and largest batch.

    params: the user's flat vector, read when `train` begins and written when it ends. In between the
    parameters live in the fit's own layout. engine: one of the plan, if not the usual one.
    """

    def __init__(self, plan: Plan, params: Array, engine: Engine | None = None) -> None:
        self.plan, self.params, self.settings, self.workers = plan, params, plan.settings, plan.workers
        self.steps_done, self._engine = 0, engine or Engine(plan)
        self._copies: list[Array] = []
        seconds = step_seconds(plan.layers, plan.capacity, plan.dtype.itemsize, plan.sparse)
        self._slices = Slices(seconds / plan.workers, FIRST_SLICE)
        self._pace = Pace(plan.workers, fixed=plan.settings.threads != "auto")

    @classmethod
    def of(cls, plan: Plan, params: Array) -> Trainer:
        """A trainer at its first step, where possible one that `spare` has put by."""
        trainer = _spare.pop(plan, None)
        if trainer is None:
            return cls(plan, params)
        trainer.start_again(params)
        return trainer

    def start_again(self, params: Array) -> None:
        """Take other parameters, from the first step on."""
        self.params, self.steps_done = params, 0
        for moment in self.moments_here:
            moment[:] = 0

    def spare(self) -> None:
        """Put it by for the next run of the same plan: to make one takes longer than a small fit."""
        self.params = np.empty(0, self.params.dtype)  # not the vector of the run that is over
        self._copies.clear()
        if self._engine.work.nbytes <= MOST_SPARE_BYTES:
            _spare[self.plan] = self
            for plan in list(_spare)[:-MOST_SPARE]:
                _spare.pop(plan, None)  # another thread may have taken it

    def tune(self, l2: float, betas: Array, seed: int) -> None:
        """From now on with these in the place of the plan's; a penalty only where the plan has one."""
        self._engine.work.tune(l2, betas, seed)

    @property
    def moments_here(self) -> list[Array]:
        """The optimizer's running means as they stand here, which may be changed."""
        return self._engine.work.moments

    @property
    def moments(self) -> Array:
        """A copy of the optimizer's running means (n_moments, n_params), in the order of the parameters."""
        result = np.empty((len(self.moments_here), self.params.size), self.params.dtype)
        self.store(self.moments_here, result)
        return result

    def store(self, here: Sequence[Array] | Array, moments: Array) -> None:
        """Write `moments`, in the order of the parameters, of such as stand here, or begin longer vectors."""
        work = self._engine.work
        for source, vector in zip(here, moments, strict=True):
            work.store(source[: work.fit.size], vector)

    def load(self, moments: Array, here: Sequence[Array] | Array) -> None:
        """The way back: write `here` of `moments`."""
        work = self._engine.work
        for vector, target in zip(moments, here, strict=True):
            work.load(as_kernels_want(vector, self.params.dtype), target[: work.fit.size])

    def go_on(self, moments: Array, steps_done: int) -> None:
        """Continue from these running means, after so many steps."""
        self.load(moments, self.moments_here)
        self.steps_done = steps_done

    def snapshot(self) -> tuple[Array, list[Array], int]:
        """What `restore` goes back to: parameters, moments and the like as they stand here, steps done.

        The copies are overwritten by the next ones: new memory took three times as long as to copy into it.
        """
        now = [self.params, *self._engine.work.state]
        self._copies = self._copies or [np.empty_like(vector) for vector in now]
        for copy, vector in zip(self._copies, now, strict=True):
            copy[:] = vector
        return self._copies[0], self._copies[1:], self.steps_done

    def restore(self, state: tuple[Array, list[Array], int]) -> None:
        self.params[:], vectors, self.steps_done = state
        for mine, vector in zip(self._engine.work.state, vectors, strict=True):
            mine[:] = vector

    def next_slice(self, share: float = 1.0) -> int:
        """How many steps the next compiled call would have at most; share: of the usual time."""
        return self._slices.next(share)

    def train(
        self,
        X: Any,
        Y: Array,
        weights: Array,
        order: NDArray[np.int64],
        spans: NDArray[np.int64],
        rates: NDArray[np.float64],
        on_slice: Callable[[int, float], None] | None = None,
    ) -> NDArray[np.float64]:
        """Step i is over the rows order[spans[i, 0] : spans[i, 1]]; returns costs (n_steps, 2).

        X (n, n_in), or CSR from scipy.sparse; Y (n, n_targets); weights (n,) or (0,). Steps may go through
        any number of epochs, and share parts of `order`. rates (n_steps, 3): see `Optimizer.corrected`. A
        row of the result is a step's mean cost before its update, and its penalty. `on_slice` is told after
        each slice how many steps it had and their mean cost. Raises DivergenceError before the update of a
        step whose cost is not finite. An exception between slices leaves whole steps behind it.
        """
        engine, work = self._engine, self._engine.work
        costs = np.zeros((len(spans), 2))
        work.load(self.params, work.fit)
        if self.steps_done == 0:
            work.begin()
        try:
            self._train_slices(X, Y, weights, order, spans, rates, costs, on_slice)
        finally:
            work.store(work.fit, self.params)
            engine.forget()
        return costs

    def _train_slices(
        self, X: Any, Y: Array, weights: Array, order: Array, spans: Array, rates: Array, costs: Array,
        on_slice: Callable[[int, float], None] | None,
    ) -> None:  # fmt: skip
        engine, dtype, first, n_steps = self._engine, self.params.dtype, 0, len(spans)
        direct = self.plan.sparse or is_readable(X, dtype)
        if direct:
            engine.show(X, Y, weights, order)
        while first < n_steps:
            workers, length = self._pace.next(), self.next_slice()
            if self._pace.undecided:
                length = max(1, length // TRIAL)
            last = min(n_steps, first + length)
            these = spans[first:last]
            if not direct:  # a file of another type: convert the rows of this slice
                fitting = CONVERTED_BYTES // (self.plan.capacity * X.shape[1] * X.itemsize)
                last = min(last, first + max(1, fitting))
                these = spans[first:last]
                low, high = these.min(), these.max()
                rows = order[low:high]
                engine.show(X[rows], Y[rows], weights[rows[: weights.size]], np.arange(rows.size))
                these = these - low
            started = time.perf_counter()
            try:
                told = costs[first:last]
                status = engine.call(these, rates[first:last], told, self.steps_done, workers)
            finally:
                self.steps_done += engine.steps_finished
            seconds = time.perf_counter() - started
            self._slices.note(last - first, seconds)
            self._pace.note(workers, seconds / (last - first))
            if status == epoch.DIVERGED:
                raise DivergenceError(
                    f"the cost is not finite in step {self.steps_done}; use a smaller learning rate, "
                    "gradient clipping (clip_norm), or scale the features"
                )
            if on_slice is not None:
                on_slice(last - first, float(costs[first:last].sum() / (last - first)))
            first = last


_spare: dict[Plan, Trainer] = {}


class Gradient:
    """Mean cost and gradient over all rows of some data, for a network whose parameters do not move."""

    def __init__(self, plan: Plan, params: Array) -> None:
        self._params, self._engine = params, Engine(plan)

    def __call__(self, X: Any, Y: Array, weights: Array) -> tuple[float, float, Array]:
        """Mean cost, penalty, and the gradient of their sum in the order of the parameters.

        A cost that is not finite is returned, with a gradient that means nothing.
        """
        engine, work, n_rows = self._engine, self._engine.work, Y.shape[0]
        work.load(self._params, work.fit)
        engine.show(X, Y, weights, np.arange(n_rows))
        costs = np.zeros((1, 2))
        engine.call(np.array([[0, n_rows]]), np.zeros((1, 3)), costs, 0, engine.plan.workers)
        engine.forget()
        gradient = np.empty_like(self._params)
        work.store(work.gradient, gradient)
        return float(costs[0, epoch.COST]), float(costs[0, epoch.PENALTY]), gradient
