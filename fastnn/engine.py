"""One run of training over the compiled loop: its memory, its threads, its slices."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._validation import as_kernels_want
from fastnn.data import Array, is_readable
from fastnn.optimizers import Optimizer, n_moments
from fastnn.threads import available_threads, run_team, step_seconds, worthwhile_threads
from fastnn_kernels import epoch, phases
from fastnn_kernels.activations import GELU, SILU
from fastnn_kernels.affine import affine_scratch_size
from fastnn_kernels.costs import COSTS
from fastnn_kernels.layout import block_shares, block_size, block_table, n_parameters, n_units
from fastnn_kernels.optimizers import GRADIENT, OPTIMIZERS
from fastnn_kernels.team import TEAM_SIZE

# A slice, of any number of steps, is one compiled call. Between slices a Ctrl-C is heard and the progress bar
# moves. It has at most so many times the steps of the one before: only measuring tells what a step costs (up
# to 150 times what `step_seconds` reckons, for a batch of one row or more threads than processors).
SLICE_SECONDS, FIRST_SLICE, SLICE_GROWTH = 0.05, 64, 8
# The rows that a worker carries through all layers at a time should stay in its second-level cache.
CHUNK_BYTES = 256 << 10
# Rows of a file of another type are converted this many bytes at a time.
CONVERTED_BYTES = 4 << 20
LARGE_BATCH, SEGMENT_ROWS, SEGMENT_SHARE = 128, 256, 0.5


class DivergenceError(ArithmeticError):
    """The cost is no longer finite: the learning rate is too high, or the data are not scaled."""


@dataclass(frozen=True)
class Settings:
    """What a run is told besides its data: see `Network.fit`."""

    optimizer: Optimizer
    batch_size: int
    l2: float = 0.0
    l2_by_batch: bool = False
    clip_norm: float = np.inf
    label_smoothing: float = 0.0
    huber_threshold: float = 1.0
    ceiling: float = np.inf  # of an element of a cross-entropy, in the costs that are told
    threads: int | str = "auto"


def aligned_zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """A zeroed vector that begins at a cache line."""
    buffer = np.zeros(size + 64 // dtype.itemsize, dtype)
    start = -buffer.ctypes.data % 64 // dtype.itemsize
    return buffer[start : start + size]


class Trainer:
    """The state of a run: moments, steps done and workspace for one network, cost and largest batch.

    layers: the table of layout.py; params: the flat vector, which training changes; sparse: X is CSR.
    """

    def __init__(
        self,
        layers: Array,
        params: Array,
        cost: str,
        n_targets: int,
        weighted: bool,
        seed: int,
        run: Settings,
        sparse: bool = False,
    ) -> None:
        dtype, batch = params.dtype, run.batch_size
        scalar = dtype.type
        available = available_threads()
        if run.threads == "auto":
            self.workers = worthwhile_threads(layers, batch, available, dtype.itemsize, sparse)
        else:
            self.workers = int(run.threads)
        self.settings = run
        self.steps_done = 0
        self._sparse, self._n_in = sparse, int(layers["n_in"][0])
        self._compiled = False
        self._seconds_per_step = step_seconds(layers, batch, dtype.itemsize, sparse) / self.workers
        self._longest_slice = FIRST_SLICE
        if sparse:  # its rows are read where they are: no room for their copies
            layers = layers.copy()
            layers["units"] -= self._n_in
        blocks = block_table(layers)
        largest = block_size(layers, blocks)
        n_params, units = n_parameters(layers), n_units(layers)
        saved = np.isin(layers["activation"], (GELU, SILU)).any() or (layers["keep"] < 1).any()
        whole = sparse or run.clip_norm < np.inf
        sizes = [affine_scratch_size(batch, int(x["n_in"]), int(x["n_out"]), dtype.itemsize) for x in layers]
        chunk = max(8, CHUNK_BYTES // (2 * units * dtype.itemsize) // 8 * 8)
        # Many rows are summed where they are still in cache, if the sums are smaller than they.
        segment = min(SEGMENT_ROWS, -(-batch // 16) * 8)
        segments = -(-batch // segment)
        if sparse or batch < LARGE_BATCH or segments * n_params > SEGMENT_SHARE * batch * units:
            segments = 0
        else:
            chunk = segment
        self.model = phases.Model(layers, blocks, params, aligned_zeros(n_params, dtype))
        self.options = phases.Options(
            cost=COSTS[cost].code,
            smoothing=scalar(run.label_smoothing),
            threshold=scalar(run.huber_threshold),
            ceiling=scalar(run.ceiling),
            optimizer=OPTIMIZERS[run.optimizer.kernel].code,
            beta1=scalar(run.optimizer.betas[0]),
            beta2=scalar(run.optimizer.betas[1]),
            clip=float(run.clip_norm),
            whole=whole,
            l2=scalar(run.l2),
            l2_by_batch=run.l2_by_batch,
            seed=seed & 0xFFFFFFFF,
            capacity=batch,
            block_size=largest,
            chunk=min(chunk, batch),
        )
        self.work = phases.Workspace(
            activations=aligned_zeros(batch * units, dtype),
            saved=aligned_zeros(batch * units if saved else 0, dtype),
            deltas=aligned_zeros(batch * units, dtype),
            targets=aligned_zeros(batch * n_targets, dtype),
            row_weights=aligned_zeros(batch if weighted else 0, dtype),
            costs=aligned_zeros(batch, dtype),
            grads=aligned_zeros(n_params if whole else self.workers * largest, dtype),
            partials=aligned_zeros(segments * n_params, dtype),
            moments=np.zeros((n_moments(run.optimizer), n_params), dtype),
            norms=np.zeros(len(blocks)),
            squares=np.zeros(len(blocks)),
            scratch=np.empty((self.workers, max(sizes)), dtype),
            shares=block_shares(layers, blocks, self.workers),
        )

    @property
    def moments(self) -> Array:
        """The optimizer's running means (n_moments, n_params)."""
        return self.work.moments

    def snapshot(self) -> tuple[Array, Array, int]:
        """What `restore` goes back to: parameters, moments and the number of steps done."""
        return self.model.params.copy(), self.moments.copy(), self.steps_done

    def restore(self, state: tuple[Array, Array, int]) -> None:
        self.model.params[:], self.moments[:], self.steps_done = state

    def next_slice(self) -> int:
        """How many steps the next compiled call would have at most."""
        return min(max(1, int(SLICE_SECONDS / self._seconds_per_step)), self._longest_slice)

    def train(
        self,
        X: Any,
        Y: Array,
        weights: Array,
        order: NDArray[np.int64],
        spans: NDArray[np.int64],
        rates: NDArray[np.float64],
        on_slice: Callable[[int, float], None] | None = None,
    ) -> NDArray[np.float64]:
        """Step i is over the rows order[spans[i, 0] : spans[i, 1]]; returns costs (n_steps, 2).

        X (n, n_in), or CSR from scipy.sparse; Y (n, n_targets); weights (n,) or (0,). Steps may go through
        any number of epochs, and share parts of `order`. rates (n_steps, 3): see `Optimizer.corrected`. A
        row of the result is a step's mean cost before its update, and its penalty. `on_slice` is told after
        each slice how many steps it had and their mean cost. Raises DivergenceError before the update of a
        step whose cost is not finite. An exception between slices leaves whole steps behind it.
        """
        batch, dtype, n_steps = self.options.capacity, self.model.params.dtype, len(spans)
        costs, done = np.zeros((n_steps, 2)), np.zeros(1, np.int64)
        data = self._data(X, Y, weights, order, spans) if self._sparse or is_readable(X, dtype) else None
        first = 0
        while first < n_steps:
            last = min(n_steps, first + self.next_slice())
            self._longest_slice = max(self._longest_slice, SLICE_GROWTH * (last - first))
            if data is None:  # a file of another type: convert the rows of this slice
                last = min(last, first + max(1, CONVERTED_BYTES // (batch * X.shape[1] * X.itemsize)))
                low, high = spans[first:last].min(), spans[first:last].max()
                rows = order[low:high]
                part = self._data(
                    as_kernels_want(X[rows], dtype), Y[rows], weights[rows[: weights.size]],
                    np.arange(rows.size), spans[first:last] - low,
                )  # fmt: skip
            else:
                part = data._replace(spans=spans[first:last])
            started = time.perf_counter()
            try:
                status = self._run(part, rates[first:last], costs[first:last], done)
            finally:
                self.steps_done += int(done[0])
                done[0] = 0
            self._seconds_per_step = max((time.perf_counter() - started) / (last - first), 1e-7)
            if status == epoch.DIVERGED:
                raise DivergenceError(
                    f"the cost is not finite in step {self.steps_done}; use a smaller learning rate, "
                    "gradient clipping (clip_norm), or scale the features"
                )
            if on_slice is not None:
                on_slice(last - first, float(costs[first:last].sum() / (last - first)))
            first = last
        return costs

    def cost_and_gradient(self, X: Any, Y: Array, weights: Array) -> tuple[float, float, Array]:
        """Mean cost over all rows, penalty, and the gradient of their sum in the layout of the parameters.

        Changes nothing; a cost that is not finite is returned, with a gradient that means nothing.
        """
        n_params = self.model.params.size
        if self.options.optimizer != GRADIENT:
            self.options = self.options._replace(optimizer=GRADIENT, whole=True)
            self.work = self.work._replace(grads=aligned_zeros(n_params, self.model.params.dtype))
        costs, n_rows = np.zeros((1, 2)), Y.shape[0]
        data = self._data(X, Y, weights, np.arange(n_rows), np.array([[0, n_rows]]))
        self._run(data, np.zeros((1, 3)), costs, np.zeros(1, np.int64))
        return float(costs[0, epoch.COST]), float(costs[0, epoch.PENALTY]), self.work.grads

    def _data(self, X: Any, Y: Array, weights: Array, order: Array, spans: Array) -> phases.Data:
        """As the kernels take them: one compiled signature for dense and CSR rows."""
        dtype, none = self.model.params.dtype, np.empty(0, np.int64)
        parts = np.empty(0, dtype), np.empty(0, np.int32), none
        if self._sparse:
            types = dtype, np.int32, np.int64
            sources = X.data, X.indices, X.indptr
            parts = tuple(as_kernels_want(x, t) for x, t in zip(sources, types, strict=True))  # type: ignore
            X = np.empty((0, self._n_in), dtype)
        Y = as_kernels_want(Y, dtype)
        return phases.Data(as_kernels_want(X, dtype), *parts, Y, weights, order, spans)

    def _run(self, data: phases.Data, rates: Array, costs: Array, done: Array) -> int:
        """One compiled call, entered by all workers; this thread is the first of them."""
        team = np.zeros(TEAM_SIZE, np.int64)
        call = (data, self.model, self.options, self.work, rates, self.steps_done, costs, done, team)

        def work(worker: int) -> int:
            return int(epoch.train(*call, worker, self.workers))

        if self.workers > 1 and not self._compiled:  # before anybody waits for it
            epoch.train(*call[:4], rates[:0], *call[5:], 0, 1)
        self._compiled = True
        return run_team(self.workers, team, work)
