"""Activations against their NumPy twins: shapes, types, aliases, NaN and infinities, derivatives."""

import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import config

from cases import (
    DTYPES,
    ELEMENTWISE,
    SHAPES,
    activation_arguments,
    assert_close,
    assert_float32_vectors,
    machine_code,
    normal,
)
from fastnn import reference
from fastnn_kernels.activations import ACTIVATIONS, LEAKY_RELU_SLOPE
from fastnn_kernels.on_arrays import (
    activation_backward,
    activation_forward,
    softmax_backward,
    softmax_forward,
)

# Interpreted kernels take a microsecond an element.
SHAPES = [shape for shape in SHAPES if not config.DISABLE_JIT or np.prod(shape) <= 300]
compiled = pytest.mark.skipif(
    config.DISABLE_JIT or platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 machine code"
)
every = pytest.mark.parametrize("name", ELEMENTWISE)
both = pytest.mark.parametrize("dtype", DTYPES)

pytestmark = pytest.mark.usefixtures("quiet")


def forward(Z, name):
    A = np.empty_like(Z)
    if name == "softmax":
        softmax_forward(Z, A)
    else:
        activation_forward(Z.reshape(-1), ACTIVATIONS[name].code, A.reshape(-1))
    return A


def backward(dA, Z, A, name):
    dZ = np.empty_like(dA)
    if name == "softmax":
        softmax_backward(dA, A, dZ)
    else:
        flat = [x.reshape(-1) for x in (dA, Z, A)]
        activation_backward(*flat, ACTIVATIONS[name].code, dZ.reshape(-1))
    return dZ


def test_registry():
    assert [activation.code for activation in ACTIVATIONS.values()] == list(range(len(ACTIVATIONS)))
    assert all(name == activation.name for name, activation in ACTIVATIONS.items())
    assert {name for name in ACTIVATIONS if ACTIVATIONS[name].needs_z} == {"gelu", "mish", "silu"}
    assert list(ACTIVATIONS) == list(reference.ACTIVATIONS)
    assert LEAKY_RELU_SLOPE == -reference.leaky_relu(np.array(-1.0))


@both
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_equals_reference(name, dtype):
    for shape in SHAPES:
        dA, Z = activation_arguments(name, shape, dtype)
        A = forward(Z, name)
        expected = reference.activation_forward(np.float64(Z), name)
        assert A.dtype == dtype
        assert_close(A / np.maximum(1, A), expected / np.maximum(1, A), label=shape)
        dZ = backward(dA, Z, A, name)
        expected = reference.activation_backward(*map(np.float64, (dA, Z, A)), name)
        assert dZ.dtype == dtype
        assert_close(dZ / np.maximum(1, A), expected / np.maximum(1, A), label=shape)


@both
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_in_place(name, dtype):
    for shape in SHAPES:
        dA, Z = activation_arguments(name, shape, dtype)
        A = forward(Z, name)
        dZ = backward(dA, Z, A, name)
        same = Z.copy()
        code = ACTIVATIONS[name].code
        if name == "softmax":
            softmax_forward(same, same)
            softmax_backward(dA, A, dA)
        else:
            activation_forward(same.reshape(-1), code, same.reshape(-1))
            output = A if not ACTIVATIONS[name].needs_z else Z
            flat = [x.reshape(-1) for x in (dA, output, A)]
            activation_backward(*flat, code, flat[0])
        np.testing.assert_array_equal(same, A, err_msg=str(shape))
        np.testing.assert_array_equal(dA, dZ, err_msg=str(shape))


@both
@every
def test_nan_and_infinity(name, dtype):
    Z = np.array([np.nan, np.inf, -np.inf, -0.0] * 9 + [np.nan], dtype)
    A = forward(Z, name)
    assert_close(A, reference.activation_forward(Z, name))
    assert np.isnan(A[np.isnan(Z)]).all()
    for bad in (np.nan, np.inf, -np.inf):
        dA = np.full_like(Z, bad)
        z = normal(dtype, Z.size, "finite")
        assert not np.isfinite(backward(dA, z, forward(z, name), name)).any()
    if name != "identity":  # its derivative does not look at Z
        assert np.isnan(backward(np.ones_like(Z), Z, A, name)[np.isnan(Z)]).all()


