"""fastnn.course.planar: helpers and runs against the reference, the courses' figures, the experiment."""

import numpy as np
import pytest

from cases import DTYPES
from course_cases import close, descended, expected, network, numeric_gradient
from fastnn.course import planar

both = pytest.mark.parametrize("dtype", DTYPES)
ACTIVATIONS = "tanh", "sigmoid"


@both
@pytest.mark.parametrize("sizes", ((2, 4, 1), (2, 1, 1), (5, 50, 3)), ids=str)
@pytest.mark.parametrize("n_samples", (1, 400, 601))
def test_helpers(sizes, n_samples, dtype):
    X, Y, parameters = network(sizes, n_samples, dtype)
    A, Z, cost, wanted = expected(X, Y, parameters, ACTIVATIONS)
    A2, cache = planar.forward_propagation(X, parameters)
    for name, value in {"Z1": Z[0], "A1": A[1], "Z2": Z[1], "A2": A[2]}.items():
        assert cache[name].dtype == dtype
        close(cache[name], value, 256)
    assert A2 is cache["A2"]
    close(dtype(planar.compute_cost(A2, Y)), cost, 256)
    assert planar.compute_loss(A2, Y, parameters) == planar.compute_cost(A2, Y)  # as older notebooks call it
    grads = planar.backward_propagation(parameters, cache, X, Y)
    assert list(grads) == ["dW1", "db1", "dW2", "db2"]
    for name, value in wanted.items():
        assert grads[name].dtype == dtype
        close(grads[name], value, 256)
    updated = planar.update_parameters(parameters, grads)
    close(updated["W1"], parameters["W1"] - dtype(1.2) * grads["dW1"])
    for name, value in parameters.items():
        assert updated[name] is not value
    predictions = planar.predict(parameters, X)
    assert predictions.dtype == bool
    np.testing.assert_array_equal(predictions, A2 > 0.5)


def test_gradients_by_finite_differences():
    X, Y, parameters = network((2, 5, 2), 7)

    def cost():
        return planar.compute_cost(planar.forward_propagation(X, parameters)[0], Y)

    grads = planar.backward_propagation(parameters, planar.forward_propagation(X, parameters)[1], X, Y)
    for name, value in parameters.items():
        np.testing.assert_allclose(grads[f"d{name}"], numeric_gradient(cost, value), rtol=1e-6, atol=1e-8)


def test_a_cache_of_A1_and_A2_is_enough():
    X, Y, parameters = network((2, 4, 1), 30)
    cache = planar.forward_propagation(X, parameters)[1]
    grads = planar.backward_propagation(parameters, cache, X, Y)
    fewer = planar.backward_propagation(parameters, {"A1": cache["A1"], "A2": cache["A2"]}, X, Y)
    np.testing.assert_array_equal(grads["dW1"], fewer["dW1"])


def test_initial_parameters():
    random = np.random.RandomState(42)
    parameters = planar.initialize_parameters(2, 4, 1)
    np.testing.assert_array_equal(parameters["W1"], 0.01 * random.randn(4, 2))
    np.testing.assert_array_equal(parameters["W2"], 0.01 * random.randn(1, 4))
    assert parameters["b1"].shape == (4, 1) and parameters["b2"].shape == (1, 1)
    assert planar.layer_sizes(np.zeros((5, 3)), np.zeros((2, 3))) == (5, 4, 2)
    assert planar.sigmoid(0.1) == 0.52497918747894


def test_the_flower():
    X, Y = planar.load_planar_dataset()
    assert X.shape == (2, 400) and Y.shape == (1, 400) and Y.sum() == 200
    random = np.random.RandomState(1)  # the draws of the courses, class by class
    t = np.linspace(0, 3.12, 200) + random.randn(200) * 0.2
    r = 4 * np.sin(4 * t) + random.randn(200) * 0.2
    np.testing.assert_allclose(X[:, :200], [r * np.sin(t), r * np.cos(t)])
    assert not np.array_equal(planar.load_planar_dataset(2)[0], X)


def test_extra_datasets():
    for X, Y in planar.load_extra_datasets().values():
        assert X.shape == (2, 200) and Y.shape == (1, 200) and set(Y.ravel()) == {0, 1}
    again = planar.load_extra_datasets()
    np.testing.assert_array_equal(again["blobs"][0], planar.load_extra_datasets()["blobs"][0])


def test_the_courses_run(capsys):
    """Costs at 0, 1000, ... as notebooks show them, and 90% of the flower."""
    X, Y = planar.load_planar_dataset()
    parameters = planar.nn_model(X, Y, 4, 10000, 1.2, print_cost=True, seed=2)
    lines = capsys.readouterr().out.splitlines()
    shown = ["0.693048", "0.288083", "0.254385", "0.233864", "0.226792", "0.222644"]
    assert lines[:6] == [f"Cost after iteration {1000 * i}: {cost}" for i, cost in enumerate(shown)]
    assert len(lines) == 10
    assert np.mean(planar.predict(parameters, X) == Y) >= 0.9


@both
def test_run_against_the_reference(dtype):
    X, Y, _ = network((2, 4, 1), 100, dtype)
    wanted, _ = descended(X, Y, planar.initialize_parameters(2, 6, 1), ACTIVATIONS, 0.5, 150)
    for name, value in planar.nn_model(X, Y, 6, 150, 0.5).items():
        assert value.dtype == dtype
        close(value, wanted[name], 2048)


def test_experiment():
    X, Y = planar.load_planar_dataset(n_samples=100)
    networks = planar.hidden_size_experiment(X, Y.ravel(), (1, 5), 2000)
    assert list(networks) == [1, 5] and networks[5].accuracy > networks[1].accuracy
    for n_h, trained in networks.items():
        assert trained.n_h == len(trained.parameters["W1"]) == n_h
        assert trained.accuracy == np.mean(trained(X.T) == Y)
        again = planar.nn_model(X, Y, n_h, 2000, 1.2, seed=2)
        np.testing.assert_array_equal(trained.parameters["W2"], again["W2"])
