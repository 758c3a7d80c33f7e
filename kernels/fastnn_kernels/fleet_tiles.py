"""Networks in lanes: products of which both operands are vectors, one network's numbers in each lane.

A matrix of L networks is one of vectors: element (i, j) of network k stands at (i * row + j) * L + k. So a
product fills the lanes for layers of any width, and its elements are chains of fused multiply-adds in the
order of the inner index, in each lane by itself.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels.emit import emitted, loop_of, tiles_of
from fastnn_kernels.leaves import leaf
from fastnn_kernels.simd import REGISTERS

_I64 = ir.IntType(64)


def tile_shapes(registers):
    """Columns of a tile -> its numbers of rows: sums, a row's vectors and one more must fit the registers."""
    if registers == 32:
        return {4: (6, 2, 1), 1: (12, 4, 1)}
    return {3: (4, 2, 1), 2: (4, 2, 1), 1: (8, 1)}


SHAPES = tile_shapes(REGISTERS)


@emitted
def _product(v, a, a_i, a_p, b, b_p, b_j, start, s_i, s_j, m, k, n, c, c_i):
    builder = v.builder

    def columns(width, j):
        def rows(height, i):
            cells = [(x, y) for x in range(height) for y in range(width)]
            begin = v.pointer(start, (i, s_i), (j, s_j))
            sums = [v.load(v.pointer(begin, (s_i, x), (s_j, y))) for x, y in cells]
            lines = [v.pointer(a, (i, a_i), (a_i, x)) for x in range(height)]
            others = [v.pointer(b, (j, b_j), (b_j, y)) for y in range(width)]

            def step(p, sums):
                along, across = builder.mul(p, a_p), builder.mul(p, b_p)
                vectors = [v.load(v.pointer(other, across)) for other in others]
                left, sums = iter(sums), []
                for line in lines:
                    x = v.load(v.pointer(line, along))
                    sums += [v.fma(x, y, next(left)) for y in vectors]
                return sums

            sums = loop_of(builder, _I64(0), k, _I64(1), sums, step)
            to = v.pointer(c, (i, c_i), (j, v.lanes))
            for total, (x, y) in zip(sums, cells, strict=True):
                v.store(total, v.pointer(to, (c_i, x), y * v.lanes))

        tiles_of(builder, SHAPES[width], m, rows, overlap=False)

    tiles_of(builder, tuple(SHAPES), n, columns, overlap=False)


@leaf("fleet_product", EXACT, seconds=0.4)
def product_in_lanes(T):
    def product_in_lanes(a, a_i, a_p, b, b_p, b_j, start, s_i, s_j, m, k, n, c, c_i):
        """C[i, j] = start[i, j] + sum over p < k of A[i, p] B[p, j] for i < m, j < n, lane by lane.

        a_i, a_p, ...: elements from one i, p, ... to the next; in C one j follows the other. start may be C.
        """
        _product(a, a_i, a_p, b, b_p, b_j, start, s_i, s_j, m, k, n, c, c_i)

    return product_in_lanes
