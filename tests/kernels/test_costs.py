"""Costs and their gradients against their NumPy twins, finite differences, and numbers far from zero."""

import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import config

from cases import (
    DTYPES,
    PAIRS,
    SHAPES,
    assert_close,
    assert_float32_vectors,
    cost_arguments,
    machine_code,
    normal,
    targets,
    widen,
)
from fastnn import reference
from fastnn_kernels import on_arrays as costs
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS
from fastnn_kernels.on_arrays import cost_backward

# Interpreted kernels take a microsecond an element.
SHAPES = [shape for shape in SHAPES if not config.DISABLE_JIT or np.prod(shape) <= 300]
compiled = pytest.mark.skipif(
    config.DISABLE_JIT or platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 machine code"
)
both = pytest.mark.parametrize("dtype", DTYPES)
every = pytest.mark.parametrize("name", COSTS)
FORMS = [(name, False) for name in COSTS] + [("softmax_cross_entropy", True)]
every_form = pytest.mark.parametrize("name, indices", FORMS)

pytestmark = pytest.mark.usefixtures("quiet")


def run(name, Z, *arguments):
    cost, delta = np.empty(len(Z), Z.dtype), np.empty_like(Z)
    getattr(costs, name)(Z, *arguments, cost, delta)
    return cost, delta


def test_registry():
    assert [cost.code for cost in COSTS.values()] == list(range(len(COSTS)))
    assert all(name == cost.name for name, cost in COSTS.items())
    assert all(set(cost.outputs) <= set(ACTIVATIONS) for cost in COSTS.values())


@both
@every_form
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_equals_reference(name, indices, weighted, smoothing, dtype):
    for shape in SHAPES:
        arguments = cost_arguments(name, shape, dtype, weighted, smoothing, indices)
        cost, delta = run(name, *arguments)
        expected_cost, expected_delta = getattr(reference, name)(*widen(arguments))
        size = np.maximum(1, expected_cost)
        assert cost.dtype == delta.dtype == dtype
        assert_close((cost / size).astype(dtype), expected_cost / size, ulps=64, label=shape)
        size = np.maximum(1, np.abs(expected_delta))
        assert_close((delta / size).astype(dtype), expected_delta / size, ulps=64, label=shape)


def whole(Z, cost, output, Y, weights, scale, smoothing=0.2, threshold=0.8):
    """cost and dZ from the one entry, with A computed by the twin."""
    A = reference.activation_forward(Z, output)
    codes = COSTS[cost].code, ACTIVATIONS[output].code
    result = np.empty(len(Z), Z.dtype), np.empty_like(Z)
    cost_backward(Z, A, Y, weights, *codes, *map(Z.dtype.type, (smoothing, threshold, scale)), *result)
    return result


@both
@pytest.mark.parametrize("cost, output", PAIRS)
def test_entry_equals_reference(cost, output, dtype):
    for shape in SHAPES:
        Z, Y, weights, *_ = cost_arguments(cost, shape, dtype)
        losses, dZ = whole(Z, cost, output, Y, weights, 0.25)
        z, y, w = map(np.float64, (Z, Y, weights))
        A = np.float64(reference.activation_forward(Z, output))
        options = map(float, map(dtype, (0.2, 0.8, 0.25)))
        expected, expected_dZ = reference.cost_backward(z, A, y, w, cost, output, *options)
        size = np.maximum(1, expected)
        assert_close((losses / size).astype(dtype), expected / size, ulps=64, label=shape)
        size = np.maximum(1, A * A)
        assert_close((dZ / size).astype(dtype), expected_dZ / size, ulps=64, label=shape)


