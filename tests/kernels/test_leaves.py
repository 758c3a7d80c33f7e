"""Each leaf through the loop's own caller, on arrays that end or begin at forbidden memory, against NumPy."""

import itertools
import re

import numba
import numpy as np
import pytest
import scipy.sparse
from numba import config

from cases import DTYPES, assert_close, cost_arguments, generator, normal, targets, widen
from fastnn import reference
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS
from fastnn_kernels.leaves import LEAVES
from fastnn_kernels.optimizers import OPTIMIZERS
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import CALLED, addresses, compiled, lanes

pytestmark = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
both = pytest.mark.parametrize("dtype", DTYPES)
edges = pytest.mark.parametrize("edge", EDGES)
SHAPES = (1, 1), (1, 17), (3, 5), (7, 16), (9, 33)


def name_of(dtype):
    return np.dtype(dtype).name


@both
@edges
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, dtype, edge):
    entry = ACTIVATIONS[name]
    if entry.forward is None:
        assert entry.slope == 1 and entry.backward is None
        return
    for rows, n in SHAPES:
        Z, dA = normal(dtype, (rows, n), "Z"), normal(dtype, (rows, n), "dA")
        A = guarded(Z, edge)
        compiled(entry.forward.__name__, name_of(dtype))(A, rows, n)
        expected = reference.activation_forward(Z.astype(float), name)
        assert_close(A, expected)
        d, source = guarded(dA, edge), guarded(Z if entry.needs_z else A, edge)
        compiled(entry.backward.__name__, name_of(dtype))(d, source, rows, n)
        assert_close(d, reference.activation_backward(dA.astype(float), Z.astype(float), expected, name), 128)


@both
@edges
@pytest.mark.parametrize(
    "name, indices", [*((name, False) for name in COSTS), ("softmax_cross_entropy", True)]
)
def test_costs(name, indices, dtype, edge):
    entry = COSTS[name]
    for (rows, n), weighted in itertools.product(SHAPES, (False, True)):
        Z, Y, weights, *scalars = cost_arguments(name, (rows, n), dtype, weighted, indices=indices)
        smoothing, threshold = (float(scalars[0]) if entry.smoothable else 0.0), 0.8
        scale, told, delta = float(scalars[-1]), np.empty(rows, dtype), np.empty((rows, n), dtype)
        given = [guarded(x, edge) for x in (Z, Y, weights if weighted else np.ones(1, dtype))]
        told, delta = guarded(told, edge), guarded(delta, edge)
        sizes = weighted, rows, n, Y.shape[1]
        compiled(entry.rows.__name__, name_of(dtype))(
            *given, *sizes, smoothing, threshold, scale, True, told, delta
        )
        costs, expected = getattr(reference, name)(*widen((Z, Y, weights, *scalars)))
        assert_close(told / np.maximum(1, abs(costs)).astype(dtype), costs / np.maximum(1, abs(costs)), 64)
        size = np.maximum(1, abs(expected))
        assert_close(delta / size.astype(dtype), expected / size, 64)
        if entry.clip is not None:
            before = told.copy()
            compiled(entry.clip.__name__, name_of(dtype))(*given, *sizes, 1e9, told)
            np.testing.assert_array_equal(told, before)


@both
@edges
@pytest.mark.parametrize("name", [*OPTIMIZERS, "gradient"])
def test_optimizers(name, dtype, edge):
    size = 3 * lanes(dtype)
    grads, params = normal(dtype, size, "g"), normal(dtype, size, "p")
    moments = [abs(normal(dtype, size, i)) for i in range(2)]
    rates, scalars, clip, l2 = np.array([0.02, 1e-8, 0.001]), np.array([0.9, 0.999]), 0.9, 0.01
    update = "gradient_kept" if name == "gradient" else OPTIMIZERS[name].update.__name__
    for plain in (False, True):
        g, m, v, p = (guarded(x, edge) for x in (grads, *moments, params))
        compiled(update, name_of(dtype))(scalars, rates, clip, l2, plain, g, m, v, p, size)
        wide = [x.astype(float) for x in (grads, *moments, params)]
        penalty, decay = (0.0, 0.0) if plain else (l2, rates[2])
        if name == "gradient":
            assert_close(g, wide[0] + penalty * wide[3])
            continue
        options = {
            "sgd": (0.02, clip, penalty), "momentum": (0.02, 0.9, clip, penalty),
            "nesterov": (0.02, 0.9, clip, penalty), "adam": (0.02, 0.9, 0.999, 1e-8, clip, penalty, decay),
        }[name]  # fmt: skip
        n = OPTIMIZERS[name].n_moments
        expected = getattr(reference, name)(wide[0], *options, *wide[1 : 1 + n], wide[3])
        assert_close(p, np.atleast_2d(expected)[-1], 64)


