"""The leaves of an input stage, on panels that end at forbidden memory; finite differences; its groups."""

import numpy as np
import pytest
from numba import config

from cases import DTYPES, assert_close, generator, normal
from fastnn.input_stage import InputStage, factors
from fastnn.reference_stage import Stage, stage_backward, stage_forward
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import compiled, lanes

FIRST, BEYOND = 2, 3  # rows of V before the groups and after them
# Groups, rows of a group, elements of a code.
GROUPS = (1, 1, 1), (7, 1, 1), (1, 5, 2), (1, 9, 8), (1, 3, 3), (2, 4, 3)


def in_panels(widths, matrix, edge):
    """A matrix as panels of these widths, one after the other."""
    starts = np.cumsum([0, *widths[:-1]])
    parts = [matrix[:, a : a + w].ravel() for a, w in zip(starts, widths, strict=True)]
    return guarded(np.concatenate(parts), edge)


@pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("shape", GROUPS)
def test_leaves(dtype, edge, shape):
    groups, rows, inner = shape
    for vectors in (1,), (3,), (2, 1), (3, 3, 2):
        widths = [v * lanes(dtype) for v in vectors]
        height, name = FIRST + groups * rows + BEYOND, np.dtype(dtype).name
        dV, W, V = (normal(dtype, (height, sum(widths)), shape, key) for key in "dWV")
        E = normal(dtype, (groups, rows, inner), shape, "E")
        offsets = np.cumsum([0, *widths[:-1]]) * height
        table = guarded(np.stack([offsets, widths], axis=1).astype(np.int64), edge)
        d, w, v, g = (in_panels(widths, x, edge) for x in (dV, W, V, V))
        e, de = guarded(E.ravel(), edge), guarded(np.full(E.size, np.nan, dtype), edge)
        head = table, len(widths), FIRST, *shape
        compiled("stage_backward", name)(*head, d, w, e, g, de)
        compiled("stage_forward", name)(*head, w, e, v)
        wanted_g, wanted_v, wanted_e = V.astype(float), V.astype(float), []
        for group in range(groups):
            top = FIRST + group * rows
            of_group = slice(top, top + rows), slice(top, top + inner)
            code, weights = E[group].astype(float), W[of_group[1]].astype(float)
            dW, dE = stage_backward(dV[of_group[0]].astype(float), code, weights)
            wanted_g[of_group[1]] = dW
            wanted_v[of_group[0]] = stage_forward(code, weights)
            wanted_e.append(dE.ravel())
        assert_close(g, in_panels(widths, wanted_g, edge), 64)
        assert_close(v, in_panels(widths, wanted_v, edge), 64)
        assert_close(de, np.concatenate(wanted_e), 256)


def test_gradients_are_those_of_finite_differences():
    E, W, target = (normal(np.float64, shape, key) for key, shape in enumerate(((5, 2), (2, 4), (5, 4))))

    def cost(E, W):
        return 0.5 * np.sum((stage_forward(E, W) - target) ** 2)

    dW, dE = stage_backward(stage_forward(E, W) - target, E, W)
    for place, gradient in ((E, dE), (W, dW)):
        for index in np.ndindex(place.shape):
            kept, ends = place[index], []
            for step in (1e-6, -1e-6):
                place[index] = kept + step
                ends.append(cost(E, W))
            place[index] = kept
            np.testing.assert_allclose(gradient[index], (ends[0] - ends[1]) / 2e-6, 1e-6, 1e-8)


@pytest.mark.parametrize(("rows", "width"), ((1, 1), (9, 3), (9, 9), (20, 8), (4, 3)))
def test_factors_are_exact_of_their_rank(rows, width):
    random = generator(rows, width)
    V = random.standard_normal((rows, width)) @ random.standard_normal((width, 17))
    E, W = factors(V, width)
    assert E.shape == (rows, width) and W.shape == (width, 17)
    np.testing.assert_allclose(E @ W, V, atol=1e-10)
    np.testing.assert_allclose(np.mean(E**2), 1)


def test_factors_of_more_are_nearly_the_nearest():
    V = generator("factors").standard_normal((30, 20)) * 0.7 ** np.arange(20)
    E, W = factors(V, 5)
    U, S, T = np.linalg.svd(V)
    nearest = np.linalg.norm(U[:, :5] * S[:5] @ T[:5] - V)
    assert nearest <= np.linalg.norm(E @ W - V) < 1.1 * nearest


def test_factors_of_nothing_and_of_less():
    E, W = factors(np.zeros((4, 6)), 2)
    assert np.isfinite(E).all() and not (E @ W).any()
    one = np.outer([1.0, 2, 3, 4], np.arange(6.0))
    E, W = factors(one, 3)
    np.testing.assert_allclose(E @ W, one, atol=1e-12)


def test_a_stage_begins_as_what_is_there():
    V = normal(np.float32, (12, 7), "V")
    stage = Stage(InputStage(categories=[(4, 5)], width=5), V)
    np.testing.assert_array_equal(stage.V[:4], V[:4])
    np.testing.assert_array_equal(stage.V[9:], V[9:])
    assert_close(stage.V, V, 32)


def test_columns_fall_into_groups():
    stage = InputStage(scale_rate=2, categories=[(5, 3), (1, 2)], width=2, embedding_rate=3)
    groups = stage.groups(9)
    assert groups == [(0, 1, 1), (1, 2, 2), (3, 1, 1), (4, 1, 1), (5, 3, 2), (8, 1, 1)]
    assert [stage.pace(group) for group in groups] == [2, 3, 2, 2, 3, 2]
    assert InputStage(categories=[(0, 3)], width=7).groups(3) == [(0, 3, 3)]
    with pytest.raises(ValueError, match="columns 5 to 7; X has 7"):
        stage.groups(7)


@pytest.mark.parametrize(
    ("options", "match"),
    (
        ({"scale_rate": -1}, "scale_rate"), ({"embedding_rate": np.nan}, "embedding_rate"),
        ({"width": 0}, "width"),
        ({"categories": 3}, "pairs"), ({"categories": [3]}, "pairs"), ({"categories": [(1, 2, 3)]}, "pairs"),
        ({"categories": [(0, 3), (2, 2)]}, "share column 2"), ({"categories": [(-1, 3)]}, "first column"),
        ({"categories": [(0, 0)]}, "columns"), ({"categories": [(0.5, 2)]}, "first column"),
    ),
)  # fmt: skip
def test_what_is_no_stage(options, match):
    with pytest.raises(ValueError, match=match):
        InputStage(**options)
