"""Where each layer lives in the flat vectors.

All parameters stand in one flat vector: W of the first layer (row by row), its b, W of the second, and
so on. Gradients and moments are vectors of the same layout; `transposed` holds W' in the place of W.
The activations of a batch of `capacity` rows stand in one vector too: the input rows of the first layer,
then its output rows, which are the second layer's input, and so on: `units` counts the columns before.
"""

import numpy as np

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
    for start, end, n_out in zip(*(layers[x].tolist() for x in ("weights", "biases", "n_out")), strict=True):
        weights.append(vector[start:end].reshape(-1, n_out))
        biases.append(vector[end : end + n_out])
    return weights, biases
