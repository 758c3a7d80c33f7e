"""One piece of a search: its members are fitted together, and each is scored on the rows of its fold."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
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

    def scores(self, prefix: str, networks: Sequence[MLPBase]) -> list[float]:
        """The `score` of each of these, which are alike; nothing where each has to say so itself."""
        X, y = self.test
        steps, _ = self._transformed.get(prefix, ([], None))
        try:
            return networks[0].scores_of(networks, Pipeline(steps).transform(X) if steps else X, y)
        except Exception:  # whatever it is, scikit-learn's way of scoring finds it, too, and says so
            return []

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
    fitted = {number: estimator for number, (estimator, _) in begun.items() if number not in errors}
    scored = _scores(task, members, fitted, folds)
    answers = []
    for number, member in enumerate(members):
        if number in errors:
            result = _failed(errors[number], task, member)
        else:
            result = _scored(scored.get(number), fitted[number], folds[member.split], task)
        answers.append(({**result, "fit_time": seconds}, states.get(number)))
    return answers


def _scores(
    task: Task, members: Sequence[Member], fitted: Mapping[int, Any], folds: Mapping[int, Fold]
) -> dict[int, tuple[float, float]]:
    """Of members that are looked at together: what their own `score` gives, and the seconds it took."""
    together: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for number in fitted if isinstance(task.scorer, _PassthroughScorer) else ():
        member = members[number]
        if member.alike and not folds[member.split].test_params:
            together[member.split, member.prefix, member.alike].append(number)
    found: dict[int, tuple[float, float]] = {}
    for (split, prefix, _), numbers in together.items():
        started = time.perf_counter()
        scores = folds[split].scores(prefix, [network_of(fitted[number]) for number in numbers])
        seconds = (time.perf_counter() - started) / len(numbers)
        pairs = zip(numbers, scores, strict=False)
        found |= {number: (score, seconds) for number, score in pairs if np.isfinite(score)}
    return found


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


def _scored(known: tuple[float, float] | None, estimator: Any, fold: Fold, task: Task) -> dict[str, Any]:
    """known: the score of the test rows and its seconds, if they are known."""
    started, error_score = time.perf_counter(), task.error_score
    if known is None:
        scores = _score(estimator, *fold.test, task.scorer, fold.test_params, error_score)
        known = scores, time.perf_counter() - started
    result = {
        "fit_error": None,
        "test_scores": known[0],
        "score_time": known[1],
        "n_test_samples": _num_samples(fold.test[0]),
    }
    if task.return_train_score:
        scores = _score(estimator, *fold.train, task.scorer, fold.train_params, error_score)
        result["train_scores"] = scores
    return result
