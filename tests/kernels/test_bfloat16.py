"""Pairs of bfloat16 numbers: rounding to the nearest, of two to the even one; how they stand; products."""

import numpy as np
import pytest
from numba import config

from cases import normal
from fastnn.reference_training import bfloat16
from fastnn_kernels.pair_tiles import IN_REGISTERS, IN_TILES
from fastnn_kernels.pairs import GROUP, STRIP, panel_width, tiles_permitted, whole_groups
from fastnn_kernels.tile_unit import configure_tiles, release_tiles
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import addresses, compiled

pytestmark = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
edges = pytest.mark.parametrize("edge", EDGES)
WIDTH = panel_width()
# A number, and what it becomes: 1 + 1/128 is the next after 1.
STEP = 1 / 128
ROUNDED = {
    0.0: 0.0,
    1.0: 1.0,
    1 + STEP: 1 + STEP,
    1 + STEP / 2: 1.0,  # a tie, to the even one below
    1 + 3 * STEP / 2: 1 + 2 * STEP,  # a tie, to the even one above
    1 + STEP / 2 + 2**-20: 1 + STEP,
    1 + STEP / 2 - 2**-20: 1.0,
    2 - 2**-20: 2.0,
    257.0: 256.0,
    225.6 * 2.0**120: 226 * 2.0**120,
}


