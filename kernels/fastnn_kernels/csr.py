"""The first layer over CSR rows: products with the panels of W, and the gradient's.

Row r of X holds values[p] in the columns indices[p], for indptr[r] <= p < indptr[r + 1]; `numbers` says which
rows. A panel's columns of one row of Z stay in registers while the row's entries go by.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels._numba import cgutils
from fastnn_kernels.emit import emitted, rectifier
from fastnn_kernels.leaves import leaf
from fastnn_kernels.panels import PANEL_VECTORS
from fastnn_kernels.simd import advance, lanes_of

_I64 = ir.IntType(64)


def _entries(v, values, indices, first, last, emit):
    """emit(value in all lanes, column) for the entries first .. last of a row."""
    builder = v.builder
    with cgutils.for_range_slice(builder, first, last, _I64(1)) as (p, _):
        column = builder.sext(builder.load(builder.gep(indices, [p])), _I64)
        emit(v.splat(builder.load(builder.gep(values, [p]))), column)


@emitted
def _forward_row(v, n_vectors, indices, first, last, values, w, w_row, columns, start, z, slope):
    builder, places = v.builder, [j * v.lanes for j in range(n_vectors)]
    masks = [None] * (n_vectors - 1) + [v.first(builder.sub(columns, _I64(places[-1])))]
    row = list(zip(places, masks, strict=True))
    sums = [cgutils.alloca_once_value(builder, v.load(v.pointer(start, at), mask)) for at, mask in row]

    def add(value, column):
        weights = v.pointer(w, (column, w_row))
        for (at, mask), total in zip(row, sums, strict=True):
            builder.store(v.fma(value, v.load(v.pointer(weights, at), mask), builder.load(total)), total)

    _entries(v, values, indices, first, last, add)
    bent = rectifier(v, slope)
    for (at, mask), total in zip(row, sums, strict=True):
        v.store(bent(builder.load(total)), v.pointer(z, at), mask)


@emitted
def _backward_row(v, n_vectors, indices, first, last, low, high, values, d, g):
    builder, width = v.builder, n_vectors * v.lanes
    row = [v.load(v.pointer(d, j * v.lanes)) for j in range(n_vectors)]

    def add(value, column):
        inside = builder.icmp_unsigned("<", builder.sub(column, low), builder.sub(high, low))
        with builder.if_then(inside):
            to = v.pointer(g, (column, width))
            for j in range(n_vectors):
                here = v.pointer(to, j * v.lanes)
                v.store(v.fma(value, row[j], v.load(here)), here)

    _entries(v, values, indices, first, last, add)


def _panel_leaves(n_vectors):
    """Forward and backward for panels of so many vectors."""

    def define_forward(T):
        def forward(values, indices, indptr, numbers, rows, w, w_row, columns, start, z, z_row, slope):
            for i in range(rows):
                first, last = indptr[numbers[i]], indptr[numbers[i] + 1]
                _forward_row(
                    n_vectors, indices, first, last, values, w, w_row, columns, start,
                    advance(z, i * z_row), slope,
                )  # fmt: skip

        return forward

    def define_backward(T):
        zero = T(0)

        def backward(values, indices, indptr, numbers, rows, d, d_row, low, high, g):
            width = n_vectors * lanes_of(g)
            for i in range(low * width, high * width):
                g[i] = zero
            for i in range(rows):
                first, last = indptr[numbers[i]], indptr[numbers[i] + 1]
                _backward_row(n_vectors, indices, first, last, low, high, values, advance(d, i * d_row), g)

        return backward

    define_forward.__module__ = define_backward.__module__ = __name__
    return (
        leaf("csr_forward", EXACT, f"csr_forward_{n_vectors}")(define_forward),
        leaf("csr_backward", EXACT, f"csr_backward_{n_vectors}")(define_backward),
    )


CSR_PANELS = {n: _panel_leaves(n) for n in range(1, PANEL_VECTORS + 1)}


@leaf("csr_forward", EXACT)
def csr_forward_column(T):
    """z[i] = act(start + x_i w), for W of one column: one row of numbers."""
    zero = T(0)

    def csr_forward_column(values, indices, indptr, numbers, rows, w, w_row, columns, start, z, z_row, slope):
        below = T(slope)
        for i in range(rows):
            total = start[0]
            for p in range(indptr[numbers[i]], indptr[numbers[i] + 1]):
                total += values[p] * w[indices[p]]
            z[i * z_row] = (below * total if below != zero else zero) if total <= zero else total

    return csr_forward_column


@leaf("csr_backward", EXACT)
def csr_backward_column(T):
    """g[low:high] = sum over the rows of d_i x_i, for W of one column."""
    zero = T(0)

    def csr_backward_column(values, indices, indptr, numbers, rows, d, d_row, low, high, g):
        for i in range(low, high):
            g[i] = zero
        for i in range(rows):
            delta = d[i * d_row]
            for p in range(indptr[numbers[i]], indptr[numbers[i] + 1]):
                if low <= indices[p] < high:
                    g[indices[p]] += values[p] * delta

    return csr_backward_column
