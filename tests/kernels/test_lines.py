"""Samples in lanes: products on lines against NumPy, ragged rows, forbidden pages, a network's gradient."""

import numpy as np
import pytest
from numba import config

from cases import DTYPES, generator, normal
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import addresses, compiled, lanes

pytestmark = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
both = pytest.mark.parametrize("dtype", DTYPES)
at_each_edge = pytest.mark.parametrize("edge", EDGES)
UNITS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 33)
VECTORS = (1, 2, 3, 4, 5, 7, 9, 17)


def whole_numbers(dtype, shape, *key):
    """Small whole numbers: sums of products are exact in any order."""
    return generator(shape, *key).integers(-4, 5, shape).astype(dtype)


def lines(dtype, n, vectors, *key, margin=3):
    """n lines, with other memory between them, but none after the last."""
    row = vectors * lanes(dtype)
    return np.pad(whole_numbers(dtype, (n, row), *key), ((0, 0), (0, margin * lanes(dtype))))[:, :row]


def unwritten(array, edge):
    """Memory like `array`'s, its strides too, full of NaN."""
    result = guarded(array, edge)
    result[...] = np.nan
    return result


def shapes():
    for n_in in UNITS:
        for n_out in UNITS:
            yield n_in, n_out, VECTORS[(n_in + n_out) % len(VECTORS)]
    for vectors in VECTORS:
        yield 5, 9, vectors
        yield 9, 1, vectors


@both
@at_each_edge
def test_forward(dtype, edge):
    for n_in, n_out, vectors in shapes():
        A = lines(dtype, n_in, vectors, "A")
        wb = whole_numbers(dtype, (n_in + 1, n_out), "wb")
        Z = unwritten(lines(dtype, n_out, vectors), edge)
        line = A.strides[0] // A.itemsize
        for slope in (0.0, 0.25, 1.0):
            arguments = guarded(A, edge), line, n_in, guarded(wb, edge), n_out, vectors, Z, slope
            compiled("forward_lines", np.dtype(dtype).name)(*arguments)
            x = wb[:-1].T @ A + wb[-1][:, None]
            np.testing.assert_array_equal(Z, np.where(x <= 0, x * dtype(slope), x))


@both
@at_each_edge
def test_backward(dtype, edge):
    for n_in, n_out, vectors in shapes():
        dZ, A = lines(dtype, n_out, vectors, "dZ"), lines(dtype, n_in, vectors, "A")
        W = whole_numbers(dtype, (n_in, n_out), "W")
        dA = unwritten(A, edge)
        line = A.strides[0] // A.itemsize
        for slope in (0.0, 0.25, 1.0):
            arguments = guarded(dZ, edge), line, n_out, guarded(W, edge), n_in, vectors, guarded(A, edge)
            compiled("backward_lines", np.dtype(dtype).name)(*arguments, dA, slope)
            d = W @ dZ
            np.testing.assert_array_equal(dA, np.where(A <= 0, d * dtype(slope), d))
        in_place = guarded(A, edge)
        call = compiled("backward_lines_quadratic", np.dtype(dtype).name)
        call(*arguments[:6], in_place, in_place, 2.0, 3.0, -1.0)
        np.testing.assert_array_equal(in_place, d * (2 + 3 * A - A * A))


@both
@at_each_edge
def test_gradient_adds_to_what_is_there_unless_it_is_the_first(dtype, edge):
    for n_in, n_out, vectors in shapes():
        A, dZ = lines(dtype, n_in, vectors, "A"), lines(dtype, n_out, vectors, "dZ")
        line, lane = A.strides[0] // A.itemsize, lanes(dtype)
        G = guarded(np.full((n_in, n_out, lane), np.nan, dtype), edge)
        arguments = guarded(A, edge), line, n_in, guarded(dZ, edge), n_out, vectors, G
        call = compiled("gradient_lines", np.dtype(dtype).name)
        call(*arguments, True)
        folded = (A.reshape(n_in, 1, vectors, lane) * dZ.reshape(1, n_out, vectors, lane)).sum(2)
        np.testing.assert_array_equal(G, folded)
        call(*arguments, False)
        np.testing.assert_array_equal(G, 2 * folded)
        out = guarded(np.full(n_in * n_out, np.nan, dtype), edge)
        compiled("lane_sums", np.dtype(dtype).name)(G, out.size, out)
        np.testing.assert_array_equal(out, 2 * (A @ dZ.T).ravel())


@both
def test_sums_of_a_lane_are_chains_in_the_order_of_rows(dtype):
    """The same bits however the units are cut into tiles."""
    lane = lanes(dtype)
    A, D = normal(dtype, (13, 5 * lane), "A"), normal(dtype, (11, 5 * lane), "D")
    call, G = compiled("gradient_lines", np.dtype(dtype).name), np.empty((13, 11, lane), dtype)
    call(A, 5 * lane, 13, D, 11, 5, G, True)
    for i in range(13):
        for j in range(11):
            one = np.empty((1, 1, lane), dtype)
            call(A[i], 5 * lane, 1, D[j], 1, 5, one, True)
            np.testing.assert_array_equal(G[i, j], one[0, 0])


