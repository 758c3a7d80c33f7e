"""Networks in lanes: what goes into their rows and comes out of their costs; dropout, and softmax.

(rows, n, L) below: element j of a row of network k at (row * n + j) * L + k.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels.dropout import LOW_32_BITS, dropout_key, mix
from fastnn_kernels.emit import emitted, loop_of, row_pointer
from fastnn_kernels.leaves import leaf
from fastnn_kernels.simd import lanes_of
from fastnn_kernels.vecmath import exp

_I64 = ir.IntType(64)


def wide(v):
    """The vector of float64 of as many lanes."""
    return ir.VectorType(ir.DoubleType(), v.lanes)


def in_float64(v, x):
    return x if v.size == 8 else v.builder.fpext(x, wide(v))


def narrowed(v, x):
    return x if v.size == 8 else v.builder.fptrunc(x, v.vector)


def load_wide(v, pointer):
    """A vector of float64 of as many lanes, from a pointer to them."""
    value = v.builder.load(v.builder.bitcast(pointer, wide(v).as_pointer()))
    value.align = 8
    return value


def store_wide(v, value, pointer):
    v.builder.store(value, v.builder.bitcast(pointer, wide(v).as_pointer())).align = 8


@emitted
def _gather(v, table, rows, n, to):
    builder, n = v.builder, _I64(n) if isinstance(n, int) else n

    def row(r, held):
        numbers = builder.gep(table, [builder.mul(r, _I64(v.lanes))])
        target = v.pointer(to, (builder.mul(r, n), v.lanes))

        def element(j, held):
            line = v.pointer(target, (j, v.lanes))
            for k in range(v.lanes):
                source = row_pointer(v, numbers, _I64(k))
                builder.store(builder.load(v.pointer(source, j)), v.pointer(line, k))
            return held

        loop_of(builder, _I64(0), n, _I64(1), [], element)
        return held

    loop_of(builder, _I64(0), rows, _I64(1), [], row)


@leaf("fleet_gather", EXACT)
def gather_lanes(T):
    def gather_lanes(table, rows, n, to):
        """to (rows, n, L) = the rows (n,) at the addresses table (rows, L)."""
        _gather(table, rows, n, to)

    return gather_lanes


@emitted
def _store(v, table, count, n, active, diverged, lines):
    builder, lanes = v.builder, range(v.lanes)

    def sum_of_zeros(j, held):
        return [builder.fadd(held[0], builder.fmul(v.load(v.pointer(lines, (j, v.lanes))), v.zero))]

    (sums,) = loop_of(builder, _I64(0), n, _I64(1), [v.zero], sum_of_zeros)  # NaN of what is not finite
    finite = builder.fcmp_ordered("==", sums, v.zero)
    wanted = builder.and_(finite, v.first(count))
    chosen = [builder.extract_element(wanted, _I64(k)) for k in lanes]
    targets = [row_pointer(v, table, _I64(k)) for k in lanes]

    def element(j, held):
        line = v.pointer(lines, (j, v.lanes))
        for k in lanes:
            place = v.pointer(targets[k], j)
            builder.store(
                builder.select(chosen[k], builder.load(v.pointer(line, k)), builder.load(place)), place
            )
        return held

    loop_of(builder, _I64(0), n, _I64(1), [], element)
    for k in lanes:
        for numbers, stopped in (active, 0), (diverged, 1):
            place, goes_on = builder.gep(numbers, [_I64(k)]), builder.extract_element(finite, _I64(k))
            builder.store(builder.select(goes_on, builder.load(place), _I64(stopped)), place)


@leaf("fleet_store", EXACT)
def store_lanes(T):
    def store_lanes(table, count, n, active, diverged, lines):
        """The vectors (n,) at the first `count` addresses of table (L,) = lines (n, L).

        Of a lane that is not finite nothing is stored; it is active no more, but diverged.
        """
        _store(table, count, n, active, diverged, lines)

    return store_lanes


@emitted
def _weights(v, counts, rows, totals, to):
    builder = v.builder
    most = ir.VectorType(_I64, v.lanes)
    limits = builder.load(builder.bitcast(counts, most.as_pointer()))
    limits.align = 8

    def row(r, held):
        place = v.pointer(to, (r, v.lanes))
        here = builder.icmp_signed("<", v.splat(r, most), limits)
        weight = builder.select(here, v.load(place), v.zero)
        v.store(weight, place)
        return [builder.fadd(held[0], in_float64(v, weight))]

    (total,) = loop_of(builder, _I64(0), rows, _I64(1), [ir.Constant(wide(v), None)], row)
    store_wide(v, total, totals)


@emitted
def _ones(v, n, to):
    one = ir.Constant(v.vector, [ir.Constant(v.element, 1.0)] * v.lanes)

    def vector(i, held):
        v.store(one, v.pointer(to, (i, v.lanes)))
        return held

    loop_of(v.builder, _I64(0), n, _I64(1), [], vector)


@leaf("fleet_weights", EXACT)
def weights_of_lanes(T):
    def weights_of_lanes(table, weighted, counts, rows, to, totals):
        """to (rows, L): the weights at the addresses table (rows, L), or 1, but 0 from row counts[lane] on.

        totals (L,): their sums.
        """
        if weighted:
            _gather(table, rows, 1, to)
        else:
            _ones(rows, to)
        _weights(counts, rows, totals, to)

    return weights_of_lanes


@emitted
def _told(v, inverse, rows, n_costs, n, sums, costs, dz, weights):
    builder = v.builder
    share = narrowed(v, load_wide(v, inverse))

    def row(r, held):
        weight = v.load(v.pointer(weights, (r, v.lanes)))
        counts, factor = builder.fcmp_ordered(">", weight, v.zero), builder.fmul(weight, share)
        told, deltas = (v.pointer(x, (builder.mul(r, k), v.lanes)) for x, k in ((costs, n_costs), (dz, n)))

        def cost(j, held):
            value = builder.fmul(v.load(v.pointer(told, (j, v.lanes))), weight)
            # The rows after a lane's last one weigh nothing, whatever they cost.
            return [builder.fadd(held[0], in_float64(v, builder.select(counts, value, v.zero)))]

        def delta(j, held):
            place = v.pointer(deltas, (j, v.lanes))
            v.store(builder.fmul(v.load(place), factor), place)
            return held

        loop_of(builder, _I64(0), n, _I64(1), [], delta)
        return loop_of(builder, _I64(0), n_costs, _I64(1), held, cost)

    (total,) = loop_of(builder, _I64(0), rows, _I64(1), [load_wide(v, sums)], row)
    store_wide(v, total, sums)


@leaf("fleet_told", EXACT)
def told_in_lanes(T):
    def told_in_lanes(costs, dz, weights, inverse, rows, n_costs, n, sums):
        """dz (rows, n, L) *= weights (rows, L) * inverse (L,); sums += weights * costs (rows, n_costs, L)."""
        _told(inverse, rows, n_costs, n, sums, costs, dz, weights)

    return told_in_lanes


@emitted
def _norms(v, n, sums, values):
    builder = v.builder

    def vector(i, held):
        x = in_float64(v, v.load(v.pointer(values, (i, v.lanes))))
        return [builder.fadd(held[0], builder.fmul(x, x))]

    (total,) = loop_of(builder, _I64(0), n, _I64(1), [load_wide(v, sums)], vector)
    store_wide(v, total, sums)


@leaf("fleet_norm", EXACT)
def norms_of_lanes(T):
    def norms_of_lanes(values, n, sums):
        """sums (L,) += the squares of values (n, L), in float64."""
        _norms(n, sums, values)

    return norms_of_lanes


@leaf("fleet_dropout")
def dropout_in_lanes(T):
    """As `dropout`, of a (rows, n, L); keep, seeds and steps (L,) are the networks' own."""
    zero = T(0)

    def dropout_in_lanes(a, first, rows, n, keep, seeds, steps, layer):
        lanes = lanes_of(a)
        for lane in range(lanes):
            if keep[lane] < 1.0:
                scale, limit = T(1.0 / keep[lane]), int(keep[lane] * 4294967296.0)
                key = dropout_key(seeds[lane], steps[lane], layer)
                for i in range(rows):
                    start = mix(key ^ (first + i))
                    for j in range(n):
                        a[(i * n + j) * lanes + lane] *= (
                            scale if mix((start + j) & LOW_32_BITS) < limit else zero
                        )

    return dropout_in_lanes


