"""Products of a fit on column panels: all rows of one panel, tile by tile, and an epilogue while it is hot.

A panel is a strip of a matrix, 1, 2 or 3 vectors wide, (k, width) contiguous and padded with zeros. Rows of A
come from a table of addresses, int64. No masks, no packing, no blocks of k: each element is one chain of
fused multiply-adds in the order of k, whatever the tiles. There is a leaf for each width, so that a fit
compiles those alone that it needs.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels._numba import cgutils
from fastnn_kernels.emit import (
    chains,
    emitted,
    prefetch,
    rectifier,
    rectifier_derivative,
    row_pointer,
    tiles_of,
    vectors_at,
)
from fastnn_kernels.leaves import leaf
from fastnn_kernels.panels import PANEL_VECTORS
from fastnn_kernels.simd import REGISTERS

_I64 = ir.IntType(64)
UNROLL = 4  # steps of k in one round of a loop
# Heights of tiles of 1, 2 and 3 vectors: the sums, a row of the panel and one element must fit the
# registers, and 8 sums are what two FMA units have in flight. The last rows of a panel take the lowest
# height that holds them and compute some rows twice rather than in small tiles. More and other
# heights (12 x 2, 12 x 1, 16 x 1) gained nothing that is worth their compilation, 0.1 s a leaf.
HEIGHTS = dict.fromkeys((1, 2, 3), (8, 4, 1)) if REGISTERS == 32 else {1: (8, 4, 1), 2: (6, 4, 1), 3: (4, 1)}


def _product(v, n_vectors, rows, m, k, b, b_row, start, finish, mask=None):
    """finish(x, i, j) for each sum x = start[j] + A_i B_j, j a vector of B, whose rows are b_row apart."""
    builder = v.builder
    begin = [v.zero] * n_vectors if start is None else vectors_at(v, start, n_vectors, mask)

    def tile(h, first):
        lines = [row_pointer(v, rows, builder.add(first, _I64(i))) for i in range(h)]

        def operands(p, u):
            here = v.pointer(b, (p, b_row), (u, b_row))
            return [v.pointer(line, p, u) for line in lines], vectors_at(v, here, n_vectors, mask)

        sums = chains(v, begin * h, k, UNROLL if h == HEIGHTS[n_vectors][0] else 1, operands)
        for i in range(h):
            here = builder.add(first, _I64(i))
            for j in range(n_vectors):
                finish(sums[i * n_vectors + j], here, j * v.lanes)

    tiles_of(builder, HEIGHTS[n_vectors], m, tile)


@emitted
def _forward(v, n_vectors, rows, m, k, b, start, z, z_row, slope):
    activate = rectifier(v, slope)

    def finish(x, i, j):
        v.store(activate(x), v.pointer(z, (i, z_row), j))

    _product(v, n_vectors, rows, m, k, b, n_vectors * v.lanes, start, finish)


@emitted
def _in_place(v, n_vectors, rows, m, k, w, w_row, columns, start, z, z_row, slope):
    activate, last = rectifier(v, slope), (n_vectors - 1) * v.lanes
    mask = v.first(v.builder.sub(columns, _I64(last)))

    def finish(x, i, j):
        v.store(activate(x), v.pointer(z, (i, z_row), j), mask if j == last else None)

    _product(v, n_vectors, rows, m, k, w, w_row, start, finish, mask)


@emitted
def _backward(v, n_vectors, rows, m, k, b, a, a_row, d, d_row, slope):
    derive = rectifier_derivative(v, slope)

    def finish(x, i, j):
        v.store(derive(x, v.load(v.pointer(a, (i, a_row), j))), v.pointer(d, (i, d_row), j))

    _product(v, n_vectors, rows, m, k, b, n_vectors * v.lanes, None, finish)


@emitted
def _gradient(v, n_vectors, rows, at, h, k, d, d_row, g, p1, p2, p3):
    builder, width, heights = v.builder, n_vectors * v.lanes, HEIGHTS[n_vectors]
    fetched = cgutils.alloca_once_value(builder, _I64(0))
    size = builder.mul(h, _I64(width))

    def fetch():
        """Bring in one more line of what the optimizer reads next, in a block of its own.

        Among the loads of a step it made LLVM put them all before it, and spill: 25% of the peak, not 77%.
        """
        line = builder.load(fetched)
        with builder.if_then(builder.icmp_signed("<", line, size)):
            for pointer in (p1, p2, p3):
                prefetch(v, v.pointer(pointer, line))
            builder.store(builder.add(line, _I64(v.lanes)), fetched)

    def tile(height, first):
        def operands(p, u):
            here = builder.add(p, _I64(u))
            if height == heights[0] and u == 0:
                fetch()
            a, b = v.pointer(row_pointer(v, rows, here), at, first), v.pointer(d, (here, d_row))
            return [v.pointer(a, i) for i in range(height)], vectors_at(v, b, n_vectors)

        unroll = UNROLL if height == heights[0] else 1
        sums = chains(v, [v.zero] * (height * n_vectors), k, unroll, operands)
        to = v.pointer(g, (first, width))
        for number, total in enumerate(sums):
            v.store(total, v.pointer(to, number * v.lanes))

    tiles_of(builder, heights, h, tile)


def _define(n_vectors):
    """The leaves for panels of so many vectors."""

    @leaf("product_forward", EXACT, name=f"forward_panel_{n_vectors}")
    def forward_panel(T):
        def forward_panel(rows, m, k, b, start, z, z_row, slope):
            """Z_i = act(start + A_i B) for the m rows at rows[i]; A (m, k), B (k, width), Z (m, width).

            act(x) is x where x > 0 or NaN, else slope x; with slope = 0 it is 0, of minus infinity too.
            """
            _forward(n_vectors, rows, m, k, b, start, z, z_row, slope)

        return forward_panel

    @leaf("product_backward", EXACT, name=f"backward_panel_{n_vectors}")
    def backward_panel(T):
        def backward_panel(rows, m, k, b, a, a_row, d, d_row, slope):
            """D_i = (A_i B) act'(a_i) for the m rows at rows[i]: act' is 1 where a > 0, else slope."""
            _backward(n_vectors, rows, m, k, b, a, a_row, d, d_row, slope)

        return backward_panel

    @leaf("product_gradient", EXACT, name=f"gradient_panel_{n_vectors}")
    def gradient_panel(T):
        def gradient_panel(rows, at, h, k, d, d_row, g, p1, p2, p3):
            """G = sum over r < k of A[r, at : at + h]' D[r]; D (k, width), G (h, width) contiguous.

            While it computes it brings h * width elements at p1, p2 and p3 into the first-level cache.
            """
            _gradient(n_vectors, rows, at, h, k, d, d_row, g, p1, p2, p3)

        return gradient_panel

    @leaf("product_in_place", EXACT, name=f"in_place_{n_vectors}")
    def in_place(T):
        def in_place(rows, m, k, w, w_row, columns, start, z, z_row, slope):
            """As forward_panel, for some columns of the user's own W, whose rows are w_row apart."""
            _in_place(n_vectors, rows, m, k, w, w_row, columns, start, z, z_row, slope)

        return in_place

    return forward_panel, backward_panel, gradient_panel, in_place


# For each width in vectors a leaf of each kind.
_WIDTHS = range(1, PANEL_VECTORS + 1)
FORWARD_PANELS, BACKWARD_PANELS, GRADIENT_PANELS, IN_PLACE_PANELS = (
    dict(zip(_WIDTHS, leaves, strict=True)) for leaves in zip(*map(_define, _WIDTHS), strict=True)
)
