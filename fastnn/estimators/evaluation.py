"""Loss and score of held-out rows after an epoch, defined as scikit-learn defines them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import xlogy

from fastnn.data import Array


@dataclass(frozen=True)
class Rows:
    """X (n_samples, n_in), dense or CSR; Y (n_samples, n_targets) as the engine takes them, weights or None.

    labels: y as the user gave it, or a function that makes them from Y.
    """

    X: Any
    Y: Array
    weights: Array | None
    labels: Any = None

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def take(self, rows: Array) -> Rows:
        weights = None if self.weights is None else self.weights[rows]
        labels = None if self.labels is None else self.labels[rows]
        return Rows(self.X[rows], self.Y[rows], weights, labels)


def log_loss_ceiling(cost: str, dtype: Any) -> float:
    """The largest loss of a label, whose probability is clipped at the spacing of 1; infinite for numbers."""
    return float(-np.log(np.finfo(dtype).eps)) if cost.endswith("cross_entropy") else np.inf


def mean_loss(cost: str, Y: Array, outputs: Array, weights: Array | None) -> float:
    """The weighted mean loss without the penalty: half squares (mean over outputs), log loss or deviance."""
    eps = np.finfo(outputs.dtype).eps
    if cost == "squared_error":
        losses = 0.5 * ((outputs - Y) ** 2).mean(axis=1)
    elif cost == "poisson":
        losses = (xlogy(Y, Y / outputs) - Y + outputs).sum(axis=1)
    elif cost == "softmax_cross_entropy":
        chosen = np.take_along_axis(outputs, Y.astype(np.intp), axis=1)[:, 0]
        losses = -np.log(np.clip(chosen, eps, 1 - eps))
    else:
        likely = np.clip(np.where(Y > 0.5, outputs, 1 - outputs), eps, 1 - eps)
        losses = -np.log(likely).sum(axis=1)
    return float(np.average(losses, weights=weights))


def accuracy(cost: str, Y: Array, outputs: Array, weights: Array | None) -> float:
    """The share of rows whose labels are all right."""
    if cost == "softmax_cross_entropy":
        hits = outputs.argmax(axis=1) == Y[:, 0]
    else:
        hits = ((outputs > 0.5) == (Y > 0.5)).all(axis=1)
    return float(np.average(hits, weights=weights))


def r2(Y: Array, outputs: Array, weights: Array | None) -> float:
    """The share of the variance explained, averaged over outputs; of a constant 1 if it is met, else 0."""
    if not np.isfinite(outputs).all():
        return float("nan")
    share = np.ones((len(Y), 1)) if weights is None else weights[:, None]
    unexplained = (share * (Y - outputs) ** 2).sum(axis=0, dtype=np.float64)
    spread = (share * (Y - np.average(Y, axis=0, weights=weights)) ** 2).sum(axis=0, dtype=np.float64)
    constant = spread == 0
    scores = 1 - unexplained / np.where(constant, 1, spread)
    return float(np.where(constant, unexplained == 0, scores).mean())


class Evaluation:
    """Held-out rows, and how an estimator is judged by them."""

    def __init__(self, estimator: Any, rows: Rows) -> None:
        self._estimator, self._rows = estimator, rows
        self._scorer: Callable[..., float] | None = None
        if estimator.scoring not in (None, "loss"):
            from sklearn.metrics import check_scoring

            self._scorer = check_scoring(estimator, scoring=estimator.scoring)

    def __call__(self) -> tuple[float, float]:
        """The loss and the score of the parameters as they are now; more is better for the score."""
        estimator, rows = self._estimator, self._rows
        cost = estimator._cost
        with np.errstate(all="ignore"):  # parameters that are no longer finite give a loss that says so
            outputs = estimator._outputs(rows.X)
            loss = mean_loss(cost, rows.Y, outputs, rows.weights)
            if self._scorer is not None:
                return loss, self._scored()
            if estimator.scoring == "loss":
                return loss, -loss
            return loss, estimator._score_outputs(rows.Y, outputs, rows.weights)

    def _scored(self) -> float:
        probe = copy.copy(self._estimator)
        probe.__dict__.pop("feature_names_in_", None)  # these rows are an array by now: no warning of that
        weights = {} if self._rows.weights is None else {"sample_weight": self._rows.weights}
        assert self._scorer is not None
        return float(self._scorer(probe, self._rows.X, self._rows.labels, **weights))
