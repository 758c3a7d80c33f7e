"""The training loop over a slice of a run, of any number of batches, entered by every worker of a team.

A step has two phases with a barrier after each. No sum depends on who computes it, so the parameters are
bit-identical for any number of workers. The loop knows no element type: it is compiled once.

Where a batch's rows are in several processes a step is done in parts: in between the processes add up their
gradients.
"""

import math

from numba import types

from fastnn_kernels import leaves
from fastnn_kernels.glue import PAIR, glue
from fastnn_kernels.modes import flush_subnormals, restore
from fastnn_kernels.phases import (
    copies_of,
    gradient_of,
    norm,
    optimizer,
    rows_phase,
    sparse_gradient,
    strip_of_deltas,
    sums_in_pieces,
    sums_of_segments,
)
from fastnn_kernels.pointers import integers, reals
from fastnn_kernels.records import block_of, layer_of, run_of
from fastnn_kernels.team import barrier

DONE, DIVERGED, ABANDONED = range(3)
# The parts of a step: bring up to date what follows from the parameters, the gradient of the rows that are
# here, and the update by the gradient of all rows.
LOAD, GRADIENT, UPDATE = range(3)
# The columns of the costs told.
COST, PENALTY = range(2)

total, weigh, step_of_stage = map(leaves.caller, ("total", "weigh", "stage"))


@glue(types.float64)
def sum_of(values, n):
    result = 0.0
    for i in range(n):
        result += values[i]
    return result


