"""Products and transposes against NumPy in float64: shapes, strides, blocking, NaN, and the same bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import config, njit

from cases import DTYPES, LAYERS, normal
from fastnn_kernels.matmul import (
    BLOCK_K,
    BLOCK_TILES,
    PACK_BYTES,
    TILE_ROWS,
    TILE_VECTORS,
    VECTOR_BYTES,
    matmul,
    matmul_at,
    matmul_bt,
    scratch_size,
    transpose,
)

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="the tiles are intrinsics, which only compile")

FORMS = {"matmul": matmul, "matmul_at": matmul_at, "matmul_bt": matmul_bt}
every = pytest.mark.parametrize("form", FORMS)
both = pytest.mark.parametrize("dtype", DTYPES)


def shapes(dtype):
    """(m, k, n): the registry's, all widths around the vectors of this machine, and empty ones."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    edges = [max(v * lanes + d, 1) for v in (1, 2, 3, 4, 6, 7) for d in (-1, 0, 1)]
    heights = (1, 2, 3, 5, 7, 8, 9, 19)
    return (
        *LAYERS,
        *((m, 3, n) for n in edges for m in heights),
        *((3, k, 1) for k in edges),
        *((m, 5, 2) for m in edges),
        *((13, k, 5) for k in (1, 2, 193, 400)),
        *((0, 3, 5), (3, 5, 0), (4, 0, 7), (5, 0, 1), (1, 0, 300)),
    )


