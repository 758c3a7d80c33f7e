"""fastnn.course.xor: the known figures, helpers and runs against the reference, finite differences."""

import numpy as np
import pytest

from cases import DTYPES
from course_cases import close, descended, expected, network, numeric_gradient
from fastnn.course import xor

both = pytest.mark.parametrize("dtype", DTYPES)
ACTIVATIONS = "sigmoid", "sigmoid"
X, Y = [[0, 0, 1, 1], [0, 1, 0, 1]], [[0, 1, 1, 0]]


def test_known_figures():
    np.testing.assert_array_equal(xor.affine([[1, 1], [2, 2]], [[1], [1]], [[1], [2]]), [[3], [6]])
    assert xor.sigmoid(0.1) == 0.52497918747894
    Z1, H, Z2, YHat, loss = xor.forward_loss([[0.5], [0.1]], [[1]], xor.init_parameters(2))
    assert loss == pytest.approx(0.3868053036181012, rel=4e-15)
    np.testing.assert_allclose(Z1, [[0.00037727], [0.2420103]], rtol=0, atol=5e-9)
    np.testing.assert_allclose(YHat, [[0.67922332]], rtol=0, atol=5e-9)
    np.testing.assert_allclose(H, 1 / (1 + np.exp(-Z1)), rtol=4e-15)
    assert Z2.shape == (1, 1)


def test_the_end_of_150000_iterations():
    start = xor.init_parameters(2)
    kept = [value.copy() for value in start]
    params, trace, YHat = xor.optimize(X, Y, start, 0.1, 150_000)
    wanted = [[6.21620551e-04, 4.99846111e-01, 9.99591612e-01, 5.00196568e-01]]
    np.testing.assert_allclose(YHat, wanted, rtol=2e-9)
    assert len(trace) == 1500 and trace[0] > trace[1] > trace[-1]
    for before, value, after in zip(kept, start, params, strict=True):
        np.testing.assert_array_equal(before, value)  # untouched
        assert after.shape == before.shape


def test_init_parameters():
    random = np.random.RandomState(42)
    for value, shape in zip(xor.init_parameters(3), ((3, 2), (3, 1), (1, 3), (1, 1)), strict=True):
        np.testing.assert_array_equal(value, random.randn(*shape))
    assert [value.shape for value in xor.init_parameters()] == [(2, 2), (2, 1), (1, 2), (1, 1)]


@both
@pytest.mark.parametrize("sizes, n_samples", (((2, 2, 1), 4), ((2, 1, 1), 1), ((5, 9, 2), 530)), ids=str)
def test_helpers(sizes, n_samples, dtype):
    X, Y, parameters = network(sizes, n_samples, dtype)
    params = list(parameters.values())
    A, Z, cost, wanted = expected(X, Y, parameters, ACTIVATIONS)
    Z1, H, Z2, YHat, loss = xor.forward_loss(X, Y, params)
    for actual, value in zip((Z1, H, Z2, YHat), (Z[0], A[1], Z[1], A[2]), strict=True):
        assert actual.dtype == dtype
        close(actual, value, 256)
    close(dtype(loss), cost, 256)
    close(dtype(xor.binary_cross_entropy(Y, YHat)), cost, 512)
    grads, loss_too = xor.get_gradients(X, Y, params)
    assert loss_too == loss
    for grad, name in zip(grads, ("dW1", "db1", "dW2", "db2"), strict=True):
        close(grad, wanted[name], 256)
    ends, costs = descended(X, Y, parameters, ACTIVATIONS, 0.3, 101)
    trained, trace, YHat = xor.optimize(X, Y, params, 0.3, 101)
    for value, end in zip(trained, ends.values(), strict=True):
        close(value, end, 1024)
    np.testing.assert_allclose(trace, costs[::100], rtol=1e-5 if dtype == np.float32 else 1e-12)
    np.testing.assert_array_equal(YHat, xor.forward_loss(X, Y, trained)[3])


def test_gradients_by_finite_differences():
    X, Y, parameters = network((2, 3, 1), 4)
    params = list(parameters.values())
    for value, grad in zip(params, xor.get_gradients(X, Y, params)[0], strict=True):
        numeric = numeric_gradient(lambda: xor.forward_loss(X, Y, params)[4], value)
        np.testing.assert_allclose(grad, numeric, rtol=1e-6, atol=1e-8)


@both
def test_loss_is_exact_at_saturation(dtype):
    """log(1 + exp(1e4)) = 1e4, where log(1 - YHat) would be log(0)."""
    params = [
        np.zeros((1, 1), dtype),
        np.zeros((1, 1), dtype),
        np.zeros((1, 1), dtype),
        np.array([[1e4]], dtype),
    ]
    assert xor.forward_loss(np.ones((1, 1), dtype), [[0]], params)[4] == 1e4
    assert xor.forward_loss(np.ones((1, 1), dtype), [[1]], params)[4] == 0
    assert xor.get_gradients(np.ones((1, 1), dtype), [[0]], params)[0][3] == 1
    clipped = xor.binary_cross_entropy([[0]], np.ones((1, 1), dtype))
    assert clipped == pytest.approx(-np.log(np.finfo(dtype).eps), rel=1e-6)


def test_no_steps():
    start = xor.init_parameters(2)
    params, trace, YHat = xor.optimize(X, Y, start, 0.1, 0)
    assert trace == [] and YHat.shape == (1, 4)
    for before, after in zip(start, params, strict=True):
        np.testing.assert_array_equal(before, after)
        assert not np.shares_memory(before, after)
