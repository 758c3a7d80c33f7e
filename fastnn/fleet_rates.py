"""The numbers of a fleet's optimizer, member by member."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from fastnn.optimizers import OPTIMIZERS, Optimizer, as_optimizer, is_list


def as_fleet_optimizer(optimizer: Optimizer | str, n_members: int) -> Optimizer:
    """The optimizer, checked for so many members."""
    if not isinstance(optimizer, Optimizer):
        return as_optimizer(optimizer)
    if optimizer.n_members not in (None, n_members):
        raise ValueError(
            f"{type(optimizer).__name__} has numbers for {optimizer.n_members} members; the fleet has "
            f"{n_members}"
        )
    if type(optimizer) not in OPTIMIZERS.values() and optimizer.n_members is not None:
        raise TypeError(f"arrays of numbers go with {', '.join(OPTIMIZERS)}, not {type(optimizer).__name__}")
    return optimizer


def member_betas(optimizer: Optimizer, n_members: int) -> NDArray[np.float64]:
    """The decay rates of the running means of each member (n_members, 2)."""
    each = [np.broadcast_to(np.asarray(beta, np.float64), n_members) for beta in optimizer.betas]
    return np.stack(each, axis=1)


def member_rates(
    optimizer: Optimizer,
    members: NDArray[np.int64],
    done: NDArray[np.int64],
    per_epoch: NDArray[np.int64],
    most: int,
    count: int,
) -> NDArray[np.float64]:
    """What the kernels take for each step of `count` epochs (count * most, 3, n), most steps in each.

    members: their numbers in the optimizer's arrays; done: their steps so far; per_epoch: their steps in an
    epoch, `most` at most: those that follow are no steps of theirs.
    """
    names = [f.name for f in fields(optimizer) if f.name != "lr" and is_list(getattr(optimizer, f.name))]
    own = [np.asarray(getattr(optimizer, name), np.float64)[members] for name in names]
    scale = np.asarray(optimizer.lr, np.float64)[members] if is_list(optimizer.lr) else None
    rates = np.zeros((count, most, 3, len(members)))
    about = np.stack([done, per_epoch, *own], axis=1)
    kinds, which = about[:1], np.zeros(len(about), np.int64)
    if (about != about[0]).any():  # to find that out by np.unique took 0.15 ms of a block of 6
        kinds, which = np.unique(about, axis=0, return_inverse=True)
    for kind, numbers in enumerate(kinds):  # the powers of the corrections cost more than a small step
        here, steps = which.reshape(-1) == kind, int(numbers[1])
        alike = replace(optimizer, **dict(zip(names, map(float, numbers[2:]), strict=True)))
        alike = alike if scale is None else replace(alike, lr=1.0)
        told = alike.corrected(np.arange(int(numbers[0]), int(numbers[0]) + count * steps), steps)
        told = told.reshape(count, steps, 3, 1)
        rates[:, :steps, :, here] = told
    if scale is not None:
        rates[:, :, 0] *= scale
        rates[:, :, 2] *= scale
    return rates.reshape(-1, 3, len(members))