def large_shapes(dtype):
    """Shapes whose B is packed, in several blocks along k and n, with rows that fill no last tile."""
    size = np.dtype(dtype).itemsize
    block = BLOCK_TILES * TILE_VECTORS * VECTOR_BYTES // size
    k, n = 2 * BLOCK_K + 5, block + 37
    wide = max(n, PACK_BYTES // (k * size) + 1)
    deep = PACK_BYTES // (33 * size) + 1
    return (2 * TILE_ROWS + 3, k, wide), (1, k, wide), (3, deep, 33), (wide, k, 1), (5, BLOCK_K, wide)


def strided(array, margin=np.nan, reverse=False):
    """The same numbers as a view whose rows have a margin on both sides, and are stored backwards."""
    rows, cols = array.shape
    around = np.full((rows, cols + 5), margin, array.dtype)
    view = around[::-1, 2 : cols + 2] if reverse else around[:, 2 : cols + 2]
    view[:] = array
    return view


def readonly(array):
    view = array.view()
    view.flags.writeable = False
    return view


def whole_machine_code(kernel, *arguments):
    """Assembly of `kernel`, tiles included, compiled anew: what comes out of the cache cannot be read."""
    fresh = type(kernel)(kernel.py_func, targetoptions=kernel.targetoptions)
    fresh(*arguments)
    (code,) = fresh.inspect_asm().values()
    return code


def operands(form, shape, dtype):
    """A and B as `form` wants them stored."""
    m, k, n = shape
    A = normal(dtype, (k, m) if form == "matmul_at" else (m, k), "A")
    B = normal(dtype, (n, k) if form == "matmul_bt" else (k, n), "B")
    return A, B


def plain(form, A, B):
    """A and B as NumPy multiplies them, in float64."""
    A, B = A.astype(np.float64), B.astype(np.float64)
    return A.T if form == "matmul_at" else A, B.T if form == "matmul_bt" else B


def multiply(form, A, B, C=None):
    """The kernel's product, in C if given. Scratch has its exact size, begins unaligned and full of NaN."""
    (m, k), n = plain(form, A, B)[0].shape, plain(form, A, B)[1].shape[1]
    if C is None:
        C = np.full((m, n), np.nan, A.dtype)
    size = scratch_size(m, k, n, A.itemsize)
    around = np.full(size + (1 << 17), np.nan, A.dtype)
    FORMS[form](A, B, C, around[1 : size + 1])
    assert np.isnan(around[0]) and np.isnan(around[size + 1 :]).all(), "wrote outside scratch"
    return C


def assert_product(C, A, B, start=0, label=""):
    """C = start + A B within the rounding of any order of summation: k eps |A| |B|; all but C in float64."""
    k, eps = A.shape[1], np.finfo(C.dtype).eps
    with np.errstate(invalid="ignore", over="ignore"):
        expected = start + A @ B
        error = np.abs(C - expected)
        bound = (k + 2) * eps * (np.abs(start) + np.abs(A) @ np.abs(B))
    assert C.shape == expected.shape, label
    np.testing.assert_array_equal(np.isnan(C), np.isnan(expected), err_msg=str(label))
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(C[~finite], expected[~finite], err_msg=str(label))
    assert (error[finite] <= bound[finite]).all(), label


@every
@both
def test_agrees_with_numpy_for_every_shape(form, dtype):
    """Packed and blocked where operands are large."""
    for shape in (*shapes(dtype), *large_shapes(dtype)):
        A, B = operands(form, shape, dtype)
        assert_product(multiply(form, A, B), *plain(form, A, B), label=shape)


@every
@both
@pytest.mark.parametrize("reverse", (False, True))
def test_rows_may_be_strided_in_every_operand(form, dtype, reverse):
    for shape in (*shapes(dtype), *large_shapes(dtype)[:3]):
        A, B = operands(form, shape, dtype)
        C = strided(np.full((shape[0], shape[2]), np.nan, dtype), 7, reverse)
        multiply(form, strided(A, reverse=reverse), strided(B, reverse=reverse), C)
        assert_product(C, *plain(form, A, B), label=shape)
        around = C.base
        assert (around[:, :2] == 7).all() and (around[:, -3:] == 7).all(), "wrote beside C"


@every
@both
def test_each_operand_may_be_strided_alone(form, dtype):
    for shape in ((9, 33, 1), (1, 7, 50), (13, 17, 37)):
        A, B = operands(form, shape, dtype)
        C = multiply(form, A, B)
        expected = plain(form, A, B)
        assert_product(multiply(form, strided(A), B), *expected, label=shape)
        assert_product(multiply(form, A, strided(B)), *expected, label=shape)
        assert_product(multiply(form, A, B, strided(np.zeros_like(C))), *expected, label=shape)


@every
@both
def test_inputs_may_be_readonly_or_one_row_repeated(form, dtype):
    for shape in ((5, 9, 1), (13, 7, 31)):
        A, B = operands(form, shape, dtype)
        C = multiply(form, A, B)
        np.testing.assert_array_equal(multiply(form, readonly(A), readonly(B)), C)
        row = np.lib.stride_tricks.as_strided(A, strides=(0, A.itemsize))
        assert_product(multiply(form, row, B), *plain(form, row, B), label=shape)


@every
@both
def test_non_finite_operands_reach_what_they_reach_in_numpy(form, dtype):
    for shape in ((1, 1, 1), (13, 17, 1), (9, 33, 16), (10, 5, 61), (2, 200, 97)):
        for value in (np.nan, np.inf, -np.inf):
            for side in range(2):
                arguments = operands(form, shape, dtype)
                arguments[side].flat[arguments[side].size // 2] = value
                assert_product(multiply(form, *arguments), *plain(form, *arguments), label=(shape, value))
        A, B = operands(form, shape, dtype)
        A.flat[0], B.flat[0] = np.inf, 0
        assert_product(multiply(form, A, B), *plain(form, A, B), label=shape)


@every
@both
def test_overflow_is_infinite(form, dtype):
    A, B = (np.full_like(x, np.finfo(dtype).max) for x in operands(form, (9, 17, 5), dtype))
    assert (multiply(form, A, B) == np.inf).all()


@every
@both
def test_any_split_of_the_rows_gives_the_same_bits(form, dtype):
    def rows(A, begin, end):
        return A[:, begin:end] if form == "matmul_at" else A[begin:end]

    for shape in ((19, 37, 1), (19, 37, 7), (18, 200, 50), (11, 5, 65)):
        A, B = operands(form, shape, dtype)
        m = shape[0]
        whole = multiply(form, A, B)
        cuts = [(0, i, m) for i in range(1, m)] + [tuple(range(m + 1))]
        for cut in cuts:
            C = np.full_like(whole, np.nan)
            for begin, end in zip(cut, cut[1:], strict=False):
                multiply(form, rows(A, begin, end), B, C[begin:end])
            np.testing.assert_array_equal(C, whole, err_msg=f"{shape} {cut}")


@every
@both
def test_one_row_of_a_blocked_product_has_the_same_bits(form, dtype):
    for m, k, n in large_shapes(dtype):
        A, B = operands(form, (m, k, n), dtype)
        whole = multiply(form, A, B)
        for i in {0, m // 2, m - 1}:
            row = A[:, i : i + 1] if form == "matmul_at" else A[i : i + 1]
            np.testing.assert_array_equal(multiply(form, row, B), whole[i : i + 1], err_msg=f"{(m, k, n)}")


@both
def test_elements_are_chains_in_the_order_of_the_inner_index(dtype):
    """With powers of two every product is exact, so that NumPy can follow the roundings one by one."""
    m, k, n = 5, 400, 50
    A = (2.0 ** (np.arange(m * k) * 7 % 31 - 15)).reshape(m, k).astype(dtype)
    B = ((-2.0) ** (np.arange(k * n) * 5 % 29 - 14)).reshape(k, n).astype(dtype)

    def chain(order):
        C = np.zeros((m, n), dtype)
        for p in order:
            C += A[:, p : p + 1] * B[p]
        return C

    expected = chain(range(k))
    assert (expected != chain(reversed(range(k)))).any(), "these numbers do not show the order"
    for form, stored in zip(FORMS, ((A, B), (A.T.copy(), B), (A, B.T.copy())), strict=True):
        np.testing.assert_array_equal(multiply(form, *stored), expected, err_msg=form)


@both
def test_transpose_is_exact(dtype):
    for rows, cols, _ in (*shapes(dtype), (300, 257, 1)):
        A = normal(dtype, (rows, cols), "A")
        for reverse in (False, True):
            for source in (readonly(A), strided(A, reverse=reverse)):
                B = np.full((cols, rows), np.nan, dtype)
                transpose(source, B)
                np.testing.assert_array_equal(B, A.T)
                B = strided(np.full((cols, rows), np.nan, dtype), 7, reverse)
                transpose(source, B)
                np.testing.assert_array_equal(B, A.T)
                assert (B.base[:, :2] == 7).all() and (B.base[:, -3:] == 7).all(), "wrote beside B"


def test_transpose_carries_any_bits():
    bits = np.arange(33 * 47, dtype=np.uint32).reshape(33, 47) * np.uint32(2654435761)
    B = np.empty((47, 33), np.float32)
    transpose(bits.view(np.float32), B)
    np.testing.assert_array_equal(B.view(np.uint32), bits.T)


@njit
def all_forms(A, B, C, scratch):
    """A user's own function: C[i] = A B in each of the three forms, for contiguous A and B."""
    transposed = np.empty((A.shape[1], A.shape[0]), A.dtype)
    transpose(A, transposed)
    matmul(A, B, C[0], scratch)
    matmul_at(transposed, B, C[1], scratch)
    transposed = np.empty((B.shape[1], B.shape[0]), B.dtype)
    transpose(B, transposed)
    matmul_bt(A, transposed, C[2], scratch)


@pytest.mark.slow
@both
def test_a_users_own_compiled_function_may_call_it(dtype):
    for shape in ((13, 7, 33), (5, 9, 1)):
        A, B = operands("matmul", shape, dtype)
        C = np.full((3, shape[0], shape[2]), np.nan, dtype)
        all_forms(A, B, C, np.full(scratch_size(*shape, A.itemsize), np.nan, dtype))
        for product in C:
            assert_product(product, *plain("matmul", A, B), label=shape)


@pytest.mark.slow
def test_float32_never_becomes_float64():
    A, B = operands("matmul", (5, 7, 9), np.float32)
    C, scratch = np.empty((3, 5, 9), np.float32), np.empty(scratch_size(5, 7, 9, 4), np.float32)
    code = whole_machine_code(all_forms, A, B, C, scratch)
    for conversion in ("cvtss2sd", "cvtps2pd", "cvtsd2ss", "cvtpd2ps", "fcvt"):
        assert conversion not in code


@every
@both
@given(shape=st.tuples(st.integers(1, 40), st.integers(0, 70), st.integers(1, 110)), apart=st.booleans())
def test_agrees_with_numpy_for_random_shapes(form, dtype, shape, apart):
    A, B = operands(form, shape, dtype)
    C = np.full((shape[0], shape[2]), np.nan, dtype)
    stored = [strided(x) if apart else x for x in (A, B, C)]
    assert_product(multiply(form, *stored), *plain(form, A, B))
