"""Into pairs: rows of activations and deltas, and the blocks of weights that a step has changed.

Each number is rounded on the way to the 8 significant bits of a bfloat16, and zeros follow up to whole
groups: see pairs.py. A square of two vectors by as many rows is read once for all that is made of it.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels._numba import cgutils
from fastnn_kernels.emit import clamped, emitted, loop_of, row_pointer, turned
from fastnn_kernels.leaves import leaf
from fastnn_kernels.pairs import (
    GROUP,
    LINE_WORDS,
    PANEL_VECTORS,
    STRIP,
    all_of,
    in_line,
    in_tiles,
    interleaved,
    line_offset,
    store_words,
    words_of,
)

_I32, _I64 = ir.IntType(32), ir.IntType(64)
HALVES = range(PANEL_VECTORS)


def _whole(builder, n):
    return builder.and_(builder.add(n, _I64(GROUP - 1)), _I64(-GROUP))


def _there(builder, pointer):
    return builder.if_then(cgutils.is_not_null(builder, pointer))


def _kept(v, left):
    """For pair i in lane i the bits of those of its numbers that are among the first `left`."""
    b, words = v.builder, words_of(v)
    first, limit = ir.Constant(words, list(range(0, 2 * v.lanes, 2))), v.splat(b.trunc(left, _I32), words)
    numbers = first, b.or_(first, all_of(v, 1))
    low, high = (b.sext(b.icmp_signed("<", number, limit), words) for number in numbers)
    return b.or_(b.lshr(low, all_of(v, 16)), b.shl(high, all_of(v, 16)))


def _squares(v, n, emit):
    """emit(j, masks) for two vectors from column j on, up to a whole group; within n there are no masks."""
    builder, size = v.builder, _I64(PANEL_VECTORS * v.lanes)
    whole = builder.and_(n, _I64(-PANEL_VECTORS * v.lanes))

    def inner(j, held):
        emit(j, [None for _ in HALVES])
        return held

    def edge(j, held):
        left = builder.sub(n, j)
        emit(j, [v.first(builder.sub(left, _I64(half * v.lanes))) for half in HALVES])
        return held

    loop_of(builder, _I64(0), whole, size, [], inner)
    loop_of(builder, whole, _whole(builder, n), size, [], edge)


def _pairs(items):
    return zip(items[::2], items[1::2], strict=True)


@emitted
def _of_rows(v, rows, apart, n, m, tiles, strip, turned_tiles, turned_strip, panels, panel):
    builder, width = v.builder, PANEL_VECTORS * v.lanes
    bits = cgutils.alloca_once(builder, words_of(v))

    def square_rows(r, held):
        kept = _kept(v, builder.sub(m, r))
        builder.store(kept, bits)
        numbers = [clamped(builder, builder.add(r, _I64(i)), m) for i in range(width)]
        sources = [row_pointer(v, rows, number) for number in numbers]
        pair = builder.lshr(r, _I64(1))
        line, tile = v.pointer(tiles, line_offset(builder, r, strip)), in_tiles(builder, pair)

        def square(j, masks):
            column = builder.mul(builder.udiv(j, _I64(width)), apart)

            def vector(source, half):
                return v.load(v.pointer(source, column, half * v.lanes), masks[half])

            with _there(builder, tiles):
                here = v.pointer(line, in_tiles(builder, builder.lshr(j, _I64(1))))
                for i, source in enumerate(sources):
                    words = in_line(v, *(vector(source, half) for half in HALVES))
                    store_words(v, words, here, (i // STRIP, strip), i % STRIP * LINE_WORDS)
            with _there(builder, turned_tiles):
                for half in HALVES:
                    given = _pairs([vector(source, half) for source in sources])
                    lines = turned(v, [interleaved(v, x, y) for x, y in given])
                    first = builder.add(j, _I64(half * v.lanes))
                    here = v.pointer(turned_tiles, tile, line_offset(builder, first, turned_strip))
                    for i, words in enumerate(lines):
                        store_words(v, builder.and_(words, kept), here, i * LINE_WORDS)
            with _there(builder, panels):
                here = v.pointer(panels, (builder.udiv(j, _I64(width)), panel), (pair, width))
                for i, two in enumerate(_pairs(sources)):
                    word = builder.load(v.pointer(builder.bitcast(bits, _I32.as_pointer()), i))
                    own = v.splat(word, words_of(v))
                    for half in HALVES:
                        words = interleaved(v, *(vector(source, half) for source in two))
                        store_words(v, builder.and_(words, own), here, i * width + half * v.lanes)

        _squares(v, n, square)
        return held

    loop_of(builder, _I64(0), _whole(builder, m), _I64(width), [], square_rows)


@emitted
def _of_weights(v, w, m, pairs, back, panel):
    builder, width = v.builder, PANEL_VECTORS * v.lanes

    def square(first, held):
        def vector(i, half):
            return v.load(v.pointer(w, (first, width), i * width + half * v.lanes))

        to = v.pointer(pairs, (builder.lshr(first, _I64(1)), width))
        for i in range(v.lanes):
            for half in HALVES:
                words = interleaved(v, vector(2 * i, half), vector(2 * i + 1, half))
                store_words(v, words, to, i * width + half * v.lanes)
        with _there(builder, back):
            for part in HALVES:
                rows = range(part * v.lanes, (part + 1) * v.lanes)
                lines = turned(v, [in_line(v, *(vector(i, half) for half in HALVES)) for i in rows])
                here = v.pointer(back, (builder.udiv(first, _I64(width)), panel), part * v.lanes)
                for i, words in enumerate(lines):
                    store_words(v, words, here, i * width)
        return held

    loop_of(builder, _I64(0), m, _I64(width), [], square)


@leaf("pairs_of_rows", EXACT)
def rows_to_pairs(T):
    def rows_to_pairs(rows, apart, n, m, tiles, strip, turned_tiles, turned_strip, panels, panel):
        """Of A (m, n), its rows at rows[i]: A in tiles, A' in tiles, A in panels, where there is room for it.

        From a panel's width of a row the next is `apart` elements: the width itself, or those of a panel.
        Strips and panels are so many words apart. All is filled up to whole groups: columns, and the rows of
        A' and of the panels, with zeros, the rows of A with any numbers.
        """
        _of_rows(rows, apart, n, m, tiles, strip, turned_tiles, turned_strip, panels, panel)

    return rows_to_pairs


@leaf("pairs_of_weights", EXACT)
def weights_to_pairs(T):
    def weights_to_pairs(w, m, pairs, back, panel):
        """Of m rows of a panel of W, whole groups: their pairs, and if `back` is not 0 their part of W'.

        W' is in panels that are so many words apart.
        """
        _of_weights(w, m, pairs, back, panel)

    return weights_to_pairs