@both
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name, indices", FORMS[:2] + FORMS[-1:])
def test_clipped_as_probabilities(name, indices, weighted, dtype):
    """The costs that clipped probabilities have, with their rounding; a NaN stays one."""
    Z, Y, weights, *_ = cost_arguments(name, (300, 3), dtype, weighted, indices=indices)
    Z *= 10
    cost, eps = run(name, Z, Y, weights, dtype(0), dtype(1))[0], np.finfo(dtype).eps
    ceiling = dtype(-np.log(eps))
    costs.clip_cross_entropy(Z, Y, weights, COSTS[name].code, ceiling, cost)
    if name == "binary_cross_entropy":
        p = reference.sigmoid(Z)
        elements = -np.log(np.clip(np.where(Y == 0, 1 - p, p), eps, 1))
    else:
        elements = np.minimum(reference.softmax_cross_entropy(Z, Y)[0], ceiling)[:, None]
    assert (elements > 0.99 * ceiling).any()
    expected = elements.sum(axis=1) * (weights if weighted else 1)
    np.testing.assert_allclose(cost, expected, rtol=1e-4 if dtype == np.float32 else 1e-8, atol=1e3 * eps)
    cost[0] = np.nan
    costs.clip_cross_entropy(Z, Y, weights, COSTS[name].code, ceiling, cost)
    assert np.isnan(cost[0])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cost, output, indices", [(*pair, False) for pair in PAIRS] + [
    ("softmax_cross_entropy", "softmax", True)
])  # fmt: skip
def test_gradient_is_the_finite_difference(cost, output, indices, weighted):
    """Every cost with every output activation it goes with; central differences in float64."""
    for shape in ((4, 3), (1, 17), (3, 1))[: 2 if indices else 3]:  # one column is no index of a class
        Z, Y, weights, *_ = cost_arguments(cost, shape, np.float64, weighted, indices=indices)
        _, dZ = whole(Z, cost, output, Y, weights, 0.25)
        step = 1e-5
        for index in np.ndindex(Z.shape):
            shift = np.zeros_like(Z)
            shift[index] = step
            above, _ = whole(Z + shift, cost, output, Y, weights, 1.0)
            below, _ = whole(Z - shift, cost, output, Y, weights, 1.0)
            slope = 0.25 * (above - below).sum() / (2 * step)
            assert abs(dZ[index] - slope) <= 1e-7 * max(1, abs(slope)), (shape, index)


@both
def test_logits_far_from_zero(dtype):
    """No overflow, and the small cost of a confident right answer is not lost to cancellation."""
    eps = np.finfo(dtype).eps
    Z = np.array([0, 1e-3, 1, 12, 20, 88, 89, 104, 709, 710, 1e4], dtype)
    Z = np.concatenate([Z, -Z])[:, None]
    none, smoothing, scale = np.empty(0, dtype), dtype(0), dtype(1)
    for label in (0, 1):
        for columns in (1, 2):  # each has its own loop
            z = np.repeat(Z, columns, axis=1)
            Y = np.full_like(z, label)
            cost, dZ = run("binary_cross_entropy", z, Y, none, smoothing, scale)
            expected, expected_dZ = reference.binary_cross_entropy(np.float64(z), np.float64(Y))
            np.testing.assert_allclose(cost, expected, 16 * eps, np.finfo(dtype).tiny)
            np.testing.assert_allclose(dZ, expected_dZ, 16 * eps, 4 * eps)
    z = np.concatenate([Z, np.zeros_like(Z), -Z], axis=1)
    for Y in (np.full_like(z, 1 / 3), np.ones((len(z), 1), dtype)):
        cost, dZ = run("softmax_cross_entropy", z, Y, none, smoothing, scale)
        expected, expected_dZ = reference.softmax_cross_entropy(np.float64(z), np.float64(Y))
        np.testing.assert_allclose(cost, expected, 16 * eps, 8 * eps)
        np.testing.assert_allclose(dZ, expected_dZ, 16 * eps, 8 * eps)


@both
@every
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_seen(name, bad, dtype):
    """A bad logit or output, target or weight: no finite cost, no finite delta where that is NaN."""
    for shape in ((5, 1), (5, 3), (5, 33)):
        for place in range(3):
            arguments = cost_arguments(name, shape, dtype)
            arguments[place][2, ...] = bad
            if (name, place, bad) == ("poisson", 0, -np.inf):
                arguments[1][2] = 1  # for y = 0 a mean of zero is right, and costs nothing
            cost, delta = run(name, *arguments)
            if name == "softmax_cross_entropy" and shape[1] == 1 and place == 1 and np.isinf(bad):
                continue  # inf * log(1): NaN in the cost, checked next
            assert not np.isfinite(cost[2]), place
            assert np.isfinite(np.delete(cost, 2)).all() and np.isfinite(np.delete(delta, 2, 0)).all()
            if np.isnan(bad):
                assert np.isnan(cost[2]) and np.isnan(delta[2]).all()


