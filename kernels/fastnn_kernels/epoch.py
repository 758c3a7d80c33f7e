"""The training loop over the batches of a slice of an epoch, entered by every worker of a team.

A step has two phases with a barrier after each. In the first a worker carries its share of the batch's
rows through all layers and back to every dZ; in the second it takes its share of the parameters, sums
their gradients over all rows and updates them. No sum depends on who computes it, so the parameters are
bit-identical for any number of workers.
"""

from typing import NamedTuple

import numpy as np

from fastnn_kernels._jit import kernel
from fastnn_kernels.activations import GELU, SILU, activation_backward
from fastnn_kernels.affine import affine_forward, column_sum
from fastnn_kernels.costs import BINARY_CROSS_ENTROPY, POISSON, SOFTMAX_CROSS_ENTROPY, cost_backward
from fastnn_kernels.dropout import dropout, dropout_key
from fastnn_kernels.inference import activate
from fastnn_kernels.layout import biases_of, inputs_of, outputs_of, transposed_of, weights_of
from fastnn_kernels.matmul import matmul, matmul_at, transpose
from fastnn_kernels.optimizers import ADAM, MOMENTUM, NESTEROV, adam, momentum, nesterov, sgd, squared_norm
from fastnn_kernels.simd import flat_view, matrix_view
from fastnn_kernels.team import barrier

DONE, DIVERGED, ABANDONED = range(3)
# What the slices of an epoch add up in `totals`: the cost times rows, and the steps done.
COST, STEPS, N_TOTALS = range(3)


class Data(NamedTuple):
    """X (n, n_in), Y (n, n_y), sample weights (n,) or (0,), and the slice's rows in their order (int64)."""

    X: np.ndarray
    Y: np.ndarray
    weights: np.ndarray
    order: np.ndarray


class Model(NamedTuple):
    """The tables of layout.py, the flat parameters, and the vector of transposed weights."""

    layers: np.ndarray
    blocks: np.ndarray
    params: np.ndarray
    transposed: np.ndarray


class Options(NamedTuple):
    """Scalars of a run; those of the elements' type keep it. clip is a norm, infinite for none."""

    cost: int
    smoothing: float
    threshold: float
    optimizer: int
    beta1: float
    beta2: float
    clip: float
    l2: float
    l2_by_batch: bool  # l2 is divided by the batch's normaliser, as scikit-learn does
    seed: int
    capacity: int  # rows of a full batch
    chunk: int  # rows that one worker carries at a time


class Workspace(NamedTuple):
    """Allocated once per fit; vectors of the activations' layout, of the parameters', and small ones."""

    activations: np.ndarray
    saved: np.ndarray  # what the derivatives are taken from where that is not the activation
    deltas: np.ndarray
    targets: np.ndarray  # (capacity * n_y,)
    row_weights: np.ndarray  # (capacity,) or (0,)
    costs: np.ndarray  # (capacity,)
    grads: np.ndarray
    moments: np.ndarray  # (n_moments, n_params)
    norms: np.ndarray  # (n_blocks,) float64: squared norms of the gradients
    squares: np.ndarray  # (n_blocks,) float64: squared norms of the weights
    scratch: np.ndarray  # (workers, size)
    shares: np.ndarray  # (workers + 1,) boundaries of the workers' blocks


@kernel
def saves(layer):
    """Whether the derivative of this layer's activation is taken from `saved`."""
    return layer.activation == GELU or layer.activation == SILU or layer.keep < 1.0


@kernel
def is_from_logits(cost):
    return cost == BINARY_CROSS_ENTROPY or cost == SOFTMAX_CROSS_ENTROPY or cost == POISSON


@kernel
def copy(source, target):
    for i in range(target.size):
        target[i] = source[i]


