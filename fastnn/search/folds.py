"""One piece of a search: its members are fitted together, and each is scored on the rows of its fold."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from traceback import format_exception
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics._scorer import _MultimetricScorer, _PassthroughScorer
from sklearn.model_selection._validation import _score
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params, _num_samples

from fastnn.checks import Array
from fastnn.estimators.base import MLPBase
from fastnn.estimators.lockstep import train_together
from fastnn.estimators.options import NUMBERS
from fastnn.estimators.stochastic import Stochastic
from fastnn.search.members import Member, network_of


@dataclass(frozen=True)
class Task:
    """What all members of a search share, but for the data: splits are pairs of row numbers."""

    splits: Sequence[tuple[Array, Array]]
    scorer: Any
    fit_params: Mapping[str, Any]
    score_params: Mapping[str, Any]
    return_train_score: bool
    error_score: Any


class Fold:
    """The rows of a split, and what the steps before a network make of them: fitted once."""

    def __init__(self, X: Any, y: Any, task: Task, split: int, estimator: Any) -> None:
        train, test = task.splits[split]
        self.train = _safe_split(estimator, X, y, train)
        self.test = _safe_split(estimator, X, y, test, train)
        fit_params = _check_method_params(X, dict(task.fit_params), indices=train)
        self.weights = next(iter(fit_params.values()), None)
        score_params = dict(task.score_params)
        self.train_params = _check_method_params(X, score_params, indices=train)
        self.test_params = _check_method_params(X, score_params, indices=test)
        self._transformed: dict[str, tuple[list[Any], Any]] = {}
        self._checked: dict[tuple[str, str], Any] = {}
        self._begun: dict[tuple[str, str, bool], Stochastic] = {}  # the first of those that are alike
        self._encoded: dict[tuple[str, str], tuple[Any, Array] | None] = {}  # their test rows

    def begin(self, member: Member) -> tuple[Any, Stochastic]:
        """A copy of a member's estimator, fitted but for the network at its end, and that one's run."""
        estimator, run = member.estimator, self._run(member, *self.train)
        if member.state is not None:
            run.go_on(member.state)
        if not isinstance(estimator, Pipeline):
            return run.estimator, run
        steps, last = self._transformed[member.prefix][0], estimator.steps[-1][0]
        estimator = copy.copy(estimator)
        estimator.steps = [*steps, (last, run.estimator)]
        return estimator, run

    def _run(self, member: Member, X: Any, y: Any) -> Stochastic:
        network = network_of(member.estimator)
        alike = member.prefix, member.alike, member.state is None
        if alike in self._begun:
            first = self._begun[alike]
            twin: Stochastic = first.estimator.begin_twin(first, {x: getattr(network, x) for x in NUMBERS})
            return twin
        if isinstance(member.estimator, Pipeline):
            X = self._before(member.prefix, member.estimator, X, y)
        targets = repr([getattr(network, name, None) for name in ("loss", "quantile", "class_weight")])
        checked = self._checked.get((member.prefix, targets))
        run, checked = clone(network).begin_fit(X, y, self.weights, checked=checked)
        self._checked[member.prefix, targets] = checked
        if member.alike:
            self._begun[alike] = run
        return run

    def score(self, member: Member, network: MLPBase) -> float | None:
        """What the estimator's own `score` gives; None where it has to say so itself.

        What those that are alike look at alike, is looked at once.
        """
        alike = member.prefix, member.alike
        if not member.alike or self.test_params:
            return None
        if alike not in self._encoded:
            X, y = self.test
            steps, _ = self._transformed.get(member.prefix, ([], None))
            try:
                self._encoded[alike] = network.encoded(Pipeline(steps).transform(X) if steps else X, y)
            except Exception:  # whatever it is, scikit-learn's way of scoring finds it, too, and says so
                self._encoded[alike] = None
        encoded = self._encoded[alike]
        score = np.nan if encoded is None else network.score_encoded(*encoded)
        return score if np.isfinite(score) else None

    def _before(self, prefix: str, estimator: Pipeline, X: Any, y: Any) -> Any:
        """What the steps before the network make of X: they are fitted once."""
        if prefix not in self._transformed:
            steps = clone(estimator).steps[:-1]
            X = Pipeline(steps, memory=estimator.memory).fit_transform(X, y) if steps else X
            self._transformed[prefix] = steps, X
        return self._transformed[prefix][1]


def fit_and_score(
    data: tuple[Any, Any], task: Task, members: Sequence[Member], epochs: int | None, last: bool
) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Train all members, to at most so many epochs, and score them: a result of each, and its state.

    data: X and y, in a tuple: on a cluster of dask, arrays by themselves are lost with the worker that has
    them, a tuple travels with the piece. The results are as scikit-learn's own searches format them. `last`:
    nobody goes on from there; no state.
    """
    X, y = data
    started = time.perf_counter()
    folds: dict[int, Fold] = {}
    begun: dict[int, tuple[Any, Stochastic]] = {}
    errors: dict[int, Exception] = {}
    for number, member in enumerate(members):
        try:
            if member.split not in folds:
                folds[member.split] = Fold(X, y, task, member.split, member.estimator)
            estimator, run = begun[number] = folds[member.split].begin(member)
            run.max_epochs = epochs or run.max_epochs
        except Exception as error:
            errors[number] = error
    for number, problem in zip(begun, train_together([run for _, run in begun.values()]), strict=True):
        if problem is not None:
            errors[number] = problem
    states = {number: run.state() for number, (_, run) in begun.items() if not last}
    for number, (estimator, run) in begun.items():
        if number not in errors:
            try:
                if last:
                    run.warn_unless_stopped()
                network_of(estimator).end_fit(run)
            except Exception as error:
                errors[number] = error
    if errors and task.error_score == "raise":
        raise errors[min(errors)]
    seconds = (time.perf_counter() - started) / max(1, len(members))
    answers = []
    for number, member in enumerate(members):
        if number in errors:
            result = _failed(errors[number], task, member)
        else:
            result = _scored(member, begun[number][0], folds[member.split], task)
        answers.append(({**result, "fit_time": seconds}, states.get(number)))
    return answers


def _failed(error: Exception, task: Task, member: Member) -> dict[str, Any]:
    scores: Any = task.error_score
    if isinstance(task.scorer, _MultimetricScorer):
        scores = dict.fromkeys(task.scorer._scorers, task.error_score)  # noqa: SLF001
    return {
        "fit_error": "".join(format_exception(error)),
        "test_scores": scores,
        **({"train_scores": scores} if task.return_train_score else {}),
        "score_time": 0.0,
        "n_test_samples": len(task.splits[member.split][1]),
    }


def _scored(member: Member, estimator: Any, fold: Fold, task: Task) -> dict[str, Any]:
    started, error_score = time.perf_counter(), task.error_score
    scores: Any = None
    if isinstance(task.scorer, _PassthroughScorer):
        scores = fold.score(member, network_of(estimator))
    if scores is None:
        scores = _score(estimator, *fold.test, task.scorer, fold.test_params, error_score)
    result = {
        "fit_error": None,
        "test_scores": scores,
        "score_time": time.perf_counter() - started,
        "n_test_samples": _num_samples(fold.test[0]),
    }
    if task.return_train_score:
        scores = _score(estimator, *fold.train, task.scorer, fold.train_params, error_score)
        result["train_scores"] = scores
    return result
