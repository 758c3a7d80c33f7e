"""The frame of a fit, which MLPClassifier and MLPRegressor share."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastnn._validation import as_kernels_want
from fastnn.data import Array
from fastnn.estimators.evaluation import Evaluation, Rows
from fastnn.estimators.fitted import FittedNetwork
from fastnn.estimators.hooks import CallbackSupportMixin, EpochHooks
from fastnn.estimators.lbfgs import fit_lbfgs
from fastnn.estimators.options import CONSTRAINTS, check_together, hidden_widths
from fastnn.estimators.parameters import FlatParameters, draw
from fastnn.estimators.prediction import check_indices
from fastnn.estimators.solvers import STOCHASTIC, Solver, new_solver
from fastnn.estimators.stochastic import NOT_FINITE, StochasticFit


class MLPBase(CallbackSupportMixin, FittedNetwork):
    """Everything that does not depend on what the outputs mean.

    A subclass says that with `_cost`, fastnn's name of the loss, and the methods that raise here.
    """

    _parameter_constraints = CONSTRAINTS
    _optimizer: Solver
    loss_curve_: list[Any]
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None

    def _store(self, parameters: dict[str, Any]) -> None:
        """Keep the constructor's arguments, given as its `locals()`, and nothing else."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    @property
    def _cost(self) -> str:
        raise NotImplementedError

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        """X (n_samples, n_features), C-contiguous or CSR, and y, checked; notes the classes."""
        raise NotImplementedError

    def _encode(self, y: Any) -> tuple[Array, int, str]:
        """y as the engine takes it (n_samples, n_targets), the number of outputs and their activation."""
        raise NotImplementedError

    def _score_outputs(self, Y: Array, outputs: Array, weights: Array | None) -> float:
        raise NotImplementedError

    def _stratify(self, Y: Array) -> Array | None:
        """The classes of which a held-out part should have its share."""
        return None

    def _weights(self, sample_weight: Any, X: Any, y: Any, incremental: bool) -> Array | None:
        """The weight of each row, or None where all are one."""
        return None if sample_weight is None else _check_sample_weight(sample_weight, X)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:
        """Fit the model to data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The labels, or the numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each row.
        X_val, y_val, sample_weight_val : like X, y and sample_weight, default=None
            Extra: rows to judge each epoch by. Early stopping uses them and sets nothing aside itself.

        Returns
        -------
        self : object
            The fitted model.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, held: Any = (None, None, None), incremental: bool = False
    ) -> Any:
        hidden = hidden_widths(self)
        check_together(self, len(hidden), incremental)
        first_pass = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, y = self._check_targets(X, y, incremental, reset=first_pass)
        weights = self._weights(sample_weight, X, y, incremental)
        Y, n_outputs, output = self._encode(y)
        held = self._checked_held(held, n_outputs)
        sizes = (X.shape[1], *hidden, n_outputs)
        self._random_state = check_random_state(self.random_state)
        if first_pass:
            self._initialize(sizes, output, X.dtype)
        else:
            self._resume(sizes)
        data = self._rows(X, Y, weights, y)
        held_rows = None if held is None else self._rows(*held)
        max_epochs = 1 if incremental and self.solver in STOCHASTIC else self.max_iter
        with EpochHooks(self, X, y, sample_weight, max_epochs) as hooks:
            if self.solver == "lbfgs":
                fit_lbfgs(self, data, hooks)
            else:
                self._fit_stochastic(data, held_rows, hooks, max_epochs, incremental)
        if not np.isfinite(self._flat.vector).all():
            raise ValueError(NOT_FINITE)
        return self

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
        self._link(flat)
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
        self._link(flat)

    def _rows(self, X: Any, Y: Array, weights: Array | None, labels: Any) -> Rows:
        """Data as the engine takes them: of the parameters' dtype."""
        dtype = self._flat.vector.dtype
        if issparse(X):
            check_indices(X)
            X = type(X)((X.data.astype(dtype, copy=False), X.indices, X.indptr), shape=X.shape)
        else:
            X = as_kernels_want(X, dtype)
        weights = None if weights is None else as_kernels_want(weights, dtype)
        return Rows(X, as_kernels_want(Y, dtype), weights, labels)

    def _checked_held(self, held: tuple[Any, Any, Any], n_outputs: int) -> tuple[Any, ...] | None:
        """X_val, y_val and their weights, checked: what `_rows` takes."""
        X, y, weights = held
        if X is None and y is None:
            return None
        if X is None or y is None or self.solver not in STOCHASTIC:
            raise ValueError(f"X_val and y_val go together, and with the solvers {', '.join(STOCHASTIC)}")
        X, y = validate_data(
            self, X, y, reset=False, accept_sparse="csr", multi_output=True, order="C",
            dtype=(np.float64, np.float32),
        )  # fmt: skip
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        Y, n_held, _ = self._encode(y)
        if n_held != n_outputs:
            raise ValueError(f"y_val has {n_held} outputs, but y has {n_outputs}")
        return X, Y, None if weights is None else _check_sample_weight(weights, X), y

    def _split(self, data: Rows, held: Rows | None) -> tuple[Array, Evaluation | None]:
        """The numbers of the rows to train on, and what judges an epoch, if anything does."""
        order = np.arange(len(data))
        if held is None and self.early_stopping:
            order, others = train_test_split(
                order,
                random_state=self._random_state,
                test_size=self.validation_fraction,
                stratify=self._stratify(data.Y),
            )
            if others.size < 2:
                raise ValueError(
                    "The validation set is too small. Increase 'validation_fraction' or the size of your "
                    "dataset."
                )
            held = data.take(others)
        return order, None if held is None else Evaluation(self, held)

    def _fit_stochastic(
        self, data: Rows, held: Rows | None, hooks: EpochHooks, max_epochs: int, incremental: bool
    ) -> None:
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = new_solver(self)
        order, evaluation = self._split(data, held)
        if not hasattr(self, "loss_curve_"):  # what was fitted with lbfgs goes on with another solver
            self._start_record()
        if evaluation is not None and self.validation_scores_ is None:
            self.validation_scores_, self.validation_loss_curve_ = [], []
            self.best_validation_score_ = -np.inf
        try:
            run = StochasticFit(self, data, order, evaluation)
            run.run(hooks, max_epochs, incremental)
        finally:
            if not incremental:  # of partial_fit more chunks may come
                self.__dict__.pop("_trainer", None)
        # An epoch of an earlier fit may have been better: from there this one has gone on, and stays.
        if self.early_stopping and run.best is not None:
            self._flat.vector[:] = run.best

    def _start_record(self) -> None:
        """The attributes that epochs add to, from fit to fit where training goes on."""
        self.loss_curve_ = []
        self._no_improvement_count = 0
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_ = self.validation_loss_curve_ = self.best_validation_score_ = None
