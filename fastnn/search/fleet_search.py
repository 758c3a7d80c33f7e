"""FleetSearchCV: scikit-learn's searches, over networks that are trained together."""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from scipy.sparse import issparse
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _fit_and_score,
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import indexable
from sklearn.utils._param_validation import Interval
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params

from fastnn.checks import Csr
from fastnn.search.documentation import FLEET_SEARCH
from fastnn.search.folds import Task, fit_and_score
from fastnn.search.halving import Rung, rungs
from fastnn.search.members import Member, members_of, network_of, obstacle, pieces
from fastnn.search.tasks import Tasks
from fastnn.storage import RefusesNonsense


class FleetSearchCV(RefusesNonsense, BaseSearchCV):
    __doc__ = FLEET_SEARCH

    _parameter_constraints = {
        **BaseSearchCV._parameter_constraints,  # noqa: SLF001
        "param_distributions": [dict, list],
        "n_candidates": [Interval(Integral, 1, None, closed="left"), None],
        "factor": [Interval(Real, 1, None, closed="neither"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_candidates: int | None = None,
        cv: Any = 5,
        scoring: Any = None,
        factor: float | None = None,
        n_jobs: int | None = None,
        refit: Any = True,
        random_state: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator, scoring=scoring, n_jobs=n_jobs, refit=refit, cv=cv, verbose=verbose,
            pre_dispatch=pre_dispatch, error_score=error_score, return_train_score=return_train_score,
        )  # fmt: skip
        self.param_distributions, self.n_candidates = param_distributions, n_candidates
        self.factor, self.random_state = factor, random_state

    def _candidates(self) -> list[dict[str, Any]]:
        """All combinations, or as many as asked for, drawn."""
        if self.n_candidates is not None:
            sampler = ParameterSampler(
                self.param_distributions, self.n_candidates, random_state=self.random_state
            )
            return list(sampler)
        choices = self.param_distributions
        for name, values in (pair for part in np.atleast_1d(choices) for pair in part.items()):
            if hasattr(values, "rvs"):
                raise ValueError(f"{name} is a distribution: say how many to draw with n_candidates=")
        return list(ParameterGrid(choices))

    def _rungs(self, candidates: list[dict[str, Any]]) -> list[Rung]:
        """How far how many candidates go: without `factor`, all to their end."""
        if self.factor is None:
            return [Rung(len(candidates), 0)]
        network = network_of(self.estimator)
        given = network.get_params()
        searched = {name.rpartition("__")[2] for candidate in candidates for name in candidate}
        if "max_iter" in searched or "max_iter" not in given:
            raise ValueError(
                "factor= halves the candidates as epochs go by: the estimator's max_iter says how many there "
                "are in all, and cannot be searched for"
            )
        return rungs(len(candidates), float(self.factor), int(given["max_iter"]))

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Try all candidates on all folds, and fit the best one to all rows; returns the search.

        X (n_samples, n_features); y (n_samples,) or (n_samples, n_outputs); params: `sample_weight`, `groups`
        and whatever else the estimator's `fit` and the splitter take.
        """
        scorer, metric = self._get_scorers()
        X, y = indexable(X, y)
        if issparse(X) and X.format == "csr":
            Csr("X", X)  # scipy trusts its row pointers when it takes the rows of a fold
        params = _check_method_params(X, params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(cv.split(X, y, **routed.splitter.split))
        self.n_splits_ = len(splits)
        if not splits:
            raise ValueError(f"cv={self.cv!r} gives no folds: there is nothing to search with")
        task = Task(
            splits, scorer, routed.estimator.fit, routed.scorer.score, self.return_train_score,
            self.error_score,
        )  # fmt: skip
        told = Tasks(self, X, y)
        results = self._search(X, y, task, metric, told)
        self.scorer_ = getattr(scorer, "_scorers", scorer)
        self.cv_results_ = results
        if self.refit or not self.multimetric_:
            metric = self.refit if self.multimetric_ else metric
            self.best_index_ = self._best(results, metric)
            self.best_params_ = results["params"][self.best_index_]
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        if self.refit:
            self._refit(X, y, routed.estimator.fit, told)
        told.end()
        return self

    def _refit(self, X: Any, y: Any, fit_params: Any, told: Tasks) -> None:
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        started = time.time()
        with told.refit(best):
            self.best_estimator_ = best.fit(X, **fit_params) if y is None else best.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - started
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_

    def _best(self, results: dict[str, Any], metric: str) -> int:
        """The row of the results that won: with halving, of the last rung."""
        if callable(self.refit) or self.factor is None:
            return int(self._select_best_index(self.refit, metric, results))
        last = np.flatnonzero(results["iter"] == results["iter"].max())
        return int(last[results[f"rank_test_{metric}"][last].argmin()])

    def _search(self, X: Any, y: Any, task: Task, metric: str, told: Tasks) -> dict[str, Any]:
        """`cv_results_`."""
        candidates = self._candidates()
        ladder = self._rungs(candidates)
        told.begin(sum(rung.n_candidates for rung in ladder) * self.n_splits_)
        kept, going = list(range(len(candidates))), _Going(self, candidates, task)
        tried: list[dict[str, Any]] = []
        more: dict[str, list[int]] = defaultdict(list)
        outcomes: list[dict[str, Any]] = []
        for number, rung in enumerate(ladder):
            last = number == len(ladder) - 1
            kept = kept[: rung.n_candidates]
            outcomes += going.evaluate(X, y, kept, rung.epochs, last)
            told.scored(len(kept) * self.n_splits_)
            tried += [candidates[candidate] for candidate in kept]
            if self.factor is not None:
                more["iter"] += [number] * len(kept)
                more["n_resources"] += [rung.epochs] * len(kept)
            results = self._format_results(tried, self.n_splits_, outcomes, more)
            self.multimetric_ = isinstance(outcomes[0]["test_scores"], dict)
            if self.multimetric_:
                self._check_refit_for_multimetric(outcomes[0]["test_scores"])
            if not last:
                by = results[f"mean_test_{self.refit if self.multimetric_ else metric}"][-len(kept) :]
                order = np.argsort(-np.nan_to_num(by, nan=-np.inf), kind="stable")
                kept = [kept[place] for place in order]
        told.searched()
        if self.factor is not None:
            self.n_candidates_ = [rung.n_candidates for rung in ladder]
            self.n_resources_ = [rung.epochs for rung in ladder]
            self.n_iterations_ = len(ladder)
        return results


class _Going:
    """The members of a search on their way from rung to rung."""

    def __init__(self, search: FleetSearchCV, candidates: list[dict[str, Any]], task: Task) -> None:
        self._search, self._candidates, self._task = search, candidates, task
        self._members: dict[int, list[Member]] = {}  # of the candidates that are trained in fleets
        self._said = False

    def evaluate(self, X: Any, y: Any, kept: list[int], epochs: int, last: bool) -> list[dict[str, Any]]:
        """The results of these candidates, fold after fold of each."""
        search, n_splits = self._search, len(self._task.splits)
        for dropped in self._members.keys() - set(kept):
            del self._members[dropped]
        if search.verbose > 0:
            print(
                f"Fitting {n_splits} folds for each of {len(kept)} candidates, totalling "
                f"{n_splits * len(kept)} fits"
            )
        apart = [candidate for candidate in kept if not self._enter(candidate)]
        together = [member for candidate in kept for member in self._members.get(candidate, ())]
        parts = pieces(together, effective_n_jobs(search.n_jobs))
        calls = [
            *(delayed(fit_and_score)((X, y), self._task, part, epochs or None, last) for part in parts),
            *(call for candidate in apart for call in self._one_by_one(X, y, candidate, epochs)),
        ]
        answers = Parallel(n_jobs=search.n_jobs, pre_dispatch=search.pre_dispatch)(calls)
        found: dict[tuple[int, int], dict[str, Any]] = {}
        for part, answer in zip(parts, answers, strict=False):
            for member, (result, state) in zip(part, answer, strict=True):
                found[member.candidate, member.split] = result
                self._members[member.candidate][member.split].state = state
        places = [(candidate, split) for candidate in apart for split in range(n_splits)]
        found |= zip(places, answers[len(parts) :], strict=True)
        outcomes = [found[candidate, split] for candidate in kept for split in range(n_splits)]
        _warn_or_raise_about_fit_failures(outcomes, search.error_score)
        if callable(search.scoring):
            _insert_error_scores(outcomes, search.error_score)
        return outcomes

    def _estimator(self, candidate: int) -> Any:
        given = clone(self._candidates[candidate], safe=False)
        return clone(self._search.estimator).set_params(**given)

    def _enter(self, candidate: int) -> bool:
        """Whether this candidate is trained in fleets."""
        if candidate not in self._members:
            estimator = self._estimator(candidate)
            reason = obstacle(estimator, self._task.fit_params)
            if reason:
                if not self._said:
                    warnings.warn(f"Some candidates are fitted one by one: {reason}.", stacklevel=5)
                self._said = True
                return False
            network = network_of(estimator)
            if self._search.factor is not None and network.random_state is None:
                # Every rung begins with the same draws.
                network.random_state = int(np.random.randint(2**31 - 1))
            self._members[candidate] = members_of(candidate, estimator, len(self._task.splits))
        return True

    def _one_by_one(self, X: Any, y: Any, candidate: int, epochs: int) -> Iterator[Any]:
        """Calls of scikit-learn's own function, for each fold."""
        search, task, given = self._search, self._task, dict(self._candidates[candidate])
        if epochs:
            last = search.estimator.steps[-1][0] + "__" if hasattr(search.estimator, "steps") else ""
            given[f"{last}max_iter"] = epochs
        for split, (train, test) in enumerate(task.splits):
            yield delayed(_fit_and_score)(
                clone(search.estimator), X, y, train=train, test=test, parameters=given, scorer=task.scorer,
                fit_params=task.fit_params, score_params=task.score_params, verbose=search.verbose,
                return_train_score=task.return_train_score, return_n_test_samples=True, return_times=True,
                return_parameters=False, error_score=task.error_score,
                split_progress=(split, len(task.splits)),
                candidate_progress=(candidate, len(self._candidates)),
            )  # fmt: skip
