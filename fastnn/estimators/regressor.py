"""MLPRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import validate_data

from fastnn.data import Array
from fastnn.estimators.base import MLPBase
from fastnn.estimators.documentation import REGRESSOR
from fastnn.estimators.evaluation import r2


class MLPRegressor(RegressorMixin, MLPBase):
    __doc__ = REGRESSOR

    _parameter_constraints = {
        **MLPBase._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str | list[str] = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        weight_decay: float = 0.01,
        dropout: float | list[float] = 0.0,
        clip_norm: float | None = None,
        scoring: Any = None,
        coefs_init: list[Any] | None = None,
        intercepts_init: list[Any] | None = None,
        n_threads: int | None = None,
        progress: bool = False,
        on_epoch_end: Any = None,
    ) -> None:
        self._store(locals())

    @property
    def _cost(self) -> str:
        return str(self.loss)

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(
            self, X, y, reset=reset, accept_sparse="csr", multi_output=True, y_numeric=True, order="C",
            dtype=(np.float64, np.float32),
        )  # fmt: skip
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _encode(self, y: Any) -> tuple[Array, int, str]:
        Y = y.reshape(len(y), -1)
        if self.loss == "poisson" and (Y < 0).any():
            raise ValueError(f"loss='poisson' needs y >= 0, but y goes down to {Y.min()}")
        return Y, Y.shape[1], "exp" if self.loss == "poisson" else "identity"

    def _score_outputs(self, Y: Array, outputs: Array, weights: Array | None) -> float:
        return r2(Y, outputs, weights)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train for one epoch over the given rows, from where the last one ended.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each row.

        Returns
        -------
        self : object
            The model, trained further.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """Predict numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted numbers.
        """
        outputs = self._outputs(self._features(X))
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs
