"""The C of every kind of network compiles without a warning and computes what the network does."""

import os
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import fastnn
from c_files import built, compiled
from fastnn import Network, to_c
from fastnn_kernels.activations import ACTIVATIONS

HIDDEN = tuple(name for name in ACTIVATIONS if name != "softmax")
DTYPES = "float32", "float64"


@pytest.fixture
def build(tmp_path):
    """From a model to a function of X (n_samples, n_in): what the C gives for each row."""
    number = iter(range(1000))

    def run(model, n_out, **options):
        source = tmp_path / "net.c"
        to_c(model, source, **options)
        return built(source, tmp_path / f"net{next(number)}.so", n_out)

    return run


def data(n_samples, n_in=4, dtype="float64"):
    return np.random.default_rng([n_samples, n_in]).standard_normal((n_samples, n_in)).astype(dtype)


def fitted(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=4e-6, atol=4e-6)


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number, output", list(enumerate(ACTIVATIONS)))
def test_every_activation_and_output(number, output, dtype, build):
    """Each activation stands in both hidden layers of some of these, and over the last of others."""
    activation = [HIDDEN[(number + i) % len(HIDDEN)] for i in (0, 3)]
    net = Network(
        [4, 7, 5, 3], activation=activation, output=output, cost="squared_error", dtype=dtype, seed=1
    )
    for b in net.biases:
        b[:] = np.linspace(-1, 1, b.size)
    net.params /= 4  # an exp of an exp multiplies every rounding
    X = data(50, dtype=dtype)
    close(build(net, 3)(X), net.predict(X))


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", HIDDEN)
def test_the_whole_range_of_an_activation(name, dtype, build):
    net = Network([1, 1], output=name, cost="squared_error", dtype=dtype)
    net.params[:] = 1, 0
    Z = np.concatenate([[-1e4, -30, -1e-6, 0, 1e-6, 30], np.linspace(-8, 8, 81)]).astype(dtype)[:, None]
    predict = build(net, 1)
    close(predict(Z), net.predict(Z))
    assert np.isnan(predict(np.full((1, 1), np.nan, dtype))).all()


@compiled
@pytest.mark.parametrize("sizes", ([4, 2], [4, 3, 2, 9, 2], [1, 1], [64, 30, 1], [3, 50, 2]), ids=str)
def test_any_depth_and_width(sizes, build):
    activation = ["tanh", "gelu", "elu"] if len(sizes) == 5 else "silu"
    for seed in range(3):
        net, X = Network(sizes, activation=activation, seed=seed), data(100, sizes[0], "float32")
        close(build(net, sizes[-1])(X), net.predict(X))


SCALERS = {
    "standard": StandardScaler(),
    "standard, no mean": StandardScaler(with_mean=False),
    "standard, no deviation": StandardScaler(with_std=False),
    "range": MinMaxScaler(),
    "range, clipped": MinMaxScaler((-1, 2), clip=True),
    "largest": MaxAbsScaler(),
    "robust": RobustScaler(),
    "robust, nothing": RobustScaler(with_centering=False, with_scaling=False),
}


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scaler", SCALERS.values(), ids=SCALERS)
def test_scalers(scaler, dtype, build):
    """Features of very different sizes, one of them the same in all rows."""
    X = (data(80) * [1e-3, 1, 50, 0] + [0.002, 0, 200, 3]).astype(dtype)
    pipe = fitted(
        make_pipeline(scaler, "passthrough", fastnn.MLPRegressor(hidden_layer_sizes=9, max_iter=3)),
        X,
        X[:, 0],
    )
    other = X[:20] * np.asarray([1.001, 2, 1.01, 1], dtype)
    for rows in (X, other):
        largest = np.abs(pipe[0].transform(rows))  # then what the sums would be, did nothing cancel
        for W, b in zip(pipe[-1].coefs_, pipe[-1].intercepts_, strict=True):
            largest = largest @ np.abs(W) + np.abs(b)
        atol = 8 * np.finfo(dtype).eps * largest.max()
        np.testing.assert_allclose(build(pipe, 1)(rows)[:, 0], pipe.predict(rows), rtol=0, atol=atol)


@compiled
def test_two_scalers_and_a_classifier(build):
    X = data(90)
    y = np.array(["a */ b", "\u00e9", "??/"])[np.arange(90) % 3]
    for kind in (MLPClassifier, fastnn.MLPClassifier):
        pipe = fitted(make_pipeline(StandardScaler(), MinMaxScaler(), kind((5, 4), max_iter=3)), X, y)
        close(build(pipe, 3)(X), pipe.predict_proba(X))
        binary = fitted(kind((), max_iter=3), X, y == "??/")
        close(build(binary, 1)(X)[:, 0], binary.predict_proba(X)[:, 1])
        close(build(binary, 1, dtype="float32")(X)[:, 0], binary.predict_proba(X)[:, 1])
    regressor = fitted(MLPRegressor(hidden_layer_sizes=6, activation="logistic", max_iter=3), X, X[:, :2])
    close(build(regressor, 2)(X), regressor.predict(X))


def test_the_text(tmp_path):
    net = Network([2, 3, 1], activation="tanh", dtype="float32", seed=0)
    text = to_c(net)
    assert "void network_predict(const float *x, float *y)" in text and "#include <math.h>" in text
    assert not any(word in text for word in ("malloc", "double", "static float"))
    assert all(f"{value!s}f" in text for value in net.params)
    assert to_c(net, tmp_path / "my_net.c") == (tmp_path / "my_net.c").read_text()
    assert "void my_net_predict(" in (tmp_path / "my_net.c").read_text()
    assert "void pump_predict(const double *x, double *y)" in to_c(net, name="pump", dtype="float64")
    estimator = fitted(MLPClassifier((3,), max_iter=2), data(30), [7, 8] * 15)
    assert "the probability of 8" in to_c(estimator)


def test_what_is_refused(tmp_path):
    net = Network([2, 1])
    for path in ("1net.c", "my net.c", "net-2.c"):
        with pytest.raises(ValueError, match="cannot begin a name in C: give name="):
            to_c(net, tmp_path / path)
    assert os.listdir(tmp_path) == []
    with pytest.raises(TypeError, match="to_c takes a Network or a fitted MLP.*not list"):
        to_c([1])
    with pytest.raises(NotFittedError, match="call fit before to_c"):
        to_c(fastnn.MLPClassifier())
    with pytest.raises(NotFittedError):
        to_c(make_pipeline(StandardScaler(), fastnn.MLPClassifier()))
    with pytest.raises(TypeError, match="to_c has no C for the step QuantileTransformer"):
        to_c(make_pipeline(QuantileTransformer(), fastnn.MLPClassifier()))
    net.params[0] = np.inf
    with pytest.raises(ValueError, match="W1 holds NaN or infinity as float32"):
        to_c(net)
    with pytest.raises(ValueError, match="give 'float32' or 'float64'"):
        to_c(net, dtype="int8")


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_quantiles_that_do_not_cross(dtype, build):
    X = data(60, dtype=dtype)
    model = fastnn.MLPRegressor("quantile", (5,), quantile=[0.1, 0.4, 0.6, 0.9], max_iter=2, random_state=0)
    fitted(model, X, X[:, 0])
    close(build(model, 4)(X), model.predict(X))
