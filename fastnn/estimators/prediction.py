"""The forward pass of an estimator over rows of any number."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._validation import as_kernels_want
from fastnn.data import Array
from fastnn.estimators.parameters import PREDICTION_CHUNK, Plan
from fastnn.threads import available_threads, run_team
from fastnn_kernels import inference
from fastnn_kernels.team import ABANDONED, TEAM_SIZE

# Rows are cut into compiled calls of so many products, some milliseconds: between them a Ctrl-C is heard,
# and threads share them out.
PRODUCTS_PER_CALL = 1 << 24


def check_indices(X: Any) -> None:
    """Nothing in a CSR matrix leads out of it: kernels follow the indices blindly."""
    low, high = (X.indices.min(), X.indices.max()) if X.indices.size else (0, 0)
    if low < 0 or high >= X.shape[1]:
        raise ValueError(f"X.indices run from {low} to {high}, expected 0 to {X.shape[1] - 1}")
    ends = X.indptr
    if ends.size != X.shape[0] + 1 or ends[0] != 0 or (ends[1:] < ends[:-1]).any():
        raise ValueError(f"X.indptr: expected {X.shape[0] + 1} numbers that rise from 0")
    if ends[-1] > min(X.indices.size, X.data.size):
        raise ValueError(f"X.indptr ends at {ends[-1]}, beyond the end of indices or data")


def forward(plan: Plan, params: Array, X: Any, n_threads: int | None) -> Array:
    """What the layers of `plan` make of the rows of X: (n_samples, n_out).

    X: (n_samples, n_in), dense and of the dtype of `params`, or CSR.
    """
    n_rows = X.shape[0]
    out = np.empty((n_rows, plan.n_out), params.dtype)
    sparse = not isinstance(X, np.ndarray)
    rows = max(1, PRODUCTS_PER_CALL // (PREDICTION_CHUNK * plan.products)) * PREDICTION_CHUNK
    if sparse:
        data = as_kernels_want(X.data, params.dtype)
        indices, indptr = as_kernels_want(X.indices, np.int32), as_kernels_want(X.indptr, np.int64)
    else:
        X = as_kernels_want(X, params.dtype)

    def run(start: int) -> None:
        stop = min(start + rows, n_rows)
        buffer = np.empty(plan.buffer_size, params.dtype)
        scratch = np.empty(plan.scratch_size, params.dtype)
        rest = (PREDICTION_CHUNK, buffer, scratch, out[start:stop])
        if sparse:
            inference.predict_csr(plan.layers, params, data, indices, indptr[start : stop + 1], *rest)
        else:
            inference.predict(plan.layers, params, X[start:stop], *rest)

    if n_rows <= rows:
        run(0)
        return out
    team, starts = np.zeros(TEAM_SIZE, np.int64), range(0, n_rows, rows)
    left = iter(starts)

    def work(worker: int) -> int:
        for start in left:  # whoever comes first takes the next ones
            if team[ABANDONED]:
                break
            run(start)
        return 0

    run_team(min(n_threads or available_threads(), len(starts)), team, work)
    return out
