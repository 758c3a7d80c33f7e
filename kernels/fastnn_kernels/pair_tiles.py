"""Products of bfloat16 numbers in pairs, summed in float32: by AMX's tiles, or in vector registers.

One block of C at a time, two vectors wide: each element is one chain over the pairs of k, whatever the block,
with tiles one of sums over GROUPs. Rows past the last one are computed too, up to a whole block: A and C have
memory for them.
"""

from typing import NamedTuple

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels.emit import emitted, loop_of, rectifier, rectifier_derivative, vectors_at
from fastnn_kernels.leaves import leaf
from fastnn_kernels.pairs import (
    LINE_WORDS,
    PANEL_VECTORS,
    STRIP,
    TILE_WORDS,
    WORD,
    dots,
    in_tiles,
    line_offset,
    load_words,
    tiles_permitted,
)
from fastnn_kernels.simd import REGISTERS
from fastnn_kernels.tile_unit import dot_tiles, load_tile, store_tile, zero_tile

_I64 = ir.IntType(64)
UNROLL = 4  # pairs of k in one round of a loop
HEIGHT = 8 if REGISTERS == 32 else 4  # rows of a block in registers
ROWS = 2 * STRIP  # of a block in tiles


def _in_registers(v, a, strip, m, k, b, start, finish):
    """finish(x, i, j) for each sum x = start[j] + A_i B_j, j a vector of the panel B; m rows, k GROUPs."""
    builder, width = v.builder, PANEL_VECTORS * v.lanes
    begin = [v.zero] * PANEL_VECTORS if start is None else vectors_at(v, start, PANEL_VECTORS)

    def block(i, held):
        line = v.pointer(a, line_offset(builder, i, strip))

        def pairs(p, sums):
            here, panel = v.pointer(line, in_tiles(builder, p)), v.pointer(b, (p, width))
            for u in range(UNROLL):
                words = [builder.load(v.pointer(here, r * LINE_WORDS + u)) for r in range(HEIGHT)]
                vectors = [load_words(v, panel, u * width + j * v.lanes) for j in range(PANEL_VECTORS)]
                sums = dots(v, words, vectors, sums)
            return sums

        last = builder.mul(k, _I64(LINE_WORDS))
        sums = loop_of(builder, _I64(0), last, _I64(UNROLL), begin * HEIGHT, pairs)
        for r in range(HEIGHT):
            for j in range(PANEL_VECTORS):
                finish(sums[r * PANEL_VECTORS + j], builder.add(i, _I64(r)), j * v.lanes)
        return held

    loop_of(builder, _I64(0), m, _I64(HEIGHT), [], block)


def _in_tiles(v, a, strip, m, k, b, start, finish, to):
    """As _in_registers, by AMX: the sums in tiles 0 .. 3, of 4 and 5 by 6 and 7. A block is stored at `to`.

    There it is finished. In memory of its own, and beside the block that follows, gained nothing.
    """
    builder, width = v.builder, PANEL_VECTORS * v.lanes
    row = _I64(width * v.size)
    sums = [(x, y, 2 * x + y) for x in range(2) for y in range(2)]

    def block(i, held):
        line = v.pointer(a, line_offset(builder, i, strip))
        for _, y, tile in sums:
            if start is None:
                zero_tile(builder, tile)
            else:  # one row sixteen times
                load_tile(builder, tile, v.pointer(start, y * v.lanes), _I64(0))

        def group(t, held):
            here, panel = v.pointer(line, (t, TILE_WORDS)), v.pointer(b, (t, LINE_WORDS * width))
            load_tile(builder, 4, here, _I64(WORD * LINE_WORDS))
            load_tile(builder, 6, panel, row)
            load_tile(builder, 5, v.pointer(here, strip), _I64(WORD * LINE_WORDS))
            load_tile(builder, 7, v.pointer(panel, v.lanes), row)
            for x, y, tile in sums:
                dot_tiles(builder, tile, 4 + x, 6 + y)
            return held

        def rest(r, held):
            for j in range(PANEL_VECTORS):
                finish(v.load(v.pointer(to, (r, width), j * v.lanes)), r, j * v.lanes)
            return held

        loop_of(builder, _I64(0), k, _I64(1), [], group)
        for x, y, tile in sums:
            place = v.pointer(to, (builder.add(i, _I64(x * STRIP)), width), y * v.lanes)
            store_tile(builder, tile, place, row)
        if finish is not None:
            loop_of(builder, i, builder.add(i, _I64(ROWS)), _I64(1), [], rest)
        return held

    loop_of(builder, _I64(0), m, _I64(ROWS), [], block)


@emitted
def _forward(v, by_tiles, a, strip, m, k, b, start, z, slope):
    activate, row = rectifier(v, slope), PANEL_VECTORS * v.lanes

    def finish(x, i, j):
        v.store(activate(x), v.pointer(z, (i, row), j))

    if by_tiles:
        _in_tiles(v, a, strip, m, k, b, start, finish, z)
    else:
        _in_registers(v, a, strip, m, k, b, start, finish)


@emitted
def _backward(v, by_tiles, a, strip, m, k, b, saved, d, slope):
    derive, row = rectifier_derivative(v, slope), PANEL_VECTORS * v.lanes

    def finish(x, i, j):
        v.store(derive(x, v.load(v.pointer(saved, (i, row), j))), v.pointer(d, (i, row), j))

    if by_tiles:
        _in_tiles(v, a, strip, m, k, b, None, finish, d)
    else:
        _in_registers(v, a, strip, m, k, b, None, finish)


@emitted
def _gradient(v, by_tiles, a, strip, m, k, b, g):
    row = PANEL_VECTORS * v.lanes

    def finish(x, i, j):
        v.store(x, v.pointer(g, (i, row), j))

    if by_tiles:
        _in_tiles(v, a, strip, m, k, b, None, None, g)
    else:
        _in_registers(v, a, strip, m, k, b, None, finish)


class PairTiles(NamedTuple):
    """The three products of a step."""

    forward: object
    backward: object
    gradient: object


def _define(by_tiles):
    kind, unit = ("tiles", "AMX") if by_tiles else ("pairs", None)

    @leaf("pairs_forward", EXACT, name=f"forward_{kind}", unit=unit)
    def forward(T):
        def forward(a, strip, m, k, b, start, z, slope):
            """Z = act(start + A B), m rows: A in tiles, B and Z panels, k GROUPs; act as in forward_panel."""
            _forward(by_tiles, a, strip, m, k, b, start, z, slope)

        return forward

    @leaf("pairs_backward", EXACT, name=f"backward_{kind}", unit=unit)
    def backward(T):
        def backward(a, strip, m, k, b, saved, d, slope):
            """D = (A B) act'(saved), m rows: A in tiles, all else panels, k GROUPs; act' is 1 or slope."""
            _backward(by_tiles, a, strip, m, k, b, saved, d, slope)

        return backward

    @leaf("pairs_gradient", EXACT, name=f"gradient_{kind}", unit=unit)
    def gradient(T):
        def gradient(a, strip, m, k, b, g):
            """G (m, width) = A B, m whole groups of rows: A in tiles, B a panel, k GROUPs."""
            _gradient(by_tiles, a, strip, m, k, b, g)

        return gradient

    return PairTiles(forward, backward, gradient)


IN_REGISTERS, IN_TILES = _define(False), _define(True)


def pair_tiles():
    """The products that this process may use."""
    return IN_TILES if tiles_permitted() else IN_REGISTERS
