"""Networks in lanes: costs that are not any rows' elements, of the signature that costs.py describes.

Rows are weighted and scaled after these leaves: `weights`, `weighted` and `scale` have no say, and
costs are told, `asked` for or not.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels.adam_tiles import constant
from fastnn_kernels.emit import emitted, loop_of
from fastnn_kernels.leaves import leaf
from fastnn_kernels.simd import lanes_of
from fastnn_kernels.table_tiles import TABLES, exp_over
from fastnn_kernels.vecmath import exp, log, log1p_correction

_I64 = ir.IntType(64)


@leaf("cost", EXACT, seconds=0.3)
def binary_cross_entropy_in_lanes(T):
    """As `binary_cross_entropy_rows`, of rows of one element; cost and gradient share t = exp(-|z|).

    Half of the time of the other, of 512 elements in float32.
    """
    zero, one, half, tables = T(0), T(1), T(0.5), TABLES and T(0).itemsize == 4

    def binary_cross_entropy_in_lanes(
        z, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, dz
    ):
        keep, shift = one - T(smoothing), half * T(smoothing)
        for i in range(rows):
            dz[i] = -abs(z[i])
        if tables:
            exp_over(dz, rows)
        else:
            for i in range(rows):
                dz[i] = exp(dz[i])
        for i in range(rows):
            t, label = dz[i], keep * y[i] + shift
            cost[i] = ((z[i] if z[i] > zero else zero) - z[i] * label) + (t - log1p_correction(t))
            dz[i] = (one if z[i] >= zero else t) / (one + t) - label

    return binary_cross_entropy_in_lanes


def _label(v, y, r, j, n, indices, keep, shift):
    """The smoothed label of class j in row r."""
    b = v.builder
    each = b.mul(r, b.select(indices, _I64(1), n))
    found = v.load(v.pointer(y, (b.add(each, b.select(indices, _I64(0), j)), v.lanes)))
    number = v.splat(b.sitofp(j, v.element))
    is_it = b.select(b.fcmp_ordered("==", found, number), constant(v, 1.0), v.zero)
    return v.fma(keep, b.select(indices, is_it, found), shift)


@emitted
def _before(v, rows, n, indices, keep, shift, y, cost, dz, z):
    """dz = z less the largest of its row, cost = - the sum of labels times that."""
    b = v.builder
    keep, shift = v.splat(keep), v.splat(shift)

    def row(r, held):
        line, to = (v.pointer(x, (b.mul(r, n), v.lanes)) for x in (z, dz))

        def larger(j, held):
            x = v.load(v.pointer(line, (j, v.lanes)))
            return [b.select(b.fcmp_ordered(">", x, held[0]), x, held[0])]

        (largest,) = loop_of(b, _I64(1), n, _I64(1), [v.load(line)], larger)

        def less(j, held):
            x = b.fsub(v.load(v.pointer(line, (j, v.lanes))), largest)
            v.store(x, v.pointer(to, (j, v.lanes)))
            return [b.fsub(held[0], b.fmul(_label(v, y, r, j, n, indices, keep, shift), x))]

        (told,) = loop_of(b, _I64(0), n, _I64(1), [v.zero], less)
        v.store(told, v.pointer(cost, (r, v.lanes)))
        return held

    loop_of(b, _I64(0), rows, _I64(1), [], row)


@emitted
def _after(v, rows, n, indices, keep, shift, y, totals, dz):
    """totals (rows, L): the sums of dz over each row; dz = dz / total - label."""
    b = v.builder
    keep, shift = v.splat(keep), v.splat(shift)

    def row(r, held):
        to = v.pointer(dz, (b.mul(r, n), v.lanes))

        def add(j, held):
            return [b.fadd(held[0], v.load(v.pointer(to, (j, v.lanes))))]

        (total,) = loop_of(b, _I64(0), n, _I64(1), [v.zero], add)
        v.store(total, v.pointer(totals, (r, v.lanes)))
        share = b.fdiv(constant(v, 1.0), total)

        def delta(j, held):
            place = v.pointer(to, (j, v.lanes))
            x = b.fmul(share, v.load(place))
            v.store(b.fsub(x, _label(v, y, r, j, n, indices, keep, shift)), place)
            return held

        loop_of(b, _I64(0), n, _I64(1), [], delta)
        return held

    loop_of(b, _I64(0), rows, _I64(1), [], row)


@leaf("cost", EXACT, seconds=0.3)
def softmax_cross_entropy_in_lanes(T):
    """As `softmax_cross_entropy_rows`, of z, dz (rows, n, L), y (rows, n_targets, L), cost (rows, L).

    z is overwritten: with the sums of the exponentials.
    """
    one, tables = T(1), TABLES and T(0).itemsize == 4

    def softmax_cross_entropy_in_lanes(
        z, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, dz
    ):
        keep, shift, size, lanes = one - T(smoothing), T(smoothing) / T(n), rows * n, lanes_of(z)
        indices = n_targets != n
        _before(rows, n, indices, keep, shift, y, cost, dz, z)
        if tables:
            exp_over(dz, size * lanes)
        else:
            for i in range(size * lanes):
                dz[i] = exp(dz[i])
        _after(rows, n, indices, keep, shift, y, z, dz)
        for i in range(rows * lanes):
            cost[i] += log(z[i])

    return softmax_cross_entropy_in_lanes


@leaf("cost", EXACT)
def quantile_in_lanes(T):
    """As `quantile_rows`, of z, dz, cost (rows, n, L), y (rows, 2 n, L)."""
    zero, one = T(0), T(1)

    def quantile_in_lanes(
        a, y, weights, weighted, rows, n, n_targets, smoothing, threshold, scale, asked, cost, da
    ):
        size = n * lanes_of(a)
        for r in range(rows):
            at, below = r * size, 2 * r * size
            for i in range(size):
                d, q = a[at + i] - y[below + i], y[below + size + i]
                slope = one - q if d > zero else (-q if d < zero else d)
                da[at + i], cost[at + i] = slope, slope * d

    return quantile_in_lanes
