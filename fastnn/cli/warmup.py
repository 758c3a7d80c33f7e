"""`fastnn warmup`: every kernel of training and prediction, compiled into the cache by all cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from multiprocessing import get_context

from fastnn import trainer  # noqa: F401  (its imports name all leaves)
from fastnn.threads import available_threads
from fastnn_kernels import evaluation  # noqa: F401
from fastnn_kernels.leaves import LEAVES
from fastnn_kernels.simd import BFLOAT16_UNITS

TYPES = "float32", "float64"


def missing() -> list[tuple[str, str]]:
    """Name and type of each leaf whose machine code is not on the disk, the longest to compile first."""
    known = {name: leaf for name, leaf in LEAVES.items() if leaf.unit in (None, *BFLOAT16_UNITS)}
    wanted = [(leaf.seconds, name, dtype) for name, leaf in known.items() for dtype in leaf.types]
    return [
        (name, dtype) for _, name, dtype in sorted(wanted, reverse=True) if not LEAVES[name].is_ready(dtype)
    ]


def compile_one(module: str, name: str, dtype: str) -> float:
    """The seconds that it took; a new process knows the leaf once its module is imported."""
    import_module(module)
    started = time.perf_counter()
    LEAVES[name].address(dtype)
    return time.perf_counter() - started


def compile_all(report: Callable[[int, int], None]) -> Iterator[tuple[str, int, float]]:
    """Compile what is missing; for each type its kernels and their seconds. `report` hears (done, of)."""
    tasks, seconds = missing(), dict.fromkeys(TYPES, 0.0)
    if tasks:
        # Spawned, not forked: a compiler's locks do not survive a fork.
        with ProcessPoolExecutor(min(available_threads(), len(tasks)), get_context("spawn")) as pool:
            running = {
                pool.submit(compile_one, LEAVES[name].define.__module__, name, dtype): dtype
                for name, dtype in tasks
            }
            try:
                for done, future in enumerate(as_completed(running), 1):
                    seconds[running[future]] += future.result()
                    report(done, len(tasks))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    for dtype in TYPES:
        yield dtype, sum(x == dtype for _, x in tasks), seconds[dtype]