@leaf("activation_forward")
def maximum_subtracted_in_lanes(T):
    def maximum_subtracted_in_lanes(a, rows, n):
        """a[r, j] -= the largest of row r; n: the row's n_out * L elements."""
        lanes = lanes_of(a)
        for r in range(rows):
            for lane in range(lanes):
                at = r * n + lane
                largest = a[at]
                for j in range(lanes, n, lanes):
                    largest = a[at + j] if a[at + j] > largest else largest
                for j in range(0, n, lanes):
                    a[at + j] -= largest

    return maximum_subtracted_in_lanes


@leaf("activation_forward")
def softmax_in_lanes(T):
    zero, one = T(0), T(1)

    def softmax_in_lanes(a, rows, n):
        """As `softmax_rows`, of a (rows, n_out, L); n: the n_out * L elements of a row."""
        lanes = lanes_of(a)
        maximum_subtracted_in_lanes(a, rows, n)
        for i in range(rows * n):
            a[i] = exp(a[i])
        for r in range(rows):
            for lane in range(lanes):
                at, total = r * n + lane, zero
                for j in range(0, n, lanes):
                    total += a[at + j]
                factor = one / total
                for j in range(0, n, lanes):
                    a[at + j] *= factor

    return softmax_in_lanes


@leaf("activation_backward")
def softmax_in_lanes_backward(T):
    zero = T(0)

    def softmax_in_lanes_backward(d, a, rows, n):
        """As `softmax_rows_backward`, of d and a (rows, n_out, L); n: the n_out * L elements of a row."""
        lanes = lanes_of(a)
        for r in range(rows):
            for lane in range(lanes):
                at, mean = r * n + lane, zero
                for j in range(0, n, lanes):
                    mean += d[at + j] * a[at + j]
                for j in range(0, n, lanes):
                    d[at + j] = a[at + j] * (d[at + j] - mean)

    return softmax_in_lanes_backward
