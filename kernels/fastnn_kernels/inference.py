"""The forward pass alone, over rows of any number, a chunk that stays in cache at a time.

Many rows go through the panels of a fit, packed for the call; few would not repay the packing, and read the
user's matrices in place. Each output is the same chain of multiply-adds in both.
"""

from fastnn_kernels import leaves
from fastnn_kernels.between import activation_forward, copy_rows
from fastnn_kernels.glue import glue
from fastnn_kernels.modes import flush_subnormals, restore
from fastnn_kernels.phases import forward_rows
from fastnn_kernels.pointers import integers
from fastnn_kernels.records import layer_of, run_of


@glue()
def gather_inputs(run, start, rows):
    """Where the rows from `start` on stand."""
    table = integers(run.rows)
    for i in range(rows):
        table[i] = run.x + (start + i) * run.x_bytes


@glue()
def outputs_of_rows(run, rows, to):
    """Copy the last layer's outputs of a chunk to where they are wanted."""
    top = layer_of(run.layers, run.n_layers - 1)
    copy_rows(run.copy_rows, top.outputs, top.ld_out, rows, top.n_out, to, top.n_out)


def predicting(forward_rows, outputs_of_rows):
    """What a leaf compiles: rows first .. last of the record at an address, by these two of a chunk."""

    def predict(address, first, last):
        run, mode = run_of(address, 0), flush_subnormals()
        top = layer_of(run.layers, run.n_layers - 1)
        for start in range(first, last, run.chunk):
            rows = min(run.chunk, last - start)
            if run.sparse == 0:
                gather_inputs(run, start, rows)
            forward_rows(run, run.order + 8 * start, 0, rows, 0, 0)
            to = run.y + start * top.n_out * run.itemsize
            outputs_of_rows(run, rows, to)
            if top.activate != 0:
                activation_forward(top.activate, to, rows, top.n_out)
        restore(mode)
        return last

    return predict


@leaves.leaf("predict")
def predict(T):
    """The outputs of rows first .. last of the record at `address`, into the memory at `run.y`."""
    return predicting(forward_rows, outputs_of_rows)
