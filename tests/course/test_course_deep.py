"""fastnn.course.deep: helpers and whole runs against the reference, finite differences, saturation."""

import numpy as np
import pytest

from cases import DTYPES
from course_cases import SHAPES, close, descended, expected, layer, network, numeric_gradient
from fastnn import reference
from fastnn.course import deep

both = pytest.mark.parametrize("dtype", DTYPES)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
NETWORKS = (((2, 1), 3), ((4, 5, 1), 7), ((9, 17, 8, 3), 600), ((3, 4, 4, 4, 1), 33))
networks = pytest.mark.parametrize("sizes, n_samples", NETWORKS, ids=str)


def activations(sizes):
    return ["relu"] * (len(sizes) - 2) + ["sigmoid"]


@both
@shapes
def test_linear(shape, dtype):
    A, W, b, dZ = layer(shape, dtype)
    Z, cache = deep.linear_forward(A, W, b)
    assert Z.dtype == dtype and all(x is y for x, y in zip(cache, (A, W, b), strict=True))
    close(Z, np.float64(W) @ A + b, 256)
    dW, db, dA = (x.T for x in reference.affine_backward(np.float64(A).T, np.float64(W).T, np.float64(dZ).T))
    dW, db = dW / shape[2], db.reshape(-1, 1) / shape[2]
    for results in (
        deep.linear_backward(dZ, cache),
        (deep.compute_dA_prev(W, dZ), deep.compute_dW(dZ, A), deep.compute_db(dZ)),
    ):
        for actual, wanted in zip(results, (dA, dW, db), strict=True):
            assert actual.dtype == dtype and actual.flags.c_contiguous
            close(actual, wanted, 256)


@both
@shapes
@pytest.mark.parametrize("activation", ("relu", "sigmoid", "tanh", "gelu"))
def test_linear_activation(shape, activation, dtype):
    A, W, b, dA = layer(shape, dtype)
    out, (linear_cache, Z) = deep.linear_activation_forward(A, W, b, activation)
    assert linear_cache[0] is A and out.dtype == dtype
    close(out, reference.activation_forward(np.float64(Z), activation))
    dZ = reference.activation_backward(np.float64(dA), np.float64(Z), np.float64(out), activation)
    close(deep.compute_dZ(dA, Z, activation), dZ)
    wanted = W.T @ dZ, dZ @ A.T / shape[2], dZ.mean(axis=1, keepdims=True)
    for actual, x in zip(
        deep.linear_activation_backward(dA, (linear_cache, Z), activation), wanted, strict=True
    ):
        close(actual, x, 256)


@pytest.mark.parametrize("activation", (deep.sigmoid, deep.relu))
def test_activations_take_any_shape(activation):
    for shape in ((), (3,), (2, 3), (2, 3, 4), (0,), (0, 3)):
        Z = np.random.default_rng(1).standard_normal(shape)
        A, cache = activation(Z)
        assert np.shape(A) == shape
        close(A, reference.activation_forward(Z, activation.__name__))
        np.testing.assert_array_equal(cache, Z)
    assert np.isnan(activation(np.nan)[0])


def test_activations_at_extremes():
    Z = np.array([-1e300, -800.0, 0.0, 800.0, np.inf])
    np.testing.assert_array_equal(deep.sigmoid(Z)[0], [0, 0, 0.5, 1, 1])
    np.testing.assert_array_equal(deep.sigmoid_backward(np.ones(5), Z), [0, 0, 0.25, 0, 0])
    np.testing.assert_array_equal(deep.relu_backward(np.ones(5), Z), [0, 0, 0, 1, 1])
    assert deep.sigmoid(0.1)[0] == 0.52497918747894  # nothing is added inside


@both
@networks
def test_model(sizes, n_samples, dtype):
    X, Y, parameters = network(sizes, n_samples, dtype)
    A, Z, cost, grads = expected(X, Y, parameters, activations(sizes))
    AL, caches = deep.L_model_forward(X, parameters)
    assert AL.dtype == dtype and deep.L_Model_Forward is deep.L_model_forward
    close(AL, A[-1], 256)
    for i, ((A_prev, W, b), Z_i) in enumerate(caches):
        assert W is parameters[f"W{i + 1}"] and b is parameters[f"b{i + 1}"]
        close(A_prev, A[i], 256)
        close(Z_i, Z[i], 256)
    assert isinstance(deep.compute_cost(AL, Y), np.float64)
    close(dtype(deep.compute_cost(AL, Y)), cost, 256)
    actual = deep.L_model_backward(AL, Y, caches)
    inputs = {f"dA{i}": A_i.shape for i, A_i in enumerate(A[:-1])}
    assert {name: x.shape for name, x in actual.items() if name.startswith("dA")} == inputs
    for name, wanted in grads.items():
        assert actual[name].dtype == dtype
        close(actual[name], wanted, 256)


