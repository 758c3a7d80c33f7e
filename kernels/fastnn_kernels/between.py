"""What a worker does with its rows between two products: activations, dropout, costs. See phases.py."""

from fastnn_kernels import leaves
from fastnn_kernels.glue import glue
from fastnn_kernels.records import SAVE_A, SAVE_Z, layer_of

activation_forward, activation_backward, cost, cost_clip = map(
    leaves.caller, ("activation_forward", "activation_backward", "cost", "cost_clip")
)
copy_rows, dropout = map(leaves.caller, ("copy_rows", "dropout"))


@glue()
def bend_rows(run, layer, index, first, rows, at, column, columns, step):
    """What follows the products of some columns of a hidden layer, which stand from byte `at` on.

    That is its activation, dropout, and what their derivatives take.
    """
    a, saved, row = layer.outputs + at, layer.saved + at, layer.ld_out
    if layer.save == SAVE_Z:
        copy_rows(run.copy_rows, a, row, rows, row, saved, row)
    if layer.activate != 0:
        activation_forward(layer.activate, a, rows, row)
    if layer.save == SAVE_A:
        copy_rows(run.copy_rows, a, row, rows, row, saved, row)
    if layer.keep < 1.0:
        dropout(run.dropout, a, first, rows, column, columns, row, layer.keep, run.seed, step, index)


@glue()
def unbend_rows(run, layer, index, first, rows, at, column, columns, step):
    """From dA of some columns of a hidden layer, where the products have left it, to dZ."""
    d, row = layer.deltas + at, layer.ld_out
    if layer.keep < 1.0:
        dropout(run.dropout, d, first, rows, column, columns, row, layer.keep, run.seed, step, index)
    if layer.derive != 0:
        activation_backward(layer.derive, d, layer.saved + at, rows, row)


@glue()
def costs_of_rows(run, first, rows, slot, scale, step):
    """The rows' costs, if they are told of this step, and dZ of the last layer; its Z is at run.outputs."""
    itemsize = run.itemsize
    top = layer_of(run.layers, run.n_layers - 1)
    n, at = top.n_out, slot * top.n_out * itemsize
    a, saved, d = run.outputs + at, run.outputs + at, run.output_deltas + at
    if top.save == SAVE_Z:
        saved = run.saved_outputs + at
        copy_rows(run.copy_rows, a, n, rows, n, saved, n)
    if top.activate != 0:
        activation_forward(top.activate, a, rows, n)
    targets, weights = run.targets + 4 * slot * run.y_words, run.row_weights + slot * itemsize
    told, weighted = run.costs + first * itemsize, run.weights != 0
    asked = run.told_every == 1 or step % run.told_every == 0
    cost(
        run.cost, a, targets, weights, weighted, rows, n, run.n_targets,
        run.smoothing, run.threshold, scale, asked, told, d,
    )  # fmt: skip
    if run.clip_cost != 0:
        cost_clip(run.clip_cost, a, targets, weights, weighted, rows, n, run.n_targets, run.ceiling, told)
    if top.derive != 0:
        activation_backward(top.derive, d, saved, rows, n)


@glue()
def cost_rows(run, first, rows, slot, scale, step):
    """The same; costs take rows without padding: the last layer's are copied where they have it."""
    top = layer_of(run.layers, run.n_layers - 1)
    n, row = top.n_out, top.ld_out
    padded, at = slot * row * run.itemsize, slot * n * run.itemsize
    if row != n:
        copy_rows(run.copy_rows, top.outputs + padded, row, rows, n, run.outputs + at, n)
    costs_of_rows(run, first, rows, slot, scale, step)
    if row != n:
        copy_rows(run.copy_rows, run.output_deltas + at, n, rows, n, top.deltas + padded, row)
