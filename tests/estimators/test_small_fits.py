"""Fits over few rows, which skip what can find nothing: the same results, and the same refusals."""

import pickle
import threading
import weakref

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score

from estimator_cases import data
from fastnn import MLPClassifier, MLPRegressor
from fastnn.estimators.parameters import generator_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
OPTIONS = dict(hidden_layer_sizes=(5,), max_iter=4, random_state=0)


def bits(model):
    return b"".join(array.tobytes() for array in model.coefs_ + model.intercepts_)


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw"])
def test_a_fit_leaves_no_trace_in_the_next_one(solver):
    X, y = data("binary")
    first = bits(MLPClassifier(solver=solver, **OPTIONS).fit(X, y))
    other = MLPClassifier(solver=solver, **OPTIONS).fit(-X, y)  # of the same plan
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite"):
        MLPRegressor(**{**OPTIONS, "solver": "sgd", "learning_rate_init": 1e9}).fit(1e3 * X, 1e3 * X[:, 0])
    assert bits(MLPClassifier(solver=solver, **OPTIONS).fit(X, y)) == first != bits(other)
    again = MLPClassifier(solver=solver, warm_start=True, **OPTIONS)
    assert bits(again.fit(X, y)) == first


@pytest.mark.parametrize("seed", [0, 3, np.int64(2**32 - 1)])
def test_a_generator_draws_what_numpys_draws(seed):
    ours = generator_of(seed)
    for random in (ours, pickle.loads(pickle.dumps(ours))):
        theirs = np.random.RandomState(seed)
        assert (random.normal(size=3) == theirs.normal(size=3)).all()
        assert (random.permutation(900) == theirs.permutation(900)).all()
    with pytest.raises(ValueError, match="between 0 and"):
        generator_of(-1)


def test_threads_fit_beside_each_other():
    X, y = data("binary")
    alone = [bits(MLPClassifier(**{**OPTIONS, "random_state": seed}).fit(X, y)) for seed in range(8)]
    found = [None] * 8

    def fit(seed):
        for _ in range(5):
            found[seed] = bits(MLPClassifier(**{**OPTIONS, "random_state": seed}).fit(X, y))

    threads = [threading.Thread(target=fit, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


def test_what_is_put_by_does_not_hold_a_model():
    X, y = data("binary")
    model = MLPClassifier(**OPTIONS).fit(X, y)
    vector = weakref.ref(model._flat.vector)
    del model
    assert vector() is None


def test_what_was_good_is_not_what_looks_like_it():
    X, y = data("binary")
    MLPClassifier(**OPTIONS).fit(X, y)
    for name, value in (("max_iter", 4.0), ("shuffle", "yes"), ("alpha", -1.0), ("hidden_layer_sizes", "5")):
        with pytest.raises(ValueError, match=f"The {name!r} parameter of MLPClassifier must be"):
            MLPClassifier(**{**OPTIONS, name: value}).fit(X, y)
    with pytest.raises(ValueError, match="The 'max_iter' parameter of MLPRegressor"):
        MLPRegressor(**{**OPTIONS, "max_iter": 0}).fit(X, X[:, 0])


def test_other_orders_of_bytes():
    X, y = data("number")
    model = MLPRegressor(**OPTIONS).fit(X, y)
    swapped = MLPRegressor(**OPTIONS).fit(X.astype(">f8"), y.astype(">f8"))
    assert bits(swapped) == bits(model) and swapped.coefs_[0].dtype.isnative
    np.testing.assert_array_equal(model.predict(X.astype(">f8")), model.predict(X))


def test_plain_rows_are_checked_like_all_others():
    X, y = data("binary")
    model = MLPClassifier(**OPTIONS).fit(X, y)
    for wrong, match in (
        (np.where(X == X[3, 2], np.nan, X), "Input X contains NaN"),
        (np.where(X == X[3, 2], np.inf, X), "Input X contains infinity"),
        (X[:0], "0 sample"),
        (X[:5], "inconsistent numbers of samples"),
    ):
        with pytest.raises(ValueError, match=match):
            MLPClassifier(**OPTIONS).fit(wrong, y)
    with pytest.raises(ValueError, match="expecting 6 features"):
        model.partial_fit(X[:, :3].copy(), y)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        MLPRegressor(**OPTIONS).fit(X, np.where(X[:, 0] == X[3, 0], np.nan, 1.0))
    with pytest.raises(NotFittedError):
        MLPClassifier().score(X, y)


@pytest.mark.parametrize("targets", ["binary", "classes", "multilabel"])
def test_the_score_is_the_accuracy(targets):
    X, y = data(targets)
    model = MLPClassifier(**OPTIONS).fit(X, y)
    wanted = accuracy_score(y, model.predict(X))
    assert model.score(X, y) == model.score(X, y.tolist()) == wanted
    weights = np.linspace(0, 1, len(y))
    assert model.score(X, y, weights) == accuracy_score(y, model.predict(X), sample_weight=weights)
    assert model.score(X[:3], y[:3]) == accuracy_score(y[:3], model.predict(X[:3]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, y[:5])
    with pytest.raises((ValueError, TypeError)):
        model.score(X, np.full(90, 1 if targets == "binary" else "one"))
