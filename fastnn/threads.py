"""How many threads a run takes, and how they enter one compiled call together."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import sys
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress

import joblib
import numpy as np
from numpy.typing import NDArray

from fastnn.data import Array
from fastnn_kernels.team import ABANDONED

# What `step_seconds` reckons with, and the work below which a further thread may cost more than it does:
# a barrier takes 0.1 us when all are awake, and much longer when one is not.
FLOPS_PER_SECOND, SECONDS_PER_PARAMETER, SECONDS_PER_UNIT = 80e9, 0.4e-9, 1e-9
SECONDS_PER_THREAD = 60e-6


class Abandoned(RuntimeError):
    """A worker thread could not be started, or failed."""


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


def step_seconds(layers: Array, rows: int, itemsize: int = 4, sparse: bool = False) -> float:
    """About how long one thread takes for a step over `rows` rows of elements of so many bytes."""
    weights = (layers["n_in"] * layers["n_out"]).astype(float)
    n_weights, units = weights.sum(), float(layers["n_out"].sum())
    products = 6 * rows * weights[sparse:].sum() / FLOPS_PER_SECOND
    in_float32 = products + n_weights * SECONDS_PER_PARAMETER + rows * units * SECONDS_PER_UNIT
    return float(in_float32 * itemsize / 4)


def worthwhile_threads(
    layers: Array, rows: int, available: int, itemsize: int = 4, sparse: bool = False
) -> int:
    """As many of the available threads as have enough to do in a step over `rows` rows."""
    by_work = int(step_seconds(layers, rows, itemsize, sparse) / SECONDS_PER_THREAD)
    return max(1, min(available, by_work, -(-rows // 8)))


def run_team(workers: int, team: NDArray[np.int64], work: Callable[[int], int]) -> int:
    """work(0) of this thread, while the others do work(1), work(2), ...: they meet at `team`'s barriers."""
    # Locks, not threading.Thread: a Ctrl-C while one starts could leave it stuck for ever, with the data.
    helpers = range(1, workers)
    elsewhere = other_cpus() if helpers else set()
    running = [allocate_lock() for _ in range(workers)]
    begun, failures = [False] * workers, list[BaseException]()

    def attempt(worker: int) -> int:
        try:
            return work(worker)
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
                attempt(worker)
        except BaseException as error:
            failures.append(error)
        finally:
            running[worker].release()

    try:
        for worker in helpers:
            running[worker].acquire()
            try:
                start_new_thread(help_out, (worker,))
            except RuntimeError as error:
                raise Abandoned(f"a thread could not be started ({error}): use threads=1") from error
        status = attempt(0)
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
