"""The one forward driver: rows of any number, dense, mapped to memory or CSR, by as many threads as pay."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.checks import Array, as_kernels_want, is_plain, is_readable, is_sparse
from fastnn.pairs_program import PairsProgram, pack_pairs
from fastnn.program import ForwardProgram, Program, pack
from fastnn.threads import available_threads, run_team
from fastnn_kernels.machine import chunk_rows
from fastnn_kernels.pair_layout import pair_rows
from fastnn_kernels.team import ABANDONED, TEAM_SIZE

# Rows are cut into compiled calls of so many products, some milliseconds: between them a Ctrl-C is heard,
# and threads share them out.
PRODUCTS_PER_CALL = 1 << 27
# Rows of a file of another type are converted this many bytes at a time.
CONVERTED_BYTES = 1 << 24
# To pack the weights costs as much as some twenty rows' products and 25 us, and makes each a third cheaper.
PACKED_ROWS, PACKED_PRODUCTS = 64, 1 << 22


class Forward:
    """The forward pass through the layers of a table of fastnn_kernels.layout, in `dtype`.

    bfloat16: weights, and what each layer is given, are rounded to it for the products.
    """

    def __init__(self, layers: Array, dtype: np.dtype[Any], bfloat16: bool = False) -> None:
        self.layers, self.dtype, self.n_out = layers, dtype, int(layers["n_out"][-1])
        self._bfloat16 = bfloat16
        sizes = [int(layers["n_in"][0]), *layers["n_out"].tolist()]
        self._chunk = pair_rows(sizes) if bfloat16 else chunk_rows(sizes, dtype.itemsize)
        products = int((layers["n_in"] * layers["n_out"]).sum())
        self._rows_per_call = max(1, PRODUCTS_PER_CALL // (self._chunk * products)) * self._chunk
        self._packed_rows = max(PACKED_ROWS, PACKED_PRODUCTS // products)
        self._idle = {
            (sparse, packed): list[ForwardProgram]() for sparse in (False, True) for packed in (False, True)
        }

    def __call__(self, params: Array, X: Any, threads: int | None = None) -> Array:
        """The outputs (n_samples, n_out) for X (n_samples, n_in), an array of numbers or checked CSR rows.

        threads: at most so many; None for all that this process may use. The bits do not depend on it.
        """
        n_rows = X.shape[0]
        out = np.empty((n_rows, self.n_out), self.dtype)
        step = self._rows_per_call
        if is_plain(X, self.dtype):
            pass
        elif is_sparse(X):
            indices, indptr = as_kernels_want(X.indices, np.int32), as_kernels_want(X.indptr, np.int64)
            data = as_kernels_want(X.data, self.dtype)
            X = data, indices, indptr
        elif isinstance(X, np.memmap) and not is_readable(X, self.dtype):
            step = min(step, max(1, CONVERTED_BYTES // X[:1].nbytes))
        else:
            X = as_kernels_want(X, self.dtype)
        # Packed for this call alone: who could tell whether the parameters have changed since the last?
        packed: Any = None
        if self._bfloat16:
            packed = pack_pairs(self.layers, params)
        elif n_rows >= self._packed_rows:
            packed = pack(self.layers, params)
        if n_rows <= step:
            self._compute(params, packed, X, 0, out)
            return out
        starts, team = range(0, n_rows, step), np.zeros(TEAM_SIZE, np.int64)
        left = iter(starts)

        def work(worker: int) -> int:
            for start in left:  # whoever comes first takes the next ones
                if team[ABANDONED]:
                    break
                self._compute(params, packed, X, start, out[start : start + step])
            return 0

        run_team(min(threads or available_threads(), len(starts)), team, work)
        return out

    def _compute(self, params: Array, packed: Any, X: Any, start: int, out: Array) -> None:
        """One compiled call: `out` = the outputs for the rows from `start` on; X is dense or CSR's arrays."""
        sparse = isinstance(X, tuple)
        idle = self._idle[sparse, packed is not None]
        try:
            program = idle.pop()  # none is used by two threads at once
        except IndexError:
            about = self.layers, self.dtype, self._chunk, sparse
            program = PairsProgram(*about) if self._bfloat16 else Program(*about, packed is not None)
        program.place(params, packed)
        if sparse:
            data, indices, indptr = X
            program.csr(data, indices, indptr[start:], out)
        else:
            rows = X[start : start + len(out)] if len(out) < len(X) else X
            # Of a file the rows may be of another type.
            program.dense(rows if type(rows) is np.ndarray else as_kernels_want(rows, self.dtype), out)
        idle.append(program)
