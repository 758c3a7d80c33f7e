"""Optimizers against their NumPy twins, and what a step must never do."""

import math
import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import config

from cases import (
    DIMENSIONS,
    DTYPES,
    assert_close,
    assert_float32_vectors,
    machine_code,
    normal,
    optimizer_arguments,
    widen,
)
from fastnn import reference
from fastnn_kernels import on_arrays as optimizers
from fastnn_kernels.on_arrays import adam
from fastnn_kernels.optimizers import OPTIMIZERS, adam_formula, squared_norm

SIZES = (*DIMENSIONS, *(() if config.DISABLE_JIT else (4099,)))
compiled = pytest.mark.skipif(
    config.DISABLE_JIT or platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 machine code"
)
every = pytest.mark.parametrize("name", OPTIMIZERS)
both = pytest.mark.parametrize("dtype", DTYPES)

pytestmark = pytest.mark.usefixtures("quiet")


def state(name, arguments):
    """The arrays that a step overwrites."""
    return arguments[-OPTIMIZERS[name].n_moments - 1 :]


def test_registry():
    assert all(name == optimizer.name for name, optimizer in OPTIMIZERS.items())


@both
@every
def test_equals_reference(name, dtype):
    for size in SIZES:
        arguments = optimizer_arguments(name, size, dtype)
        grads = arguments[0].copy()
        expected = getattr(reference, name)(*widen(arguments))
        getattr(optimizers, name)(*arguments)
        for actual, value in zip(state(name, arguments), np.atleast_2d(expected), strict=True):
            assert actual.dtype == dtype
            assert_close(actual, value, ulps=16, label=size)
        np.testing.assert_array_equal(arguments[0], grads)


@both
@every
def test_nan_and_infinity_reach_the_parameters(name, dtype):
    for bad in (np.nan, np.inf, -np.inf):
        arguments = optimizer_arguments(name, 37, dtype)
        arguments[0][5::7] = bad
        getattr(optimizers, name)(*arguments)
        finite = np.isfinite(arguments[-1])
        assert not finite[5::7].any() and finite.sum() == 37 - len(finite[5::7])


@both
def test_adam_without_gradient_stands_still(dtype):
    grads, *scalars, mean, square, params = optimizer_arguments("adam", 37, dtype, l2=0)
    scalars[-1] = dtype(0)  # decay
    for x in (grads, mean, square):
        x[:] = 0
    before = params.copy()
    adam(grads, *scalars, mean, square, params)
    np.testing.assert_array_equal(params, before)
    assert not mean.any() and not square.any()


@both
def test_adam_takes_very_small_and_large_gradients(dtype):
    """Squares that underflow leave epsilon alone in the denominator; steps stay finite and bounded."""
    tiny = 1e-30 if dtype == np.float32 else 1e-200
    grads = np.repeat(np.array([tiny, -tiny, 1e-12, 1e12, -1e15], dtype), 7)
    _, *scalars, mean, square, params = optimizer_arguments("adam", grads.size, dtype, clip=1, l2=0)
    scalars[-1] = dtype(0)
    for x in (mean, square, params):
        x[:] = 0
    adam(grads, *scalars, mean, square, params)
    expected = reference.adam(*widen((grads, *scalars, *[np.zeros(grads.size)] * 3)))[-1]
    np.testing.assert_allclose(params, expected, 16 * np.finfo(dtype).eps)


@both
def test_squared_norm(dtype):
    for size in SIZES:
        grads = normal(dtype, size, "norm")
        norm = squared_norm(grads, grads.size)
        assert type(norm) in (float, np.float64)
        np.testing.assert_allclose(norm, math.fsum(float(g) ** 2 for g in grads), 1e-14)
        shifted = np.concatenate([grads[:1], grads])[1:]  # same numbers, another alignment
        assert squared_norm(shifted, shifted.size) == norm
    for bad in (np.nan, np.inf):
        grads[-1] = bad
        assert not np.isfinite(squared_norm(grads, grads.size))
    large = np.full(9, 1e30, dtype)  # whose squares overflow float32
    np.testing.assert_allclose(squared_norm(large, large.size), 9e60, 1e-6)


@settings(max_examples=60)
@given(grads=arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6)))
def test_first_step_of_adam_is_bounded(grads):
    """With fresh moments, |step| <= rate * (1 - beta1) / sqrt(1 - beta2), against the gradient's sign."""
    mean, square, params = (np.zeros(grads.size) for _ in range(3))
    adam(grads, 0.01, 0.9, 0.999, 1e-8, 1.0, 0.0, 0.0, mean, square, params)
    assert (np.abs(params) <= 0.01 * 0.1 / math.sqrt(0.001) * (1 + 1e-9)).all()
    assert (params * grads <= 0).all()


@settings(max_examples=60)
@given(
    grads=arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e3, 1e3, width=32)),
    mu=st.floats(0, 0.984375, width=32),
)
def test_momentum_without_velocity_is_sgd(grads, mu):
    rate, mu, clip, l2 = map(np.float32, (0.1, mu, 1, 0))
    first, second = np.zeros_like(grads), np.zeros_like(grads)
    optimizers.sgd(grads, rate, clip, l2, first)
    optimizers.momentum(grads, rate, mu, clip, l2, np.zeros_like(grads), second)
    np.testing.assert_array_equal(first, second)


@compiled
def test_loops_are_vectors_of_one_precision():
    for name in OPTIMIZERS:
        code = machine_code(OPTIMIZERS[name].update if name != "adam" else adam_formula)
        assert_float32_vectors(code)
        assert ("sqrtps" in code and "divps" in code) == (name == "adam")
    assert "cvtps2pd" in machine_code(squared_norm)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_square_that_is_infinite_takes_no_step(dtype):
    """Its root divides the mean, however large that is."""
    large = dtype(np.finfo(dtype).max / 8)
    grads, mean, square, params = np.full(9, large), np.zeros(9, dtype), np.zeros(9, dtype), np.ones(9, dtype)
    scalars = map(dtype, (0.02, 0.9, 0.999, 1e-8, 1, 0, 0))
    adam(grads, *scalars, mean, square, params)
    assert np.isposinf(square).all() and (params == 1).all() and np.isfinite(mean).all()
