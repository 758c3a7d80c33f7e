"""One run of training over the compiled loop: its memory, its threads, its slices of an epoch."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import sys
import time
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from fastnn._validation import as_kernels_want
from fastnn.data import Array, is_readable
from fastnn.optimizers import Optimizer, n_moments
from fastnn_kernels import epoch, phases
from fastnn_kernels.activations import GELU, SILU
from fastnn_kernels.affine import affine_scratch_size
from fastnn_kernels.costs import COSTS
from fastnn_kernels.layout import block_shares, block_size, block_table, n_parameters, n_units
from fastnn_kernels.optimizers import OPTIMIZERS
from fastnn_kernels.team import ABANDONED, TEAM_SIZE

# A slice of an epoch is one compiled call. Between slices a Ctrl-C is heard and the progress bar moves.
# It has at most so many times the steps of the one before: only measuring tells what a step costs (up to
# 150 times what is reckoned below, for a batch of one row or more threads than processors).
SLICE_SECONDS, FIRST_SLICE, SLICE_GROWTH = 0.05, 64, 8
# The rows that a worker carries through all layers at a time should stay in its second-level cache.
CHUNK_BYTES = 256 << 10
# Rows of a file of another type are converted this many bytes at a time.
CONVERTED_BYTES = 4 << 20
LARGE_BATCH, SEGMENT_ROWS = 1024, 256
# What `step_seconds` reckons with, and the work below which a further thread may cost more than it does:
# a barrier takes 0.1 us when all are awake, and much longer when one is not.
FLOPS_PER_SECOND, SECONDS_PER_PARAMETER, SECONDS_PER_UNIT = 80e9, 0.4e-9, 1e-9
SECONDS_PER_THREAD = 60e-6


class DivergenceError(ArithmeticError):
    """The cost is no longer finite: the learning rate is too high, or the data are not scaled."""


class Abandoned(RuntimeError):
    """A worker thread could not be started, or failed."""


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
    threads: int | str = "auto"


def available_threads() -> int:
    """The threads that this process may use: its CPU affinity, and the limits that joblib sets in workers."""
    # One of a pool of multiprocessing gets one; asked there, joblib warns that it cannot start processes.
    in_pool = multiprocessing.current_process().daemon
    limits = [joblib.cpu_count(), 1 if in_pool else joblib.effective_n_jobs(-1)]
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value.isdigit() and int(value) > 0:
            limits.append(int(value))
    return max(1, min(limits))


def other_cpus() -> set[int]:
    """The CPUs that this process may use, but for the one that this thread is on; empty if not known.

    A new thread starts where its parent runs. Some virtual machines leave it there for milliseconds, where
    each barrier costs two changes of context: 30 us a step instead of 3.
    """
    if sys.platform != "linux":
        return set()
    return os.sched_getaffinity(0) - {ctypes.CDLL(None).sched_getcpu()}


def step_seconds(layers: Array, rows: int) -> float:
    """About how long one thread takes for a step over `rows` rows."""
    n_weights = float((layers["n_in"] * layers["n_out"]).sum())
    units = float(layers["n_out"].sum())
    products = 6 * rows * n_weights / FLOPS_PER_SECOND
    return products + n_weights * SECONDS_PER_PARAMETER + rows * units * SECONDS_PER_UNIT


def worthwhile_threads(layers: Array, rows: int, available: int) -> int:
    """As many of the available threads as have enough to do in a step over `rows` rows."""
    by_work = int(step_seconds(layers, rows) / SECONDS_PER_THREAD)
    return max(1, min(available, by_work, -(-rows // 8)))


def aligned_zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """A zeroed vector that begins at a cache line."""
    buffer = np.zeros(size + 64 // dtype.itemsize, dtype)
    start = -buffer.ctypes.data % 64 // dtype.itemsize
    return buffer[start : start + size]


class Trainer:
    """The state of a run: moments, steps done and workspace for one network, cost and batch size."""

    def __init__(
        self,
        layers: Array,
        params: Array,
        cost: str,
        n_targets: int,
        weighted: bool,
        seed: int,
        run: Settings,
    ) -> None:
        dtype, batch = params.dtype, run.batch_size
        scalar = dtype.type
        available = available_threads()
        if run.threads == "auto":
            self.workers = worthwhile_threads(layers, batch, available)
        else:
            self.workers = int(run.threads)
        self.settings = run
        self.steps_done = 0
        self.per_epoch = 1
        self._compiled = False
        self._seconds_per_step = step_seconds(layers, batch) / self.workers
        self._longest_slice = FIRST_SLICE
        blocks = block_table(layers)
        largest = block_size(layers, blocks)
        n_params, units = n_parameters(layers), n_units(layers)
        saved = np.isin(layers["activation"], (GELU, SILU)).any() or (layers["keep"] < 1).any()
        sizes = [affine_scratch_size(batch, int(x["n_in"]), int(x["n_out"]), dtype.itemsize) for x in layers]
        chunk = max(8, CHUNK_BYTES // (2 * units * dtype.itemsize) // 8 * 8)
        # Thousands of rows are summed where they are still in cache, if the sums are smaller than they.
        segments = -(-batch // SEGMENT_ROWS)
        if batch < LARGE_BATCH or segments * n_params > batch * units:
            segments = 0
        else:
            chunk = SEGMENT_ROWS
        self.model = phases.Model(layers, blocks, params, aligned_zeros(n_params, dtype))
        self.options = phases.Options(
            cost=COSTS[cost].code,
            smoothing=scalar(run.label_smoothing),
            threshold=scalar(run.huber_threshold),
            optimizer=OPTIMIZERS[run.optimizer.kernel].code,
            beta1=scalar(run.optimizer.betas[0]),
            beta2=scalar(run.optimizer.betas[1]),
            clip=float(run.clip_norm),
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
            grads=aligned_zeros(n_params if run.clip_norm < np.inf else self.workers * largest, dtype),
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

    def epoch(
        self,
        X: Array,
        Y: Array,
        weights: Array,
        order: NDArray[np.int64],
        per_epoch: int | None = None,
        on_slice: Callable[[int, float], None] | None = None,
    ) -> float:
        """Train on the rows `order` of X, batch by batch; the mean cost before each batch's update.

        `per_epoch` is the number of steps that schedules count as an epoch; `on_slice` is told after each
        slice how many batches are done and their mean cost. Raises DivergenceError before the update
        of a step whose cost is not finite. An exception between slices leaves whole steps behind it.
        """
        batch, dtype = self.options.capacity, self.model.params.dtype
        n_steps = -(-order.size // batch)
        self.per_epoch = per_epoch or n_steps
        totals = np.zeros(epoch.N_TOTALS)
        Y = as_kernels_want(Y, dtype)
        first = 0
        while first < n_steps:
            in_time = max(1, int(SLICE_SECONDS / self._seconds_per_step))
            last = min(n_steps, first + in_time, first + self._longest_slice)
            self._longest_slice = max(self._longest_slice, SLICE_GROWTH * (last - first))
            if not is_readable(X, dtype):
                last = min(last, first + max(1, CONVERTED_BYTES // (batch * X.shape[1] * X.itemsize)))
            chosen = order[first * batch : last * batch]
            if is_readable(X, dtype):
                data = phases.Data(np.asarray(X), Y, weights, chosen)
            else:  # a file of another type: convert the rows of this slice
                rows = as_kernels_want(X[chosen], dtype)
                data = phases.Data(rows, Y[chosen], weights[chosen[: weights.size]], np.arange(chosen.size))
            steps = np.arange(self.steps_done, self.steps_done + last - first)
            rates = self.settings.optimizer.corrected(steps, self.per_epoch)
            started, before = time.perf_counter(), totals[epoch.STEPS]
            try:
                status = self._run(data, rates, totals)
            finally:
                self.steps_done += int(totals[epoch.STEPS] - before)
            self._seconds_per_step = max((time.perf_counter() - started) / (last - first), 1e-7)
            if status == epoch.DIVERGED:
                raise DivergenceError(
                    f"the cost is not finite in step {self.steps_done}; use a smaller learning rate, "
                    "gradient clipping (clip_norm), or scale the features"
                )
            first = last
            if on_slice is not None:
                on_slice(last, totals[epoch.COST] / min(last * batch, order.size))
        return float(totals[epoch.COST] / order.size)

    def _run(self, data: phases.Data, rates: Array, totals: Array) -> int:
        """One compiled call, entered by all workers; this thread is the first of them."""
        team = np.zeros(TEAM_SIZE, np.int64)
        call = (data, self.model, self.options, self.work, rates, self.steps_done, totals, team)

        # Locks, not threading.Thread: a Ctrl-C while one starts could leave it stuck for ever, with the data.
        helpers = range(1, self.workers)
        elsewhere = other_cpus() if helpers else set()
        running = [allocate_lock() for _ in range(self.workers)]
        begun, failures = [False] * self.workers, list[BaseException]()

        def work(worker: int) -> int:
            try:
                return int(epoch.train(*call, worker, self.workers))
            except BaseException:
                team[ABANDONED] = 1  # the others must not wait for ever for one that will not come
                raise

        def help_out(worker: int) -> None:
            begun[worker] = True
            try:
                if elsewhere:
                    with suppress(OSError):
                        os.sched_setaffinity(0, elsewhere)  # of this thread alone
                if not team[ABANDONED]:  # else nobody waits for this one, and the memory may be in use again
                    work(worker)
            except BaseException as error:
                failures.append(error)
            finally:
                running[worker].release()

        if helpers and not self._compiled:  # before anybody waits for it
            epoch.train(*call[:4], rates[:0], *call[5:], 0, 1)
        self._compiled = True
        try:
            for worker in helpers:
                running[worker].acquire()
                try:
                    start_new_thread(help_out, (worker,))
                except RuntimeError as error:
                    raise Abandoned(f"a thread could not be started ({error}): use threads=1") from error
            status = work(0)
        except BaseException:
            team[ABANDONED] = 1
            raise
        finally:
            for worker in helpers:
                if begun[worker]:
                    running[worker].acquire()
        if failures:
            raise Abandoned(f"a training thread failed: {failures[0]!r}") from failures[0]
        return status