@both
def test_what_is_not_finite_stays_in_its_lane(dtype):
    lane = lanes(dtype)
    A, wb = normal(dtype, (5, 4 * lane), "A"), normal(dtype, (6, 9), "wb")
    call = compiled("forward_lines", np.dtype(dtype).name)
    clean, Z = np.empty((9, 4 * lane), dtype), np.empty((9, 4 * lane), dtype)
    call(A, 4 * lane, 5, wb, 9, 4, clean, 1.0)
    A[2, lane + 1] = np.nan
    call(A, 4 * lane, 5, wb, 9, 4, Z, 1.0)
    assert np.isnan(Z[:, lane + 1]).all()
    np.testing.assert_array_equal(np.delete(Z, lane + 1, 1), np.delete(clean, lane + 1, 1))
    wb[5], A[2, lane + 1] = -np.inf, 0
    call(A, 4 * lane, 5, wb, 9, 4, Z, 0.0)
    assert not Z.any() and not np.signbit(Z).any()


@both
@at_each_edge
def test_rows_to_lines_and_back(dtype, edge):
    lane = lanes(dtype)
    for n in (*UNITS, 40):
        for n_rows in (1, 2, lane - 1, lane, lane + 1, 3 * lane + 5):
            X = guarded(normal(dtype, (n_rows, n), "X"), edge)
            vectors = -(-n_rows // lane)
            row = vectors * lane
            to = unwritten(lines(dtype, n, vectors), edge)
            line = to.strides[0] // to.itemsize
            chosen = guarded(addresses(X)[::-1].copy(), edge)
            compiled("rows_to_lines", np.dtype(dtype).name)(chosen, n_rows, n, to, line)
            np.testing.assert_array_equal(to[:, :n_rows], X[::-1].T)
            assert not to[:, n_rows:row].any()
            width = -(-n // lane) * lane
            back = guarded(np.full((n_rows, width), np.nan, dtype), edge)
            compiled("lines_to_rows", np.dtype(dtype).name)(to, line, n, n_rows, back, width)
            np.testing.assert_array_equal(back[:, :n], X[::-1])
            assert not back[:, n:].any()


@both
def test_a_networks_gradient_over_blocks_of_rows(dtype):
    """A relu network, squared error, three blocks, the last of them ragged: the gradient that NumPy gets."""
    sizes, lane, name = (3, 9, 5, 2), lanes(dtype), np.dtype(dtype).name
    n, block = 2 * 3 * lane + 7, 3 * lane
    X, Y = normal(dtype, (n, 3), "X"), normal(dtype, (n, 2), "Y")
    params = [normal(dtype, (a + 1, b), "W") for a, b in zip(sizes, sizes[1:], strict=False)]
    G = [np.empty((*p.shape, lane), dtype) for p in params]
    call = {
        x: compiled(x, name) for x in ("forward_lines", "backward_lines", "gradient_lines", "rows_to_lines")
    }
    for start in range(0, n, block):
        rows = min(block, n - start)
        vectors = -(-rows // lane)
        A = [np.ones((units + 1, block), dtype) for units in sizes]
        D = [np.empty((units, block), dtype) for units in sizes]
        call["rows_to_lines"](addresses(X)[start:].copy(), rows, 3, A[0], block)
        for k, p in enumerate(params):
            slope = 1.0 if k == 2 else 0.0
            call["forward_lines"](A[k], block, sizes[k], p, sizes[k + 1], vectors, A[k + 1], slope)
        D[3][:] = 0
        D[3][:, :rows] = (A[3][:2, :rows] - Y[start : start + rows].T) / dtype(n)
        for k in (2, 1, 0):
            call["gradient_lines"](
                A[k], block, sizes[k] + 1, D[k + 1], sizes[k + 1], vectors, G[k], start == 0
            )
            if k:
                arguments = D[k + 1], block, sizes[k + 1], params[k], sizes[k], vectors, A[k], D[k], 0.0
                call["backward_lines"](*arguments)
    values = [X.astype(np.float64)]
    wide = [p.astype(np.float64) for p in params]
    for k, p in enumerate(wide):
        z = values[-1] @ p[:-1] + p[-1]
        values.append(z if k == 2 else np.maximum(z, 0))
    delta = (values[3] - Y) / n
    for k in (2, 1, 0):
        expected = np.vstack([values[k].T @ delta, delta.sum(0)])
        found = np.empty(expected.size, dtype)
        compiled("lane_sums", name)(G[k], found.size, found)
        np.testing.assert_allclose(
            found.reshape(expected.shape), expected, rtol=0, atol=200 * np.finfo(dtype).eps
        )
        if k:
            delta = (delta @ wide[k][:-1].T) * (values[k] > 0)
