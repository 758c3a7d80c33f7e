"""The affine layer of CSR rows against the dense twin in float64: shapes, indices, NaN, the same bits."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from test_affine import LAYERS, assert_backward, assert_forward, compiled, outputs
from test_matmul import readonly, strided, whole_machine_code

from cases import DTYPES, generator, layer_arguments, normal
from fastnn_kernels.affine import affine_backward_csr, affine_forward_csr

pytestmark = compiled
both = pytest.mark.parametrize("dtype", DTYPES)


def csr(shape, dtype, density=0.3, indices=np.int32):
    """A random CSR matrix as its three arrays, with empty rows, and as a dense one."""
    values = normal(dtype, shape, "csr") * (generator(shape, "csr").random(shape) < density)
    if len(values) > 2:
        values[1] = 0
    sparse = scipy.sparse.csr_array(values)
    return (sparse.data, sparse.indices.astype(indices), sparse.indptr.astype(indices)), values


def forward_csr(X, W, b, n_samples):
    Z = np.full((n_samples, W.shape[1]), np.nan, W.dtype)
    affine_forward_csr(*X, W, b, Z)
    return Z


def backward_csr(X, dZ, n_in):
    dW, db = np.full((n_in, dZ.shape[1]), np.nan, dZ.dtype), np.full(dZ.shape[1], np.nan, dZ.dtype)
    affine_backward_csr(*X, dZ, dW, db)
    return dW, db


@both
@pytest.mark.parametrize("indices", (np.int32, np.int64))
def test_csr_agrees_with_the_dense_twin(dtype, indices):
    for shape in (*LAYERS, (0, 3, 5), (3, 5, 0)):
        _, W, b, dZ = layer_arguments(shape, dtype)
        for density in (0, 0.3, 1):
            X, dense = csr(shape[:2], dtype, density, indices)
            assert_forward(forward_csr(X, W, b, shape[0]), dense, W, b, shape)
            assert_backward(backward_csr(X, dZ, shape[1]), dense, W, dZ, shape)


@both
def test_csr_entries_may_repeat_and_come_in_any_order(dtype):
    data = np.array([1, 2, 4, 8, 16], dtype)
    X = data, np.array([2, 0, 2, 1, 1], np.int32), np.array([0, 3, 3, 5], np.int32)
    dense = np.array([[2, 0, 5], [0, 0, 0], [0, 24, 0]], dtype)
    _, W, b, dZ = layer_arguments((3, 3, 7), dtype)
    assert_forward(forward_csr(X, W, b, 3), dense, W, b)
    assert_backward(backward_csr(X, dZ, 3), dense, W, dZ)


@both
def test_csr_takes_readonly_and_strided_arrays(dtype):
    _, W, b, dZ = layer_arguments((9, 31, 7), dtype)
    X, _ = csr((9, 31), dtype)
    fixed = [readonly(x) for x in X]
    np.testing.assert_array_equal(forward_csr(fixed, strided(W), readonly(b), 9), forward_csr(X, W, b, 9))
    expected = backward_csr(X, dZ, 31)
    for actual, other in zip(backward_csr(fixed, strided(dZ), 31), expected, strict=True):
        np.testing.assert_array_equal(actual, other)


@both
def test_csr_rows_split_anywhere_give_the_same_bits(dtype):
    """A share of the rows is a share of `indptr`: data and indices stay whole."""
    _, W, b, _ = layer_arguments((13, 31, 37), dtype)
    (data, indices, indptr), _ = csr((13, 31), dtype)
    whole = forward_csr((data, indices, indptr), W, b, 13)
    for cut in range(14):
        parts = [(data, indices, indptr[: cut + 1]), (data, indices, indptr[cut:])]
        Z = [forward_csr(X, W, b, len(X[2]) - 1) for X in parts]
        np.testing.assert_array_equal(np.concatenate(Z), whole)


@both
@pytest.mark.parametrize("value", (np.nan, np.inf))
def test_csr_carries_what_is_not_finite(dtype, value):
    _, W, b, dZ = layer_arguments((9, 31, 7), dtype)
    X, dense = csr((9, 31), dtype)
    entry = X[0].size // 2
    row = np.searchsorted(X[2], entry, "right") - 1
    X[0][entry] = dense[row, X[1][entry]] = value
    with np.errstate(invalid="ignore"):
        assert_forward(forward_csr(X, W, b, 9), dense, W, b)
        dW, db = backward_csr(X, dZ, 31)
    # A dense product also meets 0 * inf; here only what is stored counts.
    touched = np.zeros(31, bool)
    touched[X[1][entry]] = True
    np.testing.assert_array_equal(~np.isfinite(dW).all(1), touched)
    assert not np.isfinite(dW[touched]).any() and np.isfinite(db).all()


@njit
def step(data, indices, indptr, W, b, Z, dW, db):
    """A user's own function: forward, and backward from Z itself."""
    affine_forward_csr(data, indices, indptr, W, b, Z)
    affine_backward_csr(data, indices, indptr, Z, dW, db)


@both
def test_a_users_own_compiled_function_may_call_it(dtype):
    _, W, b, dZ = layer_arguments((13, 7, 33), dtype)
    X, _ = csr((13, 7), dtype)
    Z, dW, db = outputs(dZ, W, b)
    step(*X, W, b, Z, dW, db)
    np.testing.assert_array_equal(Z, forward_csr(X, W, b, 13))
    for actual, other in zip((dW, db), backward_csr(X, Z, 7), strict=True):
        np.testing.assert_array_equal(actual, other)


def test_float32_never_becomes_float64():
    _, W, b, dZ = layer_arguments((13, 7, 33), np.float32)
    X, _ = csr((13, 7), np.float32)
    code = whole_machine_code(step, *X, W, b, *outputs(dZ, W, b))
    for conversion in ("cvtss2sd", "cvtps2pd", "cvtsd2ss", "cvtpd2ps", "fcvt"):
        assert conversion not in code


@both
@given(shape=st.tuples(*[st.integers(1, 12)] * 3), density=st.floats(0, 1))
def test_csr_agrees_for_random_shapes(dtype, shape, density):
    _, W, b, dZ = layer_arguments(shape, dtype)
    X, dense = csr(shape[:2], dtype, density)
    assert_forward(forward_csr(X, W, b, shape[0]), dense, W, b)
    assert_backward(backward_csr(X, dZ, shape[1]), dense, W, dZ)
