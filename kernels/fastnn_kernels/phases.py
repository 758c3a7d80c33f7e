"""The two phases of a training step, each for one worker's share: rows, then blocks of parameters.

In the first a worker carries its rows of the batch through all layers and back to every dZ; in the second it
sums the gradients of its blocks over all rows and updates them while they are hot. Of a batch of thousands
the rows of a chunk (a segment) are summed in the first phase, while they are in cache: the chunks are the
same for any number of workers, and the second phase adds them up pairwise.

Everything here works on the records of records.py: `run` and its tables. `slot` is the row of the workspace
where the rows at hand begin; `numbers` the address of their numbers in the user's data.
"""

from numba import types

from fastnn_kernels import leaves
from fastnn_kernels.between import bend_rows, copy_rows, cost_rows, unbend_rows
from fastnn_kernels.fit_layout import BLOCK_ROWS as STRIP
from fastnn_kernels.glue import glue
from fastnn_kernels.pointers import integers
from fastnn_kernels.records import block_of, layer_of, panel_of

product_forward, product_in_place, product_backward, product_gradient = map(
    leaves.caller, ("product_forward", "product_in_place", "product_backward", "product_gradient")
)
csr_forward, csr_backward, gather = map(leaves.caller, ("csr_forward", "csr_backward", "gather"))
column_forward, column_backward, column_gradient, column_total = map(
    leaves.caller, ("column_forward", "column_backward", "column_gradient", "column_total")
)
optimizer, column_sum, transpose, add, norm, strip = map(
    leaves.caller, ("optimizer", "column_sum", "transpose", "add", "norm", "strip")
)


