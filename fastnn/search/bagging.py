"""Bags: networks of one shape, each fitted to rows drawn again, whose predictions are averaged."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, _fit_context, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnn.checks import Array
from fastnn.estimators import MLPClassifier, MLPRegressor
from fastnn.estimators.base import MLPBase
from fastnn.estimators.lockstep import train_together
from fastnn.estimators.parameters import generator_of
from fastnn.estimators.solvers import STOCHASTIC
from fastnn.scores import r2
from fastnn.search.documentation import BAGGED_CLASSIFIER, BAGGED_REGRESSOR
from fastnn.storage import RefusesNonsense


class Bag(RefusesNonsense, BaseEstimator):
    """What both kinds of bags share."""

    _parameter_constraints: dict[str, Any] = {
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "estimator": [MLPBase, None],
        "bootstrap": ["boolean"],
        "oob_score": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }
    kind: type[MLPClassifier] | type[MLPRegressor]
    oob_score_: float
    estimators_: list[Any]
    n_features_in_: int

    def __init__(
        self,
        n_members: int = 16,
        *,
        estimator: Any = None,
        bootstrap: bool = True,
        oob_score: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_members, self.estimator, self.bootstrap = n_members, estimator, bootstrap
        self.oob_score, self.n_jobs, self.random_state = oob_score, n_jobs, random_state

    def _template(self) -> Any:
        """An unfitted member."""
        template = self.kind() if self.estimator is None else clone(self.estimator)
        if not isinstance(template, self.kind):
            raise ValueError(
                f"estimator is {template!r}; expected a {self.kind.__name__}, or None for the defaults"
            )
        if template.solver not in STOCHASTIC:
            raise ValueError(f"solver={template.solver!r}: a bag takes {', '.join(STOCHASTIC)}")
        if self.oob_score and not self.bootstrap:
            raise ValueError("oob_score=True needs bootstrap=True: else no row is out of any bag")
        return template

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit all members; returns the bag.

        X (n_samples, n_features), dense or sparse; y (n_samples,) or (n_samples, n_outputs), labels or
        numbers; sample_weight (n_samples,).
        """
        template, random = self._template(), check_random_state(self.random_state)
        X, y = validate_data(
            self, X, y, accept_sparse="csr", multi_output=True, order="C", dtype=(np.float64, np.float32),
            y_numeric=self.kind is MLPRegressor,
        )  # fmt: skip
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        seeds = random.randint(np.iinfo(np.int32).max, size=self.n_members)
        drawn = [rows_of(seed, X.shape[0], self.bootstrap) for seed in seeds]
        members = [clone(template).set_params(random_state=int(seed)) for seed in seeds]
        jobs = min(effective_n_jobs(self.n_jobs), self.n_members)
        bounds = np.linspace(0, self.n_members, jobs + 1).astype(int)
        parts = [slice(start, stop) for start, stop in zip(bounds, bounds[1:], strict=False)]
        calls = (delayed(fit_members)((X, y, sample_weight), members[part], drawn[part]) for part in parts)
        answers = [pair for part in Parallel(n_jobs=self.n_jobs)(calls) for pair in part]
        errors = [error for _, error in answers if error is not None]
        if len(errors) == len(answers):
            raise errors[0]
        if errors:
            warnings.warn(
                f"{len(errors)} of {len(answers)} members could not be fitted and are left out: {errors[0]}",
                stacklevel=2,
            )
        kept = [(member, rows) for (member, error), rows in zip(answers, drawn, strict=True) if error is None]
        self.estimators_, self.estimators_samples_ = [m for m, _ in kept], [rows for _, rows in kept]
        self._take_from(self.estimators_[0])
        if self.oob_score:
            self._score_out_of_bag(X, y, sample_weight)
        return self

    def _take_from(self, member: Any) -> None:
        """What all members have in common."""
        self.n_outputs_, self.out_activation_ = member.n_outputs_, member.out_activation_

    def _features(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(
            self, X, accept_sparse="csr", order="C", dtype=(np.float64, np.float32), reset=False
        )

    def _mean(self, X: Any, return_std: bool) -> Any:
        """Of the members' predictions, or probabilities; with `return_std` and their standard deviation."""
        X = self._features(X)
        each = np.stack([self._member_outputs(member, X) for member in self.estimators_])
        return (each.mean(axis=0), each.std(axis=0)) if return_std else each.mean(axis=0)

    def _member_outputs(self, member: Any, X: Any) -> Array:
        raise NotImplementedError

    def _out_of_bag(self, X: Any) -> tuple[Array, NDArray[np.bool_]]:
        """The mean over the members that have not seen a row, and for which rows there is one."""
        total, counts = None, np.zeros(X.shape[0])
        for member, rows in zip(self.estimators_, self.estimators_samples_, strict=True):
            unseen = np.ones(X.shape[0], bool)
            unseen[rows] = False
            if unseen.any():
                outputs = self._member_outputs(member, X[unseen])
                if total is None:
                    total = np.zeros((X.shape[0], *outputs.shape[1:]))
                total[unseen] += outputs
                counts += unseen
        if total is None:
            raise ValueError("no row is out of any bag: give more rows or more members, or oob_score=False")
        known = counts > 0
        if not known.all():
            warnings.warn(
                f"{np.count_nonzero(~known)} rows are in every bag and do not count in oob_score_: give more "
                "members",
                stacklevel=4,
            )
        with np.errstate(invalid="ignore"):
            return total / counts.reshape(-1, *[1] * (total.ndim - 1)), known

    def _score_out_of_bag(self, X: Any, y: Any, sample_weight: Array | None) -> None:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags


def rows_of(seed: int, n_rows: int, bootstrap: bool) -> NDArray[np.int64] | None:
    """The numbers of a member's rows, drawn with replacement; None for all."""
    return generator_of(seed).randint(n_rows, size=n_rows) if bootstrap else None


def fit_members(
    data: tuple[Any, Any, Any], members: list[Any], drawn: list[Any]
) -> list[tuple[Any, Exception | None]]:
    """These members, fitted together, and what went wrong with each.

    data: X, y and sample_weight, which travel with the members: see `fit_and_score`.
    """
    runs, errors, checked = {}, dict[int, Exception](), None
    for number, (member, rows) in enumerate(zip(members, drawn, strict=True)):
        runs[number], checked = member.begin_fit(*data, chosen=rows, checked=checked)
    for number, problem in zip(runs, train_together(list(runs.values())), strict=True):
        try:
            if problem is not None:
                raise problem
            runs[number].warn_unless_stopped()
            members[number].end_fit(runs[number])
        except ValueError as error:
            errors[number] = error
    return [(member, errors.get(number)) for number, member in enumerate(members)]


class BaggedMLPClassifier(ClassifierMixin, Bag):
    __doc__ = BAGGED_CLASSIFIER
    kind = MLPClassifier

    def _take_from(self, member: Any) -> None:
        super()._take_from(member)
        self.classes_ = member.classes_

    def _member_outputs(self, member: Any, X: Any) -> Array:
        probabilities: Array = member.predict_proba(X)
        return probabilities

    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        """The members' mean probability of each class (n_samples, n_classes), for X (n_samples, n_features).

        With `return_std` also the standard deviation over the members, in the same shape.
        """
        return self._mean(X, return_std)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The labels (n_samples,) or (n_samples, n_classes) of the mean probabilities.

        With `return_std` also how far the members differ in the probability of each class: `predict_proba`.
        """
        mean, spread = self._mean(X, return_std=True)
        labels = self._labels(mean)
        return (labels, spread) if return_std else labels

    def _labels(self, probabilities: Array) -> Array:
        if self.out_activation_ == "softmax" or (self.n_outputs_ == 1 and self.classes_.size == 2):
            return np.asarray(self.classes_[probabilities.argmax(axis=1)])
        if self.n_outputs_ == 1:  # one class in all rows
            return np.asarray(self.classes_[np.zeros(len(probabilities), int)])
        return (probabilities > 0.5).astype(int)

    def _score_out_of_bag(self, X: Any, y: Any, sample_weight: Array | None) -> None:
        self.oob_decision_function_, known = self._out_of_bag(X)
        right = self._labels(self.oob_decision_function_[known]) == np.asarray(y)[known]
        right = right.reshape(len(right), -1).all(axis=1)
        weights = None if sample_weight is None else sample_weight[known]
        self.oob_score_ = float(np.average(right, weights=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = False
        return tags


class BaggedMLPRegressor(RegressorMixin, Bag):
    __doc__ = BAGGED_REGRESSOR
    kind = MLPRegressor

    def _member_outputs(self, member: Any, X: Any) -> Array:
        numbers: Array = member.predict(X)
        return numbers

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The members' mean (n_samples,) or (n_samples, n_outputs), for X (n_samples, n_features).

        With `return_std` also the standard deviation over the members, in the same shape.
        """
        return self._mean(X, return_std)

    def _score_out_of_bag(self, X: Any, y: Any, sample_weight: Array | None) -> None:
        self.oob_prediction_, known = self._out_of_bag(X)
        y, outputs = (
            np.reshape(part[known], (np.count_nonzero(known), -1)) for part in (y, self.oob_prediction_)
        )
        weights = np.empty(0) if sample_weight is None else sample_weight[known]
        self.oob_score_ = float(r2(y, outputs, weights))