@kernel(inline=True)
def forward_rows(model, options, work, first, rows, step, scratch):
    """All layers' outputs for rows first .. first + rows of the batch, whose inputs are in place.

    The last layer is left at its logits where the cost wants them.
    """
    last = model.layers.size - 1
    for index in range(last + 1):
        layer = model.layers[index]
        A = inputs_of(layer, work.activations, options.capacity, first, rows)
        Z = outputs_of(layer, work.activations, options.capacity, first, rows)
        affine_forward(A, weights_of(layer, model.params), biases_of(layer, model.params), Z, scratch)
        if index == last and is_from_logits(options.cost):
            return
        if saves(layer):
            S = outputs_of(layer, work.saved, options.capacity, first, rows)
            if layer.activation == GELU or layer.activation == SILU:
                copy(flat_view(Z, 0, Z.size), flat_view(S, 0, Z.size))
                activate(Z, layer.activation)
            else:
                activate(Z, layer.activation)
                copy(flat_view(Z, 0, Z.size), flat_view(S, 0, Z.size))
            if layer.keep < 1.0:
                dropout(Z, first, layer.keep, dropout_key(options.seed, step, index))
        else:
            activate(Z, layer.activation)


@kernel(inline=True)
def backward_rows(model, options, work, first, rows, step, scratch):
    """dZ of every hidden layer, from dZ of the last, for rows first .. first + rows of the batch."""
    for index in range(model.layers.size - 1, 0, -1):
        layer, below = model.layers[index], model.layers[index - 1]
        dZ = outputs_of(layer, work.deltas, options.capacity, first, rows)
        dA = inputs_of(layer, work.deltas, options.capacity, first, rows)
        matmul(dZ, transposed_of(layer, model.transposed), dA, scratch)
        if below.keep < 1.0:
            dropout(dA, first, below.keep, dropout_key(options.seed, step, index - 1))
        source = work.saved if saves(below) else work.activations
        A = inputs_of(layer, source, options.capacity, first, rows)
        activation_backward(dA, A, A, below.activation, dA)


@kernel(inline=True)
def rows_phase(data, model, options, work, batch, first, last, scale, step, scratch):
    """Rows first .. last of the batch through all layers and back, a chunk that stays in cache at a time."""
    bottom, top = model.layers[0], model.layers[model.layers.size - 1]
    n_y = data.Y.shape[1]
    for start in range(first, last, options.chunk):
        rows = min(options.chunk, last - start)
        X = inputs_of(bottom, work.activations, options.capacity, start, rows)
        Y = matrix_view(work.targets, start * n_y, rows, n_y)
        weights = flat_view(work.row_weights, start, rows if work.row_weights.size > 0 else 0)
        for i in range(rows):
            source = batch[start + i]
            copy(data.X[source], X[i])
            copy(data.Y[source], Y[i])
        for i in range(weights.size):
            weights[i] = data.weights[batch[start + i]]
        forward_rows(model, options, work, start, rows, step, scratch)
        A = outputs_of(top, work.activations, options.capacity, start, rows)
        Z = outputs_of(top, work.saved, options.capacity, start, rows) if saves(top) else A
        dZ = outputs_of(top, work.deltas, options.capacity, start, rows)
        cost = flat_view(work.costs, start, rows)
        cost_backward(
            Z, A, Y, weights, options.cost, top.activation, options.smoothing, options.threshold,
            scale, cost, dZ,
        )  # fmt: skip
        backward_rows(model, options, work, start, rows, step, scratch)


@kernel
def span_of(layer, block):
    """Where the block's parameters stand: start and number."""
    if block.first < 0:
        return layer.biases, layer.n_out
    return layer.weights + block.first * layer.n_out, (block.last - block.first) * layer.n_out


@kernel(inline=True)
def block_gradient(model, options, work, block, rows, scratch):
    """The gradient of one block, over all rows of the batch."""
    layer = model.layers[block.layer]
    start, size = span_of(layer, block)
    dZ = outputs_of(layer, work.deltas, options.capacity, 0, rows)
    if block.first < 0:
        column_sum(dZ, flat_view(work.grads, start, size))
    else:
        A = inputs_of(layer, work.activations, options.capacity, 0, rows)[:, block.first : block.last]
        matmul_at(A, dZ, matrix_view(work.grads, start, block.last - block.first, layer.n_out), scratch)


