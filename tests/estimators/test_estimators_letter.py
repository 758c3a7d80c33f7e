"""scikit-learn's lesser ways, met only when something is wrong, and the losses that it does not have."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import neural_network as theirs
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning

from estimator_cases import assert_same, data, pair
from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("targets", ["number", "classes"])
def test_lbfgs_gives_float64(targets):
    """scipy turns the function's float32 into steps of float64; ours is float64 throughout."""
    X, y = data(targets, np.float32)
    expected, ours = (model.fit(X, y) for model in pair(targets, solver="lbfgs", max_iter=15))
    for model in (expected, ours):
        assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(np.float64)}
    assert ours.n_iter_ == expected.n_iter_
    outputs = [getattr(m, "predict_proba", m.predict)(X) for m in (expected, ours)]
    assert outputs[0].dtype == outputs[1].dtype == np.float64
    np.testing.assert_allclose(*outputs, rtol=1e-2, atol=1e-2)
    exact = pair(targets, solver="lbfgs", max_iter=15)[0].fit(X.astype(np.float64), y.astype(y.dtype))
    np.testing.assert_allclose(ours.loss_, exact.loss_, rtol=1e-2)


def test_lbfgs_goes_on_in_float64():
    X, y = data("number", np.float32)
    model = MLPRegressor(hidden_layer_sizes=5, max_iter=5, random_state=0, warm_start=True).fit(X, y)
    assert model.coefs_[0].dtype == np.float32
    before = model.coefs_[0].copy()
    model.set_params(solver="lbfgs", max_iter=1).fit(X, y)
    assert model.coefs_[0].dtype == np.float64 and not np.array_equal(model.coefs_[0], before)
    given = MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", max_iter=1, coefs_init=[np.full((6, 1), 1 / 3)]
    )
    assert given.fit(X, y).transform(X).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transform_without_a_hidden_layer_gives_X(dtype):
    X, y = data("binary", dtype)
    model = MLPClassifier((), max_iter=3).fit(X, y)
    hidden = model.transform(X)
    np.testing.assert_array_equal(hidden, X)
    assert hidden.dtype == dtype and not np.shares_memory(hidden, X)
    np.testing.assert_array_equal(model.transform(csr_array(X)), X)
    assert model.transform(np.ones((2, 6), int)).dtype == np.float64
    assert len(model.get_feature_names_out()) == 6
    with pytest.raises(ValueError, match="expecting 6 features"):
        model.transform(X[:, 1:])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", ["U", "S", "datetime64[s]"])
def test_a_target_of_texts_is_no_number(kind, method):
    X, y = data("number")
    y = (1000 * y).astype(int).astype(kind)
    for model in pair("number", max_iter=3):
        with pytest.raises(TypeError):  # NumPy's own of scikit-learn's
            getattr(model, method)(X, y)
    with pytest.raises(TypeError, match=r"y has dtype .*, expected numbers: y.astype\(float\)"):
        MLPRegressor().fit(X, y)
    expected, ours = (m.fit(X, data("number")[1].astype(object)) for m in pair("number", max_iter=3))
    assert_same(expected, ours, X)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("targets", ["number", "classes"])
