"""The two phases of a training step, each for one worker's share: rows, then blocks of parameters.

In the first a worker carries its rows of the batch through all layers and back to every dZ; in the second
it sums the gradients of its blocks over all rows and updates them while they are hot. Of a batch of
thousands the rows of a chunk are summed in the first phase, while they are in cache: the chunks are the
same for any number of workers, and the second phase adds them up in their order.
"""

from typing import NamedTuple

import numpy as np

from fastnn_kernels._jit import kernel
from fastnn_kernels.activations import GELU, SILU, activation_backward
from fastnn_kernels.affine import affine_forward, column_sum, csr_row_backward, csr_row_forward
from fastnn_kernels.costs import (
    BINARY_CROSS_ENTROPY,
    POISSON,
    SOFTMAX_CROSS_ENTROPY,
    clip_cross_entropy,
    cost_backward,
)
from fastnn_kernels.dropout import dropout, dropout_key
from fastnn_kernels.inference import activate
from fastnn_kernels.layout import input_start, output_start
from fastnn_kernels.matmul import matmul, matmul_at, transpose
from fastnn_kernels.optimizers import ADAM, GRADIENT, MOMENTUM, NESTEROV, adam, momentum, nesterov, sgd
from fastnn_kernels.simd import flat_view, matrix_view


class Data(NamedTuple):
    """X (n, n_in), or of no rows and in CSR form; Y (n, n_y), sample weights (n,) or (0,)."""

    X: np.ndarray
    values: np.ndarray
    indices: np.ndarray  # int32
    indptr: np.ndarray  # (n + 1,) int64, or (0,)
    Y: np.ndarray
    weights: np.ndarray
    order: np.ndarray  # int64 numbers of rows
    spans: np.ndarray  # (n_steps, 2) int64: first and last of `order` that a step is over


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
    ceiling: float  # of an element of a cross-entropy, where scikit-learn would clip its probability
    optimizer: int
    beta1: float
    beta2: float
    clip: float
    whole: (
        bool  # the gradients of all blocks are kept: for clipping, for CSR rows, or because they are wanted
    )
    l2: float
    l2_by_batch: bool  # l2 is divided by the batch's normaliser, as scikit-learn does
    seed: int
    capacity: int  # rows of the largest batch
    block_size: int  # parameters of the largest block, at least
    chunk: int  # rows that one worker carries at a time


class Workspace(NamedTuple):
    """Allocated once per fit; vectors of the activations' layout, of the parameters', and small ones."""

    activations: np.ndarray
    saved: np.ndarray  # what the derivatives are taken from where that is not the activation
    deltas: np.ndarray
    targets: np.ndarray  # (capacity * n_y,)
    row_weights: np.ndarray  # (capacity,) or (0,)
    costs: np.ndarray  # (capacity,)
    grads: np.ndarray  # (n_params,) if options.whole, else (workers * block_size,): each is used at once
    partials: np.ndarray  # (n_segments * n_params,) or (0,): a large batch's gradients, a chunk each
    moments: np.ndarray  # (n_moments, n_params)
    norms: np.ndarray  # (n_blocks,) float64: squared norms of the gradients
    squares: np.ndarray  # (n_blocks,) float64: squared norms of the weights
    scratch: np.ndarray  # (workers, size)
    shares: np.ndarray  # (workers + 1,) boundaries of the workers' blocks


@kernel
def needs_z(layer):
    return layer.activation == GELU or layer.activation == SILU


@kernel
def is_from_logits(cost):
    return cost == BINARY_CROSS_ENTROPY or cost == SOFTMAX_CROSS_ENTROPY or cost == POISSON


@kernel
def copy(source, target):
    for i in range(target.size):
        target[i] = source[i]


@kernel
def add(source, target):
    for i in range(target.size):
        target[i] += source[i]


@kernel(inline=True)
def sparse_forward(data, batch, first, W, b, Z):
    """Z = X W + b for rows first .. of the batch, in CSR form."""
    for i in range(Z.shape[0]):
        row, source = Z[i], batch[first + i]
        copy(b, row)
        csr_row_forward(data.values, data.indices, data.indptr[source], data.indptr[source + 1], W, row)


