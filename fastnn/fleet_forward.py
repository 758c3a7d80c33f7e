"""The outputs of all members of a fleet, by as many threads as there are members for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.data import Rows
from fastnn.fleet_data import FleetRows
from fastnn.prediction import Forward
from fastnn.scores import cost_and_score
from fastnn.task import Task
from fastnn.threads import available_threads, run_team
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.team import ABANDONED, TEAM_SIZE

# A further thread costs as much as so many products.
PRODUCTS_PER_THREAD = 1 << 22


class FleetForward:
    """The forward pass of networks of one table of layers, with parameters of their own."""

    def __init__(self, task: Task, layers: Array) -> None:
        self.task, self._outputs = task, Forward(layers, task.dtype)
        self._products = int((layers["n_in"] * layers["n_out"]).sum())
        self._logits = self._outputs
        if task.from_logits:  # the last layer's activation is left off
            layers = layers.copy()
            layers["activation"][-1] = ACTIVATIONS["identity"].code
            self._logits = Forward(layers, task.dtype)

    def __call__(self, params: Array, X: Array) -> Array:
        """The outputs (n, n_samples, n_out) for X (n_samples, n_in) of all, or (n, n_samples, n_in)."""
        out = np.empty((len(params), X.shape[-2], self.task.n_out), self.task.dtype)

        def one(member: int) -> None:
            out[member] = self._outputs(params[member], X[member] if X.ndim == 3 else X, 1)

        self._for_each(range(len(params)), one, X.shape[-2])
        return out

    def judge(self, params: Array, members: NDArray[np.int64], data: FleetRows) -> tuple[Array, Array]:
        """Mean cost and score of these members on their rows of `data`; params: theirs."""
        found = np.empty((2, len(members)))

        def one(at: int) -> None:
            rows: Rows = data.of(int(members[at]))
            found[:, at] = cost_and_score(self.task, self._logits(params[at], rows.X, 1), rows)

        self._for_each(range(len(members)), one, max((len(rows) for rows in data.rows), default=0))
        return found[0], found[1]

    def _for_each(self, numbers: range, one: Callable[[int], None], n_rows: int) -> None:
        """one(number) for each, shared among threads."""
        left, team = iter(numbers), np.zeros(TEAM_SIZE, np.int64)

        def work(worker: int) -> int:
            for number in left:  # whoever comes first takes the next one
                if team[ABANDONED]:
                    break
                one(number)
            return 0

        worth = len(numbers) * n_rows * self._products // PRODUCTS_PER_THREAD
        run_team(max(1, min(available_threads(), len(numbers), worth)), team, work)
