"""How good a model's answers are, beside those of a constant that looks at no column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LEAST_SHARE = 1e-15


@dataclass(frozen=True)
class Report:
    """scores, constant: of the model and of the constant answer, by name, in the target's units.

    labels, recall, confusion (n_classes, n_classes): of classes; its rows are the truth, columns the answers.
    """

    rows: int
    answer: str
    scores: dict[str, float]
    constant: dict[str, float]
    labels: list[str] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)

    @property
    def verdict(self) -> str | None:
        """What is to be said where the model is no better than the constant."""
        if not self.labels:
            if self.scores["RMSE"] < self.constant["RMSE"]:
                return None
            return f"the model is no better than the constant answer {self.answer}"
        answers = self.scores["accuracy"] > self.constant["accuracy"]
        shares = self.scores["log-loss"] < self.constant["log-loss"]
        if answers and shares:
            return None
        if answers:
            return "the probabilities are no better than the same ones for each row"
        if not shares:
            return f"the model is no better than the constant answer {self.answer}"
        return (
            f"the answers are right no more often than always {self.answer}, but the probabilities tell rows "
            "apart: sort by them, or train with --class-weight balanced"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        told = {
            "rows": self.rows,
            "scores": self.scores,
            "constant": {"answer": self.answer, **self.constant},
        }
        if self.labels:
            told |= {
                "recall": dict(zip(self.labels, self.recall, strict=True)),
                "confusion": {"labels": self.labels, "counts": self.confusion},
            }
        return {**told, "verdict": self.verdict}


def of_numbers(y: Array, predicted: Array, mean: float) -> Report:
    """y, predicted (n_samples,); mean: of the rows that were trained on, the constant answer."""

    def scores(answers: Array) -> dict[str, float]:
        off = np.abs(y - answers)
        largest = float(off.max()) or 1.0  # squares of large numbers would be infinite
        rmse = largest * float(np.sqrt(np.mean((off / largest) ** 2)))
        return {"MAE": float(off.mean()), "RMSE": rmse}

    model, constant = scores(predicted), scores(np.full(len(y), mean))
    spread = scores(np.full(len(y), y.mean()))["RMSE"]
    for told in (model, constant):
        if spread > 0:
            told["R2"] = 1 - (told["RMSE"] / spread) ** 2
    order = ("R2", "MAE", "RMSE")
    model, constant = ({name: told[name] for name in order if name in told} for told in (model, constant))
    return Report(len(y), f"{mean:.5g}, the mean", model, constant)


def of_classes(codes: Array, shares: Array, labels: list[str], training: Array) -> Report:
    """codes (n_samples,): the truth; shares (n_samples, n_classes): the model's; training (n_classes,)."""
    n_classes, rows = len(labels), np.arange(len(codes))
    predicted, commonest = shares.argmax(axis=1), int(training.argmax())

    def scores(answers: Array, shares: Array) -> dict[str, float]:
        chosen = np.maximum(shares[rows, codes], LEAST_SHARE)
        return {"accuracy": float(np.mean(answers == codes)), "log-loss": float(-np.log(chosen).mean())}

    model = scores(predicted, shares)
    constant = scores(np.full(len(codes), commonest), np.broadcast_to(training, shares.shape))
    auc = _auc(codes, shares)
    if auc is not None:
        model["AUC"], constant["AUC"] = auc, 0.5
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (codes, predicted), 1)
    there = counts.sum(axis=1)
    recall = [float(counts[i, i] / n) if n else float("nan") for i, n in enumerate(there)]
    return Report(len(codes), f"{labels[commonest]!r}", model, constant, labels, recall, counts.tolist())


def _auc(codes: Array, shares: Array) -> float | None:
    """The area under the curve; of several classes the mean of each against the rest; None of one class."""
    from sklearn.metrics import roc_auc_score

    seen = [i for i in range(shares.shape[1]) if 0 < np.sum(codes == i) < len(codes)]
    if not seen:
        return None
    if shares.shape[1] == 2:
        seen = [1]
    return float(np.mean([roc_auc_score(codes == i, shares[:, i]) for i in seen]))
