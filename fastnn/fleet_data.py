"""From what users give a fleet to what its trainer takes: rows of all, or of each member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array, as_numbers, is_sparse
from fastnn.data import Rows, as_features, as_targets, as_weights
from fastnn.task import Task


@dataclass(frozen=True)
class FleetRows:
    """Samples of a fleet: X (n, n_in), Y (n, n_targets) and weights (n,) or (0,), or one of each a member.

    rows: the numbers of each member's rows.
    """

    X: Array
    Y: Array
    weights: Array
    rows: list[NDArray[np.int64]]

    def of(self, member: int) -> Rows:
        """One member's rows, as `Network` takes them."""
        X, Y, weights = self.sets(np.array([member]))
        whole = Rows(X[0] if X.ndim == 3 else X, Y[0] if Y.ndim == 3 else Y, weights.reshape(-1))
        mine = self.rows[member]
        everything = len(mine) == len(whole) and np.array_equal(mine, np.arange(len(mine)))
        return whole if everything else whole.take(mine)

    def sets(self, members: NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """X, Y and weights of these members: what belongs to all as it is."""
        X, Y, weights = self.X, self.Y, self.weights
        if len(members) == len(self.rows):
            return X, Y, weights
        return (
            X[members] if X.ndim == 3 else X,
            Y[members] if Y.ndim == 3 else Y,
            weights[members] if weights.ndim == 2 else weights,
        )

    def held_out(self, share: float, seeds: NDArray[np.int64]) -> tuple[FleetRows, FleetRows]:
        """What is left, and `share` of each member's rows, drawn from its seed as `Network` does."""
        left, held = [], []
        for mine, seed in zip(self.rows, seeds.tolist(), strict=True):
            n_held = round(share * len(mine))
            if not 0 < n_held < len(mine):
                raise ValueError(f"validation_split={share} of {len(mine)} rows leaves no rows on one side")
            order = np.random.default_rng([seed, 1 << 32]).permutation(len(mine))
            left.append(mine[np.sort(order[n_held:])])
            held.append(mine[np.sort(order[:n_held])])
        data = self.X, self.Y, self.weights
        return FleetRows(*data, left), FleetRows(*data, held)


def _flat(name: str, values: Any, n_members: int, n_samples: int) -> Array:
    """One array a member as one array of all their rows."""
    array = as_numbers(name, values)
    if array.shape[:2] != (n_members, n_samples):
        raise ValueError(
            f"{name} has shape {array.shape}; expected ({n_members}, {n_samples}, ...): one for each member"
        )
    return array.reshape(n_members * n_samples, *array.shape[2:])


def _row_numbers(rows: Any, n_members: int, n_samples: int) -> list[NDArray[np.int64]]:
    if rows is None:
        return [np.arange(n_samples)] * n_members
    if isinstance(rows, str) or not hasattr(rows, "__len__") or len(rows) != n_members:
        raise ValueError(f"rows must be a list of {n_members} lists of row numbers, one for each member")
    result = []
    for k, given in enumerate(rows):
        own = np.asarray(given)
        if own.dtype == bool and own.shape == (n_samples,):
            own = np.flatnonzero(own)
        if own.ndim != 1 or own.size == 0 or own.dtype.kind not in "iu":
            raise ValueError(f"rows[{k}] must be a list of row numbers that is not empty, or a mask")
        if own.min() < 0 or own.max() >= n_samples:
            raise ValueError(f"rows[{k}] runs from {own.min()} to {own.max()}; there are {n_samples} rows")
        result.append(own.astype(np.int64))
    return result


def fleet_rows(task: Task, n_members: int, data: Sequence[Any], rows: Any = None) -> FleetRows:
    """Rows from (X, y) or (X, y, sample_weight), of all or of each member, checked."""
    X, y = data[:2]
    weights = data[2] if len(data) == 3 else None
    if is_sparse(X):
        raise TypeError("a fleet takes dense rows: give X.toarray()")
    X = as_numbers("X", X)
    own_X, own_weights = X.ndim == 3, weights is not None and np.ndim(weights) == 2
    own_Y = own_X or np.ndim(y) == 3
    n_samples = X.shape[1] if own_X else X.shape[0] if X.ndim else 0

    def flat(name: str, values: Any, own: bool) -> Any:
        return _flat(name, values, n_members, n_samples) if own else values

    features = as_features(flat("X", X, own_X), task.n_in, task.dtype)
    count = n_members * n_samples
    Y = as_targets(flat("y", y, own_Y), count if own_Y else n_samples, task)
    each = as_weights(
        flat("sample_weight", weights, own_weights), count if own_weights else n_samples, task.dtype
    )  # fmt: skip
    if own_X:
        features = features.reshape(n_members, n_samples, -1)
    if own_Y:
        Y = Y.reshape(n_members, n_samples, -1)
    if own_weights:
        each = each.reshape(n_members, n_samples)
    return FleetRows(features, Y, each, _row_numbers(rows, n_members, n_samples))