@kernel(inline=True)
def block_update(model, options, work, block, rates, clip, l2):
    """One step of the optimizer for one block, and its part of W'."""
    layer = model.layers[block.layer]
    start, size = span_of(layer, block)
    T = model.params.dtype.type
    rate, epsilon, decay = T(rates[0]), T(rates[1]), T(rates[2])
    if block.first < 0:
        l2, decay = T(0), T(0)
    grads, params = flat_view(work.grads, start, size), flat_view(model.params, start, size)
    n_params = model.params.size
    first = flat_view(work.moments, start, size)
    second = flat_view(work.moments, n_params + start, size)
    if options.optimizer == ADAM:
        beta1, beta2 = options.beta1, options.beta2
        adam(grads, rate, beta1, beta2, epsilon, clip, l2, decay, first, second, params)
    elif options.optimizer == MOMENTUM:
        momentum(grads, rate, options.beta1, clip, l2, first, params)
    elif options.optimizer == NESTEROV:
        nesterov(grads, rate, options.beta1, clip, l2, first, params)
    else:
        sgd(grads, rate, clip, l2, params)
    if block.first >= 0 and block.layer > 0:
        W = matrix_view(params, 0, block.last - block.first, layer.n_out)
        transpose(W, transposed_of(layer, model.transposed)[:, block.first : block.last])


@kernel
def transpose_weights(model):
    """Fill `transposed` from the parameters: before the first step, which then keeps it up to date."""
    for index in range(1, model.layers.size):
        layer = model.layers[index]
        transpose(weights_of(layer, model.params), transposed_of(layer, model.transposed))


@kernel
def share_of(rows, worker, workers):
    """This worker's rows of a batch, in whole tiles of 8."""
    part = ((rows + workers - 1) // workers + 7) // 8 * 8
    return min(rows, worker * part), min(rows, (worker + 1) * part)


@kernel
def total(values, size):
    result = 0.0
    for i in range(size):
        result += values[i]
    return result


@kernel(inline=True)
def normaliser(data, batch):
    """The sum of the batch's sample weights, or its number of rows."""
    if data.weights.size == 0:
        return float(batch.size)
    result = 0.0
    for i in range(batch.size):
        result += data.weights[batch[i]]
    return result


@kernel
def train(data, model, options, work, rates, step, totals, team, worker, workers):
    """The steps of a slice, numbered from `step`; rates (n_steps, 3): learning rate, epsilon, decay.

    Adds up `totals` after each step. Stops before the update of a step whose cost is not finite.
    """
    T = model.params.dtype.type
    scratch = work.scratch[worker]
    clipped = options.clip < np.inf
    for index in range(rates.shape[0]):
        batch = data.order[index * options.capacity : (index + 1) * options.capacity]
        rows = batch.size
        norm = normaliser(data, batch)
        l2 = options.l2 / T(norm) if options.l2_by_batch else options.l2
        first, last = share_of(rows, worker, workers)
        rows_phase(data, model, options, work, batch, first, last, T(1.0 / norm), step + index, scratch)
        if not barrier(team, workers):
            return ABANDONED
        cost = total(work.costs, rows) / norm
        if not np.isfinite(cost):
            return DIVERGED
        for number in range(work.shares[worker], work.shares[worker + 1]):
            block = model.blocks[number]
            start, size = span_of(model.layers[block.layer], block)
            if l2 != 0 and block.first >= 0:
                work.squares[number] = squared_norm(flat_view(model.params, start, size))
            block_gradient(model, options, work, block, rows, scratch)
            if clipped:
                work.norms[number] = squared_norm(flat_view(work.grads, start, size))
            else:
                block_update(model, options, work, block, rates[index], T(1), l2)
        if clipped:
            if not barrier(team, workers):
                return ABANDONED
            length = np.sqrt(total(work.norms, work.norms.size))
            clip = T(min(1.0, options.clip / max(length, 1e-300)))
            for number in range(work.shares[worker], work.shares[worker + 1]):
                block_update(model, options, work, model.blocks[number], rates[index], clip, l2)
        if not barrier(team, workers):
            return ABANDONED
        if worker == 0:
            if l2 != 0:
                cost += 0.5 * l2 * total(work.squares, work.squares.size)
            totals[COST] += cost * rows
            totals[STEPS] += 1
    return DONE