def test_gradients_by_finite_differences():
    X, Y, parameters = network((3, 5, 4, 2), 6)

    def cost():
        return deep.compute_cost(deep.L_model_forward(X, parameters)[0], Y)

    grads = deep.L_model_backward(
        *deep.L_model_forward(X, parameters)[:1], Y, deep.L_model_forward(X, parameters)[1]
    )
    for name, value in parameters.items():
        np.testing.assert_allclose(grads[f"d{name}"], numeric_gradient(cost, value), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(grads["dA0"] / X.shape[1], numeric_gradient(cost, X), rtol=1e-6, atol=1e-8)


@both
def test_saturation(dtype):
    AL, Y = np.array([[0, 1, 0, 1]], dtype), np.array([[0, 1, 1, 0]], dtype)
    eps = np.finfo(dtype).eps
    assert deep.compute_cost(AL[:, :2], Y[:, :2]) == 0
    assert deep.compute_cost(AL, Y) == pytest.approx(-np.log(eps) / 2, rel=1e-5)
    X, parameters = np.array([[-1e4, 1e4, -1e4, 1e4]], dtype), {"W1": [[1]], "b1": [[0]]}
    AL, caches = deep.L_model_forward(X, parameters)
    grads = deep.L_model_backward(AL, Y, caches)  # dZ = AL - Y = 0, 0, -1, 1
    np.testing.assert_array_equal(grads["dA0"], [[0, 0, -1, 1]])
    np.testing.assert_array_equal(grads["dW1"], [[5e3]])


def test_an_output_that_is_not_the_sigmoid_of_Z():
    """As in exercises with made-up caches: the derivative by AL times the sigmoid's at Z."""
    A, W, b, Z = layer((3, 1, 5))
    AL, Y = np.random.default_rng(0).uniform(0.1, 0.9, (1, 5)), np.array([[0, 1, 1, 0, 1]])
    dAL, s = -(Y / AL - (1 - Y) / (1 - AL)), 1 / (1 + np.exp(-Z))
    grads = deep.L_model_backward(AL, Y, [((A, W, b), Z)])
    close(grads["dA0"], W.T @ (dAL * s * (1 - s)))


def test_update_changes_the_dictionary_and_no_array():
    X, Y, parameters = network((4, 3, 1), 5)
    grads = deep.L_model_backward(*(lambda AL, caches: (AL, Y, caches))(*deep.L_model_forward(X, parameters)))
    kept, before = dict(parameters), {name: value.copy() for name, value in parameters.items()}
    assert deep.update_parameters(parameters, grads, 0.3) is parameters
    for name, value in before.items():
        np.testing.assert_array_equal(kept[name], value)
        close(parameters[name], value - 0.3 * grads[f"d{name}"])
    again = dict(parameters)
    with pytest.raises(ValueError, match="grads has no 'db2'"):
        deep.update_parameters(parameters, {name: grads[name] for name in ("dW1", "db1", "dW2")}, 0.3)
    assert all(parameters[name] is value for name, value in again.items())


def test_initial_parameters():
    """The draws of np.random.seed(1), whose state is left alone."""
    state = np.random.get_state()[1].copy()
    random = np.random.RandomState(1)
    W1, W2 = random.randn(3, 2), random.randn(1, 3)
    small, scaled = deep.initialize_parameters([2, 3, 1]), deep.initialize_parameters_deep([2, 3, 1])
    np.testing.assert_array_equal(small["W2"], 0.01 * W2)
    close(scaled["W1"], W1 / np.sqrt(2))
    assert list(small) == ["W1", "b1", "W2", "b2"] and not scaled["b1"].any() and scaled["b1"].shape == (3, 1)
    np.testing.assert_array_equal(small["W1"], deep.initialize_parameters(2, 3, 1)["W1"])
    np.testing.assert_array_equal(deep.initialize_parameters((2, 3, 1), seed=7)["W1"].shape, (3, 2))
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@both
def test_whole_runs(dtype):
    X, Y, _ = network((6, 5, 4, 1), 40, dtype)
    start = deep.initialize_parameters_deep([6, 5, 4, 1])
    wanted, costs = descended(X, Y, start, ["relu", "relu", "sigmoid"], 0.1, 230)
    trained, trace = deep.L_layer_model(X, Y, [6, 5, 4, 1], 0.1, 230, return_costs=True)
    for name, value in trained.items():
        assert value.dtype == dtype
        close(value, wanted[name], 2048)
    np.testing.assert_allclose(trace, costs[::100], rtol=1e-5 if dtype == np.float32 else 1e-12)
    wanted, _ = descended(X, Y, deep.initialize_parameters(6, 3, 1), ["relu", "sigmoid"], 0.5, 50)
    for name, value in deep.two_layer_model(X, Y, (6, 3, 1), 0.5, 50).items():
        close(value, wanted[name], 2048)


def test_a_whole_run_is_its_steps():
    X, Y, _ = network((3, 4, 1), 9)
    parameters = deep.initialize_parameters_deep([3, 4, 1])
    for _ in range(20):
        AL, caches = deep.L_model_forward(X, parameters)
        parameters = deep.update_parameters(parameters, deep.L_model_backward(AL, Y, caches), 0.2)
    for name, value in deep.L_layer_model(X, Y, [3, 4, 1], 0.2, 20).items():
        close(value, parameters[name])
    for name, value in deep.L_layer_model(X, Y, [3, 4, 1], 0.2, 0).items():
        np.testing.assert_array_equal(value, deep.initialize_parameters_deep([3, 4, 1])[name])


def test_printed(capsys):
    X, Y, _ = network((3, 4, 1), 9)
    _, costs = deep.L_layer_model(X, Y, [3, 4, 1], 0.2, 201, print_cost=True, return_costs=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Cost after iteration {100 * i}: {cost}" for i, cost in enumerate(costs)]
    assert len(lines) == 3


def test_predict(capsys):
    X, y, parameters = np.array([[-1.0, 1.0, 2.0]]), [0, 1, 0], {"W1": [[1]], "b1": [[0]]}
    np.testing.assert_array_equal(deep.predict(X, y, parameters), [[0, 1, 1]])
    assert capsys.readouterr().out == f"Accuracy: {2 / 3}\n"
    deep.predict(X, None, parameters)
    assert capsys.readouterr().out == ""
