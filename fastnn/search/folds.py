"""One piece of a search: its members are fitted together, and each is scored on the rows of its fold."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from traceback import format_exception
from typing import Any

from sklearn.base import clone
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._validation import _score
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params, _num_samples

from fastnn.checks import Array
from fastnn.estimators.lockstep import train_together
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

    def begin(self, member: Member) -> tuple[Any, Stochastic]:
        """A copy of a member's estimator, fitted but for the network at its end, and that one's run."""
        (X, y), estimator = self.train, clone(member.estimator)
        if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
            if member.prefix not in self._transformed:
                before = Pipeline(estimator.steps[:-1], memory=estimator.memory)
                X = before.fit_transform(X, y)
                self._transformed[member.prefix] = before.steps, X
            steps, X = self._transformed[member.prefix]
            estimator.steps = [*steps, estimator.steps[-1]]
        network = network_of(estimator)
        alike = (
            member.prefix,
            repr([getattr(network, name, None) for name in ("loss", "quantile", "class_weight")]),
        )
        checked = self._checked.get(alike)
        run, self._checked[alike] = network.begin_fit(X, y, self.weights, checked=checked)
        if member.state is not None:
            run.go_on(member.state)
        return estimator, run


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
            result = _scored(begun[number][0], folds[member.split], task)
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


def _scored(estimator: Any, fold: Fold, task: Task) -> dict[str, Any]:
    started, error_score = time.perf_counter(), task.error_score
    result = {
        "fit_error": None,
        "test_scores": _score(estimator, *fold.test, task.scorer, fold.test_params, error_score),
        "score_time": time.perf_counter() - started,
        "n_test_samples": _num_samples(fold.test[0]),
    }
    if task.return_train_score:
        scores = _score(estimator, *fold.train, task.scorer, fold.train_params, error_score)
        result["train_scores"] = scores
    return result
