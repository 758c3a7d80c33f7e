"""The solver lbfgs: scipy's L-BFGS-B over the flat vector, all rows in every step."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from sklearn.utils.optimize import _check_optimize_result

from fastnn.data import Array
from fastnn.engine import Settings, Trainer
from fastnn.estimators.evaluation import Rows, log_loss_ceiling
from fastnn.estimators.hooks import EpochHooks
from fastnn.estimators.solvers import Kernel


def fit_lbfgs(estimator: Any, data: Rows, hooks: EpochHooks) -> None:
    """Minimise the loss over all rows from the estimator's parameters on."""
    vector: Array = estimator._flat.vector
    layers = estimator._flat.layers(estimator.activation, estimator.out_activation_)
    settings = Settings(
        Kernel(), len(data), l2=float(estimator.alpha), l2_by_batch=True,
        ceiling=log_loss_ceiling(estimator._cost, vector.dtype),
        threads=estimator.n_threads or "auto",
    )  # fmt: skip
    trainer = Trainer(
        layers, vector, estimator._cost, data.Y.shape[1], data.weights is not None, 0, settings,
        sparse=not isinstance(data.X, np.ndarray),
    )  # fmt: skip
    weights = np.empty(0, vector.dtype) if data.weights is None else data.weights
    outputs = data.Y.shape[1] if estimator._cost == "squared_error" else 1

    def loss_and_gradient(params: Array) -> tuple[float, Array]:
        hooks.begin()
        vector[:] = params
        cost, penalty, gradient = trainer.cost_and_gradient(data.X, data.Y, weights)
        if not np.isfinite(cost):
            return cost, np.full_like(params, np.nan)
        return cost / outputs + penalty, gradient.copy()

    def after_iteration(intermediate_result: OptimizeResult) -> None:
        vector[:] = intermediate_result.x
        estimator.n_iter_ += 1
        estimator.loss_ = intermediate_result.fun
        if hooks.end():
            raise StopIteration

    estimator.n_iter_ = 0
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
