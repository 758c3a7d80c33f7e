"""Optimizers and learning-rate schedules: descriptions that the compiled loop is given as numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn_kernels import optimizers as kernels

# Learning rate of each of a run's steps, from the steps' numbers (0, 1, ...) and the steps of an epoch.
Schedule = Callable[[NDArray[np.int64], int], NDArray[Any]]
Rate = float | Schedule


def constant(rate: float) -> Schedule:
    """The same rate in every step."""
    return lambda steps, per_epoch: np.full(steps.size, rate)


def step_decay(rate: float, factor: float = 0.5, every: int = 10) -> Schedule:
    """rate * factor^k after k times `every` epochs."""
    return lambda steps, per_epoch: rate * factor ** (steps // (every * per_epoch))


def cosine(rate: float, epochs: int, final: float = 0.0) -> Schedule:
    """Half a cosine wave from `rate` down to `final` over `epochs`, then `final`."""

    def schedule(steps: NDArray[np.int64], per_epoch: int) -> NDArray[Any]:
        done = np.minimum(steps / (epochs * per_epoch), 1.0)
        return final + 0.5 * (rate - final) * (1 + np.cos(np.pi * done))

    return schedule


def warm_up(epochs: float, after: Rate) -> Schedule:
    """A straight line from zero over the first `epochs`, times what `after` says."""
    follow = constant(after) if isinstance(after, int | float) else after

    def schedule(steps: NDArray[np.int64], per_epoch: int) -> NDArray[Any]:
        return follow(steps, per_epoch) * np.minimum((steps + 1) / (epochs * per_epoch), 1.0)

    return schedule


@dataclass(frozen=True)
class Optimizer:
    """The base of all optimizers: `lr` is a number or a schedule."""

    lr: Rate = 1e-3

    def __post_init__(self) -> None:
        if not callable(self.lr):
            _check("lr", self.lr, 0, np.inf)

    @property
    def kernel(self) -> str:
        raise NotImplementedError

    @property
    def betas(self) -> tuple[float, float]:
        return 0.0, 0.0

    def learning_rates(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        """Learning rates (n_steps,) of the steps numbered `steps`."""
        schedule = constant(self.lr) if isinstance(self.lr, int | float) else self.lr
        rates = np.asarray(schedule(steps, per_epoch), np.float64)
        if rates.shape != steps.shape or not np.all(np.isfinite(rates)):
            raise ValueError(
                f"the schedule gave {rates.shape} rates for {steps.size} steps, or one that is not finite; "
                "it must return one finite learning rate for each step number"
            )
        return rates

    def corrected(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        """What the kernels take for each step (n_steps, 3): rate, epsilon and weight decay."""
        rates = self.learning_rates(steps, per_epoch)
        return np.stack([rates, np.zeros_like(rates), np.zeros_like(rates)], axis=1)


@dataclass(frozen=True)
class SGD(Optimizer):
    """W -= lr * dW, or with a velocity: v = momentum * v - lr * dW, W += v (Nesterov: a step ahead)."""

    lr: Rate = 1e-2
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("momentum", self.momentum, 0, 1)

    @property
    def kernel(self) -> str:
        if self.momentum == 0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def betas(self) -> tuple[float, float]:
        return self.momentum, 0.0


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps of the running mean of the gradient over the root of that of its square, bias-corrected."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("beta1", self.beta1, 0, 1)
        _check("beta2", self.beta2, 0, 1)
        _check("epsilon", self.epsilon, 0, np.inf)

    kernel = "adam"

    @property
    def betas(self) -> tuple[float, float]:
        return self.beta1, self.beta2

    def corrected(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        rates = self.learning_rates(steps, per_epoch)
        root = np.sqrt(1 - self.beta2 ** (steps + 1.0))
        rate = rates * root / (1 - self.beta1 ** (steps + 1.0))
        return np.stack([rate, self.epsilon * root, np.zeros_like(rates)], axis=1)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: W also shrinks by lr * weight_decay in each step; b does not."""

    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("weight_decay", self.weight_decay, 0, np.inf)

    def corrected(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        result = super().corrected(steps, per_epoch)
        result[:, 2] = self.weight_decay * self.learning_rates(steps, per_epoch)
        return result


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}


def as_optimizer(optimizer: Optimizer | str) -> Optimizer:
    """The optimizer itself, or the one of this name with its default settings."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer]()
    raise ValueError(f"optimizer={optimizer!r} is unknown; give one of {sorted(OPTIMIZERS)} or an Optimizer")


def n_moments(optimizer: Optimizer) -> int:
    return int(kernels.OPTIMIZERS[optimizer.kernel].n_moments)


def _check(name: str, value: Any, low: float, high: float) -> None:
    if not (isinstance(value, int | float | np.number) and low <= value < high):
        raise ValueError(f"{name}={value!r} must be a number of at least {low} and below {high}")
