"""The affine layer against its NumPy twin in float64: shapes, strides, blocking, NaN, and the same bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import config, njit
from test_matmul import readonly, strided, whole_machine_code

from cases import DTYPES, LAYERS, layer_arguments, normal
from fastnn import reference
from fastnn_kernels.affine import (
    affine_backward,
    affine_forward,
    affine_scratch_size,
    column_sum,
)
from fastnn_kernels.matmul import BLOCK_K, BLOCK_TILES, PACK_BYTES, TILE_VECTORS, VECTOR_BYTES

compiled = pytest.mark.skipif(config.DISABLE_JIT, reason="the tiles are intrinsics, which only compile")
both = pytest.mark.parametrize("dtype", DTYPES)
# Interpreted loops take a microsecond an element.
pytestmark = compiled


def shapes(dtype):
    """(n_samples, n_in, n_out): the registry's, and all widths around the vectors of this machine."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    edges = [max(v * lanes + d, 1) for v in (1, 3, 4) for d in (-1, 0, 1)]
    sides = [shape for n in edges for shape in ((9, 5, n), (9, n, 5), (n, 5, 9), (n, 3, 1), (3, n, 1))]
    return *LAYERS, *sides, (0, 3, 5), (4, 0, 7), (5, 0, 1), (5, 3, 0)


def large_shapes(dtype):
    """Layers of which one product at least is packed and blocked, and a single output over a wide input."""
    size = np.dtype(dtype).itemsize
    block = BLOCK_TILES * TILE_VECTORS * VECTOR_BYTES // size
    n_in, n_out = 2 * BLOCK_K + 5, max(block + 37, PACK_BYTES // ((2 * BLOCK_K + 5) * size) + 1)
    return (21, n_in, n_out), (n_in, 21, n_out), (n_in, n_out, 1)


def scratch_of(shape, dtype):
    """Unaligned scratch of exactly the size asked for, and the elements behind it, all NaN."""
    size = affine_scratch_size(*shape, np.dtype(dtype).itemsize)
    around = np.full(size + (1 << 17), np.nan, dtype)
    return around[1 : size + 1], around[size + 1 :]


def outputs(*arrays):
    """Arrays of these arrays' shapes, full of NaN, which no result may keep."""
    return [np.full_like(x, np.nan) for x in arrays]


def forward(X, W, b, Z=None):
    if Z is None:
        Z = np.full((X.shape[0], W.shape[1]), np.nan, X.dtype)
    scratch, behind = scratch_of((*X.shape, W.shape[1]), X.dtype)
    affine_forward(X, W, b, Z, scratch)
    assert np.isnan(behind).all(), "wrote behind scratch"
    return Z


def backward(X, W, dZ, results=None):
    dW, db, dX = results or outputs(W, dZ[:0].sum(0), X)
    scratch, behind = scratch_of((*X.shape, W.shape[1]), X.dtype)
    affine_backward(X, W, dZ, dW, db, dX, scratch)
    assert np.isnan(behind).all(), "wrote behind scratch"
    return dW, db, dX


def assert_sum(actual, expected, magnitude, terms, label=""):
    """Equal within the rounding of a sum of `terms`, whose magnitudes sum to `magnitude`, in any order."""
    assert actual.shape == expected.shape, label
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected), err_msg=str(label))
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=str(label))
    bound = (terms + 2) * np.finfo(actual.dtype).eps * magnitude[finite]
    assert (np.abs(actual[finite] - expected[finite]) <= bound).all(), label


def assert_forward(Z, X, W, b, label=""):
    X, W, b = (np.float64(x) for x in (X, W, b))
    with np.errstate(invalid="ignore"):
        magnitude = reference.affine_forward(*map(np.abs, (X, W, b)))
        assert_sum(Z, reference.affine_forward(X, W, b), magnitude, X.shape[1], label)


