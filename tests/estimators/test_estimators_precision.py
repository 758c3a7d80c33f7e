"""MLPClassifier and MLPRegressor with precision='bfloat16': as Network's, beside all that estimators can."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import scale

from fastnn import Adam, MLPClassifier, MLPRegressor, Network
from fastnn.search import BaggedMLPClassifier, FleetSearchCV

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:precision='bfloat16' "),
]
OPTIONS = {"hidden_layer_sizes": (20, 9), "max_iter": 5, "random_state": 1, "precision": "bfloat16"}


def rows(dtype=np.float32, n=150):
    X = np.random.default_rng(0).standard_normal((n, 12)).astype(dtype)
    return X, X[:, 0] * X[:, 1] > 0


def network_like(model, output):
    """The Network with an estimator's parameters."""
    sizes = [model.n_features_in_, *model.hidden_layer_sizes, model.n_outputs_]
    network = Network(sizes, output=output, precision=model.precision)
    for own, given in zip(
        (*network.weights, *network.biases), (*model.coefs_, *model.intercepts_), strict=True
    ):
        own[:] = given
    return network


@pytest.mark.parametrize("solver", ("sgd", "adam", "adamw"))
@pytest.mark.parametrize("kind", (MLPClassifier, MLPRegressor))
def test_it_trains_and_predicts_as_a_network_of_this_precision(kind, solver):
    X, y = rows()
    y = y if kind is MLPClassifier else X[:, 0] * X[:, 1]
    model, plain = (
        kind(**OPTIONS | {"solver": solver, "precision": p}).fit(X, y) for p in ("bfloat16", None)
    )
    assert model.coefs_[0].dtype == np.float32
    difference = abs(model.coefs_[0] - plain.coefs_[0]).max()
    assert 0 < difference < 0.05
    network = network_like(model, "sigmoid" if kind is MLPClassifier else "identity")
    outputs = model.predict_proba(X)[:, 1] if kind is MLPClassifier else model.predict(X)
    np.testing.assert_array_equal(outputs, network.predict(X)[:, 0])
    np.testing.assert_array_equal(model.predict(X.astype(float)), model.predict(X))


def test_threads_sparse_rows_and_pickles():
    X, y = rows()
    model = MLPClassifier(**OPTIONS, n_threads=1).fit(X, y)
    for other in (
        MLPClassifier(**OPTIONS, n_threads=2).fit(X, y),
        pickle.loads(pickle.dumps(model)),
        clone(model).fit(X, y),
    ):
        assert other.get_params()["precision"] == "bfloat16"
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    csr = MLPClassifier(**OPTIONS).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(csr.predict_proba(sparse.csr_array(X)), model.predict_proba(X), 0.02, 0.01)


def test_what_it_does_not_go_with():
    X, y = rows()
    with pytest.raises(ValueError, match="goes with float32, not float64: .* X of float32"):
        MLPClassifier(**OPTIONS).fit(X.astype(float), y)
    with pytest.raises(ValueError, match="precision need one of the solvers sgd, adam, adamw"):
        MLPClassifier(**OPTIONS, solver="lbfgs").fit(X, y)
    with pytest.raises(ValueError, match="The 'precision' parameter of MLPClassifier must be"):
        MLPClassifier(precision="float16").fit(X, y)
    model = MLPClassifier(**OPTIONS | {"precision": None}, warm_start=True).fit(X.astype(float), y)
    before = model.coefs_[0].copy()
    with pytest.raises(ValueError, match="goes with float32, not float64"):
        model.set_params(precision="bfloat16").fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], before)


def test_searches_and_bags_train_such_networks_one_by_one():
    X, y = rows()
    alone = MLPClassifier(**OPTIONS).fit(X, y)
    given = MLPClassifier(**OPTIONS), {"alpha": [1e-4, 1e-2], "precision": [None, "bfloat16"]}
    searches = FleetSearchCV(*given, cv=3), GridSearchCV(*given, cv=3)
    ours, theirs = (search.fit(X, y).cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_allclose(ours, theirs, atol=0.03)
    np.testing.assert_array_equal(ours[1::2], theirs[1::2])
    bag = BaggedMLPClassifier(2, estimator=MLPClassifier(**OPTIONS), random_state=0).fit(X, y)
    assert all(member.precision == "bfloat16" for member in bag.estimators_)
    assert alone.predict(X).shape == bag.predict(X).shape


@pytest.mark.slow
@pytest.mark.parametrize("load", (load_digits, load_breast_cancer, load_diabetes))
def test_what_is_learnt_is_worth_as_much(load):
    """Over five seeds: the mean final loss within 1% of float32's, the mean score on other rows too."""
    X, y = load(return_X_y=True)
    X, found = scale(X).astype(np.float32), []
    y = scale(y) if load is load_diabetes else y
    output, n_out = {load_digits: ("softmax", 10), load_breast_cancer: ("sigmoid", 1)}.get(
        load, ("identity", 1)
    )
    for seed in range(5):
        parts = train_test_split(X, y, random_state=seed, test_size=0.3)
        for precision in (None, "bfloat16"):
            network = Network([X.shape[1], 128, 64, n_out], output=output, seed=seed, precision=precision)
            history = network.fit(parts[0], parts[2], epochs=10, optimizer=Adam(1e-3))
            found.append((history.cost[-1], network.evaluate(parts[1], parts[3])[1]))
    exact, rounded = np.reshape(found, (5, 2, 2)).mean(axis=0)
    assert abs(rounded[0] / exact[0] - 1) < 0.01 and abs(rounded[1] - exact[1]) < 0.01
