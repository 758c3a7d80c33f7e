"""Networks in lanes: each leaf through the loop's caller, on arrays at forbidden memory, against NumPy."""

import itertools
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numba import config

import fastnn_kernels.epoch_fleet  # noqa: F401
import fastnn_kernels.fleet_costs  # noqa: F401
import fastnn_kernels.fleet_moves  # noqa: F401
import fastnn_kernels.fleet_tiles  # noqa: F401
from cases import DTYPES, assert_close, generator, normal, targets
from fastnn import reference
from fastnn_kernels.fleet_updates import UPDATES
from fastnn_kernels.simd import VECTOR_BYTES
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import addresses, compiled, lanes

pytestmark = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
both = pytest.mark.parametrize("dtype", DTYPES)
edges = pytest.mark.parametrize("edge", EDGES)
SIZES = (1, 2, 3, 5, 6, 7, 12, 13, 17)


def whole_numbers(dtype, shape, *key):
    """Small whole numbers: sums of products are exact in any order."""
    return generator(shape, *key).integers(-4, 5, shape).astype(dtype)


def call(name, dtype):
    return compiled(name, np.dtype(dtype).name)


def empty(shape, dtype, edge):
    return guarded(np.full(shape, np.nan, dtype), edge)


@both
@edges
def test_products(dtype, edge):
    """Plain, of a transposed first or second operand, and added to what is there."""
    L, product = lanes(dtype), call("product_in_lanes", dtype)
    for m, k, n in itertools.product(SIZES, (1, 3, 8), SIZES):
        A, B, s = (whole_numbers(dtype, shape, i) for i, shape in enumerate(((m, k, L), (k, n, L), (n, L))))
        expected, C = np.einsum("ipl,pjl->ijl", A, B), empty((m, n, L), dtype, edge)
        product(
            guarded(A, edge), k * L, L, guarded(B, edge), n * L, L, guarded(s, edge), 0, L, m, k, n, C, n * L
        )  # fmt: skip
        np.testing.assert_array_equal(C, expected + s)
        turned = guarded(A.swapaxes(0, 1).copy(), edge), L, m * L
        product(*turned, guarded(B, edge), n * L, L, C, n * L, L, m, k, n, C, n * L)
        np.testing.assert_array_equal(C, 2 * expected + s)
        zeros = guarded(np.zeros(L, dtype), edge)
        other = guarded(B.swapaxes(0, 1).copy(), edge), L, k * L
        product(guarded(A, edge), k * L, L, *other, zeros, 0, 0, m, k, n, C, n * L)
        np.testing.assert_array_equal(C, expected)


@both
@edges
def test_rows_and_weights(dtype, edge):
    L, random = lanes(dtype), generator("rows")
    for n, rows in itertools.product((1, 2, 5), (1, 4, 9)):
        source = guarded(normal(dtype, (11, n)), edge)
        numbers, counts = random.integers(0, 11, (rows, L)), random.integers(0, rows + 1, L)
        table = guarded(addresses(source)[numbers], edge)
        to = empty((rows, n, L), dtype, edge)
        call("gather_lanes", dtype)(table, rows, n, to)
        np.testing.assert_array_equal(to, source[numbers].swapaxes(1, 2))
        weights = guarded(random.uniform(1, 2, (11, 1)).astype(dtype), edge)
        table, taken = guarded(addresses(weights)[numbers], edge), np.arange(rows)[:, None] < counts
        for weighted in (True, False):
            to, totals = empty((rows, L), dtype, edge), empty(L, np.float64, edge)
            call("weights_of_lanes", dtype)(table, weighted, guarded(counts, edge), rows, to, totals)
            expected = np.where(taken, weights[numbers][..., 0] if weighted else 1, 0)
            np.testing.assert_array_equal(to, expected)
            np.testing.assert_allclose(totals, expected.sum(axis=0, dtype=np.float64))


