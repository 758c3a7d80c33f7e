"""Network: what it is built from, its views, and what it computes from inputs of every kind."""

import copy
import pickle
import re

import numba
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, mean_poisson_deviance, r2_score

from cases import DTYPES, ELEMENTWISE, PAIRS, generator, normal, targets
from fastnn import Network, reference
from training_cases import inputs_like, make_data, make_network

both = pytest.mark.parametrize("dtype", DTYPES)


def expected(network, X):
    _, A = reference.forward(X, network.weights, network.biases, network.activations)
    return A[-1]


@both
@pytest.mark.parametrize("sizes", [(3, 1), (1, 1), (5, 8, 2), (4, 32, 16, 4), (9, 100, 3), (784, 20, 10)])
@pytest.mark.parametrize("n_samples", (1, 2, 63, 64, 65, 300))
def test_predict(sizes, n_samples, dtype):
    network = make_network(sizes, output="softmax" if sizes[-1] > 1 else "sigmoid", dtype=dtype)
    X = normal(dtype, (n_samples, sizes[0]))
    P = network.predict(X)
    assert P.dtype == dtype and P.shape == (n_samples, sizes[-1])
    np.testing.assert_allclose(
        P, expected(network, X), 50 * np.finfo(dtype).eps, 1e-6 * (dtype is np.float32)
    )
    for i in (0, n_samples - 1):  # a row's outputs do not depend on its company
        np.testing.assert_array_equal(network.predict(X[i : i + 1]), P[i : i + 1])


