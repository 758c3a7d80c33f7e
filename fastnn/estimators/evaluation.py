"""Loss and score of held-out rows after an epoch, defined as scikit-learn defines them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import xlogy

from fastnn import reference
from fastnn.checks import Array
from fastnn.data import Rows
from fastnn.scores import mean
from fastnn_kernels.costs import COSTS


def mean_loss(cost: str, Y: Array, outputs: Array, weights: Array, huber_threshold: float) -> float:
    """The weighted mean loss without the penalty: of numbers (mean over outputs), log loss or deviance."""
    eps, targets = np.finfo(outputs.dtype).eps, COSTS[cost].targets
    if targets in ("numbers", "quantiles"):
        more = {"threshold": huber_threshold} if cost == "huber" else {}
        losses = getattr(reference, cost)(outputs, Y, **more)[0] / outputs.shape[1]
    elif targets == "counts":
        losses = (xlogy(Y, Y / outputs) - Y + outputs).sum(axis=1)
    elif targets == "classes":
        chosen = np.take_along_axis(outputs, Y.astype(np.intp), axis=1)[:, 0]
        losses = -np.log(np.clip(chosen, eps, 1 - eps))
    else:
        likely = np.clip(np.where(Y > 0.5, outputs, 1 - outputs), eps, 1 - eps)
        losses = -np.log(likely).sum(axis=1)
    return mean(losses, weights)


def accuracy(cost: str, Y: Array, outputs: Array, weights: Array) -> float:
    """The share of rows whose labels are all right."""
    if COSTS[cost].targets == "classes":
        return mean(outputs.argmax(axis=1) == Y[:, 0], weights)
    right = (outputs > 0.5) == (Y > 0.5)
    return mean(right[:, 0] if right.shape[1] == 1 else right.all(axis=1), weights)


class Evaluation:
    """Held-out rows, and how an estimator is judged by them.

    labels: the rows' y as the user gave it; outputs, score: of X, and of Y, outputs and weights.
    """

    def __init__(
        self,
        estimator: Any,
        cost: str,
        rows: Rows,
        labels: Any,
        outputs: Callable[[Any], Array],
        score: Callable[[Array, Array, Array], float],
    ) -> None:
        self._estimator, self._cost, self.rows, self.labels = estimator, cost, rows, labels
        self._outputs, self._score = outputs, score
        self._scorer: Callable[..., float] | None = None
        if estimator.scoring not in (None, "loss"):
            from sklearn.metrics import check_scoring

            self._scorer = check_scoring(estimator, scoring=estimator.scoring)

    def __call__(self) -> tuple[float, float]:
        """The loss and the score of the parameters as they are now; more is better for the score."""
        rows = self.rows
        with np.errstate(all="ignore"):  # parameters that are no longer finite give a loss that says so
            outputs = self._outputs(rows.X)
            threshold = self._estimator.huber_threshold
            loss = mean_loss(self._cost, rows.Y, outputs, rows.weights, threshold)
            if self._scorer is not None:
                return loss, self._scored(self._scorer)
            if self._estimator.scoring == "loss":
                return loss, -loss
            return loss, self._score(rows.Y, outputs, rows.weights)

    def _scored(self, scorer: Callable[..., float]) -> float:
        probe = copy.copy(self._estimator)
        probe.__dict__.pop("feature_names_in_", None)  # these rows are an array by now: no warning of that
        weights = {"sample_weight": self.rows.weights} if self.rows.weights.size else {}
        return float(scorer(probe, self.rows.X, self.labels, **weights))