def assert_backward(results, X, W, dZ, label=""):
    X, W, dZ = (np.float64(x) for x in (X, W, dZ))
    terms = len(X), len(X), W.shape[1]
    with np.errstate(invalid="ignore"):
        expected = reference.affine_backward(X, W, dZ)
        magnitudes = reference.affine_backward(*map(np.abs, (X, W, dZ)))
        for actual, *rest in zip(results, expected, magnitudes, terms, strict=False):
            assert_sum(actual, *rest, label)


@both
def test_forward_agrees_with_its_twin(dtype):
    for shape in (*shapes(dtype), *large_shapes(dtype)):
        X, W, b, _ = layer_arguments(shape, dtype) if shape[1] else empty_input(shape, dtype)
        assert_forward(forward(X, W, b), X, W, b, shape)


@both
def test_backward_agrees_with_its_twin(dtype):
    for shape in (*shapes(dtype), *large_shapes(dtype)):
        X, W, _, dZ = layer_arguments(shape, dtype) if shape[1] else empty_input(shape, dtype)
        assert_backward(backward(X, W, dZ), X, W, dZ, shape)


def empty_input(shape, dtype):
    n_samples, n_in, n_out = shape
    sizes = (n_samples, n_in), (n_in, n_out), n_out, (n_samples, n_out)
    return [normal(dtype, size, "empty") for size in sizes]


@both
def test_an_empty_dX_is_not_computed_and_changes_nothing(dtype):
    for shape in ((13, 7, 33), (13, 7, 1)):
        X, W, _, dZ = layer_arguments(shape, dtype)
        dW, db, _ = backward(X, W, dZ)
        for size in ((0, 0), (0, shape[1])):
            without = backward(X, W, dZ, (*outputs(W, db), np.empty(size, dtype)))
            np.testing.assert_array_equal(without[0], dW)
            np.testing.assert_array_equal(without[1], db)


@both
def test_rows_may_be_strided(dtype):
    for shape in (*shapes(dtype), large_shapes(dtype)[0]):
        if 0 in shape:
            continue
        X, W, b, dZ = layer_arguments(shape, dtype)
        Z, dW, dX = (strided(x, 7) for x in outputs(dZ, W, X))
        forward(strided(X), strided(W), b, Z)
        assert_forward(Z, X, W, b, shape)
        (db,) = outputs(b)
        backward(strided(X), strided(W), strided(dZ), (dW, db, dX))
        assert_backward((dW, db, dX), X, W, dZ, shape)
        for around in (Z.base, dW.base, dX.base):
            assert (around[:, :2] == 7).all() and (around[:, -3:] == 7).all(), "wrote beside an output"


@both
def test_inputs_may_be_readonly(dtype):
    X, W, b, dZ = layer_arguments((13, 7, 33), dtype)
    np.testing.assert_array_equal(forward(*map(readonly, (X, W, b))), forward(X, W, b))
    expected = backward(X, W, dZ)
    for actual, other in zip(backward(*map(readonly, (X, W, dZ))), expected, strict=True):
        np.testing.assert_array_equal(actual, other)


