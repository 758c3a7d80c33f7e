"""The state of a stochastic solver between epochs: learning rate, steps done, running means."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.optimizers import Rule

STOCHASTIC = ("sgd", "adam", "adamw")
SMALLEST_ADAPTIVE_RATE = 1e-6


class Solver:
    """What an estimator keeps as `_optimizer`, from one `partial_fit` to the next.

    learning_rate: of the next step (sgd), or the bias-corrected one of the last step (adam); steps: done so
    far; moments: the running means (n_moments, n_params), or None before the first step.
    """

    optimizer: Rule

    def __init__(self, learning_rate_init: float) -> None:
        self.learning_rate_init = learning_rate_init
        self.learning_rate = float(learning_rate_init)
        self.steps = 0
        self.moments: Array | None = None

    def rates(self, samples_seen: int, n_rows: int, count: int, per_epoch: int) -> NDArray[np.float64]:
        """Rate, epsilon and weight decay of each step (count * per_epoch, 3) of the next `count` epochs.

        samples_seen: before them; n_rows: of each.
        """
        raise NotImplementedError

    def end_epoch(self, samples_seen: int, steps: int) -> None:
        """Note that an epoch is over, after so many samples and steps since the first one."""
        raise NotImplementedError

    def slow_down(self) -> tuple[bool, str]:
        """Whether to stop where an epoch of no progress came once too often, and what to tell the user."""
        return True, "Stopping."


# Many networks that are trained at once ask for the same.
rule = lru_cache(maxsize=16)(Rule)


class SGDSolver(Solver):
    """Plain steps, or with momentum; the rate changes from epoch to epoch as `schedule` says."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator.learning_rate_init)
        self.schedule, self.power = estimator.learning_rate, estimator.power_t
        momentum = float(estimator.momentum)
        name = ("nesterov" if estimator.nesterovs_momentum else "momentum") if momentum else "sgd"
        self.optimizer = rule(name=name, decay_rates=(momentum, 0.0))

    def _rate_after(self, samples_seen: Any) -> Any:
        return float(self.learning_rate_init) / (samples_seen + 1) ** self.power

    def rates(self, samples_seen: int, n_rows: int, count: int, per_epoch: int) -> NDArray[np.float64]:
        result = np.zeros((count * per_epoch, 3))
        result[:, 0] = self.learning_rate
        if self.schedule == "invscaling" and count > 1:
            later = self._rate_after(samples_seen + np.arange(1.0, count) * n_rows)
            result[per_epoch:, 0] = np.repeat(later, per_epoch)
        return result

    def end_epoch(self, samples_seen: int, steps: int) -> None:
        self.steps = steps
        if self.schedule == "invscaling":
            self.learning_rate = self._rate_after(samples_seen)

    def slow_down(self) -> tuple[bool, str]:
        if self.schedule != "adaptive":
            return super().slow_down()
        if self.learning_rate <= SMALLEST_ADAPTIVE_RATE:
            return True, "Learning rate too small. Stopping."
        self.learning_rate /= 5.0
        return False, f"Setting learning rate to {self.learning_rate:f}"


@lru_cache(maxsize=16)
def _corrections(first: float, n_steps: int, beta_1: float, beta_2: float) -> NDArray[np.float64]:
    """What bias makes of the rate in these steps: many networks that are trained at once ask for the same."""
    steps = np.arange(first, first + n_steps)
    result: NDArray[np.float64] = np.sqrt(1 - beta_2**steps) / (1 - beta_1**steps)
    result.flags.writeable = False
    return result


class AdamSolver(Solver):
    """Adam whose epsilon, unlike that of fastnn.Adam, is not corrected for bias; AdamW with a decay."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator.learning_rate_init)
        self.beta_1, self.beta_2 = float(estimator.beta_1), float(estimator.beta_2)
        self.epsilon = float(estimator.epsilon)
        self.weight_decay = float(estimator.weight_decay) if estimator.solver == "adamw" else 0.0
        self.optimizer = rule(name="adam", decay_rates=(self.beta_1, self.beta_2))

    def rates(self, samples_seen: int, n_rows: int, count: int, per_epoch: int) -> NDArray[np.float64]:
        first, n_steps = self.steps + 1.0, count * per_epoch
        result = np.empty((n_steps, 3))
        corrections = _corrections(first, n_steps, self.beta_1, self.beta_2)
        result[:, 0] = self.learning_rate_init * corrections
        result[:, 1] = self.epsilon
        result[:, 2] = self.weight_decay * self.learning_rate_init
        return result

    def end_epoch(self, samples_seen: int, steps: int) -> None:
        self.steps = steps
        correction = math.sqrt(1 - self.beta_2**steps) / (1 - self.beta_1**steps)
        self.learning_rate = float(self.learning_rate_init * correction)


KINDS: dict[str, type[SGDSolver] | type[AdamSolver]] = {"sgd": SGDSolver, "adam": AdamSolver}


def new_solver(estimator: Any) -> Solver:
    return KINDS["sgd" if estimator.solver == "sgd" else "adam"](estimator)


def to_plain(solver: Solver) -> dict[str, Any]:
    """Its state as numbers, texts and an array: files of models need not hold a class of ours for it."""
    state = dict(vars(solver))
    rule = state.pop("optimizer")
    kind = next(name for name, cls in KINDS.items() if type(solver) is cls)
    return {"kind": kind, "rule": rule.name, "decay_rates": list(rule.decay_rates), **state}


def from_plain(state: dict[str, Any]) -> Solver:
    """The solver that `to_plain` described."""
    state = dict(state)
    kind, rule = KINDS[state.pop("kind")], state.pop("rule")
    optimizer = Rule(name=rule, decay_rates=tuple(state.pop("decay_rates")))
    solver = kind.__new__(kind)
    solver.__dict__.update(state, optimizer=optimizer)
    return solver