@both
def test_softmax_nan_and_infinity(dtype):
    for n_out in (1, 3, 10, 16, 33):
        for bad in (np.nan, np.inf):
            for column in range(n_out):
                Z = normal(dtype, (3, n_out), "Z")
                Z[1, column] = bad
                A = forward(Z, "softmax")
                assert np.isnan(A[1]).all() and np.isfinite(A[[0, 2]]).all()
                dA = normal(dtype, (3, n_out), "dA")
                dA[1, column] = bad
                assert not np.isfinite(backward(dA, Z, np.full_like(Z, 1 / n_out), "softmax")[1]).any()
    hidden = forward(np.array([[0, -np.inf, 0]], dtype), "softmax")
    np.testing.assert_array_equal(hidden, np.array([[0.5, 0, 0.5]], dtype))


@both
@every
def test_far_from_zero(name, dtype):
    """Finite numbers give what the reference gives in double precision: no NaN from inf - inf or 0 * inf."""
    Z = np.array([-1e4, -1000, -100, -90, -20, 20, 80] + [1e4] * (name != "exp"), dtype)
    A = forward(Z, name)
    eps = np.finfo(dtype).eps
    expected = reference.activation_forward(np.float64(Z), name)
    np.testing.assert_allclose(A, expected, 64 * eps, 32 * eps)
    expected = reference.activation_backward(np.ones(Z.size), np.float64(Z), expected, name)
    np.testing.assert_allclose(backward(np.ones_like(Z), Z, A, name), expected, 64 * eps, 128 * eps)


@both
def test_unknown_code_gives_nan(dtype):
    x = np.ones(5, dtype)
    A, dZ = np.empty_like(x), np.empty_like(x)
    for code in (-1, 99):
        activation_forward(x, code, A)
        activation_backward(x, x, x, code, dZ)
        assert np.isnan(A).all() and np.isnan(dZ).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivative_is_the_finite_difference(name):
    dA, Z = activation_arguments(name, (3, 5), np.float64)
    dZ = backward(dA, Z, forward(Z, name), name)
    step = 1e-5
    for index in np.ndindex(Z.shape):
        shift = np.zeros_like(Z)
        shift[index] = step
        slope = (dA * (forward(Z + shift, name) - forward(Z - shift, name))).sum() / (2 * step)
        assert abs(dZ[index] - slope) <= 1e-8 * max(1, abs(slope))


@settings(max_examples=60)
@given(Z=arrays(np.float32, st.tuples(*[st.integers(1, 20)] * 2), elements=st.floats(-1e4, 1e4, width=32)))
def test_softmax_rows_are_distributions(Z):
    A = forward(Z, "softmax")
    assert (A >= 0).all()
    assert_close(A.sum(axis=1), np.ones(len(A)))
    assert_close(backward(Z, Z, A, "softmax").sum(axis=1) / 1e4, np.zeros(len(A)))


@settings(max_examples=60)
@given(Z=arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e4, 1e4, width=32)))
def test_bounds(Z):
    assert (np.abs(forward(Z, "tanh")) <= 1).all()
    sigmoid = forward(Z, "sigmoid")
    assert ((sigmoid >= 0) & (sigmoid <= 1)).all()
    assert (forward(Z, "softplus") >= forward(Z, "relu")).all()
    np.testing.assert_array_equal(forward(Z, "relu"), np.maximum(Z, 0))


@pytest.mark.slow
@compiled
def test_loops_are_vectors_of_one_precision():
    for entry in ACTIVATIONS.values():
        for leaf in (entry.forward, entry.backward):
            # relu's derivative is a choice between two numbers, which is no arithmetic
            if leaf is not None and entry.name not in ("relu", "softmax"):
                assert_float32_vectors(machine_code(leaf))
