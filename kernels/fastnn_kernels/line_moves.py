"""Rows to lines and back: a batch's rows of X into a block, its logits to the cost, and their deltas back."""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels.emit import clamped, emitted, loop_of, prefetch, row_pointer, turn_tile, turned
from fastnn_kernels.leaves import leaf
from fastnn_kernels.simd import advance, lanes_of

_I64 = ir.IntType(64)
# Vectors of rows: X is read in no order, and where it is larger than the caches each row would be waited for.
AHEAD = 2


@emitted
def _to_lines(v, rows, count, n, to, line):
    builder = v.builder
    used = v.first(count)
    pointers = [row_pointer(v, rows, clamped(builder, i, count)) for i in range(v.lanes)]
    following = [row_pointer(v, rows, clamped(builder, AHEAD * v.lanes + i, count)) for i in range(v.lanes)]

    def units(j, held):
        for row in following:
            prefetch(v, v.pointer(row, j))
        left = builder.sub(n, j)
        mask = v.first(left)
        lines = turned(v, [v.load(v.pointer(row, j), mask) for row in pointers])
        for i in reversed(range(v.lanes)):
            place = v.pointer(to, (j, line), (clamped(builder, i, left), line))
            v.store(builder.select(used, lines[i], v.zero), place)
        return held

    loop_of(builder, _I64(0), n, _I64(v.lanes), [], units)


@leaf("rows_to_lines", EXACT)
def rows_to_lines(T):
    def rows_to_lines(rows, n_rows, n, to, line):
        """Lines (n, line) of the n_rows rows (n,) at rows[r]; zeros follow up to a whole vector.

        2 ns a row of up to 16 float32, where a plain loop takes 2.5 for 2 and 4.5 for 8. Rows of 72 MB of X
        take half the time by being fetched ahead.
        """
        lanes = lanes_of(to)
        for r in range(0, n_rows, lanes):
            _to_lines(advance(rows, r), n_rows - r, n, advance(to, r), line)

    return rows_to_lines


@leaf("copy_rows", EXACT)
def lines_to_rows(T):
    def lines_to_rows(a, line, n, n_rows, to, to_row):
        """Rows (n_rows, n), to_row elements apart, of lines (n, line); zeros follow up to a whole vector."""
        lanes = lanes_of(a)
        for r in range(0, n_rows, lanes):
            for j in range(0, n, lanes):
                source, target = advance(a, j * line + r), advance(to, r * to_row + j)
                turn_tile(source, line, n - j, n_rows - r, target, to_row)

    return lines_to_rows
