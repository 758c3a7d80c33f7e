"""Into panels and out of them: the user's parameters, W' from blocks of W, strips of activations."""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels.emit import emitted, loop_of, row_pointer, turn_tile
from fastnn_kernels.leaves import leaf
from fastnn_kernels.panels import COLUMNS, FIELDS, OFFSET, PANEL_VECTORS, ROWS, SOURCE, SOURCE_ROW, WIDTH
from fastnn_kernels.simd import advance, lanes_of

_I64 = ir.IntType(64)


def _copy(v, n, source, target, exact=False):
    """target[:n] = source[:n]; unless `exact`, zeros follow up to a whole vector."""
    builder = v.builder
    whole = builder.and_(n, _I64(-v.lanes))

    def vector(i, held):
        v.store(v.load(v.pointer(source, i)), v.pointer(target, i))
        return held

    loop_of(builder, _I64(0), whole, _I64(v.lanes), [], vector)
    with builder.if_then(builder.icmp_signed("<", whole, n)):
        mask = v.first(builder.sub(n, whole))
        last = v.load(v.pointer(source, whole), mask)
        v.store(last, v.pointer(target, whole), mask if exact else None)


@emitted
def _copy_all(v, table, n, user, fit, back):
    builder = v.builder

    def panel(i, held):
        first = builder.mul(i, _I64(FIELDS))
        columns, width, rows, offset, start, row = (
            builder.load(builder.gep(table, [builder.add(first, _I64(field))]))
            for field in (COLUMNS, WIDTH, ROWS, OFFSET, SOURCE, SOURCE_ROW)
        )

        def line(r, held):
            mine, its = v.pointer(user, start, (r, row)), v.pointer(fit, offset, (r, width))
            _copy(v, columns, builder.select(back, its, mine), builder.select(back, mine, its), exact=True)
            return held

        loop_of(builder, _I64(0), rows, _I64(1), [], line)
        return held

    loop_of(builder, _I64(0), n, _I64(1), [], panel)


@emitted
def _strip(v, rows, at, n, k, to, to_row):
    def row(r, held):
        _copy(v, n, v.pointer(row_pointer(v, rows, r), at), v.pointer(to, (r, to_row)))
        return held

    loop_of(v.builder, _I64(0), k, _I64(1), [], row)


@leaf("panel_copy", EXACT)
def copy_panels(T):
    def copy_panels(table, n, user, fit, back):
        """The user's vector into a fit's, by the n panels of `table`, or `back`; padding stays as it is."""
        _copy_all(table, n, user, fit, back)

    return copy_panels


@leaf("transpose", EXACT)
def transpose_panel(T):
    def transpose_panel(w, width, rows, column, columns, first, n_in, n_out, to):
        """W' from a block of a panel of W (n_in, n_out): rows from `first`, `columns` columns from `column`.

        w: the block, (rows, width); to: the panels of W', (n_out, width') over n_in. `first` begins a vector.
        """
        lanes = lanes_of(w)
        vectors = (n_in + lanes - 1) // lanes
        pairs = 4 if vectors % PANEL_VECTORS == 1 and vectors > 1 else 0  # the last vectors stand as 2 + 2
        wide = vectors - pairs - (vectors - pairs) % PANEL_VECTORS
        narrow = 2 if pairs > 0 else vectors - wide
        for i in range(0, rows, lanes):
            q = (first + i) // lanes
            base, span = (0, PANEL_VECTORS) if q < wide else (wide, narrow)
            start = q - (q - base) % span
            panel = advance(to, (start * n_out + q - start) * lanes)
            for j in range(0, columns, lanes):
                source, target = advance(w, i * width + j), advance(panel, (column + j) * span * lanes)
                turn_tile(source, width, rows - i, columns - j, target, span * lanes)

    return transpose_panel


@leaf("strip", EXACT)
def copy_strip(T):
    def copy_strip(rows, at, n, k, to, to_row):
        """to[r, :n] = A[r, at : at + n] for the k rows at rows[r]; zeros follow up to a whole vector.

        From contiguous strips of A and D a gradient takes a fifth to a half less time.
        """
        _strip(rows, at, n, k, to, to_row)

    return copy_strip
