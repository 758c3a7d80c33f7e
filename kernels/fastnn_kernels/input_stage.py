"""A learnt input stage: in training the first layer's V is a product E W, block by block.

Group by group some rows of V are mixes of as many rows of W, or fewer: V_g = E_g W_g. A group of one row is a
column of X with a scale; one of many, the columns of a one-hot category, whose codes are the rows of E_g.
Rows of X meet V alone, as in any first layer, so that the stage costs nothing for a row, and what is trained
is an ordinary network. From the gradient of V follow

    dW_g = E_g' dV_g        dE_g = dV_g W_g'

and the optimizer moves W and E; then V is made anew. W, its gradient and its moments stand in panels as V
does, those of a group from its first row on.
"""

from llvmlite import ir

from fastnn_kernels import leaves
from fastnn_kernels._jit import EXACT
from fastnn_kernels.adam_tiles import DECAY, EPSILON, RATE
from fastnn_kernels.emit import emitted, loop_of
from fastnn_kernels.glue import glue
from fastnn_kernels.pointers import integers, reals
from fastnn_kernels.records import part_of, stage_of

_I64 = ir.IntType(64)
OWN_RATES = 24  # bytes of rate, epsilon and decay

backward, forward, optimizer = map(leaves.caller, ("stage_backward", "stage_forward", "optimizer"))


def _panels(v, table, n_panels, values, body):
    """values = body(panel's first element, its width, values) for each of the n panels of `table`."""

    def panel(p, held):
        offset, width = (v.builder.load(v.pointer(table, (p, 2), field)) for field in range(2))
        return body(offset, width, held)

    return loop_of(v.builder, _I64(0), n_panels, _I64(1), values, panel)


def _rows(v, groups, rows, inner, body):
    """body(the group's first row, a row within, the place of its code) for each row of the groups."""
    b, zero, one = v.builder, _I64(0), _I64(1)

    def group(g, held):
        top = b.mul(g, rows)

        def row(r, held):
            body(top, r, b.mul(b.add(top, r), inner))
            return held

        return loop_of(b, zero, rows, one, held, row)

    loop_of(b, zero, groups, one, [], group)


@emitted
def _backward(v, table, n_panels, first, groups, rows, inner, grads, weights, codes, to_weights, to_codes):
    b, one, lanes = v.builder, _I64(1), _I64(v.lanes)

    def row(top, r, code):
        begun, top = b.icmp_signed("==", r, _I64(0)), b.add(first, top)

        def element(i, held):
            place = b.add(code, i)
            share = v.splat(b.load(v.pointer(codes, place)))

            def panel(offset, width, sums):
                d = v.pointer(grads, offset, (b.add(top, r), width))
                mine = offset, (b.add(top, i), width)
                w, g = v.pointer(weights, *mine), v.pointer(to_weights, *mine)

                def vector(j, sums):
                    delta, to = v.load(v.pointer(d, j)), v.pointer(g, j)
                    before = b.select(begun, v.zero, v.load(to))
                    v.store(v.fma(share, delta, before), to)
                    return [v.fma(delta, v.load(v.pointer(w, j)), sums[0])]

                return loop_of(b, _I64(0), width, lanes, sums, vector)

            (total,) = _panels(v, table, n_panels, [v.zero], panel)
            b.store(v.sum(total), v.pointer(to_codes, place))
            return held

        loop_of(b, _I64(0), inner, one, [], element)

    _rows(v, groups, rows, inner, row)


@emitted
def _forward(v, table, n_panels, first, groups, rows, inner, weights, codes, values):
    b, one, lanes = v.builder, _I64(1), _I64(v.lanes)

    def row(top, r, code):
        top = b.add(first, top)

        def panel(offset, width, held):
            w, to = (
                v.pointer(weights, offset, (top, width)),
                v.pointer(values, offset, (b.add(top, r), width)),
            )

            def vector(j, held):
                def element(i, sums):
                    share = v.splat(b.load(v.pointer(codes, code, i)))
                    return [v.fma(share, v.load(v.pointer(w, (i, width), j)), sums[0])]

                v.store(loop_of(b, _I64(0), inner, one, [v.zero], element)[0], v.pointer(to, j))
                return held

            return loop_of(b, _I64(0), width, lanes, held, vector)

        _panels(v, table, n_panels, [], panel)

    _rows(v, groups, rows, inner, row)


@leaves.leaf("stage_backward", EXACT)
def stage_backward(T):
    def stage_backward(panels, n_panels, first, groups, rows, inner, dV, W, E, dW, dE):
        """dW_g = E_g' dV_g and dE_g = dV_g W_g', for the groups from row `first` on.

        E_g (rows, inner), one after the other; panels: of each where it begins, and its width.
        """
        _backward(panels, n_panels, first, groups, rows, inner, dV, W, E, dW, dE)

    return stage_backward


@leaves.leaf("stage_forward", EXACT)
def stage_forward(T):
    def stage_forward(panels, n_panels, first, groups, rows, inner, W, E, V):
        """V_g = E_g W_g, for the groups from row `first` on."""
        _forward(panels, n_panels, first, groups, rows, inner, W, E, V)

    return stage_forward


@glue()
def step_of_part(stage, part, rates, own, clip):
    """The gradients of one part, the optimizer's steps, and its rows of V; own: room for the codes' rates."""
    panels, size = integers(stage.panels), stage.itemsize
    code = part.codes * size
    backward(
        stage.backward, stage.panels, stage.n_panels, part.first, part.groups, part.rows, part.inner,
        stage.grads, stage.weights, stage.codes + code, stage.weight_grads, stage.code_grads + code,
    )  # fmt: skip
    reals(own)[RATE], reals(own)[EPSILON] = part.pace * reals(rates)[RATE], reals(rates)[EPSILON]
    reals(own)[DECAY] = 0.0
    optimizer(
        stage.update, stage.scalars, own, clip, 0.0, True, stage.code_grads + code, stage.code_mean + code,
        stage.code_square + code, stage.codes + code, part.groups * part.rows * part.inner,
    )  # fmt: skip
    for p in range(stage.n_panels):
        at = (panels[2 * p] + part.first * panels[2 * p + 1]) * size
        optimizer(
            stage.update, stage.scalars, rates, clip, 0.0, False, stage.weight_grads + at, stage.mean + at,
            stage.square + at, stage.weights + at, part.groups * part.inner * panels[2 * p + 1],
        )  # fmt: skip
    forward(
        stage.forward, stage.panels, stage.n_panels, part.first, part.groups, part.rows, part.inner,
        stage.weights, stage.codes + code, stage.values,
    )  # fmt: skip


@leaves.leaf("stage")
def step_of_stage(T):
    """This worker's parts of a step of the stage that the record at `address` describes.

    Each part is one worker's: no sum is shared, so that the bits do not depend on their number.
    """

    def step_of_stage(address, rates, clip, worker, workers):
        stage = stage_of(address, 0)
        first, last = stage.n_parts * worker // workers, stage.n_parts * (worker + 1) // workers
        for number in range(first, last):
            own = stage.own_rates + OWN_RATES * worker
            step_of_part(stage, part_of(stage.parts, number), rates, own, clip)

    return step_of_stage