@both
def test_non_finite_numbers_reach_what_they_reach_in_numpy(dtype):
    for shape in ((1, 1, 1), (9, 17, 1), (13, 7, 61)):
        for value in (np.nan, np.inf, -np.inf):
            for which in range(4):
                arguments = layer_arguments(shape, dtype)
                arguments[which].flat[arguments[which].size // 2] = value
                X, W, b, dZ = arguments
                assert_forward(forward(X, W, b), X, W, b, (shape, value, which))
                assert_backward(backward(X, W, dZ), X, W, dZ, (shape, value, which))


@both
def test_any_split_of_the_rows_gives_the_same_bits(dtype):
    for shape in ((19, 37, 1), (19, 37, 7), (11, 200, 65)):
        X, W, b, _ = layer_arguments(shape, dtype)
        whole, m = forward(X, W, b), len(X)
        for cut in [(0, i, m) for i in range(1, m)] + [tuple(range(m + 1))]:
            Z = np.full_like(whole, np.nan)
            for begin, end in zip(cut, cut[1:], strict=False):
                forward(X[begin:end], W, b, Z[begin:end])
            np.testing.assert_array_equal(Z, whole, err_msg=f"{shape} {cut}")


@both
def test_one_row_of_a_blocked_layer_has_the_same_bits(dtype):
    for shape in large_shapes(dtype):
        X, W, b, _ = layer_arguments(shape, dtype)
        whole = forward(X, W, b)
        for i in (0, len(X) - 1):
            np.testing.assert_array_equal(forward(X[i : i + 1], W, b), whole[i : i + 1], err_msg=f"{shape}")


@both
def test_column_sum_adds_the_rows_in_their_order(dtype):
    for shape in {(n_samples, n_out) for n_samples, _, n_out in LAYERS} | {(0, 5), (5, 0)}:
        dZ = normal(dtype, shape, "dZ")
        expected = np.zeros(shape[1], dtype)
        for row in dZ:
            expected += row
        for stored in (dZ, readonly(dZ), strided(dZ)):
            (db,) = outputs(expected)
            column_sum(stored, db)
            np.testing.assert_array_equal(db, expected, err_msg=str(shape))


@both
def test_columns_summed_apart_have_the_same_bits(dtype):
    dZ = normal(dtype, (31, 37), "dZ")
    (whole,) = outputs(dZ[0])
    column_sum(strided(dZ), whole)
    for cut in range(38):
        (parts,) = outputs(whole)
        column_sum(dZ[:, :cut], parts[:cut])
        column_sum(dZ[:, cut:], parts[cut:])
        np.testing.assert_array_equal(parts, whole)


@both
def test_column_sum_shows_what_is_not_finite(dtype):
    dZ = np.ones((7, 5), dtype)
    dZ[3, 0], dZ[3, 1], dZ[2:4, 2] = np.nan, np.inf, (np.inf, -np.inf)
    (db,) = outputs(dZ[0])
    with np.errstate(invalid="ignore"):
        column_sum(dZ, db)
    np.testing.assert_array_equal(db, np.array([np.nan, np.inf, np.nan, 7, 7], dtype))


@njit
def step(X, W, b, Z, dW, db, dX):
    """A user's own function: forward, and backward from Z itself."""
    scratch = np.empty(affine_scratch_size(X.shape[0], X.shape[1], b.size, X.itemsize), X.dtype)
    affine_forward(X, W, b, Z, scratch)
    affine_backward(X, W, Z, dW, db, dX, scratch)


@pytest.mark.slow
@both
def test_a_users_own_compiled_function_may_call_it(dtype):
    X, W, b, dZ = layer_arguments((13, 7, 33), dtype)
    Z, dW, db, dX = outputs(dZ, W, b, X)
    step(X, W, b, Z, dW, db, dX)
    assert_forward(Z, X, W, b)
    assert_backward((dW, db, dX), X, W, Z)


@pytest.mark.slow
def test_float32_never_becomes_float64():
    X, W, b, dZ = layer_arguments((13, 7, 33), np.float32)
    code = whole_machine_code(step, X, W, b, *outputs(dZ, W, b, X))
    for conversion in ("cvtss2sd", "cvtps2pd", "cvtsd2ss", "cvtpd2ps", "fcvt"):
        assert conversion not in code


@both
@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 110)), apart=st.booleans())
def test_dense_agrees_for_random_shapes(dtype, shape, apart):
    X, W, b, dZ = layer_arguments(shape, dtype)
    x, w, dz = (strided(x) if apart else x for x in (X, W, dZ))
    Z, dW, dX = (strided(x) if apart else x for x in outputs(dZ, W, X))
    assert_forward(forward(x, w, b, Z), X, W, b)
    (db,) = outputs(b)
    assert_backward(backward(x, w, dz, (dW, db, dX)), X, W, dZ)
