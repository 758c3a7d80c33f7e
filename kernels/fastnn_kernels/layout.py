"""Where each layer lives in the flat vectors, and the work list of the update phase.

All parameters stand in one flat vector: W of the first layer (row by row), its b, W of the second, and
so on. Gradients and moments are vectors of the same layout; `transposed` holds W' in the place of W.
The activations of a batch of `capacity` rows stand in one vector too: the input rows of the first layer,
then its output rows, which are the second layer's input, and so on: `units` counts the columns before.
"""

import numpy as np

from fastnn_kernels._jit import kernel
from fastnn_kernels.simd import flat_view, matrix_view

LAYER = np.dtype(
    [
        ("n_in", np.int64),
        ("n_out", np.int64),
        ("weights", np.int64),  # offset of W in the parameters
        ("biases", np.int64),  # offset of b
        ("units", np.int64),  # columns of all activations before this layer's input
        ("activation", np.int64),
        ("keep", np.float64),  # probability that a unit of the output survives dropout
    ]
)
# A block is the unit of the update phase: rows first .. last of one layer's W, or its b (first = last = -1).
# Sums over a layer are taken block by block, so that they do not depend on who does which block.
BLOCK = np.dtype([("layer", np.int64), ("first", np.int64), ("last", np.int64)])
BLOCK_ROWS = 32
BLOCK_ROWS_OF_COLUMN = 4096


def layer_table(sizes, activations, keep=None):
    """The layer table of a network of widths `sizes` with one activation code per layer."""
    layers = np.zeros(len(sizes) - 1, LAYER)
    layers["n_in"], layers["n_out"] = sizes[:-1], sizes[1:]
    ends = np.cumsum((layers["n_in"] + 1) * layers["n_out"])
    layers["biases"] = ends - layers["n_out"]
    layers["weights"] = layers["biases"] - layers["n_in"] * layers["n_out"]
    layers["units"] = np.cumsum([0, *sizes[:-2]])
    layers["activation"] = activations
    layers["keep"] = 1.0 if keep is None else keep
    return layers


def n_parameters(layers):
    """Length of the flat parameter vector."""
    return int(layers["biases"][-1] + layers["n_out"][-1])


def n_units(layers):
    """Columns of all activations, the input's included."""
    return int(layers["units"][-1] + layers["n_in"][-1] + layers["n_out"][-1])


def parameter_views(vector, layers):
    """The weights [(n_in, n_out), ...] and biases [(n_out,), ...] as views of a flat vector."""
    weights, biases = [], []
    for layer in layers:
        start, end, n_out = int(layer["weights"]), int(layer["biases"]), int(layer["n_out"])
        weights.append(vector[start:end].reshape(-1, n_out))
        biases.append(vector[end : end + n_out])
    return weights, biases


def block_table(layers):
    """The blocks of all layers, in the order in which the update phase shares them out."""
    blocks = []
    for index, layer in enumerate(layers):
        n_in = int(layer["n_in"])
        rows = BLOCK_ROWS if layer["n_out"] > 1 else BLOCK_ROWS_OF_COLUMN
        blocks += [(index, first, min(first + rows, n_in)) for first in range(0, n_in, rows)]
        blocks.append((index, -1, -1))
    return np.array(blocks, BLOCK)


def block_shares(layers, blocks, workers):
    """Boundaries (workers + 1,) of contiguous shares of `blocks` with about equal numbers of parameters."""
    rows = np.maximum(blocks["last"] - blocks["first"], 1)
    ends = np.cumsum(rows * layers["n_out"][blocks["layer"]])
    middles = ends - 0.5 * np.diff(ends, prepend=0)
    return np.searchsorted(middles, ends[-1] * np.arange(workers + 1) / workers)


@kernel(inline=True)
def weights_of(layer, vector):
    """This layer's W (n_in, n_out) in a vector of the parameters' layout."""
    return matrix_view(vector, layer.weights, layer.n_in, layer.n_out)


@kernel(inline=True)
def transposed_of(layer, vector):
    """This layer's W' (n_out, n_in) in the vector of transposed weights."""
    return matrix_view(vector, layer.weights, layer.n_out, layer.n_in)


@kernel(inline=True)
def biases_of(layer, vector):
    """This layer's b (n_out,) in a vector of the parameters' layout."""
    return flat_view(vector, layer.biases, layer.n_out)


@kernel(inline=True)
def inputs_of(layer, activations, capacity, first, rows):
    """Rows first .. first + rows of this layer's input (rows, n_in)."""
    return matrix_view(activations, capacity * layer.units + first * layer.n_in, rows, layer.n_in)


@kernel(inline=True)
def outputs_of(layer, activations, capacity, first, rows):
    """Rows first .. first + rows of this layer's output (rows, n_out)."""
    start = capacity * (layer.units + layer.n_in) + first * layer.n_out
    return matrix_view(activations, start, rows, layer.n_out)