def numbers_of(words):
    """Pairs (...,) as the numbers in them, (..., 2)."""
    return (words.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(*words.shape, 2)


def in_pairs(A, edge="end"):
    """A (m, n) in tiles, turned tiles and panels, by the compiled kernel, all at once and one by one."""
    (m, n), found = A.shape, []
    A, tile = guarded(A, edge), (STRIP, GROUP // 2)
    strips, groups = whole_groups(m) // STRIP, whole_groups(n) // GROUP
    shapes = (
        (strips, groups, *tile),
        (whole_groups(n) // STRIP, whole_groups(m) // GROUP, *tile),
        (whole_groups(n) // WIDTH, whole_groups(m) // 2, WIDTH),
    )
    call = compiled("rows_to_pairs", "float32")
    for wanted in ((0, 1, 2), (0,), (1,), (2,)):
        room = [guarded(np.full(shape, -1, np.int32), edge) for shape in shapes]
        given = [(room[i] if i in wanted else None, room[i][0].size) for i in range(3)]
        call(guarded(addresses(A), edge), WIDTH, n, m, *(x for pair in given for x in pair))
        found.append(room)
    for i in range(3):
        np.testing.assert_array_equal(found[i + 1][i], found[0][i])
    return found[0]


def in_tiles(A, edge="end"):
    return in_pairs(A, edge)[0]


def in_turned_tiles(A, edge="end"):
    return in_pairs(A, edge)[1]


def in_panels(A, edge="end"):
    return in_pairs(A, edge)[2]


def out_of_tiles(words):
    strips, count, *_ = words.shape
    return numbers_of(words).transpose(0, 2, 1, 3, 4).reshape(strips * STRIP, count * GROUP)


def out_of_panels(words):
    panels, half, width = words.shape
    return numbers_of(words).transpose(1, 3, 0, 2).reshape(2 * half, panels * width)


def rounded(values, edge="end"):
    """By each of the compiled kernels, which agree."""
    values = np.asarray(values, np.float32)
    row, column = values[None], values[:, None]
    found = out_of_tiles(in_tiles(row, edge))[0, : values.size]
    for other in (
        out_of_panels(in_panels(row, edge))[0, : values.size],
        out_of_panels(in_panels(column, edge))[: values.size, 0],
        out_of_tiles(in_turned_tiles(row, edge))[: values.size, 0],
        out_of_tiles(in_turned_tiles(column, edge))[0, : values.size],
    ):
        np.testing.assert_array_equal(other, found)
    return found


def test_known_numbers():
    given, expected = np.array(list(ROUNDED)), np.array(list(ROUNDED.values()))
    for sign in (1, -1):
        np.testing.assert_array_equal(rounded(sign * given), sign * expected)
        np.testing.assert_array_equal(bfloat16(sign * given), sign * expected)
    assert np.signbit(rounded([-0.0])).all()


def test_what_is_not_finite_and_what_is_too_large():
    largest = np.finfo(np.float32).max
    given = np.array([np.inf, -np.inf, np.nan, largest, -largest], np.float32)
    given = np.append(given, np.array([0x7FFFFFFF, 0xFFC00001, 0x7F800001], np.uint32).view(np.float32))
    np.testing.assert_array_equal(rounded(given), [np.inf, -np.inf, np.nan, np.inf, -np.inf, *[np.nan] * 3])


def test_every_number_of_bfloat16_stays_and_every_tie_goes_to_the_even_one():
    words = np.arange(1 << 16, dtype=np.uint32)
    words = words[(words & 0x7F80 != 0x7F80) & (words & 0x7F80 != 0)]  # finite ones, and not subnormal
    numbers = (words << 16).view(np.float32)
    np.testing.assert_array_equal(rounded(numbers).view(np.uint32), words << 16)
    ties = (words << 16 | 0x8000).view(np.float32)
    np.testing.assert_array_equal(rounded(ties).view(np.uint32), (words + (words & 1)) << 16)


@edges
@pytest.mark.parametrize("shape", ((1, 1), (2, 31), (33, 1), (16, 32), (31, 33), (70, 100)))
def test_where_numbers_stand(shape, edge):
    """All past the end are zeros, but the rows past the last one that tiles have."""
    scales = np.float32(10) ** (np.arange(shape[1]) % 30 - 10)
    A = normal(np.float32, shape, "bfloat16") * scales.astype(np.float32)
    m, n = shape
    exact = bfloat16(A)
    tiles = out_of_tiles(in_tiles(A, edge))
    np.testing.assert_array_equal(tiles[:m], np.pad(exact, ((0, 0), (0, tiles.shape[1] - n))))
    for found, expected in (
        (out_of_tiles(in_turned_tiles(A, edge)), exact.T),
        (out_of_panels(in_panels(A, edge)), exact),
    ):
        beyond = [(0, x - y) for x, y in zip(found.shape, expected.shape, strict=True)]
        np.testing.assert_array_equal(found, np.pad(expected, beyond))


@edges
@pytest.mark.parametrize("turned", (False, True))
def test_a_block_of_weights(edge, turned):
    W = normal(np.float32, (2 * GROUP, WIDTH), "W")
    pairs = guarded(np.full((1, GROUP, WIDTH), -1, np.int32), edge)
    back = guarded(np.full((2 * GROUP // WIDTH, WIDTH // 2, WIDTH), -1, np.int32), edge)
    given = back if turned else None
    compiled("weights_to_pairs", "float32")(guarded(W, edge), 2 * GROUP, pairs, given, back[0].size)
    np.testing.assert_array_equal(out_of_panels(pairs), bfloat16(W))
    if turned:
        np.testing.assert_array_equal(out_of_panels(back), bfloat16(W).T)
    else:
        assert (back == -1).all()


# Products

UNITS = [IN_REGISTERS, IN_TILES] if tiles_permitted() else [IN_REGISTERS]
units = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.forward.name)


@pytest.fixture(autouse=True)
def tiles():
    if tiles_permitted():
        compiled(configure_tiles.__name__, "float32")()
    yield
    if tiles_permitted():
        compiled(release_tiles.__name__, "float32")()


def leaf_of(unit, kind):
    return compiled(getattr(unit, kind).__name__, "float32")


def numbers(*shape):
    return bfloat16(normal(np.float32, shape, "bfloat16"))


def strip_of(tiles):
    return tiles[0].size


@edges
@units
@pytest.mark.parametrize("k", (1, 2, 31, 32, 100))
@pytest.mark.parametrize("m", (1, 16, 33))
def test_products(m, k, unit, edge):
    A, B, start = numbers(m, k), numbers(k, WIDTH), normal(np.float32, WIDTH)
    a, b, groups = in_tiles(A, edge), in_panels(B, edge), whole_groups(k) // GROUP
    exact, size = A.astype(float) @ B, 1 + abs(A).astype(float) @ abs(B)

    def check(found, expected):
        assert (abs(found[:m] - expected) / size).max() < 1e-6

    Z = guarded(np.full((whole_groups(m), WIDTH), np.nan, np.float32), edge)
    given = a, strip_of(a), m, groups, b, guarded(start, edge), Z
    leaf_of(unit, "forward")(*given, 0.5)
    check(Z, np.where(exact + start > 0, 1, 0.5) * (exact + start))
    saved = guarded(normal(np.float32, Z.shape, "A"), edge)
    leaf_of(unit, "backward")(a, strip_of(a), m, groups, b, saved, Z, 0.5)
    check(Z, np.where(saved[:m] > 0, 1, 0.5) * exact)


@edges
@units
@pytest.mark.parametrize("rows", (1, 32, 100))
def test_gradients(rows, unit, edge):
    A, D = numbers(rows, 2 * GROUP), numbers(rows, WIDTH)
    a, d = in_turned_tiles(A, edge), in_panels(D, edge)
    G = guarded(np.full((2 * GROUP, WIDTH), np.nan, np.float32), edge)
    leaf_of(unit, "gradient")(a, strip_of(a), 2 * GROUP, whole_groups(rows) // GROUP, d, G)
    size = 1 + abs(A).T.astype(float) @ abs(D)
    assert (abs(G - A.T.astype(float) @ D) / size).max() < 1e-6


@units
def test_a_row_does_not_depend_on_the_rows_around_it(unit):
    A, b, start = numbers(45, 70), in_panels(numbers(70, WIDTH)), normal(np.float32, WIDTH)
    found = []
    for first, last in ((0, 45), (0, 1), (5, 6), (17, 40)):
        a, Z = in_tiles(A[first:last].copy()), np.empty((64, WIDTH), np.float32)
        leaf_of(unit, "forward")(a, strip_of(a), last - first, 3, b, start, Z, 1.0)
        found.append((Z[: last - first], first, last))
    for Z, first, last in found:
        np.testing.assert_array_equal(Z, found[0][0][first:last])
