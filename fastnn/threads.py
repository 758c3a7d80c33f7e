"""How many threads a run takes, and how they enter one compiled call together."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import BuiltinFunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn_kernels.team import ABANDONED

# What `step_seconds` reckons with, and the work below which a further thread may cost more than it does:
# a barrier takes 0.1 us when all are awake, and much longer when one is not.
FLOPS_PER_SECOND, SECONDS_PER_PARAMETER, SECONDS_PER_UNIT = 80e9, 0.4e-9, 1e-9
SECONDS_PER_THREAD = 60e-6


# gevent's greenlets, in the place of threads, would wait for each other for ever.
REAL_THREADS = isinstance(start_new_thread, BuiltinFunctionType)
# A team's steps are timed beside those of one thread: at first, and again after so many slices.
RETRY_SLICES = 32


# In a thread that is not told of a Ctrl-C: what another thread sets when its trainings are to end.
_told = threading.local()


class Abandoned(RuntimeError):
    """A worker thread could not be started, or failed."""


def available_threads() -> int:
    """The threads that this process may use: its CPU affinity, and the limits that joblib sets in workers."""
    if not REAL_THREADS:
        return 1
    import multiprocessing  # this and joblib take a tenth of a second

    import joblib

    # One of a pool of multiprocessing gets one; asked there, joblib warns that it cannot start processes.
    in_pool = multiprocessing.current_process().daemon
    limits = [joblib.cpu_count(), 1 if in_pool else joblib.effective_n_jobs(-1)]
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value.isdigit() and int(value) > 0:
            limits.append(int(value))
    return max(1, min(limits))


def threads_for(asked: int | str) -> int:
    """As many as were asked for; of 'auto', as are available."""
    return available_threads() if asked == "auto" or not REAL_THREADS else int(asked)


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


def worthwhile_threads(layers: Array, rows: int, itemsize: int = 4, sparse: bool = False) -> int:
    """As many of the available threads as have enough to do in a step over `rows` rows."""
    by_work = min(int(step_seconds(layers, rows, itemsize, sparse) / SECONDS_PER_THREAD), -(-rows // 8))
    return min(by_work, available_threads()) if by_work > 1 else 1  # asking takes longer than a small fit


def run_team(workers: int, team: NDArray[np.int64], work: Callable[[int], int]) -> int:
    """work(0) of this thread, while the others do work(1), work(2), ...: they meet at `team`'s barriers."""
    # Locks, not threading.Thread: a Ctrl-C while one starts could leave it stuck for ever, with the data.
    helpers = range(1, workers)
    elsewhere = other_cpus() if helpers else set()
    running = [allocate_lock() for _ in range(workers)]
    begun, ended, failures = [False] * workers, [False] * workers, list[BaseException]()
    # Of this call alone: the team's own word is cleared for the next call, which no late helper may enter.
    over = [False]

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
            if not over[0]:  # else nobody waits for this one, and the memory may be in use again
                attempt(worker)
        except BaseException as error:
            failures.append(error)
        finally:
            ended[worker] = True
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
        over[0] = True
        wait_for(lambda: [running[w] for w in helpers if begun[w] and not ended[w]])
    if failures:
        raise Abandoned(f"a training thread failed: {failures[0]!r}") from failures[0]
    return status


def wait_for(busy: Callable[[], list[LockType]]) -> None:
    """Until `busy` names nobody's lock any more; a Ctrl-C that comes meanwhile is heard afterwards."""
    pressed: BaseException | None = None
    while locks := busy():
        try:
            locks[0].acquire(timeout=1)
        except KeyboardInterrupt as error:
            pressed = error
    if pressed is not None:
        raise pressed


class Pace:
    """How many threads the next slice gets: all of the team, or one where the team is slower.

    That happens while another program takes one of the cores: those who wait for the last of them wait long.
    The clock decides, not the bits, which are the same for any number.
    """

    def __init__(self, workers: int, fixed: bool) -> None:
        self._choices = (workers,) if fixed or workers == 1 else (workers, 1)
        # What comes first is slow, whoever does it: memory is touched, and a core wakes up.
        self._trials = [workers, 1, workers] if len(self._choices) > 1 else []
        self._seconds: dict[int, float] = {}
        self._slices = 0

    @property
    def undecided(self) -> bool:
        """Whether the next slice is to find something out: a short one will do."""
        return bool(self._trials) or self._retries

    @property
    def _retries(self) -> bool:
        return len(self._choices) > 1 and self._slices % RETRY_SLICES == RETRY_SLICES - 1

    def next(self) -> int:
        """The threads of the next slice."""
        if self._trials:
            return self._trials[0]
        best = min(self._choices, key=lambda workers: self._seconds.get(workers, 0.0))
        return next(w for w in self._choices if w != best) if self._retries else best

    def note(self, workers: int, seconds: float) -> None:
        """A step of a slice with so many threads has taken so long."""
        del self._trials[:1]
        self._seconds[workers] = seconds
        self._slices += 1


def listen_to(given_up: threading.Event) -> None:
    """From now on trainings in this thread end after a slice, as by a Ctrl-C, once `given_up` is set."""
    _told.given_up = given_up


def end_if_given_up() -> None:
    """Called after each slice of a training."""
    given_up = getattr(_told, "given_up", None)
    if given_up is not None and given_up.is_set():
        raise KeyboardInterrupt


@contextmanager
def trainings_in(threads: int) -> Iterator[Any]:
    """A pool of threads whose trainings a Ctrl-C ends too: Python tells the main thread alone."""
    from concurrent.futures import ThreadPoolExecutor  # not for who imports fastnn

    given_up = threading.Event()
    with ThreadPoolExecutor(threads, initializer=listen_to, initargs=(given_up,)) as pool:
        try:
            yield pool
        except BaseException:
            given_up.set()
            raise
