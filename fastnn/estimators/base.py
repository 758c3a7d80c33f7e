"""The frame of a fit, which MLPClassifier and MLPRegressor share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.utils.validation import _check_sample_weight

from fastnn.checks import Array, as_kernels_want, csr_rows
from fastnn.data import Rows, require_finite
from fastnn.estimators.hooks import CallbackSupportMixin, EpochHooks
from fastnn.estimators.lbfgs import fit_lbfgs
from fastnn.estimators.options import check_together, hidden_widths
from fastnn.estimators.parameters import FlatParameters, draw, generator_of
from fastnn.estimators.solvers import STOCHASTIC, Rule
from fastnn.estimators.stochastic import NOT_FINITE, Stochastic
from fastnn.estimators.stochastic_fit import StochasticFit
from fastnn.precision import precision_of, say_once
from fastnn.trainer import Gradient, Trainer

# What an estimator notes of the data that it is given.
FOUND = ("n_features_in_", "feature_names_in_", "classes_", "_label_binarizer")


@dataclass(frozen=True)
class Checked:
    """X and y of a fit, checked, their rows, and what they say of the network; found: by attribute."""

    X: Any
    y: Any
    rows: Rows
    n_outputs: int
    output: str
    found: dict[str, Any]


class MLPBase(CallbackSupportMixin, StochasticFit):
    """Everything that does not depend on what the outputs mean.

    A subclass says that with `_cost`, `_score_outputs` and the methods that raise here.
    """

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        """X (n_samples, n_features), C-contiguous or CSR, and y, checked; notes the classes."""
        raise NotImplementedError

    def _encode(self, y: Any) -> tuple[Array, int, str]:
        """y as the engine takes it (n_samples, n_targets), the number of outputs and their activation."""
        raise NotImplementedError

    def _weights(self, sample_weight: Any, X: Any, y: Any, incremental: bool) -> Array | None:
        """The weight of each row, or None where all are one."""
        return None if sample_weight is None else _check_sample_weight(sample_weight, X)

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the model to data; returns the estimator.

        X (n_samples, n_features), dense or sparse; y (n_samples,) or (n_samples, n_outputs), labels or
        numbers; sample_weight (n_samples,). Extra: X_val, y_val and sample_weight_val are rows to judge each
        epoch by; early stopping uses them and sets nothing aside itself.
        """
        self._fit_checked(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit_checked(self, *arguments: Any) -> None:
        """Check the constructor's arguments, and `_fit`: the decorator would hide the type of `fit`."""
        self._fit(*arguments)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, held: Any = (None, None, None), incremental: bool = False
    ) -> Self:
        checked, held_out = self._prepare(X, y, sample_weight, held, incremental)
        X, y, rows = checked.X, checked.y, checked.rows
        kept: Trainer | None = None
        max_epochs = 1 if incremental and self.solver in STOCHASTIC else self.max_iter
        try:
            with EpochHooks(self, (X, y, sample_weight), max_epochs) as hooks:
                if self.solver == "lbfgs":
                    gradient = Gradient(self._plan(rows, Rule(), len(rows)), self._flat.vector)
                    fit_lbfgs(self, gradient, self._flat.vector, rows, hooks, self._n_terms())
                else:
                    run = self._run(rows, y, held_out, hooks, max_epochs, incremental)
                    try:
                        run.train(self._trainer(run.plan))
                    finally:
                        self._no_improvement_count = run.stale
                    if not incremental:
                        run.warn_unless_stopped()
                    self.end_fit(run)
        finally:
            if not incremental:  # of partial_fit more chunks may come
                kept = self.__dict__.pop("_kept", None)
        if kept is not None:
            kept.spare()
        if not np.isfinite(self._flat.vector).all():
            raise ValueError(NOT_FINITE)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def begin_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        chosen: NDArray[np.int64] | None = None,
        checked: Checked | None = None,
    ) -> tuple[Stochastic, Checked]:
        """The epochs of a `fit`, for who trains many at once, and calls `end_fit` then; and the checked data.

        chosen (n,): the numbers of the rows to fit, any of them more than once; None for all. checked: what
        another estimator with the same `loss`, `quantile` and `class_weight` made of these data.
        """
        checked, _ = self._prepare(X, y, sample_weight, (None, None, None), False, checked)
        hooks = EpochHooks(self, (checked.X, checked.y, sample_weight), self.max_iter)
        rows = replace(checked.rows, chosen=chosen)
        return self._run(rows, checked.y, None, hooks, self.max_iter, incremental=False), checked

    def scores_of(self, twins: Sequence[MLPBase], X: Any, y: Any) -> list[float]:
        """`score` of each of these, fitted to the same data and equal to this one but for NUMBERS.

        y (n_samples,): raises ValueError for others, for one row, and for labels that are new.
        """
        X, y = self._features(X), np.asarray(y)
        if y.ndim != 1 or len(y) < 2 or len(getattr(self, "classes_", y)) < 2:
            raise ValueError(
                f"y has shape {y.shape}; expected two numbers, or labels of two classes, at least"
            )
        Y, alike = self._encode(y)[0], np.empty(0)
        return [self._score_outputs(Y, outputs, alike) for outputs in self._outputs_of(twins, X)]

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        held: Any,
        incremental: bool,
        checked: Checked | None = None,
    ) -> tuple[Checked, tuple[Rows, Any] | None]:
        """The data, checked, and the rows to judge epochs by; the parameters are ready."""
        hidden = hidden_widths(self)
        check_together(self, len(hidden), incremental)
        first_pass = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        if checked is None:
            X, y = self._check_targets(X, y, incremental, reset=first_pass)
            weights = self._weights(sample_weight, X, y, incremental)
            Y, n_outputs, output = self._encode(y)
            held = self._checked_held(held, n_outputs)
        else:
            X, y, n_outputs, output = checked.X, checked.y, checked.n_outputs, checked.output
            self.__dict__.update(checked.found)
        sizes = (X.shape[1], *hidden, n_outputs)
        self._random_state = generator_of(self.random_state)
        if self.precision is not None:
            precision_of(self.precision, X.dtype if first_pass else self._parameters().vector.dtype)
            say_once(sizes, stacklevel=2)
        if first_pass:
            self._initialize(sizes, output, X.dtype)
        else:
            self._resume(sizes)
        if checked is not None:
            return checked, None
        found = {name: vars(self)[name] for name in FOUND if name in vars(self)}
        checked = Checked(X, y, self._rows(X, Y, weights), n_outputs, output, found)
        return checked, None if held is None else (self._rows(*held[:3]), held[3])

    def _initialize(self, sizes: tuple[int, ...], output: str, dtype: Any) -> None:
        """New parameters, drawn as scikit-learn draws them, and an empty record."""
        flat = FlatParameters(sizes, dtype)
        draw(flat, self.activation, self._random_state)
        for name, views in (("coefs_init", flat.coefs), ("intercepts_init", flat.intercepts)):
            given = getattr(self, name)
            shapes, expected = [np.shape(value) for value in given or ()], [view.shape for view in views]
            if given is not None and shapes != expected:
                raise ValueError(f"{name} has arrays of the shapes {shapes}; expected {expected}")
        flat.fill(self.coefs_init, self.intercepts_init)
        self._link(self._precise(flat))
        self.n_iter_ = self.t_ = 0
        self.n_layers_, self.n_outputs_, self.out_activation_ = len(sizes), sizes[-1], output
        if self.solver in STOCHASTIC:
            self._start_record()

    def _resume(self, sizes: tuple[int, ...]) -> None:
        """Go on with the parameters as they are, which a user may have replaced."""
        flat = self._parameters()
        if flat.sizes != sizes:
            raise ValueError(
                f"the fitted parameters are of layers as wide as {flat.sizes}, but the data and "
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} ask for {sizes}: fit without warm_start"
            )
        self._link(self._precise(flat))

    def _precise(self, flat: FlatParameters) -> FlatParameters:
        """scipy's L-BFGS-B works in float64 and gives float64, whatever X is, and so does scikit-learn."""
        if self.solver in STOCHASTIC or flat.vector.dtype == np.float64:
            return flat
        return FlatParameters.packed(
            *([np.float64(view) for view in views] for views in (flat.coefs, flat.intercepts))
        )

    def _rows(self, X: Any, Y: Array, weights: Array | None) -> Rows:
        """Data as the engine takes them: of the parameters' dtype."""
        dtype = self._flat.vector.dtype
        X = csr_rows("X", X, dtype) if issparse(X) else as_kernels_want(X, dtype)
        weights = np.empty(0) if weights is None else weights
        for name, array in (("y", Y), ("sample_weight", weights)):
            if array.dtype != dtype:
                require_finite(name, array, dtype)
        return Rows(X, as_kernels_want(Y, dtype), as_kernels_want(weights, dtype))

    def _checked_held(self, held: tuple[Any, Any, Any], n_outputs: int) -> tuple[Any, ...] | None:
        """X_val, y_val and their weights, checked: what `_rows` takes."""
        X, y, weights = held
        if X is None and y is None:
            return None
        if X is None or y is None or self.solver not in STOCHASTIC:
            raise ValueError(f"X_val and y_val go together, and with the solvers {', '.join(STOCHASTIC)}")
        X, y = self._samples(X, y, reset=False)
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        Y, n_held, _ = self._encode(y)
        if n_held != n_outputs:
            raise ValueError(f"y_val has {n_held} outputs, but y has {n_outputs}")
        return X, Y, None if weights is None else _check_sample_weight(weights, X), y
