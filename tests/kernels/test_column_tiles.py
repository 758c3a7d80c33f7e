"""Layers of one output and sums over rows: the bits of what they replace, at forbidden pages."""

import numpy as np
import pytest
from numba import config

from cases import DTYPES, normal
from fastnn_kernels.affine import column_sum
from fastnn_kernels.matmul import matmul_at, matmul_bt, scratch_size
from fastnn_kernels.panels import padded
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import addresses, compiled, lanes

pytestmark = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
both = pytest.mark.parametrize("dtype", DTYPES)
at_each_edge = pytest.mark.parametrize("edge", EDGES)
WIDTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 47, 49, 97, 130, 200)
HEIGHTS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 30, 100)


def scratch(m, k, n, dtype):
    return np.empty(scratch_size(m, k, n, np.dtype(dtype).itemsize), dtype)


def whole(values):
    """A row in whole vectors, zeros at its end."""
    row = np.zeros(padded(values.size, values.itemsize), values.dtype)
    row[: values.size] = values
    return row


@both
@at_each_edge
def test_forward_is_the_dot_product_and_the_bias(dtype, edge):
    for m, k in ((m, k) for m in HEIGHTS for k in WIDTHS if m < 9 or k in (7, 17, 97)):
        A, w, bias = normal(dtype, (m, k), "A"), normal(dtype, k, "w"), normal(dtype, lanes(dtype), "bias")
        expected = np.empty((m, 1), dtype)
        matmul_bt(A, w[None, :], expected, scratch(m, k, 1, dtype))
        A, z = guarded(A, edge), guarded(np.full(m, np.nan, dtype), edge)
        table, row = guarded(addresses(A), edge), guarded(w, edge)
        compiled("forward_column", np.dtype(dtype).name)(table, m, k, row, guarded(bias, edge), z)
        np.testing.assert_array_equal(z, expected[:, 0] + bias[0])


@both
@at_each_edge
def test_backward_is_the_outer_product_times_the_derivative(dtype, edge):
    for m, n in ((m, n) for m in (1, 2, 7) for n in WIDTHS):
        dz, w = normal(dtype, m, "dz"), whole(normal(dtype, n, "w"))
        a = normal(dtype, (m, w.size + lanes(dtype)), "a")[:, : w.size]
        a[0, 0] = 0
        for slope in (0.0, 0.01, 1.0):
            D = guarded(np.full_like(a, np.nan), edge)
            row = D.strides[0] // D.itemsize
            arguments = guarded(dz, edge), guarded(w, edge), w.size, guarded(a, edge)
            arguments += (a.strides[0] // a.itemsize,)
            compiled("backward_column", np.dtype(dtype).name)(m, *arguments, D, row, slope)
            product = dz[:, None] * w
            np.testing.assert_array_equal(D, np.where(a <= 0, product * dtype(slope), product))


@both
@at_each_edge
def test_gradient_is_the_product_and_its_last_vector_ends_in_zeros(dtype, edge):
    for k, n in ((k, n) for k in HEIGHTS for n in WIDTHS):
        A, dz = normal(dtype, (k, n + 2), "A"), normal(dtype, k, "dz")
        dz[0] = np.inf if n == 17 else dz[0]
        expected = np.empty((n, 1), dtype)
        with np.errstate(invalid="ignore"):
            matmul_at(np.ascontiguousarray(A[:, 2:]), dz[:, None].copy(), expected, scratch(n, k, 1, dtype))
        A, g = guarded(A, edge), guarded(np.full(padded(n, dz.itemsize), np.nan, dtype), edge)
        table, deltas = guarded(addresses(A), edge), guarded(dz, edge)
        compiled("gradient_column", np.dtype(dtype).name)(table, 2, n, k, deltas, g)
        np.testing.assert_array_equal(g, whole(expected[:, 0]))


@both
@at_each_edge
def test_bias_gradients_are_sums_in_the_order_of_rows(dtype, edge):
    for k, n in ((k, n) for k in HEIGHTS for n in WIDTHS):
        D = normal(dtype, (k, n), "D")
        expected = np.empty(n, dtype)
        column_sum(D, expected)
        g = guarded(np.full(padded(n, D.itemsize), np.nan, dtype), edge)
        compiled("bias_gradient", np.dtype(dtype).name)(guarded(D, edge), n, k, n, g)
        np.testing.assert_array_equal(g, whole(expected))


@both
@at_each_edge
def test_the_bias_gradient_of_one_output(dtype, edge):
    for k in (*WIDTHS, 1000):
        dz = normal(dtype, k, "dz")
        g = guarded(np.full(lanes(dtype), np.nan, dtype), edge)
        compiled("bias_gradient_column", np.dtype(dtype).name)(guarded(dz, edge), k, g)
        np.testing.assert_allclose(g[0], dz.astype(np.float64).sum(), rtol=0, atol=1e-6 * np.abs(dz).sum())
        assert not g[1:].any()
