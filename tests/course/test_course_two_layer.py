"""fastnn.course.two_layer: steps and epochs against the reference, and the breast-cancer run."""

import numpy as np
import pytest

from cases import DTYPES
from course_cases import close, expected, network
from fastnn.course.two_layer import (
    TwoLayerNetwork,
    breast_cancer_data,
    breast_cancer_run,
    caculate_accuracy,
    calculate_accuracy,
    predict,
)

both = pytest.mark.parametrize("dtype", DTYPES)
ACTIVATIONS = "relu", "sigmoid"


def samples(n_samples, n_features=5, dtype=np.float64):
    X, Y, _ = network((n_features, 1), n_samples, dtype)
    return X.T, Y.T


def in_columns(parameters):
    return {name: value.T for name, value in parameters.items()}


@both
@pytest.mark.parametrize("n_samples", (1, 32, 455))
def test_a_step(n_samples, dtype):
    X, Y = samples(n_samples, dtype=dtype)
    net = TwoLayerNetwork(7, seed=1)
    before = dict(net.initialize_weight(X))
    A, Z, cost, wanted = expected(X.T, Y.T, in_columns(before), ACTIVATIONS)
    A2 = net.forward(X)
    for name, value in {"A0": A[0], "Z1": Z[0], "A1": A[1], "Z2": Z[1], "A2": A[2]}.items():
        assert net.caches[name].dtype == dtype
        close(net.caches[name], value.T, 128)
    assert A2.shape == (n_samples, 1)
    close(dtype(net.compute_cost(A2, Y)), cost, 128)
    grads = net.backward(A2, Y)
    for name, value in wanted.items():
        close(grads[name], value.T, 128)
    net.update_parameter(0.1)
    after = dict(net.parameters)
    for name, value in after.items():
        assert value.dtype == dtype and value.shape == before[name].shape
        close(value, before[name] - dtype(0.1) * grads[f"d{name}"])
    net.initialize_weight(X)
    close(dtype(net.train(X, Y.ravel(), 0.1)), cost, 128)
    for name, value in net.parameters.items():
        np.testing.assert_array_equal(value, after[name])


@both
@pytest.mark.parametrize("batch_size", (1, 32, 50, 1000))
def test_epochs(batch_size, dtype):
    """All rows of each epoch are trained on, the short last batch too; curves are those of all samples."""
    (X, Y), (X_test, Y_test) = samples(75, dtype=dtype), samples(11, dtype=dtype)
    net = TwoLayerNetwork(4, seed=3)
    options = dict(learning_rate=0.05, epochs=3, batch_size=batch_size)
    curves = net.fit(X, Y, X_test, Y_test, **options)
    steps, random, rows = TwoLayerNetwork(4, seed=3), np.random.default_rng(3), []
    steps.initialize_weight(X)
    for _ in range(3):
        order = random.permuted(np.arange(75))
        for start in range(0, 75, batch_size):
            chosen = order[start : start + batch_size]
            steps.train(X[chosen], Y[chosen], 0.05)
        rows.append([])
        for x, y in ((X, Y), (X_test, Y_test)):
            A, _, cost, _ = expected(x.T, y.T, in_columns(steps.parameters), ACTIVATIONS)
            rows[-1] += [cost, np.mean((A[-1].T > 0.5) == y)]
    for name, value in net.parameters.items():
        close(value, steps.parameters[name], 512)
    assert list(curves) == ["train_cost", "train_accuracy", "test_cost", "test_accuracy"]
    np.testing.assert_allclose(
        list(curves.values()), np.transpose(rows), rtol=1e-4 if dtype == np.float32 else 1e-12
    )
    assert list(net.fit(X, Y, **options)) == ["train_cost", "train_accuracy"]


def test_breast_cancer_data():
    X_train, X_test, Y_train, Y_test = breast_cancer_data()
    assert (X_train.shape, X_test.shape, Y_train.shape, Y_test.shape) == (
        (455, 30),
        (114, 30),
        (455, 1),
        (114, 1),
    )
    np.testing.assert_array_equal([X_train.min(axis=0), X_train.max(axis=0)], [np.zeros(30), np.ones(30)])
    assert abs(Y_train.mean() - Y_test.mean()) < 0.01


def test_breast_cancer_run():
    network, curves = breast_cancer_run(epochs=300)
    X_train, X_test, Y_train, Y_test = breast_cancer_data()
    assert all(len(curve) == 300 for curve in curves.values())
    assert curves["train_cost"][-1] < curves["train_cost"][10] < curves["train_cost"][0]
    assert curves["test_accuracy"][-1] > 0.9
    predictions = predict(network.forward(X_test))
    accuracy = curves["test_accuracy"][-1]
    assert calculate_accuracy(predictions, Y_test) == pytest.approx(accuracy)
    assert caculate_accuracy(network.forward(X_test), Y_test.ravel()) == pytest.approx(accuracy)
    assert network.compute_cost(network.forward(X_train), Y_train) == pytest.approx(curves["train_cost"][-1])


def test_another_fit_goes_on():
    X, Y = samples(40)
    net = TwoLayerNetwork(3, seed=0)
    first = net.fit(X, Y, epochs=5)
    second = net.fit(X, Y, epochs=5)
    assert second["train_cost"][0] < first["train_cost"][-1]
    kept = net.parameters
    net.fit(X, Y, epochs=0)
    for name, value in kept.items():
        np.testing.assert_array_equal(net.parameters[name], value)


def test_order_of_calls():
    X, Y = samples(4)
    net = TwoLayerNetwork(3)
    for call, missing in (
        (lambda: net.forward(X), "initialize_weight"),
        (lambda: net.train(X, Y, 0.1), "initialize_weight"),
        (lambda: net.backward(Y, Y), "forward"),
        (lambda: net.update_parameter(0.1), "backward"),
    ):
        with pytest.raises(ValueError, match=missing):
            call()
