"""A trained network as one compiled function, to call inside a user's own @njit code."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from fastnn.checks import Array
from fastnn.program import Program, pack
from fastnn_kernels import evaluation, inference


def compiled_network(layers: Array, params: Array) -> Any:
    """An @njit function f(x): x (n_in,) gives (n_out,), X (n, n_in) gives (n, n_out), in the dtype of x.

    x must be of the parameters' dtype. The parameters are copied into the function's own memory. All work is
    done by machine code that is on the disk: numba compiles no more than a few lines around a call.
    """
    dtype, n_in, n_out = params.dtype, int(layers["n_in"][0]), int(layers["n_out"][-1])
    program = Program(layers, dtype, evaluation.CHUNK, sparse=False, packed=True)
    panels, own = pack(layers, params), params.copy()
    program.place(own, panels)
    fixed, per_row = evaluation.memory_size(program.layers, dtype.itemsize)
    element, x_bytes, most = numba.from_dtype(dtype), n_in * dtype.itemsize, evaluation.CHUNK
    wrong_size = f"the network takes {n_in} inputs: one row ({n_in},) or a matrix (n, {n_in})"
    advice = f"give np.asarray(x, np.{dtype})"
    evaluate = evaluation.evaluator(program.record.ctypes.data, inference.predict.address())

    def outputs(x):  # type: ignore[no-untyped-def]
        """Known to numba by its overload, which sees the type of x and not x."""

    @overload(outputs, jit_options={"error_model": "numpy"})
    def _outputs(x):  # type: ignore[no-untyped-def]
        if not (isinstance(x, types.Array) and x.dtype == element and x.ndim in (1, 2)):
            return _refusal(
                f"the network takes {dtype} arrays of 1 or 2 dimensions, not {x}: {advice}", n_out
            )
        if x.layout != "C":
            return lambda x: outputs(np.ascontiguousarray(x))

        if x.ndim == 1:

            def one_row(x):  # type: ignore[no-untyped-def]
                if x.size != n_in:
                    raise ValueError(wrong_size)
                out = np.empty(n_out, x.dtype)
                memory = np.empty(fixed + per_row, x.dtype)
                evaluate(x, 0, out, 1, memory)
                return out

            return one_row

        def matrix(x):  # type: ignore[no-untyped-def]
            n = x.shape[0]
            if x.shape[1] != n_in:
                raise ValueError(wrong_size)
            out = np.empty((n, n_out), x.dtype)
            rows = n if n < most else most  # min() and an array of one dimension would be compiled, too
            memory = np.empty((1, fixed + per_row * rows), x.dtype)
            evaluate(x, x_bytes, out, n, memory)
            return out

        return matrix

    @numba.njit(error_model="numpy", nogil=True)
    def network(x):  # type: ignore[no-untyped-def]
        return outputs(x)

    network.memory = program, panels, own  # which the records' addresses point to
    return network


def _refusal(message: str, n_out: int) -> Any:
    """A function that raises TypeError when it runs: numba's errors of types fill a page."""

    def refuse(x):  # type: ignore[no-untyped-def]
        out = np.empty(n_out)  # the caller's code is compiled, and wants to know what comes back
        if out.size:
            raise TypeError(message)
        return out

    return refuse
