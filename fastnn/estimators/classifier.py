"""MLPClassifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from fastnn.checks import Array
from fastnn.estimators.base import MLPBase
from fastnn.estimators.documentation import CLASSIFIER
from fastnn.estimators.evaluation import accuracy
from fastnn.estimators.options import CONSTRAINTS
from fastnn.estimators.solvers import STOCHASTIC


def _is_stochastic(estimator: Any) -> bool:
    if estimator.solver not in STOCHASTIC:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


def _is_plain(y: Any) -> bool:
    """Whether y is a flat array of whole numbers or texts: labels, of which nothing is left to find out."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuU"


def _binarizer(y: Any) -> LabelBinarizer:
    """A LabelBinarizer fitted to y, which takes scikit-learn longer than epochs over few rows take."""
    binarizer = LabelBinarizer()
    if _is_plain(y):
        classes = np.unique(y)
        if 2 * classes.size <= y.size:  # with more scikit-learn warns that these may be numbers
            binarizer.classes_, binarizer.sparse_input_ = classes, False
            binarizer.y_type_ = "multiclass" if classes.size > 2 else "binary"
            return binarizer
    return binarizer.fit(y)


@dataclass(kw_only=True, eq=False, repr=False)
class MLPClassifier(ClassifierMixin, MLPBase):
    __doc__ = CLASSIFIER

    _parameter_constraints = {
        **CONSTRAINTS,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    hidden_layer_sizes: Any = field(default=(100,), kw_only=False)
    activation: str | list[str] = field(default="relu", kw_only=False)
    class_weight: Any = None

    @property
    def _cost(self) -> str:
        return "softmax_cross_entropy" if self.out_activation_ == "softmax" else "binary_cross_entropy"

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        X, y = self._samples(X, y, reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = _binarizer(y)
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

    def _score_outputs(self, Y: Array, outputs: Array, weights: Array) -> float:
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
        """Train for one epoch over the given rows, from where the last one ended; returns the estimator.

        X (n_samples, n_features), dense or sparse; y (n_samples,) or (n_samples, n_outputs), labels;
        sample_weight (n_samples,). classes (n_classes,): all labels that will ever come, for the first call.
        """
        if _check_partial_fit_first_call(self, classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class (n_samples, n_classes), for X (n_samples, n_features)."""
        outputs = self._outputs(self._features(X))
        if outputs.shape[1] > 1:
            return outputs
        both = np.empty((len(outputs), 2), outputs.dtype)
        np.subtract(1, outputs[:, 0], out=both[:, 0])
        both[:, 1] = outputs[:, 0]
        return both

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`."""
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def predict(self, X: Any) -> Array:
        """The labels (n_samples,) or (n_samples, n_classes), for X (n_samples, n_features)."""
        outputs = self._outputs(self._features(X))
        if self.out_activation_ == "softmax":
            return self.classes_[outputs.argmax(axis=1)]
        if outputs.shape[1] == 1:
            if self.classes_.size == 2:
                return self.classes_[(outputs[:, 0] > 0.5).astype(np.intp)]
            outputs = outputs[:, 0]
        return self._label_binarizer.inverse_transform(outputs)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The accuracy: the weighted share of the rows of X (n_samples, n_features) whose labels are y's."""
        predicted = self.predict(X)
        comparable = _is_plain(y) and _is_plain(predicted) and y.shape == predicted.shape
        texts = comparable and [labels.dtype.kind for labels in (y, predicted)].count("U")
        if comparable and texts != 1 and sample_weight is None and 2 * self.classes_.size <= y.size:
            return float(
                (predicted == y).mean()
            )  # scikit-learn would look for a millisecond at what they are
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
