"""The state of a stochastic solver between epochs: learning rate, steps done, running means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data import Array
from fastnn.optimizers import Optimizer

STOCHASTIC = ("sgd", "adam", "adamw")
SMALLEST_ADAPTIVE_RATE = 1e-6


@dataclass(frozen=True)
class Kernel(Optimizer):
    """An optimizer of the compiled loop, whose rates are computed here."""

    name: str = "sgd"
    decay_rates: tuple[float, float] = (0.0, 0.0)

    @property
    def kernel(self) -> str:
        return self.name

    @property
    def betas(self) -> tuple[float, float]:
        return self.decay_rates


class Solver:
    """What an estimator keeps as `_optimizer`, from one `partial_fit` to the next.

    learning_rate: of the next step (sgd), or the bias-corrected one of the last step (adam); steps: done so
    far; moments: the running means (n_moments, n_params), or None before the first step.
    """

    kernel: Kernel

    def __init__(self, learning_rate_init: float) -> None:
        self.learning_rate_init = learning_rate_init
        self.learning_rate = float(learning_rate_init)
        self.steps = 0
        self.moments: Array | None = None

    def rates(self, samples_seen: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        """Rate, epsilon and weight decay of each step (n_steps, 3) of the epochs to come.

        samples_seen (n_epochs,): before each of these epochs.
        """
        raise NotImplementedError

    def end_epoch(self, samples_seen: int, steps: int) -> None:
        """Note that an epoch is over, after so many samples and steps since the first one."""
        raise NotImplementedError

    def slow_down(self) -> tuple[bool, str]:
        """Whether to stop where an epoch of no progress came once too often, and what to tell the user."""
        return True, "Stopping."


class SGDSolver(Solver):
    """Plain steps, or with momentum; the rate changes from epoch to epoch as `schedule` says."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator.learning_rate_init)
        self.schedule, self.power = estimator.learning_rate, estimator.power_t
        momentum = float(estimator.momentum)
        name = ("nesterov" if estimator.nesterovs_momentum else "momentum") if momentum else "sgd"
        self.kernel = Kernel(name=name, decay_rates=(momentum, 0.0))

    def _rate_after(self, samples_seen: Any) -> Any:
        return float(self.learning_rate_init) / (samples_seen + 1) ** self.power

    def rates(self, samples_seen: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        result = np.zeros((samples_seen.size * per_epoch, 3))
        result[:, 0] = self.learning_rate
        if self.schedule == "invscaling" and samples_seen.size > 1:
            later = self._rate_after(samples_seen[1:].astype(np.float64))
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


class AdamSolver(Solver):
    """Adam whose epsilon, unlike that of fastnn.Adam, is not corrected for bias; AdamW with a decay."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator.learning_rate_init)
        self.beta_1, self.beta_2 = float(estimator.beta_1), float(estimator.beta_2)
        self.epsilon = float(estimator.epsilon)
        self.weight_decay = float(estimator.weight_decay) if estimator.solver == "adamw" else 0.0
        self.kernel = Kernel(name="adam", decay_rates=(self.beta_1, self.beta_2))

    def _rate_of(self, step: Any) -> Any:
        correction = np.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        return self.learning_rate_init * correction

    def rates(self, samples_seen: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        first, n_steps = self.steps + 1.0, samples_seen.size * per_epoch
        result = np.empty((n_steps, 3))
        result[:, 0] = self._rate_of(np.arange(first, first + n_steps))
        result[:, 1] = self.epsilon
        result[:, 2] = self.weight_decay * self.learning_rate_init
        return result

    def end_epoch(self, samples_seen: int, steps: int) -> None:
        self.steps = steps
        self.learning_rate = float(self._rate_of(steps))


def new_solver(estimator: Any) -> Solver:
    return SGDSolver(estimator) if estimator.solver == "sgd" else AdamSolver(estimator)
