"""Products on panels: the bits of the products of matmul.py, at forbidden pages, with what is not finite."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numba import config

from cases import DTYPES, normal
from fastnn_kernels.affine import affine_forward, affine_scratch_size
from fastnn_kernels.matmul import matmul, matmul_at, scratch_size
from fastnn_kernels.simd import VECTOR_BYTES
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import addresses, compiled, lanes

pytestmark = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
both = pytest.mark.parametrize("dtype", DTYPES)
each_width = pytest.mark.parametrize("n_vectors", (1, 2, 3))
HEIGHTS = (*range(1, 41), 100)
INNER = (1, 2, 3, 4, 5, 8, 15, 30)


def scratch(m, k, n, dtype):
    return np.empty(scratch_size(m, k, n, np.dtype(dtype).itemsize), dtype)


def strided_rows(A, margin=5):
    """The same rows further apart, with NaN between them."""
    around = np.full((A.shape[0], A.shape[1] + margin), np.nan, A.dtype)
    around[:, : A.shape[1]] = A
    return around[:, : A.shape[1]]


def expected_forward(A, B, start):
    Z = np.empty((len(A), B.shape[1]), A.dtype)
    affine_forward(A, B, start, Z, np.empty(affine_scratch_size(*A.shape, B.shape[1], A.itemsize), A.dtype))
    return Z


def forward(A, B, start, slope, edge="end"):
    """Z of the leaf; every array stands at a forbidden page."""
    n_vectors = B.shape[1] // lanes(A.dtype)
    rows, B, start = guarded(addresses(A), edge), guarded(B, edge), guarded(start, edge)
    around = np.full((len(A), B.shape[1] + lanes(A.dtype)), 7, A.dtype)
    Z = guarded(around[:, : B.shape[1]], edge)
    Z[...] = np.nan
    call = compiled(f"forward_panel_{n_vectors}", A.dtype.name)
    call(rows, *A.shape, B, start, Z, Z.strides[0] // Z.itemsize, slope)
    return np.array(Z)


@both
@each_width
@pytest.mark.parametrize("edge", EDGES)
def test_forward_has_the_bits_of_the_affine_layer(dtype, n_vectors, edge):
    width = n_vectors * lanes(dtype)
    for m in HEIGHTS:
        for k in INNER if m < 9 else (7, 13):
            A, B = normal(dtype, (m, k), "A"), normal(dtype, (k, width), "B")
            start = normal(dtype, width, "start")
            for stored in (guarded(A, edge), strided_rows(A)):
                Z = forward(stored, B, start, 1.0, edge)
                np.testing.assert_array_equal(Z, expected_forward(A, B, start))


@both
@each_width
def test_the_epilogue_is_relu_leaky_or_nothing(dtype, n_vectors):
    """Of infinities, NaN and zeros of either sign too: relu of minus infinity and of -0 is 0."""
    width, special = n_vectors * lanes(dtype), (np.inf, -np.inf, np.nan, 0.0, -0.0, 1.5, -1.5)
    A, B = np.zeros((13, 1), dtype), np.zeros((1, width), dtype)
    start = np.resize(np.array(special, dtype), width)
    # a chain from -0 with -0 = 0 * -0 stays what it was
    B[:] = -0.0
    for slope in (0.0, 0.01, 1.0):
        with np.errstate(invalid="ignore"):
            expected = np.where(start <= 0, dtype(slope) * start if slope else dtype(0), start)
        Z = forward(A, B, start, slope)
        for row in Z:
            np.testing.assert_array_equal(row, expected)
            kept = ~np.isnan(expected)
            np.testing.assert_array_equal(np.signbit(row[kept]), np.signbit(expected[kept]))


@both
@each_width
@pytest.mark.parametrize("edge", EDGES)
def test_backward_is_the_product_times_the_derivative(dtype, n_vectors, edge):
    width = n_vectors * lanes(dtype)
    call = compiled(f"backward_panel_{n_vectors}", np.dtype(dtype).name)
    for m in HEIGHTS:
        for k in INNER if m < 9 else (7, 13):
            dZ, W = normal(dtype, (m, k), "dZ"), normal(dtype, (k, width), "W")
            a = normal(dtype, (m, width), "a")
            a[0, 0], a[-1, -1] = 0, np.nan
            product = np.empty((m, width), dtype)
            matmul(dZ, W, product, scratch(m, k, width, dtype))
            for slope in (0.0, 0.01, 1.0):
                stored, B, signs = guarded(dZ, edge), guarded(W, edge), guarded(strided_rows(a), edge)
                D = guarded(strided_rows(np.full((m, width), np.nan, dtype), 3), edge)
                table = guarded(addresses(stored), edge)
                call(table, m, k, B, signs, width + 5, D, width + 3, slope)
                np.testing.assert_array_equal(D, np.where(a <= 0, product * dtype(slope), product))


@both
@each_width
@pytest.mark.parametrize("edge", EDGES)
def test_gradient_has_the_bits_of_the_product(dtype, n_vectors, edge):
    width = n_vectors * lanes(dtype)
    call = compiled(f"gradient_panel_{n_vectors}", np.dtype(dtype).name)
    for h in HEIGHTS:
        for k in INNER if h < 9 else (7, 13, 100):
            A, D = normal(dtype, (k, h + 3), "A"), normal(dtype, (k, width), "D")
            expected = np.empty((h, width), dtype)
            part = np.ascontiguousarray(A[:, 3:])
            matmul_at(part, D, expected, scratch(h, k, width, dtype))
            A, deltas = guarded(A, edge), guarded(strided_rows(D), edge)
            G = guarded(np.full((h, width), np.nan, dtype), edge)
            table = guarded(addresses(A), edge)
            call(table, 3, h, k, deltas, width + 5, G, G, deltas, A)
            np.testing.assert_array_equal(G, expected)


@both
@each_width
def test_what_is_not_finite_stays_in_its_row_and_its_column(dtype, n_vectors):
    width = n_vectors * lanes(dtype)
    A, B = normal(dtype, (21, 9), "A"), normal(dtype, (9, width), "B")
    start = normal(dtype, width, "start")
    clean = forward(A, B, start, 1.0)
    for value in (np.nan, np.inf):
        bad = A.copy()
        bad[17, 4] = value
        Z = forward(bad, B, start, 1.0)
        assert not np.isfinite(Z[17]).any()
        np.testing.assert_array_equal(np.delete(Z, 17, 0), np.delete(clean, 17, 0))
        bad = B.copy()
        bad[3, width - 1] = value
        Z = forward(A, bad, start, 1.0)
        assert not np.isfinite(Z[:, -1]).any()
        np.testing.assert_array_equal(Z[:, :-1], clean[:, :-1])


@both
@each_width
def test_rows_may_stand_anywhere(dtype, n_vectors):
    """The table of addresses is a choice of rows: the first layer reads a batch from X in place."""
    width = n_vectors * lanes(dtype)
    X, B, start = normal(dtype, (50, 9), "X"), normal(dtype, (9, width), "B"), normal(dtype, width, "start")
    chosen = np.array([3, 3, 49, 0, 17, 5, 48, 2, 1, 44, 44])
    table, Z = addresses(X)[chosen], np.empty((len(chosen), width), dtype)
    call = compiled(f"forward_panel_{n_vectors}", np.dtype(dtype).name)
    call(table, len(chosen), 9, B, start, Z, width, 1.0)
    np.testing.assert_array_equal(Z, expected_forward(X[chosen], B, start))


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names an x86 processor")
def test_the_tiles_of_sixteen_registers(tmp_path):
    """These files again for AVX2, whose vectors are half as wide and whose tiles are lower."""
    if VECTOR_BYTES != 64:
        pytest.skip("this machine has no wider vectors than those")
    environment = os.environ | {"NUMBA_CPU_NAME": "haswell", "NUMBA_CACHE_DIR": str(tmp_path)}
    files = [
        __file__.replace("panel_tiles", name)
        for name in ("panel_tiles", "column_tiles", "panels", "adam_tiles", "lines")
    ]
    chosen = "end and (bits or derivative or dot or sums or formula or block or strips)"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", chosen]
    child = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert child.returncode == 0, child.stdout + child.stderr