@glue(PAIR)
def share_of(rows, unit, worker, workers):
    """This worker's rows of a batch, in whole units of so many rows."""
    part = ((rows + workers - 1) // workers + unit - 1) // unit * unit
    return min(rows, worker * part), min(rows, (worker + 1) * part)


@glue(types.float64)
def clip_of(run):
    """What a step's gradient is multiplied with, so that it is no longer than run.clip."""
    length = math.sqrt(sum_of(reals(run.norms), run.n_blocks))
    return min(1.0, run.clip / max(length, 1e-300))


@glue(PAIR)
def sum_up_panel(run, block, rows, worker, grads, held):
    """The gradient of one block of a panel or of biases over the batch.

    held: a strip of deltas, for the blocks of one panel, and its column.
    """
    strip_of_d, column = held
    if run.segmented != 0:
        sums_of_segments(run, block, (rows + run.chunk - 1) // run.chunk)
    elif not (run.sparse != 0 and block.layer == 0 and block.first >= 0):
        if block.first < 0 or layer_of(run.layers, block.layer).strips == 0 or rows > run.piece:
            strip_of_d, column = 0, -1
        elif block.column != column:
            strip_of_d, column = strip_of_deltas(run, block, rows, worker), block.column
        sums_in_pieces(run, block, 0, rows, worker, grads, strip_of_d)
    return strip_of_d, column


def slices(rows_phase, between, sum_up_block, follow):
    """The functions train_slice(run, worker) and train_part(run, worker) of one layout of a fit.

    rows_phase: rows of the batch through all layers and back; between(run, numbers, rows, worker): more that
    is to be done with the deltas before the second phase, False if the team was abandoned; sum_up_block: a
    block's gradient, of what was held from the block before to what the next is given; follow: what must
    keep up with a block's parameters.
    """

    @glue()
    def update_phase(run, rows, clip, l2, rates, worker, sum_up, update):
        """Of this worker's blocks the gradients, if `sum_up`, and the steps of the optimizer, if `update`."""
        shares, held = integers(run.shares), (0, -1)
        for number in range(shares[worker], shares[worker + 1]):
            block = block_of(run.blocks, number)
            grads, plain = gradient_of(run, block, worker), block.first < 0
            if sum_up:
                if l2 != 0 and not plain:
                    reals(run.squares)[number] = norm(run.norm, block.values, block.size)
                held = sum_up_block(run, block, rows, worker, grads, held)
                if run.clipped != 0:
                    reals(run.norms)[number] = norm(run.norm, grads, block.size)
            if update and (plain or block.layer > 0 or run.stage == 0):
                optimizer(
                    run.update, run.scalars, rates, clip, l2, plain, grads,
                    block.mean, block.square, block.values, block.size,
                )  # fmt: skip
                follow(run, block)

    @glue(types.int64)
    def train_slice(run, worker):
        """The steps of a slice, up to the update of one whose cost is not finite; if tolerant, is NaN."""
        team, costs, spans = integers(run.team), reals(run.costs_told), integers(run.spans)
        workers, shares = run.workers, integers(run.shares)
        for number in range(shares[worker], shares[worker + 1]):  # parameters may have changed since the last
            follow(run, block_of(run.blocks, number))
        if not barrier(team, workers):
            return ABANDONED
        for index in range(run.n_steps):
            numbers, rows = run.order + 8 * spans[2 * index], spans[2 * index + 1] - spans[2 * index]
            weight = float(rows)
            if run.weights != 0:
                weight = weigh(run.weigh, run.weights, numbers, rows)
            l2 = run.l2 / weight if run.l2_by_batch != 0 else run.l2
            first, last = share_of(rows, run.unit, worker, workers)
            rows_phase(run, numbers, first, last, 1.0 / weight, run.first_step + index, worker)
            if not barrier(team, workers):
                return ABANDONED
            cost = total(run.total, run.costs, rows) / weight
            if worker == 0:
                costs[2 * index + COST] = cost
            if not math.isfinite(cost) and (run.tolerant == 0 or math.isnan(cost)):
                return DIVERGED
            if not between(run, numbers, rows, worker):
                return ABANDONED
            rates, clip = run.rates + 24 * index, 1.0
            if run.clipped == 0:  # each gradient is used while it is hot
                update_phase(run, rows, clip, l2, rates, worker, True, True)
            else:
                update_phase(run, rows, clip, l2, rates, worker, True, False)
                if not barrier(team, workers):
                    return ABANDONED
                clip = clip_of(run)
                update_phase(run, rows, clip, l2, rates, worker, False, True)
            if not barrier(team, workers):
                return ABANDONED
            if run.stage != 0:
                step_of_stage(run.stage, run.staged, rates, clip, worker, workers)
                if not barrier(team, workers):
                    return ABANDONED
            if worker == 0:
                penalty = 0.5 * l2 * sum_of(reals(run.squares), run.n_blocks) if l2 != 0 else 0.0
                costs[2 * index + PENALTY] = penalty
                integers(run.done)[0] += 1
        return DONE

    @glue()
    def sum_up_all(run, rows, worker):
        """The gradients of this worker's blocks, which stay."""
        shares, held = integers(run.shares), (0, -1)
        for number in range(shares[worker], shares[worker + 1]):
            block = block_of(run.blocks, number)
            held = sum_up_block(run, block, rows, worker, gradient_of(run, block, worker), held)

    @glue()
    def measure(run, worker):
        """The squares of this worker's blocks that a penalty or a clipped step wants."""
        shares = integers(run.shares)
        for number in range(shares[worker], shares[worker + 1]):
            block = block_of(run.blocks, number)
            if run.l2 != 0 and block.first >= 0:
                reals(run.squares)[number] = norm(run.norm, block.values, block.size)
            if run.clipped != 0:
                reals(run.norms)[number] = norm(run.norm, gradient_of(run, block, worker), block.size)

    @glue(types.int64)
    def train_part(run, worker):
        """The part `run.part` of one step; the rows that are here, at least one, are part of a batch."""
        team, costs, spans = integers(run.team), reals(run.costs_told), integers(run.spans)
        workers, shares, weight = run.workers, integers(run.shares), run.batch_weight
        if run.part == LOAD:
            for number in range(shares[worker], shares[worker + 1]):
                follow(run, block_of(run.blocks, number))
        elif run.part == GRADIENT:
            numbers, rows = run.order + 8 * spans[0], spans[1] - spans[0]
            first, last = share_of(rows, run.unit, worker, workers)
            rows_phase(run, numbers, first, last, 1.0 / weight, run.first_step, worker)
            if not barrier(team, workers) or not between(run, numbers, rows, worker):
                return ABANDONED
            sum_up_all(run, rows, worker)
            if worker == 0:
                costs[COST] = total(run.total, run.costs, rows) / weight
        else:
            l2, clip = run.l2 / weight if run.l2_by_batch != 0 else run.l2, 1.0
            measure(run, worker)
            if run.clipped != 0:
                if not barrier(team, workers):
                    return ABANDONED
                clip = clip_of(run)
            update_phase(run, 0, clip, l2, run.rates, worker, False, True)
            if not barrier(team, workers):
                return ABANDONED
            if worker == 0:
                costs[PENALTY] = 0.5 * l2 * sum_of(reals(run.squares), run.n_blocks) if l2 != 0 else 0.0
                integers(run.done)[0] += 1
        return DONE if barrier(team, workers) else ABANDONED

    return train_slice, train_part


@glue(types.boolean)
def sparse_phase(run, numbers, rows, worker):
    """The gradient of the first layer's W over CSR rows, which all workers share; False if abandoned."""
    if run.sparse == 0:
        return True
    sparse_gradient(run, numbers, rows, worker)
    return barrier(integers(run.team), run.workers)


def loop(body):
    """What a leaf compiles: `body` for the record at an address, with subnormal numbers as zeros.

    A moment that dies away would cost a hundred cycles in each step.
    """

    def loop(address, worker):
        mode = flush_subnormals()
        status = body(run_of(address, 0), worker)
        restore(mode)
        return status

    return loop


train_slice, train_part = slices(rows_phase, sparse_phase, sum_up_panel, copies_of)


@leaves.leaf("train")
def train(T):
    """This worker's part of the slice that the record at `address` describes; one of DONE and its kin."""
    return loop(train_slice)


@leaves.leaf("train")
def train_in_parts(T):
    """This worker's part of one part of a step."""
    return loop(train_part)
