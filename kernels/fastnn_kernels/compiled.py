"""A trained network as one compiled function, to call inside a user's own @njit code."""

import numba
import numpy as np

from fastnn_kernels._jit import FAST
from fastnn_kernels.affine import affine_scratch_size
from fastnn_kernels.inference import predict
from fastnn_kernels.simd import matrix_view


def compiled_network(layers, params):
    """An @njit function f(x): x (n_in,) gives (n_out,), X (n, n_in) gives (n, n_out), in the dtype of x.

    x must be contiguous and of the parameters' dtype. The parameters are copied into the function.
    """
    layers, params = layers.copy(), params.copy()
    chunk = 16
    n_out, itemsize = int(layers["n_out"][-1]), params.itemsize
    width = max([int(x) for x in layers["n_out"][:-1]], default=1)
    size = max(affine_scratch_size(chunk, int(x["n_in"]), int(x["n_out"]), itemsize) for x in layers)

    @numba.njit(fastmath=set(FAST), error_model="numpy", nogil=True)
    def rows(X):
        out = np.empty((X.shape[0], n_out), X.dtype)
        buffer, scratch = np.empty(2 * chunk * width, X.dtype), np.empty(size, X.dtype)
        predict(layers, params, X, chunk, buffer, scratch, out)
        return out

    @numba.njit(fastmath=set(FAST), error_model="numpy", nogil=True)
    def network(x):
        if x.ndim == 1:
            return rows(matrix_view(x, 0, 1, x.size)).reshape(n_out)
        return rows(x)

    return network
