"""The loops of training and prediction with products of bfloat16 numbers; all else is as in epoch.py.

Activations and deltas stand in panels too, in float32: (rows, width) each, so that a block of a product is
written to one place. What a layer takes, and its deltas, become pairs chunk by chunk: see pairs.py. A first
layer over CSR rows is computed in float32.
"""

from numba import types

from fastnn_kernels import leaves
from fastnn_kernels.between import bend_rows, copy_rows, costs_of_rows, unbend_rows
from fastnn_kernels.epoch import loop, slices, sparse_phase
from fastnn_kernels.glue import PAIR, glue
from fastnn_kernels.inference import predicting
from fastnn_kernels.pairs import GROUP, STRIP, WORD
from fastnn_kernels.phases import column_sum, csr_forward, phase_of, sums_of_segments
from fastnn_kernels.records import layer_of, panel_of

pairs_forward, pairs_backward, pairs_gradient = map(
    leaves.caller, ("pairs_forward", "pairs_backward", "pairs_gradient")
)
pairs_of_rows, pairs_of_weights, tile_mode = map(
    leaves.caller, ("pairs_of_rows", "pairs_of_weights", "tile_mode")
)


@glue(types.int64)
def groups(n):
    return (n + GROUP - 1) // GROUP


@glue(types.int64)
def panel_at(run, number, slot):
    """The byte where the rows from `slot` on of a panel of float32 numbers begin."""
    return number * run.slots * run.pair_row + slot * run.pair_row


@glue()
def products_of_pairs(run, layer, numbers, rows, slot):
    """The outputs of one layer, with the activation where that is a bent line."""
    inputs = layer.tiles + slot // STRIP * layer.strip * WORD
    for number in range(layer.first_panel, layer.end_panel):
        panel = panel_of(run.panels, number)
        z = layer.outputs + panel_at(run, number - layer.first_panel, slot)
        if layer.tiles != 0:
            pairs_forward(
                panel.forward, inputs, layer.strip, rows, groups(layer.n_in), panel.weights, panel.biases, z,
                layer.slope,
            )  # fmt: skip
        else:
            csr_forward(
                panel.csr_forward, run.x, run.indices, run.indptr, numbers, rows, panel.weights, panel.row,
                panel.columns, panel.biases, z, layer.ld_out, layer.slope,
            )  # fmt: skip


