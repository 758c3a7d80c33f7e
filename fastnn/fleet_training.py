"""From the options of a fleet's `fit` to its run: everything is checked here, before any work."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import as_numbers, real
from fastnn.fleet_data import FleetRows, fleet_rows
from fastnn.fleet_run import FleetMembers, FleetRun
from fastnn.optimizers import Optimizer, is_list
from fastnn.plan import Settings
from fastnn.training import Options


def prepare(members: FleetMembers, X: Any, y: Any, rows: Any, l2: Any, options: Options) -> FleetRun:
    """A run that may begin; options: with the fleet's optimizer, and without l2."""
    like, n = members.like, len(members.params)
    options.check(like.cost)
    optimizer = options.optimizer
    assert isinstance(optimizer, Optimizer)
    one = optimizer if optimizer.n_members is None else optimizer.of(0)
    one.learning_rates(np.arange(2), 1)  # a schedule that cannot work fails here, not in the loop
    penalties, watch = _penalties(l2, n), options.watch()
    data = fleet_rows(like.task, n, (X, y, options.sample_weight), rows)
    data, held = _held_out(members, data, options)
    longest = max(len(own) for own in data.rows)
    settings = Settings(
        optimizer,
        longest if options.batch_size is None else min(int(options.batch_size), longest),
        clip_norm=np.inf if options.clip_norm is None else float(options.clip_norm),
        label_smoothing=float(options.label_smoothing),
        huber_threshold=like.huber_threshold,
        threads=options.threads if options.threads == "auto" else int(options.threads),
    )
    return FleetRun(members, settings, penalties, int(options.epochs), data, held, watch)


def _penalties(l2: Any, n_members: int) -> NDArray[np.float64]:
    if is_list(l2) or isinstance(l2, list | tuple):
        array = as_numbers("l2", l2)
        if array.shape != (n_members,):
            raise ValueError(f"l2 has shape {array.shape}; expected a number, or ({n_members},)")
        return np.array([real("l2", x) for x in array.tolist()])
    return np.full(n_members, real("l2", l2))


def _held_out(members: FleetMembers, data: FleetRows, options: Options) -> tuple[FleetRows, FleetRows | None]:
    """What to train on, and what each epoch is judged by."""
    if options.validation_split:
        return data.held_out(float(options.validation_split), members.seeds)
    given = options.validation_data
    if given is None:
        return data, None
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise ValueError("validation_data must be a tuple (X, y) or (X, y, sample_weight)")
    try:
        return data, fleet_rows(members.like.task, len(members.params), given)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from None