@kernel(inline=True)
def sparse_gradient(data, model, options, work, batch, worker):
    """work.grads of this worker's blocks of the first layer's W, over the rows of the batch."""
    layer, low, high = model.layers[0], model.layers[0].n_in, 0
    for number in range(work.shares[worker], work.shares[worker + 1]):
        block = model.blocks[number]
        if block.layer == 0 and block.first >= 0:
            low, high = min(low, block.first), max(high, block.last)
    if low < high:
        dZ = matrix_view(work.deltas, output_start(layer, options.capacity, 0), batch.size, layer.n_out)
        dW = matrix_view(work.grads, layer.weights, layer.n_in, layer.n_out)
        own = flat_view(work.grads, layer.weights + low * layer.n_out, (high - low) * layer.n_out)
        for i in range(own.size):
            own[i] = 0
        for i in range(batch.size):
            start, end = data.indptr[batch[i]], data.indptr[batch[i] + 1]
            csr_row_backward(data.values, data.indices, start, end, dZ[i], low, high, dW)


@kernel(inline=True)
def forward_rows(data, model, options, work, batch, first, rows, step, scratch):
    """All layers' outputs for rows first .. first + rows of the batch, whose inputs are in place.

    The last layer is left at its logits where the cost wants them.
    """
    last = model.layers.size - 1
    for index in range(last + 1):
        layer = model.layers[index]
        start, end = input_start(layer, options.capacity, first), output_start(layer, options.capacity, first)
        Z = matrix_view(work.activations, end, rows, layer.n_out)
        W = matrix_view(model.params, layer.weights, layer.n_in, layer.n_out)
        b = flat_view(model.params, layer.biases, layer.n_out)
        if index == 0 and data.indptr.size > 0:
            sparse_forward(data, batch, first, W, b, Z)
        else:
            affine_forward(matrix_view(work.activations, start, rows, layer.n_in), W, b, Z, scratch)
        if index < last or not is_from_logits(options.cost):
            if needs_z(layer):
                copy(flat_view(work.activations, end, Z.size), flat_view(work.saved, end, Z.size))
            activate(Z, layer.activation)
            if layer.keep < 1.0:
                if not needs_z(layer):
                    copy(flat_view(work.activations, end, Z.size), flat_view(work.saved, end, Z.size))
                dropout(Z, first, layer.keep, dropout_key(options.seed, step, index))


@kernel(inline=True)
def backward_rows(model, options, work, first, rows, step, scratch):
    """dZ of every hidden layer, from dZ of the last, for rows first .. first + rows of the batch."""
    for index in range(model.layers.size - 1, 0, -1):
        layer, below = model.layers[index], model.layers[index - 1]
        start, end = input_start(layer, options.capacity, first), output_start(layer, options.capacity, first)
        dZ = matrix_view(work.deltas, end, rows, layer.n_out)
        dA = matrix_view(work.deltas, start, rows, layer.n_in)
        matmul(dZ, matrix_view(model.transposed, layer.weights, layer.n_out, layer.n_in), dA, scratch)
        if below.keep < 1.0:
            dropout(dA, first, below.keep, dropout_key(options.seed, step, index - 1))
        source = work.saved if needs_z(below) or below.keep < 1.0 else work.activations
        A = matrix_view(source, start, rows, layer.n_in)
        activation_backward(dA, A, A, below.activation, dA)


@kernel(inline=True)
def gather_rows(data, options, work, batch, first, rows):
    """Copy rows first .. first + rows of the batch to the workspace: inputs, targets and weights."""
    n_in, n_y, dense = data.X.shape[1], data.Y.shape[1], data.indptr.size == 0
    for i in range(first, first + rows):
        source = batch[i]
        if dense:
            copy(data.X[source], flat_view(work.activations, i * n_in, n_in))
        copy(data.Y[source], flat_view(work.targets, i * n_y, n_y))
        if work.row_weights.size > 0:
            work.row_weights[i] = data.weights[source]


