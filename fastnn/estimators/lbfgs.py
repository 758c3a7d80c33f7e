"""The solver lbfgs: scipy's L-BFGS-B over the flat vector, all rows in every step."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from sklearn.utils.optimize import _check_optimize_result
from threadpoolctl import ThreadpoolController

from fastnn.checks import Array
from fastnn.data import Rows
from fastnn.estimators.hooks import EpochHooks
from fastnn.trainer import Gradient


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def fit_lbfgs(
    estimator: Any, gradient_of: Gradient, vector: Array, data: Rows, hooks: EpochHooks, outputs: int
) -> None:
    """Minimise the loss over all rows from `vector` on, which `gradient_of` reads.

    outputs: see `Stochastic`.
    """

    def loss_and_gradient(params: Array) -> tuple[float, Array]:
        hooks.begin()
        vector[:] = params
        cost, penalty, gradient = gradient_of(data.X, data.Y, data.weights)
        if not np.isfinite(cost):
            return cost, np.full_like(params, np.nan)
        return cost / outputs + penalty, gradient

    def after_iteration(intermediate_result: OptimizeResult) -> None:
        vector[:] = intermediate_result.x
        estimator.n_iter_ += 1
        estimator.loss_ = intermediate_result.fun
        if hooks.end():
            raise StopIteration

    estimator.n_iter_ = 0
    # Its own steps are short: on a busy machine BLAS's threads would wait for each other, 30 times as long.
    with _libraries().limit(limits=1, user_api="blas"):
        found = minimize(
            loss_and_gradient,
            vector.copy(),
            method="L-BFGS-B",
            jac=True,
            options={"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol},
            callback=after_iteration if hooks.wanted else None,
        )
    vector[:] = found.x
    estimator.loss_ = found.fun
    stopped_by_hook = hooks.wanted and estimator.n_iter_ == found.nit and found.status == 99
    if not stopped_by_hook:
        estimator.n_iter_ = _check_optimize_result("lbfgs", found, estimator.max_iter)
