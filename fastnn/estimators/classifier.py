"""MLPClassifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from fastnn.data import Array
from fastnn.estimators.base import MLPBase
from fastnn.estimators.documentation import CLASSIFIER
from fastnn.estimators.evaluation import accuracy
from fastnn.estimators.solvers import STOCHASTIC


def _is_stochastic(estimator: Any) -> bool:
    if estimator.solver not in STOCHASTIC:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


class MLPClassifier(ClassifierMixin, MLPBase):
    __doc__ = CLASSIFIER

    _parameter_constraints = {
        **MLPBase._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    def __init__(
        self,
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
        class_weight: Any = None,
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
        return "softmax_cross_entropy" if self.out_activation_ == "softmax" else "binary_cross_entropy"

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(
            self, X, y, reset=reset, accept_sparse="csr", multi_output=True, order="C",
            dtype=(np.float64, np.float32),
        )  # fmt: skip
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return X, y
        classes = unique_labels(y)
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to "
                    f"fit. Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has "
                f"{classes}."
            )
        return X, y

    def _encode(self, y: Any) -> tuple[Array, int, str]:
        kind, n_classes = self._label_binarizer.y_type_, len(self.classes_)
        if kind in ("binary", "multiclass") and n_classes > 1 and y.ndim == 1:
            Y = np.minimum(np.searchsorted(self.classes_, y), n_classes - 1)
            unknown = y[self.classes_[Y] != y]
            if unknown.size:
                raise ValueError(f"there are labels that are not among the classes: {np.unique(unknown)}")
            return (Y[:, None], n_classes, "softmax") if kind == "multiclass" else (Y[:, None], 1, "logistic")
        Y = self._label_binarizer.transform(y)
        return Y, Y.shape[1], "logistic"

    def _stratify(self, Y: Array) -> Array | None:
        return Y.astype(bool) if self.n_outputs_ == 1 else None

    def _score_outputs(self, Y: Array, outputs: Array, weights: Array | None) -> float:
        return accuracy(self._cost, Y, outputs, weights) if len(self.classes_) > 1 else 1.0

    def _weights(self, sample_weight: Any, X: Any, y: Any, incremental: bool) -> Array | None:
        weights = super()._weights(sample_weight, X, y, incremental)
        if self.class_weight is None:
            return weights
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all of y at once, and partial_fit has a part of it: give the "
                "weights of sklearn.utils.compute_class_weight('balanced', ...) as a dict"
            )
        of_class = compute_sample_weight(self.class_weight, y)
        return of_class if weights is None else weights * of_class

    @available_if(_is_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:
        """Train for one epoch over the given rows, from where the last one ended.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The labels.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each row.
        classes : array of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call only.

        Returns
        -------
        self : object
            The model, trained further.
        """
        if _check_partial_fit_first_call(self, classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict_proba(self, X: Any) -> Array:
        """Estimate the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        y_prob : ndarray of shape (n_samples, n_classes)
            One column per entry of `classes_`.
        """
        outputs = self._outputs(self._features(X))
        if outputs.shape[1] > 1:
            return outputs
        both = np.empty((len(outputs), 2), outputs.dtype)
        np.subtract(1, outputs[:, 0], out=both[:, 0])
        both[:, 1] = outputs[:, 0]
        return both

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        log_y_prob : ndarray of shape (n_samples, n_classes)
            One column per entry of `classes_`.
        """
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def predict(self, X: Any) -> Array:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_classes)
            The predicted labels.
        """
        outputs = self._outputs(self._features(X))
        if self.out_activation_ == "softmax":
            return self.classes_[outputs.argmax(axis=1)]
        if outputs.shape[1] == 1:
            if self.classes_.size == 2:
                return self.classes_[(outputs[:, 0] > 0.5).astype(np.intp)]
            outputs = outputs[:, 0]
        return self._label_binarizer.inverse_transform(outputs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
