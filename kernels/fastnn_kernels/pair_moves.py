"""Into pairs: rows of activations and deltas, turned ones, and the blocks of weights that a step has changed.

Each number is rounded on the way to the 8 significant bits of a bfloat16, and zeros follow up to whole
groups: see pairs.py.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels.emit import clamped, emitted, loop_of, row_pointer, turned
from fastnn_kernels.leaves import leaf
from fastnn_kernels.pairs import (
    GROUP,
    LINE_WORDS,
    PANEL_VECTORS,
    all_of,
    in_line,
    in_tiles,
    interleaved,
    line_offset,
    store_words,
    words_of,
)

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _whole(builder, n):
    return builder.and_(builder.add(n, _I64(GROUP - 1)), _I64(-GROUP))


def _kept(v, left, index):
    """The bits of the pairs at `index`, a vector of numbers of pairs, that the first `left` numbers have."""
    b, words = v.builder, words_of(v)
    first = b.shl(index, all_of(v, 1))
    limit = v.splat(b.trunc(left, _I32), words)
    low, high = (
        b.sext(b.icmp_signed("<", number, limit), words) for number in (first, b.or_(first, all_of(v, 1)))
    )
    return b.or_(b.lshr(low, all_of(v, 16)), b.shl(high, all_of(v, 16)))


def _spans(v, n, end, step, emit):
    """emit(j, masks) for spans of `step` vectors from column 0 to `end`: within n no masks."""
    builder, size = v.builder, _I64(step * v.lanes)
    whole = builder.sub(n, builder.srem(n, size))

    def inner(j, held):
        emit(j, [None] * step)
        return held

    def edge(j, held):
        left = builder.sub(n, j)
        emit(j, [v.first(builder.sub(left, _I64(x * v.lanes))) for x in range(step)])
        return held

    loop_of(builder, _I64(0), whole, size, [], inner)
    loop_of(builder, whole, end, size, [], edge)


@emitted
def _tiles(v, rows, n, m, to, strip):
    builder = v.builder

    def row(r, held):
        source, line = row_pointer(v, rows, r), v.pointer(to, line_offset(builder, r, strip))

        def span(j, masks):
            x, y = (v.load(v.pointer(source, j, i * v.lanes), mask) for i, mask in enumerate(masks))
            store_words(v, in_line(v, x, y), line, in_tiles(builder, builder.lshr(j, _I64(1))))

        _spans(v, n, _whole(builder, n), 2, span)
        return held

    loop_of(builder, _I64(0), m, _I64(1), [], row)


@emitted
def _turned(v, rows, n, m, to, strip):
    builder = v.builder
    lanes = ir.Constant(words_of(v), list(range(v.lanes)))

    def group(r, held):
        left = builder.sub(m, r)
        kept = _kept(v, left, lanes)
        numbers = [clamped(builder, builder.add(r, _I64(i)), m) for i in range(2 * v.lanes)]
        sources = [row_pointer(v, rows, number) for number in numbers]
        tile = v.pointer(to, in_tiles(builder, builder.lshr(r, _I64(1))))

        def span(j, masks):
            given = [v.load(v.pointer(source, j), masks[0]) for source in sources]
            pairs = zip(given[::2], given[1::2], strict=True)
            lines = turned(v, [interleaved(v, x, y) for x, y in pairs])
            place = v.pointer(tile, line_offset(builder, j, strip))
            for c, line in enumerate(lines):
                store_words(v, builder.and_(line, kept), place, c * LINE_WORDS)

        _spans(v, n, _whole(builder, n), 1, span)
        return held

    loop_of(builder, _I64(0), _whole(builder, m), _I64(2 * v.lanes), [], group)


@emitted
def _panels(v, source, row, n, m, to, panel):
    builder, width = v.builder, PANEL_VECTORS * v.lanes

    def pair(p, held):
        numbers = [clamped(builder, builder.add(builder.shl(p, _I64(1)), _I64(i)), m) for i in range(2)]
        lines = [v.pointer(source, (number, row)) for number in numbers]
        kept = _kept(v, m, v.splat(builder.trunc(p, _I32), words_of(v)))

        def span(j, masks):
            place = v.pointer(to, (builder.udiv(j, _I64(width)), panel), (p, width))
            for i, mask in enumerate(masks):
                x, y = (v.load(v.pointer(line, j, i * v.lanes), mask) for line in lines)
                store_words(v, builder.and_(interleaved(v, x, y), kept), place, i * v.lanes)

        end = builder.mul(builder.udiv(builder.add(n, _I64(width - 1)), _I64(width)), _I64(width))
        _spans(v, n, end, PANEL_VECTORS, span)
        return held

    loop_of(builder, _I64(0), builder.lshr(_whole(builder, m), _I64(1)), _I64(1), [], pair)


@emitted
def _turned_panels(v, w, to, panel):
    width = PANEL_VECTORS * v.lanes
    for first in range(0, GROUP, v.lanes):
        rows = [v.pointer(w, (first + i) * width) for i in range(v.lanes)]
        lines = turned(v, [in_line(v, v.load(row), v.load(v.pointer(row, v.lanes))) for row in rows])
        place = v.pointer(to, (first // width, panel))
        for p, line in enumerate(lines):
            store_words(v, line, place, p * width + first % width)


@leaf("pairs_of_rows", EXACT)
def to_tiles(T):
    def to_tiles(rows, n, m, to, strip):
        """A (m, n), its rows at rows[i], in tiles."""
        _tiles(rows, n, m, to, strip)

    return to_tiles


@leaf("pairs_of_rows", EXACT)
def to_turned_tiles(T):
    def to_turned_tiles(rows, n, m, to, strip):
        """A' in tiles, A (m, n) with its rows at rows[i]; rows of zeros follow up to a whole group."""
        _turned(rows, n, m, to, strip)

    return to_turned_tiles


@leaf("pairs_of_columns", EXACT)
def to_panels(T):
    def to_panels(source, row, n, m, to, panel):
        """B (m, n), rows `row` elements apart, in panels over the m rows, `panel` words apart."""
        _panels(source, row, n, m, to, panel)

    return to_panels


@leaf("pairs_turned", EXACT)
def to_turned_panels(T):
    def to_turned_panels(w, to, panel):
        """Of a block of W, 32 rows of a panel, its part of the panels of W', `panel` words apart."""
        _turned_panels(w, to, panel)

    return to_turned_panels