def test_a_batch_of_zero_weights(targets, shuffle):
    X, y = data(targets)
    weights = np.ones(90)
    weights[10:80] = 0
    for model in pair(targets, max_iter=9, batch_size=5, shuffle=shuffle):
        with pytest.raises(ZeroDivisionError, match="Weights sum to zero, can't be normalized"):
            model.fit(X, y, weights)
    both = [m.fit(X, y, weights) for m in pair(targets, max_iter=3, batch_size=90)]
    assert_same(*both, X)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_curve_of_a_divergence_goes_through_infinity():
    X, y = data("number")
    curves = []
    for model in pair("number", solver="sgd", learning_rate_init=1e3, max_iter=20):
        with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
            model.fit(1e3 * X, 1e3 * y)
        curves.append(model.loss_curve_)
    n = len(curves[1])  # ours stops there
    np.testing.assert_allclose(curves[1], curves[0][:n], rtol=1e-8)
    assert np.isnan(curves[1][-1]) and np.inf in curves[1] and not np.isnan(curves[1][:-1]).any()


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver, rate", [("adam", 1e-3), ("sgd", 1e-210)])
def test_parameters_may_survive_an_infinite_loss(solver, rate, early_stopping):
    """The squares of such errors are infinite, their gradients and what Adam makes of them are not."""
    X, y = data("number")
    options = dict(solver=solver, learning_rate_init=rate, max_iter=9, early_stopping=early_stopping)
    with np.errstate(all="ignore"):
        expected, ours = (model.fit(X, 1e200 * y) for model in pair("number", **options))
    assert ours.loss_curve_ == expected.loss_curve_ == [np.inf] * expected.n_iter_
    assert ours.loss_ == expected.loss_ == np.inf and ours.n_iter_ == expected.n_iter_
    if early_stopping:  # the best epoch's: its R2 is a number here, which takes no squares of such targets
        assert np.isnan(expected.validation_scores_).all() and np.isfinite(ours.validation_scores_).all()
        return
    for a, b in zip(ours.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_curve_of_a_divergence_with_early_stopping():
    X, y = data("number")
    options = dict(solver="sgd", learning_rate_init=1e3, max_iter=20, early_stopping=True)
    expected, ours = (m.fit(1e3 * X, 1e3 * y) for m in pair("number", **options))
    np.testing.assert_allclose(ours.loss_curve_, expected.loss_curve_, rtol=1e-8)
    assert np.inf in ours.loss_curve_


def test_after_a_fit_that_failed():
    for model in pair("binary", early_stopping=True):
        with pytest.raises(ValueError, match="least populated class"):
            model.fit([[0.0], [1.0], [2.0]], [0, 1, 1])
        assert model.validation_scores_ == [] and model.loss_curve_ == []
        assert model.best_loss_ is None and model.best_validation_score_ == -np.inf


def test_convergence_warnings_come_from_fastnn():
    """A filter by category holds; one by module names ours: see docs/scikit_learn.md."""
    X, y = data("number")
    for name, heard in (("sklearn", True), ("fastnn", False)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", category=ConvergenceWarning, module=name)
            MLPRegressor(max_iter=2).fit(X, y)
        assert bool(caught) == heard


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.0])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_units_that_are_nearly_dead(rows, alpha):
    """Steps of Adam where each unit is out on all but a few rows: it divides what is left by its own size."""
    X, y = make_moons(200, noise=0.1, random_state=0)
    models = []
    for kind in (theirs.MLPClassifier, MLPClassifier):
        model = kind(20, alpha=alpha, max_iter=1, batch_size=200, random_state=0).fit(X, y)
        Z = np.sort(X @ model.coefs_[0], axis=0)
        # Between two rows: at one, a rounding decides whether a unit is out.
        model.intercepts_[0][:] = -(Z[-1] + 0.1 if rows == 0 else (Z[-rows] + Z[-rows - 1]) / 2)
        for _ in range(5):
            model.partial_fit(X, y)
        models.append(model)
    for values in ("coefs_", "intercepts_"):
        for ours, wanted in zip(getattr(models[1], values), getattr(models[0], values), strict=True):
            np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-12)


def test_targets_and_weights_beyond_float32_are_refused():
    X = np.ones((6, 2), np.float32)
    with pytest.raises(ValueError, match="y is too large for float32 in row 0; scale it"):
        MLPRegressor().fit(X, np.full(6, -1e300))
    with pytest.raises(ValueError, match="sample_weight is too large for float32 in row 2"):
        MLPRegressor().fit(X, np.ones(6), sample_weight=[1, 1, 1e300, 1, 1, 1])