@both
@edges
def test_csr_rows(dtype, edge):
    random, name = generator("csr"), name_of(dtype)
    X = scipy.sparse.random_array((9, 21), density=0.3, rng=random, dtype=dtype).tocsr()
    numbers = np.array([4, 0, 8, 4])
    given = (
        guarded(X.data, edge),
        guarded(X.indices.astype(np.int32), edge),
        guarded(X.indptr.astype(np.int64), edge),
    )
    dense = X.toarray().astype(float)[numbers]
    for vectors in (0, 1, 2, 3):
        width = vectors * lanes(dtype) or 1
        W, start, d = (normal(dtype, shape, i) for i, shape in enumerate(((21, width), (width,), (4, width))))
        suffix = vectors or "column"
        for columns in {width, max(1, width - 3)} if vectors else {1}:
            Z = guarded(np.empty((4, columns), dtype), edge)
            w, b = guarded(W[:, :columns].copy(), edge), guarded(start[:columns], edge)
            call = compiled(f"csr_forward_{suffix}", name)
            call(*given, numbers, 4, w, columns, columns, b, Z, columns, 0.5)
            expected = dense @ W[:, :columns].astype(float) + start[:columns]
            assert_close(Z, np.where(expected > 0, expected, expected / 2), 64)
        G = guarded(np.full((21, width), np.nan, dtype), edge)
        for low, high in ((0, 8), (8, 21)):
            compiled(f"csr_backward_{suffix}", name)(
                *given, numbers, 4, guarded(d, edge), width, low, high, G
            )
        assert_close(G, dense.T @ d.astype(float), 64)


@both
@edges
def test_moves_and_sums(dtype, edge):
    name, A, numbers = name_of(dtype), normal(dtype, (6, 5), "A"), np.array([5, 0, 3])
    words = A[0].nbytes // 4
    to = guarded(np.empty((3, 5), dtype), edge)
    compiled("gather", "float32")(guarded(A, edge).view(np.int32), words, numbers, 3, to.view(np.int32))
    np.testing.assert_array_equal(to, A[numbers])
    wide = guarded(np.zeros((6, 7), dtype), edge)
    compiled("copy_rows", name)(guarded(A, edge), 5, 6, 5, wide, 7)
    np.testing.assert_array_equal(wide, np.pad(A, ((0, 0), (0, 2))))
    flat, more = guarded(A.ravel(), edge), guarded(np.ones(30, dtype), edge)
    compiled("add", name)(flat, 30, more)
    np.testing.assert_array_equal(more, A.ravel() + 1)
    np.testing.assert_allclose(compiled("total", name)(flat, 30), A.sum(dtype=float), 1e-12)
    np.testing.assert_allclose(compiled("squared_norm", name)(flat, 30), (A.astype(float) ** 2).sum(), 1e-12)
    weights = guarded(abs(A[:, 0]), edge)
    np.testing.assert_allclose(
        compiled("weigh", name)(weights, numbers, 3), weights[numbers].sum(dtype=float), 1e-12
    )
    assert compiled("weigh", name)(guarded(np.zeros(6, dtype), edge), numbers, 3) == 1


@both
@edges
def test_dropout(dtype, edge):
    A = guarded(np.ones((40, 33), dtype), edge)
    arguments = 0, 40, 0, 30, 33, 0.75, 5, 7, 1
    compiled("dropout", name_of(dtype))(A, *arguments)
    kept = A[:, :30] > 0
    assert set(np.unique(A[:, :30])) == {dtype(0), dtype(1 / 0.75)} and 0.65 < kept.mean() < 0.85
    np.testing.assert_array_equal(A[:, 30:], 1)
    half = guarded(np.ones((20, 33), dtype), edge)
    compiled("dropout", name_of(dtype))(half, 20, 20, 0, 30, 33, 0.75, 5, 7, 1)
    np.testing.assert_array_equal(half, A[20:])  # a row's mask follows from its number
    right = guarded(np.ones((40, 10), dtype), edge)
    compiled("dropout", name_of(dtype))(right, 0, 40, 20, 10, 10, 0.75, 5, 7, 1)
    np.testing.assert_array_equal(right, A[:, 20:30])


def test_class_indices_need_rows():
    assert targets("softmax_cross_entropy", (3, 4), np.float32, True).shape == (3, 1)


def test_every_leaf_is_called_by_a_test():
    """Those of the tiles in their own files; the loops, by every training and prediction."""
    loops = {"train", "train_in_parts", "train_lines", "train_lines_in_parts", "train_fleet"}
    loops |= {"train_pairs", "train_pairs_in_parts", "predict_pairs"}
    elsewhere = loops | {"predict", "evaluate", "adam_formula"}
    files = "_tiles", "_moves", "tile_unit", "fleet_costs", "fleet_updates", "input_stage", "shuffles"
    tiles = {name for name, leaf in LEAVES.items() if leaf.define.__module__.endswith(files)}
    assert set(LEAVES) - tiles - elsewhere <= CALLED | {"row_maximum_subtracted", "unknown_forward"} | {
        "unknown_backward", "unknown_cost_rows"
    }  # fmt: skip
    assert addresses(np.ones((2, 3)))[1] > 0


@pytest.mark.parametrize("name", ("relu_backward", "leaky_relu_backward"))
def test_what_one_factory_makes_has_a_name_of_its_own_in_machine_code(name):
    leaf = LEAVES[name]

    @numba.njit
    def call(d, a):
        leaf(d, a, 1, 3)

    call(np.ones(3), np.ones(3))
    (text,) = call.inspect_llvm().values()
    assert re.search(rf"\d{name}\d+float64", text)
