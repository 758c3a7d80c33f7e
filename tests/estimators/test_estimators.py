"""The drop-ins against scikit-learn's own classes: the same random_state gives the same run."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, make_multilabel_classification

from estimator_cases import TARGETS, assert_same, data, pair
from fastnn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SOLVERS = ("sgd constant", "sgd invscaling", "sgd adaptive", "adam", "lbfgs")


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("targets", TARGETS)
def test_same_run(targets, solver, activation):
    X, y = data(targets)
    solver, _, schedule = solver.partition(" ")
    options = {
        "hidden_layer_sizes": (9, 5), "activation": activation, "solver": solver, "max_iter": 20,
        "learning_rate": schedule or "constant", "learning_rate_init": 0.01, "batch_size": 32,
    }  # fmt: skip
    both = pair(targets, **options)
    assert_same(*(estimator.fit(X, y) for estimator in both), X)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("targets", TARGETS)
def test_same_run_in_float32(targets, solver):
    """Loss and predictions; where a gradient is nearly zero, Adam divides its rounding by itself."""
    X, y = data(targets, np.float32)
    solver, _, schedule = solver.partition(" ")
    expected, ours = (
        estimator.fit(X, y)
        for estimator in pair(
            targets,
            activation="tanh",
            solver=solver,
            max_iter=20,
            alpha=3,
            learning_rate=schedule or "constant",
        )
    )
    expected_types = {W.dtype for W in expected.coefs_ + expected.intercepts_}  # lbfgs gives float64
    assert {W.dtype for W in ours.coefs_ + ours.intercepts_} == expected_types
    np.testing.assert_allclose(ours.loss_, expected.loss_, rtol=4e-4)
    method = "predict_proba" if hasattr(ours, "predict_proba") else "predict"
    a, b = getattr(expected, method)(X), getattr(ours, method)(X)
    assert b.dtype == a.dtype
    np.testing.assert_allclose(b, a, rtol=4e-4, atol=4e-4 * np.abs(a).max())


VARIATIONS = {
    "defaults": {"max_iter": 20},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "a width": {"hidden_layer_sizes": 3},
    "array of widths": {"hidden_layer_sizes": np.array([4, 3, 2])},
    "one batch": {"batch_size": 90},
    "a row a batch": {"batch_size": 1, "max_iter": 4},
    "in order": {"shuffle": False, "batch_size": 20},
    "in order, one batch": {"shuffle": False},
    "rate of sgd, unused": {"learning_rate": "invscaling", "momentum": 0},
    "no momentum": {"solver": "sgd", "momentum": 0},
    "full momentum": {"solver": "sgd", "momentum": 1, "learning_rate_init": 1e-5},
    "heavy ball": {"solver": "sgd", "nesterovs_momentum": False},
    "power": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.1},
    "betas": {"beta_1": 0, "beta_2": 0.5, "epsilon": 1e-3},
    "penalty": {"alpha": 3, "batch_size": 16},
    "no penalty": {"alpha": 0},
    "stops": {"tol": 0.02, "n_iter_no_change": 3, "max_iter": 300, "learning_rate_init": 0.01},
    "stops at once": {"tol": 1e3, "n_iter_no_change": 1, "max_iter": 300},
    "slows down": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.01, "max_iter": 300,
                   "n_iter_no_change": 2, "learning_rate_init": 0.1},
    "never stops": {"n_iter_no_change": np.inf, "tol": 1e9, "max_iter": 30},
    "early": {"early_stopping": True, "max_iter": 60, "n_iter_no_change": 4, "learning_rate_init": 0.01},
    "early sgd": {"early_stopping": True, "solver": "sgd", "learning_rate": "adaptive", "tol": 0.01,
                  "max_iter": 60, "n_iter_no_change": 2, "validation_fraction": 0.3},
    "early, unused": {"early_stopping": True, "solver": "lbfgs"},
    "few evaluations": {"solver": "lbfgs", "max_fun": 7},
    "coarse": {"solver": "lbfgs", "tol": 0.05},
}  # fmt: skip


@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize(
    "targets", ["binary", *(pytest.param(x, marks=pytest.mark.slow) for x in ("classes", "numbers"))]
)
def test_same_run_with(variation, targets):
    X, y = data(targets)
    both = pair(targets, **{"hidden_layer_sizes": 8, "max_iter": 20, **VARIATIONS[variation]})
    expected, ours = (estimator.fit(X, y) for estimator in both)
    assert_same(expected, ours, X)
    if "stops" in variation or "slows" in variation:
        assert (ours.n_iter_ < ours.max_iter) == (variation != "never stops")


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize(
    "form", ["csr", *(pytest.param(x, marks=pytest.mark.slow) for x in ("csc", "dense"))]
)
def test_same_run_of_weighted_rows(form, targets, solver):
    X, y = data(targets)
    X[np.abs(X) < 0.8] = 0
    given = {"csr": sparse.csr_array, "csc": sparse.csc_array, "dense": np.asfortranarray}[form](X)
    weights = np.random.RandomState(0).uniform(0.1, 3, len(X))
    both = pair(targets, hidden_layer_sizes=7, solver=solver, max_iter=12, batch_size=20)
    assert_same(*(estimator.fit(given, y, weights) for estimator in both), given)


def test_same_early_stopping_of_weighted_sparse_rows():
    X, y = data("classes")
    weights = np.random.RandomState(0).uniform(0.1, 3, len(X))
    for given in (X, sparse.csr_matrix(X)):
        both = pair("classes", early_stopping=True, max_iter=20, n_iter_no_change=2)
        assert_same(*(estimator.fit(given, y, weights) for estimator in both), given)


@pytest.mark.parametrize("options", [
    {"solver": "sgd"}, {"solver": "sgd", "learning_rate": "invscaling"}, {"early_stopping": True},
    {"solver": "lbfgs", "max_iter": 7}, {},
])  # fmt: skip
@pytest.mark.parametrize("targets", ["classes", "numbers"])
def test_same_warm_start(targets, options):
    X, y = data(targets)
    both = pair(targets, **{"max_iter": 8, "hidden_layer_sizes": 6, "warm_start": True, **options})
    for _ in range(3):
        assert_same(*(estimator.fit(X, y) for estimator in both), X)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("targets", TARGETS)
def test_same_partial_fits(targets, solver):
    """Chunks of several lengths, with a random state that goes on."""
    X, y = data(targets)
    both = pair(targets, solver=solver, batch_size=10)
    for estimator in both:
        estimator.set_params(random_state=np.random.RandomState(5))
        known = {"classes": np.unique(y)} if targets in ("binary", "classes") else {}
        known = {"classes": [0, 1, 2]} if targets == "multilabel" else known
        estimator.partial_fit(X[:40], y[:40], **known)
        for first in (40, 50, 75, 0):
            estimator.partial_fit(X[first : first + 30], y[first : first + 30])
    assert_same(*both, X)


def test_same_partial_fit_after_fit():
    X, y = data("number")
    both = pair("number", max_iter=5)
    for estimator in both:
        estimator.fit(X, y).partial_fit(X, y).partial_fit(X[:30], y[:30])
    assert_same(*both, X)


def test_partial_fit_with_lbfgs_is_a_whole_fit_of_a_regressor():
    X, y = data("number")
    both = pair("number", solver="lbfgs", max_iter=5)
    assert_same(*(estimator.fit(X, y).partial_fit(X, y) for estimator in both), X)
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")


def test_same_run_of_data_that_are_not_scaled():
    """Losses of thousands, which scikit-learn cuts off where it clips probabilities."""
    X, y = load_breast_cancer(return_X_y=True)
    assert_same(*(estimator.fit(X, y) for estimator in pair("binary", max_iter=30)), X)
    y = y + (X[:, 0] > 20)
    assert_same(*(estimator.fit(X, y) for estimator in pair("classes", max_iter=30)), X)
    Y = np.stack([y > 0, y > 1], axis=1)
    assert_same(*(estimator.fit(X, Y) for estimator in pair("multilabel", max_iter=30)), X)
    assert_same(*(estimator.fit(X, y) for estimator in pair("number", max_iter=30)), X)


def test_same_single_label():
    X, _ = data("binary")
    for early_stopping in (False, True):
        both = pair("binary", max_iter=4, early_stopping=early_stopping)
        assert_same(*(estimator.fit(X, np.ones(len(X))) for estimator in both), X)


def test_same_many_labels():
    X, y = make_multilabel_classification(60, random_state=0)
    assert_same(*(estimator.fit(X, y) for estimator in pair("multilabel", max_iter=20)), X)
    assert_same(*(e.fit(X, y) for e in pair("multilabel", early_stopping=True, max_iter=20)), X)


def test_dtypes_of_predictions():
    """The wider one of the dtypes of X and of the parameters, as NumPy's products have it."""
    for fitted in (np.float32, np.float64):
        X, y = data("number", fitted)
        both = [estimator.fit(X, y) for estimator in pair("number", max_iter=3)]
        for dtype in (np.float32, np.float64, np.float16, np.int64, np.int8, bool):
            expected, ours = (estimator.predict((2 * X).astype(dtype)) for estimator in both)
            assert expected.dtype == ours.dtype
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_verbose_prints_the_same(capsys):
    X, y = data("classes")
    cases = (
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1, "n_iter_no_change": 2},
        {"tol": 1, "n_iter_no_change": 1}, {"early_stopping": True, "n_iter_no_change": 2},
    )  # fmt: skip
    for options in cases:
        said = []
        for estimator in pair("classes", verbose=True, max_iter=12, **options):
            estimator.fit(X, y)
            said.append(capsys.readouterr().out)
        assert said[0] == said[1] and said[0]
