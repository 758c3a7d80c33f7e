"""ONNX models of every kind of network compute what the network does, in onnxruntime."""

import os
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor

import fastnn
from fastnn import Network, to_onnx
from fastnn_kernels.activations import ACTIVATIONS

HIDDEN = tuple(name for name in ACTIVATIONS if name != "softmax")
TYPES = {"float32": "tensor(float)", "float64": "tensor(double)"}


def data(n_samples, n_in=4, dtype="float64"):
    X = np.random.default_rng([n_samples, n_in]).standard_normal((n_samples, n_in))
    return X.astype(dtype)


def run(proto, X):
    """Every output by its name."""
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def fitted(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


def assert_close(actual, expected):
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("output", ACTIVATIONS)
@pytest.mark.parametrize("activation", HIDDEN)
def test_every_activation_and_output(activation, output, dtype):
    net = Network(
        [4, 7, 5, 3], activation=activation, output=output, cost="squared_error", dtype=dtype, seed=1
    )
    for b in net.biases:
        b[:] = np.linspace(-1, 1, b.size)
    net.params /= 2  # an exp of an exp multiplies every rounding
    X = data(50, dtype=dtype)
    assert_close(run(to_onnx(net), X)["outputs"], net.predict(X))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", HIDDEN)
def test_the_whole_range_of_an_activation(name, dtype):
    net = Network([1, 1], output=name, cost="squared_error", dtype=dtype)
    net.params[:] = 1, 0
    Z = np.concatenate([[-1e4, -30, -1e-6, 0, 1e-6, 30], np.linspace(-8, 8, 81)]).astype(dtype)[:, None]
    assert_close(run(to_onnx(net), Z)["outputs"], net.predict(Z))
    assert np.isnan(run(to_onnx(net), np.full((1, 1), np.nan, dtype))["outputs"]).all()


@pytest.mark.parametrize("sizes", ([4, 2], [4, 3, 2, 3, 2], [1, 1], [300, 257, 1]), ids=str)
def test_any_depth_and_any_number_of_rows(sizes):
    net = Network(sizes, activation=["tanh", "gelu", "elu"] if len(sizes) == 5 else "silu", seed=0)
    proto = to_onnx(net)
    for n_samples in (1, 2, 1000):
        X = data(n_samples, sizes[0], "float32")
        assert_close(run(proto, X)["outputs"], net.predict(X))
    assert run(proto, data(0, sizes[0], "float32"))["outputs"].shape == (0, sizes[-1])


CLASSES = {
    "two numbers": [3, 7],
    "two strings": ["no", "yes, \u00e9"],
    "booleans": [False, True],
    "floats": [0.0, 2.0],
    "three numbers": [-1, 0, 2],
    "three strings": ["a", "bb", ""],
    "objects": np.array(["x", "y", "z"], object),
    "one": [5],
}


CLASSIFIERS = MLPClassifier, fastnn.MLPClassifier
REGRESSORS = MLPRegressor, fastnn.MLPRegressor


def module(kind):
    return kind.__module__.partition(".")[0]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("kind", CLASSIFIERS, ids=module)
def test_classifiers(kind, classes, dtype):
    X = data(120, dtype=dtype)
    y = np.asarray(classes)[np.arange(120) % len(classes)]
    estimator = fitted(kind((6,), max_iter=3, random_state=0), X, y)
    outputs = run(to_onnx(estimator), X)
    assert list(outputs) == ["label", "probabilities"]
    assert_close(outputs["probabilities"], estimator.predict_proba(X))
    assert outputs["label"].tolist() == estimator.predict(X).tolist()


@pytest.mark.parametrize("kind", CLASSIFIERS, ids=module)
def test_several_labels_at_once(kind):
    X = data(120)
    estimator = fitted(kind((6, 5), "tanh", max_iter=30, random_state=0), X, X[:, :3] > 0)
    outputs = run(to_onnx(estimator), X)
    assert_close(outputs["probabilities"], estimator.predict_proba(X))
    assert outputs["label"].dtype == np.int64 and np.array_equal(outputs["label"], estimator.predict(X))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("activation", ("identity", "logistic", "tanh", "relu"))
@pytest.mark.parametrize("n_out", (1, 2))
@pytest.mark.parametrize("kind", REGRESSORS, ids=module)
def test_regressors(kind, n_out, activation, dtype):
    X = data(100, dtype=dtype)
    estimator = fitted(
        kind(hidden_layer_sizes=(5,), activation=activation, max_iter=3),
        X,
        X[:, 0] if n_out == 1 else X[:, :n_out],
    )
    (name, outputs), *rest = run(to_onnx(estimator), X).items()
    assert name == "variable" and not rest
    assert_close(outputs, estimator.predict(X).reshape(100, n_out))


@pytest.mark.parametrize("kind", REGRESSORS, ids=module)
def test_poisson_regression(kind):
    X = data(100)
    estimator = fitted(kind("poisson", max_iter=3), X, np.exp(X[:, 0]))
    assert_close(run(to_onnx(estimator), X)["variable"], estimator.predict(X)[:, None])


@pytest.mark.parametrize("kind", CLASSIFIERS, ids=module)
def test_no_hidden_layer(kind):
    X = data(100)
    estimator = fitted(kind((), max_iter=3), X, X[:, 0] > 0)
    assert_close(run(to_onnx(estimator), X)["probabilities"], estimator.predict_proba(X))


def test_the_extras_of_our_estimators():
    X, extras = data(100), {"activation": ["gelu", "silu"], "dropout": 0.2, "solver": "adamw"}
    classifier = fitted(fastnn.MLPClassifier((6, 5), max_iter=3, **extras), X, X[:, 0] > 0)
    assert_close(run(to_onnx(classifier), X)["probabilities"], classifier.predict_proba(X))
    regressor = fitted(fastnn.MLPRegressor(hidden_layer_sizes=(6, 5), max_iter=3, **extras), X, X[:, 0])
    assert_close(run(to_onnx(regressor), X)["variable"][:, 0], regressor.predict(X))


class Anything:
    """What any tool may give: nothing but the four attributes, here with an activation for each layer."""

    coefs_ = [np.ones((3, 2)), np.full((2, 2), 0.5), np.ones((2, 2))]
    intercepts_ = [np.zeros(2), np.ones(2), np.zeros(2)]
    activation = ["logistic", "silu"]
    out_activation_ = "identity"


def test_whatever_has_the_four_attributes():
    X = data(10, 3)
    A = 1 / (1 + np.exp(-X @ Anything.coefs_[0]))
    Z = A @ Anything.coefs_[1] + 1
    expected = (Z / (1 + np.exp(-Z))) @ Anything.coefs_[2]
    assert_close(run(to_onnx(Anything()), X)["variable"], expected)


def test_another_type_of_numbers():
    net, X = Network([4, 8, 2], activation="gelu", dtype="float64", seed=0), data(20)
    outputs = run(to_onnx(net, dtype="float32"), X.astype("float32"))["outputs"]
    assert_close(outputs, net.predict(X).astype("float32"))
    for dtype in ("int8", "single float"):
        with pytest.raises(ValueError, match=f"dtype='{dtype}'; give 'float32' or 'float64'"):
            to_onnx(net, dtype=dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_what_the_model_says_of_itself(dtype):
    estimator = fitted(MLPClassifier((3,), max_iter=2), data(30, dtype=dtype), ["a", "b", "c"] * 10)
    proto = to_onnx(estimator)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    described = [(x.name, x.type, x.shape) for x in (*session.get_inputs(), *session.get_outputs())]
    assert described == [
        ("X", TYPES[dtype], ["n_samples", 4]),
        ("label", "tensor(string)", ["n_samples"]),
        ("probabilities", TYPES[dtype], ["n_samples", 3]),
    ]
    assert proto.producer_name == "fastnn" and proto.opset_import[0].version == 13


def test_the_model_does_not_change_with_the_network():
    net, X = Network([4, 3, 1], seed=0), data(5, dtype="float32")
    before, proto = net.predict(X), to_onnx(net)
    net.params[:] = 0
    assert_close(run(proto, X)["outputs"], before)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    net, path = Network([4, 3, 1], seed=0), tmp_path / "net.onnx"
    proto = to_onnx(net, path)
    assert onnx.load(path) == proto
    whole = path.read_bytes()

    def fail(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="disk is full"):
            to_onnx(Network([4, 9, 1]), str(path))
    with pytest.raises(TypeError):
        to_onnx("no network", path)
    assert path.read_bytes() == whole and list(tmp_path.iterdir()) == [path]


def test_what_is_no_network_is_refused():
    with pytest.raises(NotFittedError, match="this MLPClassifier is not fitted yet: call fit before to_onnx"):
        to_onnx(MLPClassifier())
    with pytest.raises(
        TypeError, match="not list: it has no coefs_, intercepts_, activation, out_activation_"
    ):
        to_onnx([1, 2])
    for change, message in (
        ({"activation": "sine"}, "unknown activation 'sine': expected one of identity, sigmoid"),
        ({"activation": ["relu"]}, "3 coefs_, 3 intercepts_ and 2 activations make no network"),
        ({"intercepts_": []}, "3 coefs_, 0 intercepts_ and 3 activations"),
    ):
        with pytest.raises(ValueError, match=message):
            to_onnx(type("Other", (Anything,), change)())
    huge = {"coefs_": [np.broadcast_to(1.0, (20_000, 20_000))] * 3}
    with pytest.raises(
        ValueError, match="the parameters take 9,600,000,048 bytes; ONNX holds less than 2 GiB"
    ):
        to_onnx(type("Other", (Anything,), huge)())
    estimator = fitted(MLPClassifier((3,), max_iter=2), data(30), [0, 1, 2] * 10)
    estimator.classes_ = np.array([0, "a", None], object)
    with pytest.raises(ValueError, match="numbers, booleans or strings"):
        to_onnx(estimator)


def test_without_onnx_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "fastnn._onnx_graph")
    with pytest.raises(ImportError, match=r"to_onnx needs onnx: pip install 'fastnn\[onnx\]'"):
        to_onnx(Network([4, 1]))


@pytest.mark.parametrize("dtype", TYPES)
def test_quantiles_that_do_not_cross(dtype):
    X = data(60, dtype=dtype)
    model = fastnn.MLPRegressor("quantile", (5,), quantile=[0.1, 0.4, 0.6, 0.9], max_iter=2, random_state=0)
    fitted(model, X, X[:, 0])
    assert_close(run(to_onnx(model), X)["variable"], model.predict(X))
    assert (np.diff(run(to_onnx(model), X)["variable"], axis=1) >= 0).all()


def test_an_elu_is_five_nodes():
    """max(z, 0) + exp(min(z, 0)) - 1: nothing is multiplied by one."""
    assert [node.op_type for node in to_onnx(Network([2, 2], output="elu")).graph.node] == [
        "Gemm", "Max", "Min", "Exp", "Sub", "Add", "Identity"
    ]  # fmt: skip
