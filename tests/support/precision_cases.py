"""Networks whose products are of bfloat16 numbers, and data for them."""

import numpy as np

from cases import normal
from training_cases import make_data, make_network


def network_of(sizes=(5, 6, 4, 3), **options):
    return make_network(sizes, **{"dtype": "float32", "precision": "bfloat16", **options})


def data_of(network, n, seed=0):
    """X and Y in float32, for any cost."""
    X, Y = make_data(network, n)
    return normal(np.float32, (n, network.n_in), seed), Y