@pytest.mark.parametrize("hidden", ELEMENTWISE)
@pytest.mark.parametrize("output", [*ELEMENTWISE, "softmax"])
def test_activations(hidden, output):
    network = make_network((7, 9, 3), activation=hidden, output=output)
    X, _ = make_data(network)
    np.testing.assert_allclose(network.predict(X), expected(network, X), 1e-12, 1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("sizes, dtype", [((3, 1), np.float64), ((5, 9, 3, 18, 1, 6, 2), np.float32)])
def test_compiled(sizes, dtype):
    """Inside a user's own code, with the very bits of `predict`."""
    network = make_network(
        sizes, output="softmax" if sizes[-1] > 1 else "tanh", activation="gelu", dtype=dtype
    )
    f = network.compiled()

    @numba.njit
    def mean_of_rows(X):
        total = np.zeros(sizes[-1], X.dtype)
        for i in range(X.shape[0]):
            total += f(X[i])
        return total, f(X)

    X = normal(dtype, (70, sizes[0]))
    total, P = mean_of_rows(X)
    np.testing.assert_array_equal(P, network.predict(X))
    np.testing.assert_array_equal(f(X[3]), network.predict(X)[3])
    assert total.dtype == P.dtype == dtype
    np.testing.assert_allclose(total, P.sum(axis=0), 1e-5)
    assert f(X[:0]).shape == (0, sizes[-1])
    network.params[:] = 0
    np.testing.assert_array_equal(f(X), P)  # it holds the parameters as they were


def test_parameters_are_views():
    network = make_network()
    assert network.params.size == 8 * 9 + 10 * 8 + 9 * 3 and network.params.flags.c_contiguous
    for W, b, n_in, n_out in zip(network.weights, network.biases, (7, 9, 8), (9, 8, 3), strict=True):
        assert W.shape == (n_in, n_out) and b.shape == (n_out,)
        assert np.shares_memory(W, network.params) and np.shares_memory(b, network.params)
    X, Y = make_data(network)
    network.weights[-1][:] = 0
    network.biases[-1][:] = [1, 2, 3]
    np.testing.assert_array_equal(network.predict(X[:2]), [[1, 2, 3]] * 2)
    network.fit(X, Y, epochs=1)
    assert network.weights[-1].any()  # still views after training


def test_initial_parameters():
    network = Network([50, 200, 300, 4], activation=["relu", "tanh"], seed=1)
    for W, b, limit in zip(
        network.weights, network.biases, [6 / 50, 6 / 500, 6 / 304], strict=True
    ):  # He for rectifiers, Glorot for the others
        assert not b.any() and np.abs(W).max() <= np.sqrt(limit)
        assert W.var() == pytest.approx(limit / 3, rel=0.1)
    same, other = (Network([50, 200, 300, 4], activation=["relu", "tanh"], seed=s) for s in (1, 2))
    np.testing.assert_array_equal(network.params, same.params)
    assert (network.params != other.params).any()
    assert Network([3, 1]).seed != Network([3, 1]).seed


@both
def test_predict_takes_inputs_of_every_kind(dtype):
    network = make_network((3, 4, 2), dtype=dtype)
    X = generator("inputs").integers(0, 100, (11, 3)).astype(dtype)
    wanted = network.predict(X)
    for kind, inputs in inputs_like(X).items():
        np.testing.assert_array_equal(network.predict(inputs), wanted, err_msg=kind)
    flags = network.predict((X > 50).tolist()), network.predict(X > 50)
    np.testing.assert_array_equal(*flags)
    np.testing.assert_array_equal(network.predict((X > 50).astype(dtype)), flags[0])


def test_predict_keeps_nan_to_its_row():
    network = make_network((3, 4, 2))
    X = normal(np.float64, (5, 3))
    X[2, 1] = np.nan
    P = network.predict(X)
    assert np.isnan(P[2]).all() and np.isfinite(np.delete(P, 2, axis=0)).all()


@pytest.mark.parametrize(
    "X, match",
    [
        (np.ones(3), r"X has shape \(3,\); expected \(n_samples, 3\): reshape one sample to \(1, 3\)"),
        (np.ones((2, 3, 1)), r"X has shape \(2, 3, 1\); expected \(n_samples, 3\)"),
        (5.0, r"X has shape \(\)"),
        (np.ones((2, 4)), "X has 4 columns; the network takes 3"),
        (np.ones((0, 3)), "X has no rows"),
        (np.ones((0, 3), "f4"), "X has no rows"),
        (np.ones((2, 3), complex), "X has dtype complex128"),
        (np.ones((2, 3), object), "X has dtype object"),
        ([["a", "b", "c"]], "X has dtype <U1"),
        ([[1, 2, 3], [4, 5]], "X does not make an array"),
    ],
)
def test_predict_refuses(X, match):
    with pytest.raises((ValueError, TypeError), match=match):
        make_network((3, 2)).predict(X)


@pytest.mark.parametrize("cost, output", PAIRS)
@pytest.mark.parametrize("weighted", (False, True))
def test_evaluate(cost, output, weighted):
    network = make_network(cost=cost, output=output, huber_threshold=0.7)
    X, Y = make_data(network)
    weights = generator("weights").uniform(0, 3, len(X)) if weighted else None
    Z, A = reference.forward(X, network.weights, network.biases, network.activations)
    options = {"threshold": 0.7, "weights": weights, "cost": cost, "activation": output}
    costs, _ = reference.cost_backward(Z[-1], A[-1], Y, **options)
    mean, score = network.evaluate(X, Y, weights)
    assert mean == pytest.approx(costs.sum() / (len(X) if weights is None else weights.sum()), rel=1e-12)
    P = A[-1]
    if cost == "softmax_cross_entropy":
        wanted = accuracy_score(Y.argmax(axis=1), P.argmax(axis=1), sample_weight=weights)
    elif cost == "binary_cross_entropy":
        wanted = np.mean([accuracy_score(Y[:, j], P[:, j] > 0.5, sample_weight=weights) for j in range(3)])
    else:
        wanted = r2_score(Y[:, :3], P, sample_weight=weights)  # what follows are quantiles
    assert score == pytest.approx(wanted, rel=1e-9)
    assert isinstance(mean, float) and isinstance(score, float)


def test_evaluate_classes_and_constants():
    network = make_network(output="softmax")
    X, Y = make_data(network, indices=True)
    rows = np.eye(3)[Y[:, 0].astype(int)]
    assert network.evaluate(X, Y[:, 0].astype(int)) == pytest.approx(network.evaluate(X, rows), rel=1e-12)
    network = make_network((3, 1))
    X = normal(np.float64, (9, 3))
    assert network.evaluate(X, np.ones(9))[1] == r2_score(np.ones(9), network.predict(X)) == 0
    network.params[:] = 0
    assert network.evaluate(X, np.zeros(9))[1] == 1
    network = make_network((3, 1), output="exp")
    y = targets("poisson", (9, 1), np.float64)
    deviance = mean_poisson_deviance(y[:, 0], network.predict(X)[:, 0])
    assert network.evaluate(X, y)[0] == pytest.approx(deviance / 2)


def test_description():
    network = Network(
        (3, 4, 5, 2), activation=["relu", "tanh"], output="softmax", cost="huber", dropout=0.25,
        huber_threshold=2, dtype=np.float64, seed=np.int64(9),
    )  # fmt: skip
    description = network.describe()
    assert description.pop("epochs_trained") == 0
    twin = Network(**description)
    np.testing.assert_array_equal(network.params, twin.params)
    assert twin.describe() == network.describe()
    assert (network.n_in, network.n_out, network.dropout) == (3, 2, (0.25, 0.25))
    assert repr(network) == (
        "Network([3, 4, 5, 2], activation=['relu', 'tanh'], output='softmax', cost='huber', "
        "dtype='float64', 53 parameters)"
    )
    assert repr(Network([1000, 1])).startswith("Network([1000, 1], output='identity', cost='squared_error'")
    assert "activation='relu', " in repr(Network([3, 2, 2, 1])) and "1,001 param" in repr(Network([1000, 1]))


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_independent(clone):
    network = make_network(dropout=0.3)
    X, Y = make_data(network)
    network.fit(X, Y, epochs=2)
    twin = clone(network)
    for each in (network, twin):
        each.fit(X, Y, epochs=2)
    np.testing.assert_array_equal(network.params, twin.params)
    assert not np.shares_memory(network.params, twin.params)


@pytest.mark.parametrize(
    "sizes, options, match",
    [
        (3, {}, "sizes=3; give a list of widths"),
        ("32", {}, "sizes='32'; give a list"),
        ([], {}, "at least two widths"),
        ([3], {}, "at least two widths"),
        ([3, 0, 1], {}, "a width in sizes=0 must be a whole number of at least 1"),
        ([3, -1], {}, "-1 must be a whole"),
        ([3, 2.0], {}, "2.0 must be a whole"),
        ([3, True], {}, "True must be a whole"),
        ([3, 1], {"dtype": "float16"}, "dtype='float16'; give 'float32' or 'float64'"),
        ([3, 1], {"dtype": "decimal"}, "dtype='decimal'; give 'float32' or 'float64'"),
        ([3, 1], {"dtype": None}, "dtype=None; give"),
        ([3, 1], {"dtype": ">f4"}, "dtype='>f4'; give"),
        ([3, 2, 1], {"activation": "rellu"}, "unknown activation 'rellu': expected one of identity, sigm"),
        ([3, 2, 1], {"activation": "softmax"}, "softmax is an activation for the output only"),
        ([3, 2, 1], {"activation": None}, "unknown activation None"),
        ([3, 2, 1], {"activation": ["relu", "tanh"]}, "has 2 entries; there are 1 hidden layers"),
        ([3, 2, 1], {"output": "linear"}, "unknown output 'linear': expected one of identity, sigmoid"),
        ([3, 2, 1], {"cost": "mse"}, "unknown cost 'mse': expected one of binary_cross_entropy, softmax"),
        ([3, 1], {"cost": "poisson"}, "cost='poisson' goes with output .'exp',., not 'identity'"),
        ([3, 2, 1], {"dropout": 1}, "dropout=1 must be a number of at least 0 and below 1"),
        ([3, 2, 1], {"dropout": -0.1}, "dropout=-0.1 must be"),
        ([3, 2, 1], {"dropout": np.nan}, "dropout=nan must be"),
        ([3, 2, 1], {"dropout": "0.5"}, "dropout='0.5' must be"),
        ([3, 2, 1], {"dropout": None}, "dropout=None must be"),
        ([3, 2, 1], {"dropout": [0.1, 0.2]}, "has 2 entries; there are 1 hidden layers"),
        ([3, 1], {"huber_threshold": 0}, "huber_threshold=0 must be a number above 0 and finite"),
        ([3, 1], {"huber_threshold": "1"}, "huber_threshold='1' must be"),
        ([3, 1], {"seed": -1}, "seed=-1 must be a whole number of at least 0"),
        ([3, 1], {"seed": 0.5}, "seed=0.5 must be"),
        ([3, 1], {"seed": "1"}, "seed='1' must be"),
    ],
)
def test_refused_networks(sizes, options, match):
    with pytest.raises(ValueError, match=re.compile(match)):
        Network(sizes, **options)
