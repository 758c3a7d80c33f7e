"""Products of a layer with one output, whose W is one row of whole vectors, and sums over a batch's rows.

Rows of A come from a table of addresses. They may be rows of the user's X: nothing is read past their end.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels._numba import cgutils
from fastnn_kernels.emit import emitted, loop_of, rectifier_derivative, row_pointer, tiles_of
from fastnn_kernels.leaves import leaf

_I64 = ir.IntType(64)
ROWS = (8, 4, 1)  # of a tile of dot products
SPANS = (8, 2, 1)  # vectors of a strip whose columns are summed at once


def _spans(v, n, emit):
    """emit(j, count, mask) for strips of `count` vectors from column j that cover n columns."""
    builder = v.builder
    at = cgutils.alloca_once_value(builder, _I64(0))
    for span in SPANS:
        last = builder.sub(n, _I64(span * v.lanes - 1))

        def body(j, held, span=span):
            emit(j, span, None)
            builder.store(builder.add(j, _I64(span * v.lanes)), at)
            return held

        loop_of(builder, builder.load(at), last, _I64(span * v.lanes), [], body)
    j = builder.load(at)
    with builder.if_then(builder.icmp_signed("<", j, n)):
        emit(j, 1, v.first(builder.sub(n, j)))


@emitted
def _dots(v, rows, m, k, w, bias, z):
    builder, lanes = v.builder, v.lanes
    whole = builder.and_(k, _I64(-lanes))
    mask = v.first(builder.sub(k, whole))
    first = builder.load(bias)

    def tile(h, i):
        lines = [row_pointer(v, rows, builder.add(i, _I64(r))) for r in range(h)]

        def add(p, sums, mask=None):
            w_p = v.load(v.pointer(w, p), mask)
            pairs = zip(lines, sums, strict=True)
            return [v.fma(v.load(v.pointer(line, p), mask), w_p, total) for line, total in pairs]

        sums = loop_of(builder, _I64(0), whole, _I64(lanes), [v.zero] * h, add)
        before = builder.basic_block
        with builder.if_then(builder.icmp_signed("<", whole, k)):
            more, edge = add(whole, sums, mask), builder.basic_block
        totals = []
        for a, b in zip(sums, more, strict=True):
            totals.append(builder.phi(v.vector))
            totals[-1].add_incoming(a, before)
            totals[-1].add_incoming(b, edge)
        total = v.sums(totals)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), h), None)
        spread = builder.shuffle_vector(v.splat(first), v.zero, zeros)
        to = builder.bitcast(v.pointer(z, i), total.type.as_pointer())
        builder.store(builder.fadd(spread, total), to).align = v.size

    tiles_of(builder, [h for h in ROWS if h <= lanes], m, tile)


@emitted
def _weighted_sums(v, rows, at, n, k, dz, g):
    builder = v.builder

    def emit(j, count, mask):
        def add(r, sums):
            line = v.pointer(row_pointer(v, rows, r), at, j)
            one = v.splat(builder.load(v.pointer(dz, r)))
            return [v.fma(one, v.load(v.pointer(line, x * v.lanes), mask), y) for x, y in enumerate(sums)]

        sums = loop_of(builder, _I64(0), k, _I64(1), [v.zero] * count, add)
        for x, total in enumerate(sums):
            # no NaN of 0 times infinity in the lanes past the end
            kept = total if mask is None else builder.select(mask, total, v.zero)
            v.store(kept, v.pointer(g, j, x * v.lanes))

    _spans(v, n, emit)


@emitted
def _sums(v, d, d_row, k, n, g):
    builder = v.builder

    def emit(j, count, mask):
        def add(r, sums):
            line = v.pointer(d, (r, d_row), j)
            return [builder.fadd(y, v.load(v.pointer(line, x * v.lanes), mask)) for x, y in enumerate(sums)]

        for x, total in enumerate(loop_of(builder, _I64(0), k, _I64(1), [v.zero] * count, add)):
            v.store(total, v.pointer(g, j, x * v.lanes))

    _spans(v, n, emit)


@emitted
def _outer(v, m, dz, w, n, a, a_row, d, d_row, slope):
    builder, derive = v.builder, rectifier_derivative(v, slope)

    def row(i, held):
        one = v.splat(builder.load(v.pointer(dz, i)))

        def column(j, held):
            x = builder.fmul(one, v.load(v.pointer(w, j)))
            v.store(derive(x, v.load(v.pointer(a, (i, a_row), j))), v.pointer(d, (i, d_row), j))
            return held

        loop_of(builder, _I64(0), n, _I64(v.lanes), [], column)
        return held

    loop_of(builder, _I64(0), m, _I64(1), [], row)


@emitted
def _total(v, dz, k, g):
    builder = v.builder
    whole = builder.and_(k, _I64(-v.lanes))

    def add(r, sums, mask=None):
        return [builder.fadd(sums[0], v.load(v.pointer(dz, r), mask))]

    sums = loop_of(builder, _I64(0), whole, _I64(v.lanes), [v.zero], add)
    (total,) = add(whole, sums, v.first(builder.sub(k, whole)))
    v.store(builder.insert_element(v.zero, v.sum(total), ir.IntType(32)(0)), g)


@leaf("column_forward", EXACT)
def forward_column(T):
    def forward_column(rows, m, k, w, bias, z):
        """z[i] = A_i . w + bias[0] for the m rows at rows[i]: A (m, k), w (k,) in whole vectors, z (m,).

        Lane p % lanes sums the elements p, then the lanes are added by halves, whatever the rows.
        """
        _dots(rows, m, k, w, bias, z)

    return forward_column


@leaf("column_backward", EXACT)
def backward_column(T):
    def backward_column(m, dz, w, n, a, a_row, d, d_row, slope):
        """D[i] = dz[i] w act'(A[i]); dz (m,), w (n,), A and D (m, n), n whole vectors.

        act' is 1 where a > 0 or NaN, else slope.
        """
        _outer(m, dz, w, n, a, a_row, d, d_row, slope)

    return backward_column


@leaf("column_gradient", EXACT)
def gradient_column(T):
    def gradient_column(rows, at, n, k, dz, g):
        """g[j] = sum over r < k of dz[r] A[r, at + j], in the order of r; g (n,), zeros to a whole vector."""
        _weighted_sums(rows, at, n, k, dz, g)

    return gradient_column


@leaf("column_sum", EXACT)
def bias_gradient(T):
    def bias_gradient(d, d_row, k, n, g):
        """g[j] = sum over r < k of D[r, j], in the order of r; D (k, n), g (n,), zeros to a whole vector."""
        _sums(d, d_row, k, n, g)

    return bias_gradient


@leaf("column_total", EXACT)
def bias_gradient_column(T):
    def bias_gradient_column(dz, k, g):
        """g[0] = sum of dz (k,), the lanes of vectors first; the rest of g, one vector, is 0."""
        _total(dz, k, g)

    return bias_gradient_column
