"""Adam on vectors against its formula in more precision, and where that has no number."""

import numpy as np
import pytest
from numba import config

from cases import DTYPES, generator
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import compiled, lanes

pytestmark = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
both = pytest.mark.parametrize("dtype", DTYPES)
BETA1, BETA2 = 0.9, 0.999
WIDER = {np.float32: np.float64, np.float64: np.longdouble}


def formula(clip, l2, rates, grads, mean, square, params):
    """The step in the precision of its arrays; rates, betas and scalars are those of the element type."""
    rate, epsilon, decay = rates
    beta1, beta2 = (type(rate)(x) for x in (BETA1, BETA2))
    g = clip * grads + l2 * params
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    with np.errstate(all="ignore"):
        return mean, square, params - (decay * params + rate * mean / (np.sqrt(square) + epsilon))


def step(dtype, clip, l2, rates, plain, grads, mean, square, params, edge="end"):
    scalars = guarded(np.array([BETA1, BETA2]), edge)
    arrays = [guarded(x, edge) for x in (grads, mean, square, params)]
    numbers = guarded(np.array(rates, np.float64), edge)
    compiled("adam_update", np.dtype(dtype).name)(scalars, numbers, clip, l2, plain, *arrays, params.size)
    np.testing.assert_array_equal(arrays[0], grads)
    return arrays[1:]


@both
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("plain", (False, True))
def test_a_step_is_a_few_ulp_off_the_formula(dtype, edge, plain):
    wide = WIDER[dtype]
    lane = lanes(dtype)
    for n in (1, 2, lane - 1, lane, lane + 1, 2 * lane, 3 * lane + 3, 8 * lane):
        random = generator(n, "adam")
        for scale in (1e-12, 1e-3, 1.0, 1e6):
            grads, mean, params = (random.standard_normal(n).astype(dtype) for _ in range(3))
            grads, mean = grads * dtype(scale), mean * dtype(scale)
            square = (random.random(n) * scale**2).astype(dtype)
            clip, l2, rates = 0.3, 0.02, (1e-3, 1e-8, 1e-4)
            found = step(dtype, clip, l2, rates, plain, grads, mean, square, params, edge)
            scalars = [wide(dtype(0.0 if plain and i else x)) for i, x in enumerate((clip, l2))]
            given = [wide(dtype(0.0 if plain and i == 2 else x)) for i, x in enumerate(rates)]
            expected = formula(*scalars, given, *(x.astype(wide) for x in (grads, mean, square, params)))
            eps = np.finfo(dtype).eps
            g = abs(scalars[0] * grads) + abs(scalars[1] * params)
            assert (abs(found[0] - expected[0]) <= 2 * eps * (abs(mean) + g)).all()
            assert (abs(found[1] - expected[1]) <= 4 * eps * (square + g * g)).all()
            moved = abs(expected[2] - params) + 1e-3 * (abs(mean) + g) / (np.sqrt(expected[1]) + 1e-8)
            assert (abs(found[2] - expected[2]) <= eps * abs(params) + 6 * eps * moved).all()


@both
def test_what_has_no_gradient_stays_zero(dtype):
    zeros = np.zeros(2 * lanes(dtype), dtype)
    for rates in ((1e-3, 1e-8, 0.01), (1e-3, 1e-30, 0.0)):
        for found in step(dtype, 1.0, 0.1, rates, False, zeros, zeros, zeros, zeros):
            np.testing.assert_array_equal(found, zeros)


@both
def test_without_an_epsilon_zero_over_zero_is_nan(dtype):
    zeros = np.zeros(lanes(dtype), dtype)
    mean, square, params = step(dtype, 1.0, 0.0, (1e-3, 0.0, 0.0), False, zeros, zeros, zeros, zeros)
    assert not mean.any() and not square.any() and np.isnan(params).all()


@both
def test_gradients_beyond_the_range_are_what_they_are_in_the_formula(dtype):
    n, info = lanes(dtype), np.finfo(dtype)
    zeros, params = np.zeros(n, dtype), np.ones(n, dtype)
    large = np.full(n, np.sqrt(info.max) * 100, dtype)  # its square is infinite, the step nothing
    mean, square, moved = step(dtype, 1.0, 0.0, (1e-3, 1e-8, 0.0), False, large, zeros, zeros, params)
    assert np.isfinite(mean).all() and np.isposinf(square).all() and np.isfinite(moved).all()
    np.testing.assert_array_equal(moved, params)
    for value in (np.nan, np.inf):
        bad = np.full(n, value, dtype)
        _, _, moved = step(dtype, 1.0, 0.0, (1e-3, 1e-8, 0.0), False, bad, zeros, zeros, params)
        assert not np.isfinite(moved).any()


@both
def test_the_smallest_and_the_largest_squares(dtype):
    info, n = np.finfo(dtype), lanes(dtype)
    for square in (info.tiny * 4, 1e-20, 1.0, 1e20, info.max / 4):
        zeros, squares, ones = np.zeros(n, dtype), np.full(n, square, dtype), np.ones(n, dtype)
        means = np.full(n, np.sqrt(square), dtype)
        _, new, params = step(dtype, 1.0, 0.0, (1.0, 0.0, 0.0), False, zeros, means, squares, ones)
        expected = 1 - BETA1 * means.astype(float) / np.sqrt(new.astype(float))
        np.testing.assert_allclose(params, expected, rtol=20 * info.eps, atol=4 * info.eps)