@glue()
def forward_pairs(run, numbers, first, rows, slot, step):
    """All layers' outputs for rows first .. first + rows of the batch; of the last one Z."""
    last, width = run.n_layers - 1, run.pair_row // WORD
    for index in range(last + 1):
        layer = layer_of(run.layers, index)
        if layer.tiles != 0:
            tiles = layer.tiles + slot // STRIP * layer.strip * WORD
            turned = 0 if layer.turned == 0 else layer.turned + slot // 2 * STRIP * WORD
            pairs_of_rows(
                run.rows_to_pairs, layer.rows + 8 * slot, width if index == 0 else run.slots * width,
                layer.n_in, rows, tiles, layer.strip, turned, run.slots // 2 * STRIP, 0, 0,
            )  # fmt: skip
        products_of_pairs(run, layer, numbers, rows, slot)
        if index < last and (layer.activate != 0 or layer.save != 0 or layer.keep < 1.0):
            for column in range(0, layer.n_out, width):
                at, columns = panel_at(run, column // width, slot), min(width, layer.n_out - column)
                bend_rows(run, layer, index, first, rows, at, column, columns, step)


@glue()
def outputs_of_pairs(run, rows, slot, to):
    """Copy the last layer's outputs of some rows, without panels."""
    top, width = layer_of(run.layers, run.n_layers - 1), run.pair_row // WORD
    for column in range(0, top.n_out, width):
        source, columns = top.outputs + panel_at(run, column // width, slot), min(width, top.n_out - column)
        copy_rows(run.copy_rows, source, width, rows, columns, to + column * run.itemsize, top.n_out)


@glue()
def cost_pairs(run, first, rows, slot, scale, step):
    """The rows' costs, and dZ of the last layer, which is put into panels."""
    top, width = layer_of(run.layers, run.n_layers - 1), run.pair_row // WORD
    at = slot * top.n_out * run.itemsize
    outputs_of_pairs(run, rows, slot, run.outputs + at)
    costs_of_rows(run, first, rows, slot, scale, step)
    for column in range(0, top.n_out, width):
        to, columns = top.deltas + panel_at(run, column // width, slot), min(width, top.n_out - column)
        source = run.output_deltas + at + column * run.itemsize
        copy_rows(run.copy_rows, source, top.n_out, rows, columns, to, width)


@glue()
def backward_pairs(run, first, rows, slot, step):
    """dZ of every hidden layer, from dZ of the last; and what the sums over rows take of each."""
    width = run.pair_row // WORD
    for index in range(run.n_layers - 1, -1, -1):
        layer = layer_of(run.layers, index)
        tiles, panels = layer.delta_tiles, layer.delta_panels
        if tiles != 0:
            tiles += slot // STRIP * layer.delta_strip * WORD
        if panels != 0:
            panels += slot // 2 * run.pair_row
        if tiles != 0 or panels != 0:
            pairs_of_rows(
                run.rows_to_pairs, layer.delta_rows + 8 * slot, run.slots * width, layer.n_out, rows,
                tiles, layer.delta_strip, 0, 0, panels, run.slots // 2 * width,
            )  # fmt: skip
        if index > 0:
            below = layer_of(run.layers, index - 1)
            for number in range(layer.first_back, layer.end_back):
                panel, at = panel_of(run.panels, number), panel_at(run, number - layer.first_back, slot)
                pairs_backward(
                    panel.backward, tiles, layer.delta_strip, rows, groups(layer.n_out), panel.weights,
                    below.saved + at, below.deltas + at, below.slope,
                )  # fmt: skip
            if below.keep < 1.0 or below.derive != 0:
                for column in range(0, below.n_out, width):
                    at, columns = panel_at(run, column // width, slot), min(width, below.n_out - column)
                    unbend_rows(run, below, index - 1, first, rows, at, column, columns, step)


@glue()
def sums_of_pairs(run, block, slot, rows, to, held):
    """The gradient of one block over some rows of the workspace."""
    layer, width = layer_of(run.layers, block.layer), run.pair_row // WORD
    if block.first < 0:
        for column in range(0, block.size, width):
            d, columns = layer.deltas + panel_at(run, column // width, slot), min(width, block.size - column)
            column_sum(block.gradient, d, width, rows, columns, to + column * run.itemsize)
    else:
        words = run.slots // 2 * STRIP
        a = layer.turned + (block.first // STRIP * words + slot // 2 * STRIP) * WORD
        d = layer.delta_panels + (block.column * run.slots // 2 + slot // 2 * width) * WORD
        pairs_gradient(block.gradient, a, words, block.rows, groups(rows), d, to)


pairs_phase, pairs_in_pieces = phase_of(forward_pairs, cost_pairs, backward_pairs, sums_of_pairs)


@glue(PAIR)
def sum_up_pairs(run, block, rows, worker, grads, held):
    """The gradient of one block over the batch."""
    if run.segmented != 0:
        sums_of_segments(run, block, (rows + run.chunk - 1) // run.chunk)
    elif not (run.sparse != 0 and block.layer == 0 and block.first >= 0):
        pairs_in_pieces(run, block, 0, rows, worker, grads, 0)
    return held


@glue()
def follow_in_pairs(run, block):
    """Bring the block's pairs, and its part of W', up to date."""
    if block.pairs != 0:
        words = groups(layer_of(run.layers, block.layer).n_out) * GROUP // 2 * block.width
        pairs_of_weights(
            run.weights_to_pairs, block.values, block.rows, block.pairs, block.transposed, words
        )  # fmt: skip


def in_tiles(body):
    """`body(run, worker)` with AMX's tiles configured, where they are used."""

    @glue(types.int64)
    def within(run, worker):
        if run.configure != 0:
            tile_mode(run.configure)
        status = body(run, worker)
        if run.release != 0:
            tile_mode(run.release)
        return status

    return within


@glue()
def forward_in_tiles(run, numbers, first, rows, slot, step):
    if run.configure != 0:
        tile_mode(run.configure)
    forward_pairs(run, numbers, first, rows, slot, step)
    if run.release != 0:
        tile_mode(run.release)


@glue()
def outputs_of_chunk(run, rows, to):
    outputs_of_pairs(run, rows, 0, to)


train_slice, train_part = slices(pairs_phase, sparse_phase, sum_up_pairs, follow_in_pairs)


@leaves.leaf("train")
def train_pairs(T):
    """As `epoch.train`, with products of bfloat16 numbers."""
    return loop(in_tiles(train_slice))


@leaves.leaf("train")
def train_pairs_in_parts(T):
    """As `epoch.train_in_parts`, with products of bfloat16 numbers."""
    return loop(in_tiles(train_part))


@leaves.leaf("predict")
def predict_pairs(T):
    """As `inference.predict`, with products of bfloat16 numbers."""
    return predicting(forward_in_tiles, outputs_of_chunk)
