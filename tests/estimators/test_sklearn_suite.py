"""scikit-learn's own tests, of its multi-layer perceptrons and of every estimator, on fastnn's classes."""

import importlib.util
from unittest import mock

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from fastnn import MLPClassifier, MLPRegressor

# Short runs end with a warning that they have not converged.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.slow,
]
CLASSES = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
# It calls a private method; test_gradient below asserts the same through the public ones.
LEFT_OUT = {"test_gradient"}


def scikit_learns_tests():
    """Its module of tests, imported anew with our classes in place of its own."""
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.multiple(sklearn.neural_network, **CLASSES):
        spec.loader.exec_module(module)
    return {name: value for name, value in vars(module).items() if name.startswith("test_")}


globals().update({name: test for name, test in scikit_learns_tests().items() if name not in LEFT_OUT})


@pytest.fixture
def global_random_seed():
    """What scikit-learn's own configuration gives its tests."""
    return 42


@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_every_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("check", [check_param_validation, check_dataframe_column_names_consistency])
def test_further_checks(name, check):
    check(name, CLASSES[name]())


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("n_labels", [2, 3])
def test_gradient(n_labels, activation):
    """A step of plain gradient descent from given weights is minus the slope of the loss."""
    X = np.random.RandomState(42).rand(5, 10)
    y = 1 + np.arange(1, 6) % n_labels

    def step(weights, biases):
        return MLPClassifier(
            10, activation, solver="sgd", momentum=0, learning_rate_init=1, max_iter=1, alpha=1e-5,
            random_state=1, coefs_init=weights, intercepts_init=biases,
        ).fit(X, y)  # fmt: skip

    first = step(None, None)
    weights = [np.random.RandomState(1).uniform(-0.5, 0.5, W.shape) for W in first.coefs_]
    biases = [np.random.RandomState(2).uniform(-0.5, 0.5, b.shape) for b in first.intercepts_]
    stepped = step(weights, biases)
    for values, after in ((weights, stepped.coefs_), (biases, stepped.intercepts_)):
        for value, end in zip(values, after, strict=True):
            slopes = np.zeros_like(value)
            for index in np.ndindex(value.shape):
                kept, losses = value[index], []
                for value[index] in (kept + 1e-5, kept - 1e-5):
                    losses.append(step(weights, biases).loss_)
                value[index] = kept
                slopes[index] = (losses[0] - losses[1]) / 2e-5
            np.testing.assert_allclose(value - end, slopes, atol=1e-7)