@both
@edges
def test_vectors_are_stored_but_those_that_are_not_finite(dtype, edge):
    L = lanes(dtype)
    for n, count in itertools.product((1, 2, 7), (1, L - 1, L, 3 * L)):
        lines, before = normal(dtype, (n, L), "lines"), normal(dtype, (L, n), "before")
        lines[-1, L // 2], lines[0, -1] = np.nan, -np.inf
        # Lanes past the last member have his address.
        rows, members = guarded(before[: min(count, L)], edge), np.minimum(np.arange(L), count - 1)
        active, diverged = guarded(np.arange(L) % 2, edge), guarded(np.zeros(L, np.int64), edge)
        table = guarded(addresses(rows)[members], edge)
        call("store_lanes", dtype)(table, count, n, active, diverged, guarded(lines, edge))
        stopped = np.isin(np.arange(L), (L // 2, L - 1))
        expected = np.where(stopped[:, None], before, lines.T)[: len(rows)]
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(active, np.where(stopped, 0, np.arange(L) % 2))
        np.testing.assert_array_equal(diverged, stopped)


@both
@edges
def test_costs_are_weighted_and_told(dtype, edge):
    L = lanes(dtype)
    for rows, n, one in itertools.product((1, 5), (1, 3), (True, False)):
        n_costs = 1 if one else n
        costs, dz = normal(dtype, (rows, n_costs, L), "c"), normal(dtype, (rows, n, L), "d")
        weights, inverse = abs(normal(dtype, (rows, L), "w")), abs(normal(np.float64, L, "i"))
        costs[0, 0, 0], weights[0, 0] = np.inf, 0
        d, sums = guarded(dz, edge), guarded(np.ones(L), edge)
        given = guarded(costs, edge), d, guarded(weights, edge), guarded(inverse, edge)
        call("told_in_lanes", dtype)(*given, rows, n_costs, n, sums)
        assert_close(d, dz * weights[:, None] * inverse.astype(dtype))
        costs[0, 0, 0] = 0
        np.testing.assert_allclose(sums, 1 + (costs * weights[:, None]).sum((0, 1), dtype=float), rtol=1e-5)
        sums = guarded(np.ones(L), edge)
        call("norms_of_lanes", dtype)(guarded(dz, edge), rows * n, sums)
        np.testing.assert_allclose(sums, 1 + (dz.astype(float) ** 2).sum((0, 1)), rtol=1e-6)


@both
@edges
@pytest.mark.parametrize("indices", (True, False))
def test_softmax_and_cross_entropies(indices, dtype, edge):
    L, far = lanes(dtype), 64
    for rows, n in itertools.product((1, 4), (2, 3, 7)):
        Z = 3 * normal(dtype, (rows, n, L), "Z")
        in_rows = Z.swapaxes(1, 2).reshape(-1, n)
        A = guarded(Z, edge)
        call("softmax_in_lanes", dtype)(A, rows, n * L)
        expected = reference.activation_forward(in_rows.astype(float), "softmax")
        assert_close(A.swapaxes(1, 2).reshape(-1, n), expected, far)
        dA = normal(dtype, Z.shape, "dA")
        d = guarded(dA, edge)
        call("softmax_in_lanes_backward", dtype)(d, A, rows, n * L)
        wide = (x.swapaxes(1, 2).reshape(-1, n).astype(float) for x in (dA, Z))
        assert_close(
            d.swapaxes(1, 2).reshape(-1, n), reference.activation_backward(*wide, expected, "softmax"), far
        )
        Y = targets("softmax_cross_entropy", in_rows.shape, dtype, indices)
        y = guarded(Y.reshape(rows, L, -1).swapaxes(1, 2).copy(), edge)
        z, told, dz = guarded(Z, edge), empty((rows, L), dtype, edge), empty(Z.shape, dtype, edge)
        sizes = False, rows, n, Y.shape[1]
        call("softmax_cross_entropy_in_lanes", dtype)(z, y, told, *sizes, 0.1, 0.0, 1.0, True, told, dz)
        costs, delta = reference.softmax_cross_entropy(in_rows.astype(float), Y.astype(float), None, 0.1, 1.0)
        assert_close(told.ravel() / 8, costs / 8, far)
        assert_close(dz.swapaxes(1, 2).reshape(-1, n), delta, far)
    for size in (1, 5, L, 3 * L + 1):
        Z, Y = 4 * normal(dtype, (size, 1), "z"), targets("binary_cross_entropy", (size, 1), dtype)
        z, y = guarded(Z, edge), guarded(Y, edge)
        told, dz = empty(size, dtype, edge), empty((size, 1), dtype, edge)
        call("binary_cross_entropy_in_lanes", dtype)(
            z, y, z, False, size, 1, 1, 0.1, 0.0, 1.0, True, told, dz
        )  # fmt: skip
        costs, delta = reference.binary_cross_entropy(Z.astype(float), Y.astype(float), None, 0.1, 1.0)
        assert_close(told / 8, costs / 8, far)
        assert_close(dz, delta, far)


@both
@edges
def test_quantiles(dtype, edge):
    L = lanes(dtype)
    for rows, n in itertools.product((1, 4), (1, 3)):
        A = normal(dtype, (rows, n, L), "A")
        Y = targets("quantile", (rows * L, n), dtype)
        y = guarded(Y.reshape(rows, L, -1).swapaxes(1, 2).copy(), edge)
        told, dz = empty(A.shape, dtype, edge), empty(A.shape, dtype, edge)
        a = guarded(A, edge)
        call("quantile_in_lanes", dtype)(a, y, a, False, rows, n, 2 * n, 0.0, 0.0, 1.0, True, told, dz)
        in_rows = A.swapaxes(1, 2).reshape(-1, n).astype(float)
        costs, delta = reference.quantile(in_rows, Y.astype(float), None, 1.0)
        assert_close(told.sum(axis=1).ravel(), costs)
        assert_close(dz.swapaxes(1, 2).reshape(-1, n), delta)


@both
@edges
@pytest.mark.parametrize("name", UPDATES)
def test_updates(name, dtype, edge):
    """Each lane with numbers of its own; one that does not go on keeps what it has."""
    L, n = lanes(dtype), 5
    random = generator(name)
    rates, betas = random.uniform(0.001, 0.1, (3, L)), random.uniform(0.5, 0.9, (2, L))
    l2, clip, going = random.uniform(0, 0.1, L), random.uniform(0.5, 1, L), (np.arange(L) != 1) * 1.0
    settings = empty((8, L), dtype, edge)
    given = guarded(rates, edge), L, guarded(betas, edge), L, *(guarded(x, edge) for x in (l2, clip, going))
    call("settings_of_lanes", dtype)(*given, settings)
    np.testing.assert_array_equal(settings, np.vstack([rates, betas, l2, clip, going]).astype(dtype))
    g, p = (normal(dtype, (n, L), i) for i in "gp")
    moments = [abs(normal(dtype, (n, L), i)) for i in range(2)]
    for plain in (True, False):
        found = [guarded(x, edge) for x in (*moments, p)]
        call(UPDATES[name].__name__, dtype)(settings, plain, guarded(g, edge), *found, n)
        for lane in range(L):
            wide = [x[:, lane].astype(float) for x in (g, *moments, p)]
            penalty, decay = (0.0, 0.0) if plain else (l2[lane], rates[2, lane])
            rate, mu = rates[0, lane], betas[0, lane]
            options = {
                "sgd": (rate, clip[lane], penalty), "momentum": (rate, mu, clip[lane], penalty),
                "nesterov": (rate, mu, clip[lane], penalty),
                "adam": (rate, *betas[:, lane], rates[1, lane], clip[lane], penalty, decay),
            }[name]  # fmt: skip
            taken = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2}[name]
            new = getattr(reference, name)(wide[0], *options, *wide[1 : 1 + taken], wide[3])
            expected = np.atleast_2d(new)[-1] if going[lane] else wide[3]
            assert_close(found[2][:, lane], expected, 64)
        np.testing.assert_array_equal(found[0][:, 1], moments[0][:, 1])


@both
@edges
def test_dropout_masks_are_those_of_a_network_alone(dtype, edge):
    L, rows, n = lanes(dtype), 3, 7
    seeds, steps, keep = np.arange(L) + 5, 2 * np.arange(L), np.linspace(0.3, 1, L)
    A = 1 + abs(normal(dtype, (rows, n, L)))
    found = guarded(A, edge)
    given = (guarded(x, edge) for x in (keep, seeds, steps))
    call("dropout_in_lanes", dtype)(found, 4, rows, n, *given, 1)
    for lane in range(L):
        alone = np.ascontiguousarray(A[..., lane])
        call("dropout", dtype)(alone, 4, rows, 0, n, n, keep[lane], int(seeds[lane]), int(steps[lane]), 1)
        np.testing.assert_array_equal(found[..., lane], alone)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names an x86 processor")
@pytest.mark.skipif(VECTOR_BYTES != 64, reason="this machine has no wider vectors than those")
def test_the_tiles_of_sixteen_registers(tmp_path):
    """This file again for AVX2, whose vectors are half as wide and whose tiles are lower."""
    environment = os.environ | {"NUMBA_CPU_NAME": "haswell", "NUMBA_CACHE_DIR": str(tmp_path)}
    chosen = "test_products or test_updates or test_rows or test_costs or test_vectors"
    command = [sys.executable, "-m", "pytest", "-q", "-k", chosen, "-p", "no:cacheprovider", __file__]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]
