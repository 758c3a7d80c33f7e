"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import d2_pinball_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions

from fastnn.checks import Array
from fastnn.estimators.base import MLPBase
from fastnn.estimators.documentation import REGRESSOR
from fastnn.estimators.fitted import FittedNetwork
from fastnn.estimators.options import CONSTRAINTS
from fastnn.scores import r2


@dataclass(kw_only=True, eq=False, repr=False)
class MLPRegressor(RegressorMixin, MLPBase):
    __doc__ = REGRESSOR

    _parameter_constraints = {
        **CONSTRAINTS,
        "loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber", "quantile"})],
        "huber_threshold": [Interval(Real, 0, None, closed="neither")],
        "quantile": [Interval(Real, 0, 1, closed="neither"), list, tuple],
    }

    loss: str = field(default="squared_error", kw_only=False)
    hidden_layer_sizes: Any = field(default=(100,), kw_only=False)
    activation: str | list[str] = field(default="relu", kw_only=False)
    huber_threshold: float = 1.0
    quantile: float | list[float] = 0.5

    @property
    def _cost(self) -> str:
        return str(self.loss)

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        X, y = self._samples(X, y, reset, y_numeric=True)
        if y.dtype.kind not in "fiub":
            raise TypeError(f"y has dtype {y.dtype}, expected numbers: y.astype(float) makes them of texts")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _encode(self, y: Any) -> tuple[Array, int, str]:
        Y = y.reshape(len(y), -1)
        if self.loss == "poisson" and (Y < 0).any():
            raise ValueError(f"loss='poisson' needs y >= 0, but y goes down to {Y.min()}")
        if self.loss == "quantile":
            return self._with_quantiles(Y)
        return Y, Y.shape[1], "exp" if self.loss == "poisson" else "identity"

    def _with_quantiles(self, Y: Array) -> tuple[Array, int, str]:
        """The numbers of each output, and then the quantile of each."""
        levels = np.atleast_1d(self.quantile)
        real = levels.ndim == 1 and levels.size > 0 and levels.dtype.kind == "f"
        if not (real and (levels > 0).all() and (levels < 1).all() and (np.diff(levels) > 0).all()):
            raise ValueError(f"quantile={self.quantile!r} must be numbers between 0 and 1, in rising order")
        if levels.size > 1 and Y.shape[1] > 1:
            raise ValueError(f"several quantiles are of one number, but y has {Y.shape[1]} columns")
        shape = len(Y), max(levels.size, Y.shape[1])
        return np.hstack([np.broadcast_to(Y, shape), np.broadcast_to(levels, shape)]), shape[1], "identity"

    @property
    def _several(self) -> bool:
        """Whether the outputs are several quantiles of one number."""
        return bool(self.loss == "quantile" and np.size(self.quantile) > 1)

    def _outputs_of(self, twins: Sequence[FittedNetwork], X: Any) -> Iterator[Array]:
        """In rising order where they are quantiles: so they never cross, and sorting makes no loss larger."""
        each = super()._outputs_of(twins, X)
        return (np.sort(outputs, axis=1) for outputs in each) if self._several else each

    def _score_outputs(self, Y: Array, outputs: Array, weights: Array) -> float:
        if not self._several:
            return r2(Y[:, : self.n_outputs_], outputs, weights)
        return self._d2(Y[:, 0], outputs, weights if weights.size else None)

    def _d2(self, y: Any, outputs: Array, weights: Any) -> float:
        """Mean over the quantiles of the share by which the loss is below that of the constant one."""
        each = zip(np.atleast_1d(self.quantile), outputs.T, strict=True)
        return float(np.mean([d2_pinball_score(y, x, sample_weight=weights, alpha=q) for q, x in each]))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 of what is predicted for X (n_samples, n_features); of several quantiles the mean D2."""
        if self._several:
            return self._d2(y, self.predict(X), sample_weight)
        return float(super().score(X, y, sample_weight))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train for one epoch over the given rows, from where the last one ended; returns the estimator.

        X (n_samples, n_features), dense or sparse; y (n_samples,) or (n_samples, n_outputs), numbers;
        sample_weight (n_samples,).
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """The numbers (n_samples,) or (n_samples, n_outputs), for X (n_samples, n_features).

        Of several quantiles (n_samples, n_quantiles), in rising order.
        """
        outputs = self._outputs(self._features(X))
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs
