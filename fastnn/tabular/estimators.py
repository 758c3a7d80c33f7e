"""TabularClassifier and TabularRegressor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y

from fastnn.checks import Array
from fastnn.scores import mean, r2
from fastnn.tabular.base import TabularBase
from fastnn.tabular.documentation import CLASSIFIER, REGRESSOR

LEAST_PROBABILITY = 1e-7


@dataclass(kw_only=True, eq=False, repr=False)
class TabularClassifier(ClassifierMixin, TabularBase):
    __doc__ = CLASSIFIER

    class_weight: Any = None

    def _targets(self, y: Any, n_samples: int) -> tuple[Array, int]:
        if y is None:
            raise ValueError("TabularClassifier requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(y, np.empty(n_samples))
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y holds 1 class, {self.classes_.tolist()[0]!r}: the classifier needs samples of at least 2 "
                "classes"
            )
        return codes.astype(np.float32), len(self.classes_)

    def _weights(self, y: Any, sample_weight: Any, n_samples: int) -> Array | None:
        if self.class_weight is not None:
            balance = compute_sample_weight(self.class_weight, y)
            sample_weight = balance if sample_weight is None else balance * np.asarray(sample_weight)
        return super()._weights(y, sample_weight, n_samples)

    def _probabilities(self, outputs: Array) -> Array:
        """Shares (n, n_classes) that sum to 1, from the means of the networks' outputs."""
        shares = np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
        shares = np.asarray(shares, np.float64)
        return shares / shares.sum(axis=1, keepdims=True)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class (n_samples, n_classes), in the order of `classes_`."""
        return self._probabilities(self._outputs(X)[0])

    def predict(self, X: Any) -> Array:
        """The most probable class of each row (n_samples,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _keep_out_of_bag(self, outputs: Array) -> None:
        self.oob_decision_function_ = self._probabilities(outputs)

    def _quality(self, y: Array, outputs: Array, weights: Array) -> float:
        shares = self._probabilities(outputs)[np.arange(len(y)), y.astype(np.intp)]
        return mean(np.log(np.maximum(shares, LEAST_PROBABILITY)), weights) if weights.any() else 0.0

    def _held_out_score(self, y: Array, outputs: Array, weights: Array) -> float:
        right = self._probabilities(outputs).argmax(axis=1) == y
        return mean(right, weights) if weights.any() else float("nan")


@dataclass(kw_only=True, eq=False, repr=False)
class TabularRegressor(RegressorMixin, TabularBase):
    __doc__ = REGRESSOR

    def _targets(self, y: Any, n_samples: int) -> tuple[Array, int]:
        if y is None:
            raise ValueError("TabularRegressor requires y to be passed, but the target y is None")
        y = _check_y(y, y_numeric=True, estimator=self).astype(np.float64)
        check_consistent_length(y, np.empty(n_samples))
        # Of shares of the largest: squares of very large or small numbers would be infinite or zero.
        largest = float(np.abs(y).max()) or 1.0
        self.centre_ = float(largest * np.mean(y / largest))
        self.scale_ = float(largest * np.std(y / largest - self.centre_ / largest)) or 1.0
        return ((y - self.centre_) / self.scale_).astype(np.float32), 0

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The predicted numbers (n_samples,); with return_std also the spread of the networks' answers."""
        outputs, spread = self._outputs(X)
        values = self.centre_ + self.scale_ * outputs[:, 0]
        if not return_std:
            return values
        if len(self.networks_) < 2:
            raise ValueError("one network has no spread: give members=2 or more, or another preset")
        return values, self.scale_ * spread[:, 0]

    def _keep_out_of_bag(self, outputs: Array) -> None:
        self.oob_prediction_ = self.centre_ + self.scale_ * outputs[:, 0]

    def _quality(self, y: Array, outputs: Array, weights: Array) -> float:
        return r2(y[:, None], outputs.astype(np.float64), weights) if weights.any() else 0.0

    def _held_out_score(self, y: Array, outputs: Array, weights: Array) -> float:
        return self._quality(y, outputs, weights) if weights.any() else float("nan")
