"""Bags: each member is the estimator fitted to its rows, and the bag is their mean."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from estimator_cases import data
from fastnn import MLPClassifier, MLPRegressor
from fastnn.search import BaggedMLPClassifier, BaggedMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = {MLPClassifier: BaggedMLPClassifier, MLPRegressor: BaggedMLPRegressor}
# A weight is not a repetition where rows are drawn: their numbers change with the rows that there are.
DRAWN = {f"check_sample_weight_equivalence_on_{kind}_data": "rows are drawn" for kind in ("dense", "sparse")}


def bag_of(targets, n_members=5, **options):
    kind = MLPClassifier if targets in ("binary", "classes", "multilabel") else MLPRegressor
    own = {name: options.pop(name) for name in ("bootstrap", "oob_score", "n_jobs") if name in options}
    member = kind(hidden_layer_sizes=6, **{"max_iter": 30, "batch_size": 20, **options})
    return KINDS[kind](n_members, estimator=member, random_state=3, **own)


@parametrize_with_checks(
    [
        BaggedMLPClassifier(3, estimator=MLPClassifier(max_iter=100)),
        BaggedMLPRegressor(3, estimator=MLPRegressor(max_iter=100)),
    ],
    expected_failed_checks=lambda estimator: DRAWN,
)
@pytest.mark.slow
def test_every_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("options", ({}, {"early_stopping": True}, {"solver": "sgd"}), ids=str)
@pytest.mark.parametrize("targets", ("binary", "classes", "multilabel", "number", "numbers"))
def test_a_member_is_the_estimator_fitted_to_its_rows(targets, options):
    X, y = data(targets)
    bag = bag_of(targets, **options).fit(X, y)
    assert len(bag.estimators_) == 5
    outputs = []
    for member, rows in zip(bag.estimators_, bag.estimators_samples_, strict=True):
        alone = clone(member).fit(X[rows], y[rows])
        for a, b in zip(alone.coefs_ + alone.intercepts_, member.coefs_ + member.intercepts_, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
        assert alone.n_iter_ == member.n_iter_ and alone.random_state == member.random_state
        name = "predict_proba" if hasattr(alone, "predict_proba") else "predict"
        outputs.append(getattr(alone, name)(X))
    np.testing.assert_allclose(getattr(bag, name)(X), np.mean(outputs, axis=0), rtol=1e-5, atol=1e-7)
    mean, std = getattr(bag, name)(X, return_std=True)
    np.testing.assert_allclose(std, np.std(outputs, axis=0), rtol=1e-4, atol=1e-7)
    assert len({seed.random_state for seed in bag.estimators_}) == 5


@pytest.mark.parametrize("targets", ("binary", "classes", "multilabel"))
def test_labels_are_those_of_the_mean_probabilities(targets):
    X, y = data(targets)
    bag = bag_of(targets, learning_rate_init=0.05).fit(X, y)
    probabilities, labels = bag.predict_proba(X), bag.predict(X)
    if targets == "multilabel":
        np.testing.assert_array_equal(labels, probabilities > 0.5)
    else:
        np.testing.assert_array_equal(labels, bag.classes_[probabilities.argmax(axis=1)])
    assert labels.shape == y.shape and bag.score(X, y) > 0.5
    np.testing.assert_array_equal(bag.predict(X, return_std=True)[0], labels)


@pytest.mark.parametrize("targets", ("binary", "multilabel", "number", "numbers"))
def test_rows_out_of_the_bags_are_scored_by_who_has_not_seen_them(targets):
    X, y = data(targets)
    bag = bag_of(targets, 12, oob_score=True).fit(X, y)
    name = "predict" if targets.startswith("number") else "predict_proba"
    expected = np.full((12, *getattr(bag, name)(X).shape), np.nan)
    for outputs, member, rows in zip(expected, bag.estimators_, bag.estimators_samples_, strict=True):
        unseen = np.setdiff1d(np.arange(len(X)), rows)
        outputs[unseen] = getattr(member, name)(X[unseen])
    mean = np.nanmean(expected, axis=0)
    if name == "predict":
        np.testing.assert_allclose(bag.oob_prediction_, mean)
        assert bag.oob_score_ == pytest.approx(r2_score(y, mean))
    else:
        np.testing.assert_allclose(bag.oob_decision_function_, mean)
        labels = mean > 0.5 if targets == "multilabel" else bag.classes_[mean.argmax(axis=1)]
        assert bag.oob_score_ == pytest.approx(accuracy_score(y, labels))


def test_rows_that_are_in_every_bag_do_not_count():
    X, y = data("number")
    with pytest.warns(UserWarning, match="rows are in every bag and do not count"):
        bag = bag_of("number", 2, oob_score=True).fit(X, y)
    assert np.isnan(bag.oob_prediction_).any() and np.isfinite(bag.oob_score_)


@pytest.mark.parametrize("targets", ("classes", "number"))
def test_the_bag_does_not_depend_on_processes_or_on_how_many_members_there_are(targets):
    X, y = data(targets)
    bag = bag_of(targets, 9).fit(X, y)
    np.testing.assert_array_equal(bag.predict(X), bag_of(targets, 9, n_jobs=2).fit(X, y).predict(X))
    first = bag_of(targets, 4).fit(X, y).estimators_[0]
    for a, b in zip(first.coefs_, bag.estimators_[0].coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_sparse_rows_and_all_rows():
    X, y = data("classes")
    weights = np.linspace(0.5, 2, len(y))
    bag = bag_of("classes", bootstrap=False).fit(X, y, weights)
    member = bag.estimators_[1]
    alone = clone(member).fit(X, y, weights)
    np.testing.assert_allclose(alone.predict_proba(X), member.predict_proba(X), rtol=1e-6)
    assert bag.estimators_samples_ == [None] * 5
    sparse = bag_of("classes", bootstrap=False).fit(csr_matrix(X), y, weights)
    np.testing.assert_allclose(sparse.predict_proba(csr_matrix(X)), bag.predict_proba(X), rtol=1e-6)


def test_every_class_is_known_to_every_member():
    X, y = data("classes")
    y = np.where(np.arange(len(y)) == 0, 99, y)  # one row of this class: most bags have none
    bag = bag_of("classes").fit(X, y)
    assert bag.predict_proba(X).shape == (90, 5) and bag.classes_.tolist() == [3, 7, 8, 20, 99]


def test_members_that_diverge_are_left_out():
    X, y = data("number")
    y = y.copy()
    y[0] = 1e160  # whose square is infinite: only who has not drawn this row can be fitted
    with pytest.warns(UserWarning, match="members could not be fitted and are left out: Solver produced"):
        bag = bag_of("number", 12, solver="sgd", learning_rate_init=1e-4).fit(X, y)
    assert 0 < len(bag.estimators_) < 12 and np.isfinite(bag.predict(X)).all()
    assert all(0 not in rows for rows in bag.estimators_samples_)
    y[:] = 1e160
    with pytest.raises(ValueError, match="non-finite"):
        bag_of("number", 3, solver="sgd").fit(X, y)


def test_a_bag_can_be_cloned_and_pickled():
    X, y = data("binary")
    bag = bag_of("binary").fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(bag)).predict_proba(X), bag.predict_proba(X))
    assert clone(bag).get_params()["estimator__hidden_layer_sizes"] == 6
    assert type(bag).__module__ == "fastnn.search"


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"n_members": 0}, "'n_members' parameter"),
        ({"estimator": MLPRegressor()}, "expected a MLPClassifier"),
        ({"estimator": MLPClassifier(solver="lbfgs")}, "a bag takes sgd, adam, adamw"),
        ({"bootstrap": False, "oob_score": True}, "needs bootstrap=True"),
    ),
)
def test_arguments_that_cannot_be_are_refused(options, message):
    X, y = data("binary")
    with pytest.raises(ValueError, match=message):
        BaggedMLPClassifier(**options).fit(X, y)
