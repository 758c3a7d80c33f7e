"""The training loop over a slice of a run, of any number of batches, entered by every worker of a team.

A step has two phases with a barrier after each. No sum depends on who computes it, so the parameters are
bit-identical for any number of workers.
"""

import numpy as np

from fastnn_kernels._jit import kernel
from fastnn_kernels.optimizers import squared_norm
from fastnn_kernels.phases import (
    block_gradient,
    block_update,
    rows_phase,
    span_of,
    sparse_gradient,
    transpose_rows,
)
from fastnn_kernels.simd import flat_view
from fastnn_kernels.team import barrier

DONE, DIVERGED, ABANDONED = range(3)
# The columns of `costs`.
COST, PENALTY = range(2)


@kernel
def share_of(rows, unit, worker, workers):
    """This worker's rows of a batch, in whole units of so many rows."""
    part = ((rows + workers - 1) // workers + unit - 1) // unit * unit
    return min(rows, worker * part), min(rows, (worker + 1) * part)


@kernel
def total(values, size):
    result = 0.0
    for i in range(size):
        result += values[i]
    return result


@kernel(inline=True)
def normaliser(data, batch):
    """The sum of the batch's sample weights, or its number of rows; 1 if all weights are zero."""
    result = 0.0 if data.weights.size > 0 else float(batch.size)
    if data.weights.size > 0:
        for i in range(batch.size):
            result += data.weights[batch[i]]
    return result if result > 0 else 1.0


@kernel
def train(data, model, options, work, rates, step, costs, done, team, worker, workers):
    """The steps of a slice, numbered from `step`; rates (n_steps, 3): learning rate, epsilon, decay.

    data, model, options, work: the named tuples of phases.py; costs (n_steps, 2) float64: each step's mean
    cost before its update, and its penalty; done (1,) int64: steps done; team: see team.py.
    Stops before the update of a step whose cost is not finite.
    """
    T = model.params.dtype.type
    scratch, sparse = work.scratch[worker], data.indptr.size > 0
    if worker == 0:  # the parameters may have been changed since the last slice
        for index in range(1, model.layers.size):
            layer = model.layers[index]
            transpose_rows(model.params, model.transposed, layer, 0, layer.n_in)
    if not barrier(team, workers):
        return ABANDONED
    clipped = options.clip < np.inf
    for index in range(rates.shape[0]):
        batch = data.order[data.spans[index, 0] : data.spans[index, 1]]
        rows = batch.size
        norm = normaliser(data, batch)
        l2 = options.l2 / T(norm) if options.l2_by_batch else options.l2
        first, last = share_of(rows, options.chunk if work.partials.size > 0 else 8, worker, workers)
        rows_phase(data, model, options, work, batch, first, last, T(1.0 / norm), step + index, scratch)
        if not barrier(team, workers):
            return ABANDONED
        cost, clip = total(work.costs, rows) / norm, T(1)
        if worker == 0:
            costs[index, COST] = cost
        if not np.isfinite(cost):
            return DIVERGED
        if sparse:
            sparse_gradient(data, model, options, work, batch, worker)
        # With clipping the gradients of all blocks come first, else each is used while it is hot.
        for stage in range(2 if clipped else 1):
            if stage == 1:
                if not barrier(team, workers):
                    return ABANDONED
                length = np.sqrt(total(work.norms, work.norms.size))
                clip = T(min(1.0, options.clip / max(length, 1e-300)))
            for number in range(work.shares[worker], work.shares[worker + 1]):
                block = model.blocks[number]
                start, size = span_of(model.layers[block.layer], block)
                grads = flat_view(work.grads, start if options.whole else worker * options.block_size, size)
                if stage == 0:
                    if l2 != 0 and block.first >= 0:
                        work.squares[number] = squared_norm(flat_view(model.params, start, size))
                    if not (sparse and block.layer == 0 and block.first >= 0):
                        block_gradient(model, options, work, block, rows, scratch, grads)
                    if clipped:
                        work.norms[number] = squared_norm(grads)
                if stage == 1 or not clipped:
                    block_update(model, options, work, block, rates[index], clip, l2, grads)
        if not barrier(team, workers):
            return ABANDONED
        if worker == 0:
            costs[index, PENALTY] = 0.5 * l2 * total(work.squares, work.squares.size) if l2 != 0 else 0.0
            done[0] += 1
    return DONE
