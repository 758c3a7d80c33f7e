"""Samples in lanes: products of narrow layers on lines, where a vector holds one unit of so many rows.

A block of rows stands feature-major: a line for each unit, then a line of ones, all `line` elements apart.
W (n_in, n_out) is the user's own, row by row, and b follows it: b is W's row for the input 1, so that the
gradient of both is one product. A product's operands are vectors of lines and single weights; a gradient's
are vectors both, and its sums stay vectors, one for each parameter, until `lane_sums` adds their lanes.

Every element is one chain of fused multiply-adds in the order of the inner index. Rows that fill no last
vector are computed too: their deltas must be 0.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels._numba import cgutils
from fastnn_kernels.emit import (
    chains,
    emitted,
    loop_of,
    rectifier,
    rectifier_derivative,
    tiles_of,
    vectors_at,
)
from fastnn_kernels.leaves import leaf
from fastnn_kernels.simd import REGISTERS

_I64 = ir.IntType(64)
# Units of a tile -> its vectors of rows: sums, vectors and one weight must fit the registers.
SHAPES = {8: (3, 1), 4: (4, 1), 1: (8, 1)} if REGISTERS == 32 else {4: (3, 1), 1: (8, 1)}
# Outputs of a gradient's tile -> its largest number of inputs. Others are balanced: 17 = 6 + 6 + 5.
GRADIENT_SHAPES = {4: 6, 1: 6} if REGISTERS == 32 else {2: 5, 1: 6}


def _product(v, lines, line, k, n, vectors, overlap, start, weight, finish):
    """finish(x, j, r) for x = start(j) + sum over p < k of weight(p, j) lines[p, r : r + lanes], j < n."""
    builder = v.builder

    def units(count, j):
        def rows(width, first):
            row = builder.mul(first, _I64(v.lanes))
            begin = [x for o in range(count) for x in [start(j, o)] * width]

            def operands(p, u):
                here = v.pointer(lines, (p, line), (line, u), row)
                return [weight(p, u, j, o) for o in range(count)], vectors_at(v, here, width)

            sums = chains(v, begin, k, 1, operands)
            for number, total in enumerate(sums):
                o, x = divmod(number, width)
                finish(total, builder.add(j, _I64(o)), builder.add(row, _I64(x * v.lanes)))

        tiles_of(builder, SHAPES[count], vectors, rows, overlap)

    tiles_of(builder, tuple(SHAPES), n, units, overlap=False)


@emitted
def _forward(v, a, line, k, w, n, vectors, z, slope):
    activate, biases = rectifier(v, slope), v.pointer(w, (k, n))

    def finish(x, j, r):
        v.store(activate(x), v.pointer(z, (j, line), r))

    def start(j, o):
        return v.splat(v.builder.load(v.pointer(biases, j, o)))

    def weight(p, u, j, o):
        return v.pointer(w, (p, n), (n, u), j, o)

    _product(v, a, line, k, n, vectors, True, start, weight, finish)


def _back(v, dz, line, k, w, n, vectors, a, da, derive):
    def finish(x, j, r):
        v.store(derive(x, v.load(v.pointer(a, (j, line), r))), v.pointer(da, (j, line), r))

    def weight(p, u, j, o):
        return v.pointer(w, (j, k), (k, o), p, u)

    _product(v, dz, line, k, n, vectors, False, lambda j, o: v.zero, weight, finish)


@emitted
def _backward(v, dz, line, k, w, n, vectors, a, da, slope):
    _back(v, dz, line, k, w, n, vectors, a, da, rectifier_derivative(v, slope))


@emitted
def _backward_quadratic(v, dz, line, k, w, n, vectors, a, da, *coefficients):
    c0, c1, c2 = (v.splat(v.number(c)) for c in coefficients)

    def derive(d, a):
        return v.builder.fmul(d, v.fma(v.fma(c2, a, c1), a, c0))

    _back(v, dz, line, k, w, n, vectors, a, da, derive)


def _balanced(builder, m, most, emit):
    """emit(height, i) for the fewest tiles of at most `most` rows that cover m, of nearly one height."""
    at = cgutils.alloca_once_value(builder, _I64(0))
    tiles = builder.sdiv(builder.add(m, _I64(most - 1)), _I64(most))
    low = builder.sdiv(m, tiles)
    higher = builder.sub(m, builder.mul(low, tiles))
    for height in range(most, 0, -1):
        here = builder.icmp_signed("==", low, _I64(height))
        above = builder.icmp_signed("==", low, _I64(height - 1))
        count = builder.select(here, builder.sub(tiles, higher), builder.select(above, higher, _I64(0)))

        def tile(_, held, height=height):
            i = builder.load(at)
            emit(height, i)
            builder.store(builder.add(i, _I64(height)), at)
            return held

        loop_of(builder, _I64(0), count, _I64(1), [], tile)


@emitted
def _gradient(v, a, line, m, d, n, vectors, g, fresh):
    builder = v.builder

    def outputs(count, j):
        def inputs(height, i):
            cells = [(x, o) for x in range(height) for o in range(count)]
            to = v.pointer(g, (builder.add(builder.mul(i, n), j), v.lanes))
            places = [v.pointer(to, (n, x * v.lanes), o * v.lanes) for x, o in cells]
            begin = [builder.select(fresh, v.zero, v.load(place)) for place in places]

            def step(r, sums):
                row = builder.mul(r, _I64(v.lanes))
                ds = [v.load(v.pointer(d, (j, line), (line, o), row)) for o in range(count)]
                left, sums = iter(sums), []
                for x in range(height):
                    a_x = v.load(v.pointer(a, (i, line), (line, x), row))
                    sums += [v.fma(a_x, d_o, next(left)) for d_o in ds]
                return sums

            sums = loop_of(builder, _I64(0), vectors, _I64(1), begin, step)
            for total, place in zip(sums, places, strict=True):
                v.store(total, place)

        _balanced(builder, m, GRADIENT_SHAPES[count], inputs)

    # No tile may overlap another: it adds to what is there.
    at = _I64(0)
    for count in GRADIENT_SHAPES:
        end = builder.sub(n, builder.srem(builder.sub(n, at), _I64(count)))

        def some(j, held, count=count):
            outputs(count, j)
            return held

        loop_of(builder, at, end, _I64(count), [], some)
        at = end


@emitted
def _lane_sums(v, g, n, out):
    builder = v.builder
    whole = builder.and_(n, _I64(-v.lanes))

    def add(p, held):
        rows = [v.load(v.pointer(g, (p, v.lanes), i * v.lanes)) for i in range(v.lanes)]
        v.store(v.sums(rows), v.pointer(out, p))
        return held

    def add_one(p, held):
        builder.store(v.sum(v.load(v.pointer(g, (p, v.lanes)))), v.pointer(out, p))
        return held

    loop_of(builder, _I64(0), whole, _I64(v.lanes), [], add)
    loop_of(builder, whole, n, _I64(1), [], add_one)


@leaf("lines_forward", EXACT)
def forward_lines(T):
    def forward_lines(a, line, n_in, w, n_out, vectors, z, slope):
        """Z[j] = act(b[j] + sum over i < n_in of W[i, j] A[i]), all lines of `vectors` vectors; z is not a.

        w: W (n_in, n_out), then b (n_out,). act(x) is x where x > 0 or NaN, else slope x.
        """
        _forward(a, line, n_in, w, n_out, vectors, z, slope)

    return forward_lines


@leaf("lines_backward", EXACT)
def backward_lines(T):
    def backward_lines(dz, line, n_out, w, n_in, vectors, a, da, slope):
        """dA[i] = act'(A[i]) sum over j < n_out of W[i, j] dZ[j]; act' is 1 where a > 0 or NaN, else slope.

        da may be a: what the gradient of W needs of A it has then taken already.
        """
        _backward(dz, line, n_out, w, n_in, vectors, a, da, slope)

    return backward_lines


@leaf("lines_backward_quadratic", EXACT)
def backward_lines_quadratic(T):
    def backward_lines_quadratic(dz, line, n_out, w, n_in, vectors, a, da, c0, c1, c2):
        """As `backward_lines` with act'(a) = c0 + c1 a + c2 a^2: 1, 0, -1 of tanh and 0, 1, -1 of sigmoid."""
        _backward_quadratic(dz, line, n_out, w, n_in, vectors, a, da, c0, c1, c2)

    return backward_lines_quadratic


@leaf("lines_gradient", EXACT)
def gradient_lines(T):
    def gradient_lines(a, line, m, d, n, vectors, g, fresh):
        """G[i, j] = (0 if `fresh` else G[i, j]) + sum over r of A[i, r] D[j, r], lane by lane; G (m, n,
        lanes).

        m = n_in + 1: the line of ones gives db.
        """
        _gradient(a, line, m, d, n, vectors, g, fresh)

    return gradient_lines


@leaf("lane_sums", EXACT)
def lane_sums(T):
    def lane_sums(g, n, out):
        """out[p] = sum of the lanes of g[p], by halves; g (n, lanes), out (n,)."""
        _lane_sums(g, n, out)

    return lane_sums
