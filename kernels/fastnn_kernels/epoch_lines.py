"""The training loop with samples in lanes: narrow layers over many rows, a block of lines at a time.

A worker carries a block of rows, feature-major, through all layers and back, and adds its gradient to one
vector a parameter. A group is the blocks whose gradients are added so: the lanes are summed at its end, and
the second phase adds the groups' gradients pairwise. Blocks and groups follow from sizes alone, so that the
bits do not depend on threads. Parameters stand as the user's do. All else is as in epoch.py.
"""

from numba import types

from fastnn_kernels import leaves
from fastnn_kernels.between import activation_backward, activation_forward, copy_rows, cost_rows
from fastnn_kernels.epoch import loop, slices
from fastnn_kernels.glue import PAIR, glue
from fastnn_kernels.phases import gather_rows, sums_of_segments
from fastnn_kernels.pointers import integers
from fastnn_kernels.records import SAVE_Z, layer_of
from fastnn_kernels.simd import VECTOR_BYTES

lines_forward, lines_backward, lines_backward_quadratic = map(
    leaves.caller, ("lines_forward", "lines_backward", "lines_backward_quadratic")
)
lines_gradient, lane_sums, rows_to_lines = map(
    leaves.caller, ("lines_gradient", "lane_sums", "rows_to_lines")
)


@glue(types.int64)
def inputs_of(run, layer, slot):
    """The lines of a layer's inputs for this worker's block."""
    return layer.input_lines + slot * (layer.n_in + 1) * run.itemsize


@glue()
def gather_lines(run, numbers, rows, vectors, slot):
    """The rows' inputs as lines, and copies of their targets and weights.

    The last vector is filled up with the last row: whatever is finite in the rows is so in the filling.
    """
    gather_rows(run, numbers, rows, slot)
    table, layer = integers(run.rows + 8 * slot), layer_of(run.layers, 0)
    filled = vectors * (VECTOR_BYTES // run.itemsize)
    for i in range(rows, filled):
        table[i] = table[rows - 1]
    rows_to_lines(
        run.to_lines, run.rows + 8 * slot, filled, layer.n_in, inputs_of(run, layer, slot), run.line
    )


@glue()
def forward_lines(run, vectors, slot):
    """All layers' outputs for a block, of the last one Z."""
    last, row = run.n_layers - 1, slot * run.itemsize
    for index in range(last + 1):
        layer = layer_of(run.layers, index)
        z, elements = layer.lines + row * layer.height, layer.n_out * run.line
        lines_forward(
            run.lines_forward, inputs_of(run, layer, slot), run.line, layer.n_in, layer.weights, layer.n_out,
            vectors, z, layer.slope,
        )  # fmt: skip
        if index < last:
            if layer.save == SAVE_Z:
                saved = layer.saved_lines + row * layer.height
                copy_rows(run.copy_rows, z, elements, 1, elements, saved, elements)
            if layer.activate != 0:
                activation_forward(layer.activate, z, layer.n_out, run.line)


@glue()
def cost_lines(run, first, rows, vectors, slot, scale, step):
    """The costs of a block, and the lines of dZ of the last layer; one output's rows are a line already."""
    top, row = layer_of(run.layers, run.n_layers - 1), slot * run.itemsize
    if top.n_out == 1:
        tail = integers(top.deltas + row + (vectors - 1) * VECTOR_BYTES)
        for i in range(VECTOR_BYTES // 8):
            tail[i] = 0
        cost_rows(run, first, rows, slot, scale, step)
    else:
        lines, to = top.lines + row * top.height, top.outputs + row * top.ld_out
        copy_rows(run.to_rows, lines, run.line, top.n_out, rows, to, top.ld_out)
        cost_rows(run, first, rows, slot, scale, step)
        back = top.delta_lines + row * top.height
        rows_to_lines(run.to_lines, top.delta_rows + 8 * slot, rows, top.n_out, back, run.line)


@glue()
def backward_lines(run, vectors, slot, sums, fresh):
    """The gradient of all layers over a block, lane by lane; dZ overwrites what has no more use."""
    row = slot * run.itemsize
    for index in range(run.n_layers - 1, -1, -1):
        layer = layer_of(run.layers, index)
        dz = layer.delta_lines + row * layer.height
        lines_gradient(
            run.lines_gradient, inputs_of(run, layer, slot), run.line, layer.n_in + 1, dz, layer.n_out,
            vectors, sums + layer.sums, fresh,
        )  # fmt: skip
        if index > 0:
            below = layer_of(run.layers, index - 1)
            source, d = below.saved_lines + row * below.height, below.delta_lines + row * below.height
            if below.quadratic != 0:
                lines_backward_quadratic(
                    below.quadratic, dz, run.line, layer.n_out, layer.weights, layer.n_in, vectors, source, d,
                    below.c0, below.c1, below.c2,
                )  # fmt: skip
            else:
                lines_backward(
                    run.lines_backward, dz, run.line, layer.n_out, layer.weights, layer.n_in, vectors, source,
                    d, below.slope,
                )  # fmt: skip
                if below.derive != 0:
                    activation_backward(below.derive, d, source, layer.n_in, run.line)


@glue()
def line_rows_phase(run, numbers, first, last, scale, step, worker):
    """Rows first .. last of the batch, whole groups of blocks, through all layers and back."""
    slot, sums = worker * run.line, run.lane_grads + worker * run.lane_bytes
    lanes = VECTOR_BYTES // run.itemsize
    still = run.same_rows != 0 and step > run.first_step and last - first <= run.block_rows
    for group in range(first, last, run.chunk):
        end = min(group + run.chunk, last)
        for start in range(group, end, run.block_rows):
            rows = min(run.block_rows, end - start)
            vectors = (rows + lanes - 1) // lanes
            if not still:
                gather_lines(run, numbers + 8 * start, rows, vectors, slot)
            forward_lines(run, vectors, slot)
            cost_lines(run, start, rows, vectors, slot, scale, step)
            backward_lines(run, vectors, slot, sums, start == group)
        to = run.partials + group // run.chunk * run.fit_bytes
        lane_sums(run.lane_sums, sums, run.n_parameters, to)


@glue(types.boolean)
def nothing_between(run, numbers, rows, worker):
    return True


@glue(PAIR)
def sum_up_groups(run, block, rows, worker, grads, held):
    sums_of_segments(run, block, (rows + run.chunk - 1) // run.chunk)
    return held


@glue()
def nothing_follows(run, block):
    pass


train_slice, train_part = slices(line_rows_phase, nothing_between, sum_up_groups, nothing_follows)


@leaves.leaf("train")
def train_lines(T):
    """As `epoch.train`, with samples in lanes."""
    return loop(train_slice)


@leaves.leaf("train")
def train_lines_in_parts(T):
    """As `epoch.train_in_parts`, with samples in lanes."""
    return loop(train_part)
