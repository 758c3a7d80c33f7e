"""`fastnn explain`: which columns matter to a model, measured on a table that holds the truth."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.checks import Array
from fastnn.cli.columns import Rules
from fastnn.cli.inputs import Say
from fastnn.cli.model import Model
from fastnn.cli.target import REGRESSION, known_rows

if TYPE_CHECKING:
    import pandas as pd

# Rows that are drawn from a larger table, and how often each column is shuffled.
MOST_ROWS, REPEATS = 1000, 5


@dataclass(frozen=True)
class Importances:
    """names, means, spreads (n_columns,): how much `what` loses when a column is shuffled, most first."""

    what: str
    rows: int
    names: list[str]
    means: list[float]
    spreads: list[float]


def explain(model: Model, table: pd.DataFrame, rules: Rules, seed: int, say: Say) -> Importances:
    """By scikit-learn's permutation importance, of the log-loss for classes and of R2 for numbers."""
    from sklearn.inspection import permutation_importance

    frame = known_rows(model.frame(table, rules, say, model.target), model.target, say)
    truth = model.truth(frame)
    if len(frame) > MOST_ROWS:
        drawn = np.random.default_rng(seed).permutation(len(frame))[:MOST_ROWS]
        say(f"measured on {MOST_ROWS:,} of {len(frame):,} rows, drawn from --seed")
        frame, truth = frame.iloc[drawn], truth[drawn]

    def quality(estimator: Any, X: pd.DataFrame, y: Array) -> float:
        scores = model.judged(X, y).scores
        return scores.get("R2", -scores["RMSE"]) if model.task == REGRESSION else -scores["log-loss"]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = permutation_importance(
            model.estimator,
            frame[model.columns],
            truth,
            scoring=quality,
            n_repeats=REPEATS,
            random_state=seed,
        )
    order = np.argsort(-found.importances_mean, kind="stable")
    return Importances(
        "R2" if model.task == REGRESSION else "log-loss",
        len(frame),
        [model.columns[i] for i in order],
        found.importances_mean[order].tolist(),
        found.importances_std[order].tolist(),
    )
