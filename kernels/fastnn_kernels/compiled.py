"""A trained network as one compiled function, to call inside a user's own @njit code."""

import numba
import numpy as np

from fastnn_kernels._jit import FAST
from fastnn_kernels.inference import predict
from fastnn_kernels.matmul import scratch_size_in_order
from fastnn_kernels.simd import matrix_view

CHUNK = 16


def compiled_network(layers, params):
    """An @njit function f(x): x (n_in,) gives (n_out,), X (n, n_in) gives (n, n_out), in the dtype of x.

    x must be contiguous and of the parameters' dtype. The parameters are copied into the function.
    """
    layers, params = layers.copy(), params.copy()
    n_out = int(layers["n_out"][-1])
    width = max([int(x) for x in layers["n_out"][:-1]], default=1)
    size = max(scratch_size_in_order(int(x["n_in"]), int(x["n_out"]), params.itemsize) for x in layers)

    @numba.njit(fastmath=set(FAST), error_model="numpy", nogil=True)
    def network(x):
        workspace = np.empty(size + 2 * CHUNK * width, x.dtype)
        scratch, buffer = workspace[:size], workspace[size:]
        if x.ndim == 1:
            out = np.empty(n_out, x.dtype)
            row = matrix_view(x, 0, 1, x.size)
            predict(layers, params, row, CHUNK, buffer, scratch, matrix_view(out, 0, 1, n_out))
        else:
            out = np.empty((x.shape[0], n_out), x.dtype)
            predict(layers, params, x, CHUNK, buffer, scratch, out)
        return out

    return network
