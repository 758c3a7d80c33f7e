"""The backward pass of a layer against its NumPy twin and finite differences, for every activation."""

import numpy as np
import pytest
from numba import config

from cases import DTYPES, LAYERS, assert_close, layer_arguments
from fastnn import reference
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.affine import affine_scratch_size
from fastnn_kernels.backward import layer_backward

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="matrix products exist as machine code only")
both = pytest.mark.parametrize("dtype", DTYPES)
every = pytest.mark.parametrize("name", ACTIVATIONS)


def run(dA, X, W, Z, A, name, dZ=None, want_dX=True):
    dZ = np.full_like(dA, np.nan) if dZ is None else dZ
    dW, db, dX = (
        np.empty_like(W),
        np.empty_like(W, shape=W.shape[1]),
        np.empty_like(X if want_dX else X[:, :0]),
    )
    scratch = np.empty(affine_scratch_size(*X.shape, W.shape[1], X.itemsize), X.dtype)
    layer_backward(dA, X, W, Z, A, ACTIVATIONS[name].code, dZ, dW, db, dX, scratch)
    return dZ, dW, db, dX


def forward(X, W, b, name):
    Z = reference.affine_forward(X, W, b)
    return Z, reference.activation_forward(Z, name)


@both
@every
def test_equals_reference(name, dtype):
    for shape in LAYERS:
        X, W, b, dA = layer_arguments(shape, dtype)
        Z, A = forward(X, W, b, name)
        size = np.maximum(1, np.abs(A).max())
        expected = reference.layer_backward(*map(np.float64, (dA, X, W, Z, A)), name)
        for actual, value in zip(run(dA, X, W, Z, A, name), expected, strict=True):
            assert actual.dtype == dtype
            assert_close(actual / size, value / size, ulps=8 * max(shape) ** 0.5 + 64, label=shape)


@both
@every
def test_in_place_and_without_dX(name, dtype):
    for shape in LAYERS:
        X, W, b, dA = layer_arguments(shape, dtype)
        Z, A = forward(X, W, b, name)
        expected = run(dA, X, W, Z, A, name)
        results = run(dA, X, W, Z, A, name, dZ=dA, want_dX=False)
        assert results[0] is dA and results[-1].size == 0
        for actual, value in zip(results[:-1], expected[:-1], strict=True):
            np.testing.assert_array_equal(actual, value, err_msg=str(shape))


@every
def test_gradients_are_the_finite_differences(name):
    X, W, b, dA = layer_arguments((4, 5, 3), np.float64)
    Z, A = forward(X, W, b, name)
    _, dW, db, dX = run(dA, X, W, Z, A, name)
    for values, gradient in ((W, dW), (b, db), (X, dX)):
        for index in np.ndindex(values.shape):
            value, sums = values[index], []
            for values[index] in (value + 1e-5, value - 1e-5):
                sums.append((dA * forward(X, W, b, name)[1]).sum())
            values[index] = value
            slope = (sums[0] - sums[1]) / 2e-5
            assert abs(gradient[index] - slope) <= 1e-7 * max(1, abs(slope))


@both
def test_nan_reaches_the_gradients(dtype):
    """A NaN in dA, at a unit that relu has switched off too."""
    X, W, b, dA = layer_arguments((5, 4, 3), dtype)
    Z, A = forward(X, W, b - 100, "relu")
    dA[2, 1] = np.nan
    dZ, dW, db, dX = run(dA, X, W, Z, A, "relu")
    assert np.isnan(dZ[2, 1]) and np.isnan(dW[:, 1]).all() and np.isnan(db[1]) and np.isnan(dX[2]).all()
    assert np.isfinite(dW[:, [0, 2]]).all() and np.isfinite(db[[0, 2]]).all()