@glue()
def gather_rows(run, numbers, rows, slot):
    """Where the rows' inputs stand, and copies of their targets and weights."""
    if run.sparse == 0:
        table, source = integers(run.rows + 8 * slot), integers(numbers)
        for i in range(rows):
            table[i] = run.x + source[i] * run.x_bytes
    gather(run.gather, run.y, run.y_words, numbers, rows, run.targets + 4 * slot * run.y_words)
    if run.weights != 0:
        to = run.row_weights + slot * run.itemsize
        gather(run.gather, run.weights, run.itemsize // 4, numbers, rows, to)


@glue()
def layer_products(run, layer, index, numbers, rows, slot):
    """The outputs of one layer, with the activation where that is a bent line."""
    to = layer.outputs + slot * layer.ld_out * run.itemsize
    for number in range(layer.first_panel, layer.end_panel):
        panel = panel_of(run.panels, number)
        z = to + panel.at
        if index == 0 and run.sparse != 0:
            csr_forward(
                panel.csr_forward, run.x, run.indices, run.indptr, numbers, rows,
                panel.weights, panel.row, panel.columns, panel.biases, z, layer.ld_out, layer.slope,
            )  # fmt: skip
        elif layer.n_out == 1:
            column_forward(
                panel.forward, layer.rows + 8 * slot, rows, layer.n_in, panel.weights, panel.biases, z
            )
        elif panel.in_place != 0:
            product_in_place(
                panel.forward, layer.rows + 8 * slot, rows, layer.n_in, panel.weights, panel.row,
                panel.columns, panel.biases, z, layer.ld_out, layer.slope,
            )  # fmt: skip
        else:
            product_forward(
                panel.forward, layer.rows + 8 * slot, rows, layer.n_in,
                panel.weights, panel.biases, z, layer.ld_out, layer.slope,
            )  # fmt: skip


@glue()
def copy_strips(run, layer, rows, slot):
    """The inputs of a wide layer once more, in strips of STRIP columns: each is read for every panel of W."""
    for first in range(0, layer.n_in, STRIP):
        to = layer.strips + (first * run.slots + slot * STRIP) * run.itemsize
        strip(run.strip, layer.rows + 8 * slot, first, min(STRIP, layer.n_in - first), rows, to, STRIP)


@glue()
def forward_rows(run, numbers, first, rows, slot, step):
    """All layers' outputs for rows first .. first + rows of the batch; of the last one Z."""
    last = run.n_layers - 1
    for index in range(last + 1):
        layer = layer_of(run.layers, index)
        if layer.strips != 0:
            copy_strips(run, layer, rows, slot)
        layer_products(run, layer, index, numbers, rows, slot)
        if index < last:
            at = slot * layer.ld_out * run.itemsize
            bend_rows(run, layer, index, first, rows, at, 0, layer.n_out, step)


@glue()
def backward_rows(run, first, rows, slot, step):
    """dZ of every hidden layer, from dZ of the last, for rows first .. first + rows of the batch."""
    for index in range(run.n_layers - 1, 0, -1):
        layer, below = layer_of(run.layers, index), layer_of(run.layers, index - 1)
        row, at = below.ld_out, slot * below.ld_out * run.itemsize
        d, source = below.deltas + at, below.saved + at
        for number in range(layer.first_back, layer.end_back):
            panel = panel_of(run.panels, number)
            if layer.n_out == 1:
                dz = layer.deltas + slot * run.itemsize
                column_backward(
                    panel.backward, rows, dz, panel.weights, row, source, row, d, row, below.slope
                )
            else:
                product_backward(
                    panel.backward, layer.delta_rows + 8 * slot, rows, layer.n_out, panel.weights,
                    source + panel.at, row, d + panel.at, row, below.slope,
                )  # fmt: skip
        unbend_rows(run, below, index - 1, first, rows, at, 0, below.n_out, step)


@glue()
def sums_over_rows(run, block, slot, rows, to, strip_of_d):
    """The gradient of one block over some rows of the workspace; its part of dZ may stand in a strip too."""
    layer = layer_of(run.layers, block.layer)
    d = layer.deltas + slot * layer.ld_out * run.itemsize + block.at
    if block.first < 0 and layer.n_out == 1:
        column_total(block.gradient, d, rows, to)
    elif block.first < 0:
        column_sum(block.gradient, d, layer.ld_out, rows, block.size, to)
    elif layer.n_out == 1:
        column_gradient(block.gradient, layer.rows + 8 * slot, block.first, block.rows, rows, d, to)
    elif layer.strips != 0:
        product_gradient(
            block.gradient, layer.strip_rows + 8 * slot, block.first * run.slots, block.rows, rows,
            d if strip_of_d == 0 else strip_of_d, layer.ld_out if strip_of_d == 0 else block.width, to,
            block.values, block.mean, block.square,
        )  # fmt: skip
    else:
        product_gradient(
            block.gradient, layer.rows + 8 * slot, block.first, block.rows, rows, d, layer.ld_out, to,
            block.values, block.mean, block.square,
        )  # fmt: skip


def phase_of(forward_rows, cost_rows, backward_rows, sums_over_rows):
    """The functions rows_phase and sums_in_pieces, by those of a chunk and of a block over some rows."""

    @glue()
    def sums_in_pieces(run, block, slot, rows, worker, to, strip_of_d):
        """The gradient of one block over some rows, in pieces that are added up pairwise.

        A single chain over millions of rows loses digits: 6e-4 of a sum of ten million equal float32 numbers.
        """
        if rows <= run.piece:
            sums_over_rows(run, block, slot, rows, to, strip_of_d)
            return
        stack, height = run.stack + worker * run.stack_bytes, 0
        for start in range(0, rows, run.piece):
            here = min(run.piece, rows - start)
            sums_over_rows(run, block, slot + start, here, stack + height * run.block_bytes, 0)
            height, left = height + 1, start // run.piece + 1
            while left % 2 == 0:
                height, left = height - 1, left // 2
                top = stack + height * run.block_bytes
                add(run.add, top, block.size, top - run.block_bytes)
        for top in range(height - 1, 0, -1):
            place = stack + top * run.block_bytes
            add(run.add, place, block.size, place - run.block_bytes)
        copy_rows(run.copy_rows, stack, block.size, 1, block.size, to, block.size)

    @glue()
    def rows_phase(run, numbers, first, last, scale, step, worker):
        """Rows first .. last of the batch through all layers and back, a chunk in cache at a time."""
        for start in range(first, last, run.chunk):
            rows = min(run.chunk, last - start)
            slot = worker * run.chunk if run.segmented != 0 else start
            these = numbers + 8 * start
            gather_rows(run, these, rows, slot)
            forward_rows(run, these, run.first_row + start, rows, slot, step)
            cost_rows(run, start, rows, slot, scale, step)
            backward_rows(run, run.first_row + start, rows, slot, step)
            if run.segmented != 0:
                partial = run.partials + start // run.chunk * run.fit_bytes
                for number in range(run.n_blocks):
                    block = block_of(run.blocks, number)
                    sums_in_pieces(run, block, slot, rows, worker, partial + block.offset, 0)

    return rows_phase, sums_in_pieces


rows_phase, sums_in_pieces = phase_of(forward_rows, cost_rows, backward_rows, sums_over_rows)


@glue(types.int64)
def strip_of_deltas(run, block, rows, worker):
    """This block's columns of dZ over all rows, without gaps, for the blocks of the panel that follow it."""
    layer, to = layer_of(run.layers, block.layer), run.delta_strip + worker * run.delta_strip_bytes
    strip(run.strip, layer.delta_rows, block.column, block.width, rows, to, block.width)
    return to


@glue()
def sums_of_segments(run, block, segments):
    """The gradient of one block from those of the segments, into the first: pairs, pairs of pairs ..."""
    apart = 1
    while apart < segments:
        for segment in range(0, segments - apart, 2 * apart):
            to = run.partials + segment * run.fit_bytes + block.offset
            add(run.add, to + apart * run.fit_bytes, block.size, to)
        apart *= 2


@glue(types.int64)
def gradient_of(run, block, worker):
    """Where the gradient of a block stands in the second phase."""
    if run.segmented != 0:
        return run.partials + block.offset
    return run.grads + (block.offset if run.whole != 0 else worker * run.block_bytes)


@glue()
def copies_of(run, block):
    """Bring the block's part of W' up to date, where there is such."""
    if block.transposed != 0:
        layer = layer_of(run.layers, block.layer)
        transpose(
            run.transpose, block.values, block.width, block.rows, block.column, block.columns, block.first,
            layer.n_in, layer.n_out, block.transposed,
        )  # fmt: skip


@glue()
def sparse_gradient(run, numbers, rows, worker):
    """The gradient of this worker's share of the rows of the first layer's W, over the rows of the batch."""
    layer = layer_of(run.layers, 0)
    first, last = layer.n_in * worker // run.workers, layer.n_in * (worker + 1) // run.workers
    for number in range(layer.first_panel, layer.end_panel):
        panel = panel_of(run.panels, number)
        csr_backward(
            panel.csr_backward, run.x, run.indices, run.indptr, numbers, rows,
            layer.deltas + panel.at, layer.ld_out, first, last, run.grads + panel.offset,
        )  # fmt: skip
