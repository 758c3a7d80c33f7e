"""Fleet: many networks of one shape that are trained at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.callbacks import EarlyStopping
from fastnn.checks import Array
from fastnn.fleet_history import FleetHistory
from fastnn.fleet_model import FleetModel
from fastnn.fleet_rates import as_fleet_optimizer
from fastnn.fleet_training import prepare
from fastnn.optimizers import Optimizer
from fastnn.training import Options


class Fleet(FleetModel):
    """`n_members` networks of the widths `sizes`; a member is equal to the `Network` with its settings.

    activation, output, cost, huber_threshold, dtype: as in `Network`, the same for all. dropout: as
    there, or an array (n_members, n_hidden). seed: of the first member, the others have the numbers that
    follow it; or a list of one for each.

    `params` (n_members, n_params) is the one array of all parameters, `diverged` (n_members,) says whose last
    training came to a cost that was not finite. A fleet has a length, and fleet[7] is a `Network` with a copy
    of that member's parameters.

    >>> import numpy as np
    >>> from fastnn import Adam
    >>> X = np.random.default_rng(0).standard_normal((200, 2))
    >>> y = X[:, 0] * X[:, 1] > 0
    >>> fleet = Fleet(20, [2, 16, 1], output="sigmoid", seed=1)
    >>> history = fleet.fit(X, y, epochs=200, optimizer=Adam(np.geomspace(1e-4, 1e-2, 20)))
    >>> bool(fleet.score(X, y)[-1] > 0.9)
    True
    >>> fleet.predict(X).shape, fleet.mean(X).shape, fleet[19].predict(X).shape
    ((20, 200, 1), (200, 1), (200, 1))
    """

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = 10,
        batch_size: int | None = 32,
        optimizer: Optimizer | str = "adam",
        l2: float | Sequence[float] | Array = 0.0,
        clip_norm: float | None = None,
        label_smoothing: float = 0.0,
        sample_weight: Any = None,
        rows: Any = None,
        validation_data: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        early_stopping: EarlyStopping | int | None = None,
        progress: bool = False,
        shuffle: bool = True,
        threads: int | str = "auto",
        interrupt: str = "stop",
    ) -> FleetHistory:
        """Train all members from their current parameters; returns the FleetHistory.

        X (n_samples, n_in), y (n_samples,) or (n_samples, n_out) of all; or a data set for each member: X
        (n_members, n_samples, n_in), y (n_members, n_samples) or (n_members, n_samples, n_out), which may go
        with one X for all. sample_weight (n_samples,) or (n_members, n_samples). rows: each member's list of
        row numbers, or mask: folds, bootstrap samples.

        optimizer: any of its numbers may be an array of one for each member, and so may l2. A member whose
        cost is not finite stops alone, with a warning, and keeps the parameters of before that step. Early
        stopping goes by each member's own cost, and stops it alone too. All else is as in `Network.fit`.
        """
        options = Options(
            epochs, batch_size, as_fleet_optimizer(optimizer, len(self)), 0.0, clip_norm, label_smoothing,
            sample_weight, None, validation_data, validation_split, early_stopping, (), None, None, progress,
            shuffle, threads, interrupt,
        )  # fmt: skip
        run = prepare(self.members, X, y, rows, l2, options)
        self.diverged = run.diverged
        return run.train()
