"""A trained network as one compiled function, to call inside a user's own @njit code."""

import numba
import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.extending import overload

from fastnn_kernels._jit import FAST
from fastnn_kernels.inference import predict
from fastnn_kernels.matmul import scratch_size_in_order
from fastnn_kernels.simd import matrix_view

CHUNK = 16


def compiled_network(layers, params):
    """An @njit function f(x): x (n_in,) gives (n_out,), X (n, n_in) gives (n, n_out), in the dtype of x.

    x must be of the parameters' dtype. The parameters are copied into the function.
    """
    layers, params = layers.copy(), params.copy()
    n_in, n_out = int(layers["n_in"][0]), int(layers["n_out"][-1])
    width = max([int(x) for x in layers["n_out"][:-1]], default=1)
    size = max(scratch_size_in_order(int(x["n_in"]), int(x["n_out"]), params.itemsize) for x in layers)
    element = numba.from_dtype(params.dtype)
    wrong_size = f"the network takes {n_in} inputs: one row ({n_in},) or a matrix (n, {n_in})"

    @numba.njit(fastmath=set(FAST), error_model="numpy", nogil=True)
    def contiguous(x):
        if x.shape[-1] != n_in:
            raise ValueError(wrong_size)
        workspace = np.empty(size + 2 * CHUNK * width, x.dtype)
        scratch, buffer = workspace[:size], workspace[size:]
        if x.ndim == 1:
            out = np.empty(n_out, x.dtype)
            row = matrix_view(x, 0, 1, n_in)
            predict(layers, params, row, CHUNK, buffer, scratch, matrix_view(out, 0, 1, n_out))
        else:
            out = np.empty((x.shape[0], n_out), x.dtype)
            predict(layers, params, x, CHUNK, buffer, scratch, out)
        return out

    def outputs(x):
        """Known to numba by its overload, which sees the type of x and not x."""

    @overload(outputs)
    def _outputs(x):
        if not (isinstance(x, types.Array) and x.dtype == element and x.ndim in (1, 2)):
            raise TypingError(f"the network takes {params.dtype} arrays of 1 or 2 dimensions, not {x}")
        if x.layout == "C":
            return lambda x: contiguous(x)
        return lambda x: contiguous(np.ascontiguousarray(x))

    @numba.njit(fastmath=set(FAST), error_model="numpy", nogil=True)
    def network(x):
        return outputs(x)

    return network
