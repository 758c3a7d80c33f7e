"""Where each layer lives in the flat vectors, and the work list of the update phase.

All parameters stand in one flat vector: W of the first layer (row by row), its b, W of the second, and
so on. Gradients and moments are vectors of the same layout; `transposed` holds W' in the place of W.
The activations of a batch of `capacity` rows stand in one vector too: the input rows of the first layer,
then its output rows, which are the second layer's input, and so on: `units` counts the columns before.
"""

import numpy as np

from fastnn_kernels._jit import kernel

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


def block_size(layers, blocks):
    """Parameters of the largest block, in whole cache lines."""
    rows = np.maximum(blocks["last"] - blocks["first"], 1)
    return int(-(-(rows * layers["n_out"][blocks["layer"]]).max() // 16) * 16)


def block_shares(layers, blocks, workers):
    """Boundaries (workers + 1,) of contiguous shares of `blocks` with about equal work."""
    # Tiles of 8 rows by 16 columns; a sum over rows moves as much memory as a quarter of a tile's work.
    tiles = np.maximum(-(-(blocks["last"] - blocks["first"]) // 8), 0.25)
    ends = np.cumsum(tiles * -(-layers["n_out"][blocks["layer"]] // 16))
    middles = ends - 0.5 * np.diff(ends, prepend=0)
    return np.searchsorted(middles, ends[-1] * np.arange(workers + 1) / workers)


@kernel
def input_start(layer, capacity, first):
    """Where row `first` of this layer's input stands in a vector of the activations' layout."""
    return capacity * layer.units + first * layer.n_in


@kernel
def output_start(layer, capacity, first):
    """Where row `first` of this layer's output stands in a vector of the activations' layout."""
    return capacity * (layer.units + layer.n_in) + first * layer.n_out