@kernel(inline=True)
def rows_phase(data, model, options, work, batch, first, last, scale, step, scratch):
    """Rows first .. last of the batch through all layers and back, a chunk that stays in cache at a time."""
    top, n_y = model.layers[model.layers.size - 1], data.Y.shape[1]
    for start in range(first, last, options.chunk):
        rows = min(options.chunk, last - start)
        gather_rows(data, options, work, batch, start, rows)
        forward_rows(data, model, options, work, batch, start, rows, step, scratch)
        end = output_start(top, options.capacity, start)
        A = matrix_view(work.activations, end, rows, top.n_out)
        Z = matrix_view(work.saved, end, rows, top.n_out) if needs_z(top) else A
        Y = matrix_view(work.targets, start * n_y, rows, n_y)
        weights = flat_view(work.row_weights, start, rows if work.row_weights.size > 0 else 0)
        cost_backward(
            Z, A, Y, weights, options.cost, top.activation, options.smoothing, options.threshold,
            scale, flat_view(work.costs, start, rows), matrix_view(work.deltas, end, rows, top.n_out),
        )  # fmt: skip
        if options.ceiling < np.inf:
            clip_cross_entropy(
                Z, Y, weights, options.cost, options.ceiling, flat_view(work.costs, start, rows)
            )
        backward_rows(model, options, work, start, rows, step, scratch)
        if work.partials.size > 0:
            segment = start // options.chunk * model.params.size
            for number in range(model.blocks.size):
                block = model.blocks[number]
                layer = model.layers[block.layer]
                at, size = span_of(layer, block)
                gradient(layer, block, work.activations, work.deltas, options.capacity, start, rows, scratch,
                         flat_view(work.partials, segment + at, size))  # fmt: skip


@kernel
def span_of(layer, block):
    """Where the block's parameters stand: start and number."""
    if block.first < 0:
        return layer.biases, layer.n_out
    return layer.weights + block.first * layer.n_out, (block.last - block.first) * layer.n_out


@kernel(inline=True)
def gradient(layer, block, activations, deltas, capacity, first, rows, scratch, grads):
    """grads, flat and of the block's size: its gradient over rows first .. first + rows of the batch."""
    dZ = matrix_view(deltas, output_start(layer, capacity, first), rows, layer.n_out)
    if block.first < 0:
        column_sum(dZ, grads)
    else:
        A = matrix_view(activations, input_start(layer, capacity, first), rows, layer.n_in)
        dW = matrix_view(grads, 0, block.last - block.first, layer.n_out)
        matmul_at(A[:, block.first : block.last], dZ, dW, scratch)


@kernel(inline=True)
def block_gradient(model, options, work, block, rows, scratch, grads):
    """The gradient of one block over all rows of the batch, or the sum of its segments' in their order."""
    layer = model.layers[block.layer]
    start, size = span_of(layer, block)
    if work.partials.size == 0:
        gradient(layer, block, work.activations, work.deltas, options.capacity, 0, rows, scratch, grads)
    else:
        copy(flat_view(work.partials, start, size), grads)
        for segment in range(1, (rows + options.chunk - 1) // options.chunk):
            add(flat_view(work.partials, segment * model.params.size + start, size), grads)


@kernel(inline=True)
def block_update(model, options, work, block, rates, clip, l2, grads):
    """One step of the optimizer for one block, and its part of W'; the gradient with l2 if it is wanted."""
    layer = model.layers[block.layer]
    start, size = span_of(layer, block)
    T = model.params.dtype.type
    rate, epsilon, decay = T(rates[0]), T(rates[1]), T(rates[2])
    if block.first < 0:
        l2, decay = T(0), T(0)
    params = flat_view(model.params, start, size)
    first = flat_view(work.moments, start, size)
    second = flat_view(work.moments, model.params.size + start, size)
    if options.optimizer == GRADIENT:
        for i in range(size):
            grads[i] += l2 * params[i]
    elif options.optimizer == ADAM:
        beta1, beta2 = options.beta1, options.beta2
        adam(grads, rate, beta1, beta2, epsilon, clip, l2, decay, first, second, params)
    elif options.optimizer == MOMENTUM:
        momentum(grads, rate, options.beta1, clip, l2, first, params)
    elif options.optimizer == NESTEROV:
        nesterov(grads, rate, options.beta1, clip, l2, first, params)
    else:
        sgd(grads, rate, clip, l2, params)
    if block.first >= 0 and block.layer > 0:
        transpose_rows(model.params, model.transposed, layer, block.first, block.last)


@kernel
def transpose_rows(params, transposed, layer, first, last):
    """Bring W' up to date with rows first .. last of W."""
    W = matrix_view(params, layer.weights + first * layer.n_out, last - first, layer.n_out)
    transpose(W, matrix_view(transposed, layer.weights, layer.n_out, layer.n_in)[:, first:last])