@both
def test_what_is_no_class_gives_nan(dtype):
    Z = normal(dtype, (7, 3), "Z")
    Y = np.array([[0], [-1], [3], [0.5], [np.nan], [np.inf], [2]], dtype)
    cost, dZ = run("softmax_cross_entropy", Z, Y, np.empty(0, dtype), dtype(0.1), dtype(1))
    assert np.isfinite(cost[[0, 6]]).all() and np.isfinite(dZ[[0, 6]]).all()
    assert np.isnan(cost[1:6]).all() and np.isnan(dZ[1:6]).all()


@both
def test_known_values(dtype):
    none, one = np.empty(0, dtype), dtype(1)

    def check(result, cost, delta):
        assert_close(result[0], [cost])
        assert_close(result[1], [delta])

    x = np.array([[3, -2, 1]], dtype)
    y = np.array([[1, -1.5, 1]], dtype)
    check(run("squared_error", x, y, none, one), 2.125, [2, -0.5, 0])
    check(run("absolute_error", x, y, none, one), 2.5, [1, -1, 0])
    check(run("huber", x, y, none, one, one), 1.625, [1, -0.5, 0])
    counts = np.array([[0, 1, 2]], dtype)
    z = np.log(np.array([[4, 1, 2]], dtype))
    check(run("poisson", z, counts, none, one), 4, [4, 0, 0])
    z = np.log(np.array([[1, 2, 5]], dtype))
    label = np.array([[1]], dtype)
    check(run("softmax_cross_entropy", z, label, none, dtype(0), one), np.log(4), [0.125, -0.75, 0.625])
    z = np.log(np.array([[3]], dtype))
    check(run("binary_cross_entropy", z, label, none, dtype(0), one), np.log(4 / 3), [-0.25])
    check(run("binary_cross_entropy", z, label, none, one, one), np.log(4) - np.log(3) / 2, [0.25])


@both
def test_unknown_code_gives_nan(dtype):
    Z = normal(dtype, (4, 3), "Z")
    cost, dZ = np.empty(4, dtype), np.empty_like(Z)
    one = dtype(1)
    cost_backward(Z, Z, Z, np.empty(0, dtype), 99, ACTIVATIONS["identity"].code, one, one, one, cost, dZ)
    assert np.isnan(cost).all() and np.isnan(dZ).all()


@settings(max_examples=60)
@given(
    Z=arrays(np.float32, st.tuples(*[st.integers(1, 20)] * 2), elements=st.floats(-1e4, 1e4, width=32)),
    label=st.sampled_from([0, 1]),
)
def test_cross_entropies_are_not_negative(Z, label):
    none, zero, one = np.empty(0, np.float32), np.float32(0), np.float32(1)
    cost, dZ = run("binary_cross_entropy", Z, np.full_like(Z, label), none, zero, one)
    assert (cost >= 0).all() and (np.abs(dZ) <= 1).all()
    Y = np.full((len(Z), 1), label % Z.shape[1], np.float32)
    cost, dZ = run("softmax_cross_entropy", Z, Y, none, zero, one)
    assert (cost >= 0).all() and (np.abs(dZ) <= 1 + 1e-6).all()


@settings(max_examples=60)
@given(
    name=st.sampled_from([name for name in COSTS if name != "softmax_cross_entropy"]),
    A=arrays(np.float64, st.tuples(*[st.integers(1, 20)] * 2), elements=st.floats(-10, 10)),
    factor=st.floats(0.125, 8),
)
def test_weights_multiply(name, A, factor):
    scalars = cost_arguments(name, (4, 4), np.float64)[3:]
    Y = targets(name, A.shape, np.float64)
    cost, delta = run(name, A, Y, np.empty(0), *scalars)
    weighted_cost, weighted_delta = run(name, A, Y, np.full(len(A), factor), *scalars)
    np.testing.assert_allclose(weighted_cost, factor * cost, 1e-14)
    np.testing.assert_allclose(weighted_delta, factor * delta, 1e-14)


@pytest.mark.slow
@compiled
@every
def test_loops_are_vectors_of_one_precision(name):
    assert_float32_vectors(machine_code(COSTS[name].rows), ("floor", "vecmath3log"))  # of a row each
