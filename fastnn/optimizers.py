"""Optimizers and learning-rate schedules: descriptions that the compiled loop is given as numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import meant, real
from fastnn_kernels import optimizers as kernels

# Learning rate of each of a run's steps, from the steps' numbers (0, 1, ...) and the steps of an epoch.
Schedule = Callable[[NDArray[np.int64], int], NDArray[Any]]
Rate = float | Schedule


# The schedules are callable classes, and named like functions: they compare, print and pickle by value.


@dataclass(frozen=True)
class constant:
    """The same rate in every step.

    >>> constant(0.1)(np.arange(2), 1)
    array([0.1, 0.1])
    """

    rate: float

    def __post_init__(self) -> None:
        real("rate", self.rate)

    def __call__(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[Any]:
        return np.full(steps.size, float(self.rate))


@dataclass(frozen=True)
class step_decay:
    """rate * factor^k after k times `every` epochs.

    >>> step_decay(0.1, every=2)(np.arange(4), 1)  # four epochs of one step
    array([0.1 , 0.1 , 0.05, 0.05])
    """

    rate: float
    factor: float = 0.5
    every: float = 10

    def __post_init__(self) -> None:
        real("rate", self.rate)
        real("factor", self.factor)
        real("every", self.every, above=True)

    def __call__(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[Any]:
        return self.rate * float(self.factor) ** (steps // (self.every * per_epoch))


@dataclass(frozen=True)
class cosine:
    """Half a cosine wave from `rate` down to `final` over `epochs`, then `final`.

    >>> cosine(0.1, epochs=2)(np.arange(4), 1).round(6)
    array([0.1 , 0.05, 0.  , 0.  ])
    """

    rate: float
    epochs: float
    final: float = 0.0

    def __post_init__(self) -> None:
        real("rate", self.rate)
        real("epochs", self.epochs, above=True)
        real("final", self.final)

    def __call__(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[Any]:
        done = np.minimum(steps / (self.epochs * per_epoch), 1.0)
        return self.final + 0.5 * (self.rate - self.final) * (1 + np.cos(np.pi * done))


@dataclass(frozen=True)
class warm_up:
    """A straight line from zero over the first `epochs`, times what `after` says.

    >>> warm_up(2, after=0.1)(np.arange(3), 1)
    array([0.05, 0.1 , 0.1 ])
    """

    epochs: float
    after: Rate

    def __post_init__(self) -> None:
        real("epochs", self.epochs, above=True)
        as_schedule(self.after)

    def __call__(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[Any]:
        rise = np.minimum((steps + 1) / (self.epochs * per_epoch), 1.0)
        return as_schedule(self.after)(steps, per_epoch) * rise


def is_list(value: Any) -> bool:
    """Whether it is an array: of one number for each member of a fleet."""
    return isinstance(value, np.ndarray) and value.ndim > 0


def _check(name: str, value: Any, low: float = 0.0, high: float = np.inf) -> None:
    """A number, or an array of them: one for each member of a fleet."""
    if is_list(value) and np.ndim(value) != 1:
        raise ValueError(f"{name} has shape {np.shape(value)}; give a number, or an array of one a member")
    for number in value if is_list(value) else [value]:
        real(name, number, low, high)


def as_schedule(rate: Rate) -> Schedule:
    return rate if callable(rate) else constant(real("lr", rate))


@dataclass(frozen=True)
class Optimizer:
    """The base of all optimizers: `lr` is a number or a schedule.

    For a `Fleet` any number of an optimizer may be an array of one for each member.
    """

    lr: Rate | Any = 1e-3

    def __post_init__(self) -> None:
        if is_list(self.lr):
            _check("lr", self.lr)
        else:
            as_schedule(self.lr)

    @property
    def n_members(self) -> int | None:
        """The members of the fleet that it is for; None if no number is an array."""
        lengths = {f.name: len(x) for f in fields(self) if is_list(x := getattr(self, f.name))}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the arrays of {type(self).__name__} differ in length: {lengths}")
        return next(iter(lengths.values()), None)

    def of(self, member: int) -> Optimizer:
        """The optimizer of one member of a fleet."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if is_list(getattr(self, f.name))}
        return replace(self, **{name: float(values[member]) for name, values in own.items()})

    @property
    def kernel(self) -> str:
        raise NotImplementedError

    @property
    def betas(self) -> tuple[float, float]:
        return 0.0, 0.0

    def learning_rates(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        """Learning rates (n_steps,) of the steps numbered `steps`."""
        if isinstance(self.lr, Real):  # checked when it was given
            return np.full(steps.shape, float(self.lr))
        rates = np.asarray(as_schedule(self.lr)(steps, per_epoch), np.float64)
        if rates.shape != steps.shape:
            raise ValueError(
                f"the schedule {self.lr} gave rates of shape {rates.shape} for steps of shape {steps.shape}; "
                "it takes an array of step numbers and must return a rate for each"
            )
        good = (rates >= 0) & (rates < np.inf)
        if not good.all():
            bad = int(np.argmin(good))
            raise ValueError(
                f"the schedule {self.lr} gave {rates[bad]} for step {steps[bad]}; "
                "rates must be finite and not negative"
            )
        return rates

    def corrected(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        """What the kernels take for each step (n_steps, 3): rate, epsilon and weight decay."""
        result = np.zeros((steps.size, 3))
        result[:, 0] = self.learning_rates(steps, per_epoch)
        return result


@dataclass(frozen=True)
class SGD(Optimizer):
    """W -= lr * dW, or with a velocity: v = momentum * v - lr * dW, W += v (Nesterov: a step ahead).

    >>> SGD(0.1, momentum=0.9)
    SGD(lr=0.1, momentum=0.9, nesterov=False)
    """

    lr: Rate = 1e-2
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("momentum", self.momentum, 0, 1)

    @property
    def kernel(self) -> str:
        if not np.any(self.momentum):
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def betas(self) -> tuple[float, float]:
        return self.momentum, 0.0


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps of the running mean of the gradient over the root of that of its square, bias-corrected.

    >>> Adam(lr=cosine(0.01, epochs=20)).learning_rates(np.arange(2), 1).round(6)
    array([0.01    , 0.009938])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("beta1", self.beta1, 0, 1)
        _check("beta2", self.beta2, 0, 1)
        _check("epsilon", self.epsilon)

    kernel = "adam"

    @property
    def betas(self) -> tuple[float, float]:
        return self.beta1, self.beta2

    def corrected(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        result = super().corrected(steps, per_epoch)
        root = np.sqrt(1 - self.beta2 ** (steps + 1.0))
        result[:, 0] *= root / (1 - self.beta1 ** (steps + 1.0))
        result[:, 1] = self.epsilon * root
        return result


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: W also shrinks by lr * weight_decay in each step; b does not.

    >>> AdamW(0.01).corrected(np.arange(1), 1)[0, 2]
    np.float64(0.0001)
    """

    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("weight_decay", self.weight_decay)

    def corrected(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[np.float64]:
        result = super().corrected(steps, per_epoch)
        result[:, 2] = self.weight_decay * self.learning_rates(steps, per_epoch)
        return result


@dataclass(frozen=True)
class Rule(Optimizer):
    """An optimizer of the compiled loop, whose rates come with each training."""

    name: str = "sgd"
    decay_rates: tuple[float, float] = (0.0, 0.0)

    @property
    def kernel(self) -> str:
        return self.name

    @property
    def betas(self) -> tuple[float, float]:
        return self.decay_rates


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}


def as_optimizer(optimizer: Optimizer | str) -> Optimizer:
    """The optimizer itself, or the one of this name with its default settings; of a single network."""
    if isinstance(optimizer, Optimizer):
        if optimizer.n_members is not None:
            raise ValueError(
                f"{type(optimizer).__name__} has numbers for {optimizer.n_members} members of a Fleet; "
                "a Network takes single ones"
            )
        return optimizer
    if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer]()
    raise ValueError(
        f"unknown optimizer {optimizer!r}: expected {', '.join(OPTIMIZERS)}, or an Optimizer like Adam()"
        f"{meant(optimizer, OPTIMIZERS)}"
    )


def n_moments(optimizer: Optimizer) -> int:
    return int(kernels.OPTIMIZERS[optimizer.kernel].n_moments)
