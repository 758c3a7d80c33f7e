"""The one way to measure: all sides of a case in one process, in turn, in samples of many calls.

A timer takes a number of times and gives the seconds of one; `take_turns` asks each for samples, A B C,
C B A, A B C, so that a drifting clock meets all alike. What is told are medians.
"""

import gc
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import LIMITS

PROFILES = ("smoke", "regular", "large")
PROFILE = os.environ.get("FASTNN_BENCH", "regular")
if PROFILE not in PROFILES:
    raise ValueError(f"FASTNN_BENCH={PROFILE!r}: give one of {', '.join(PROFILES)}")
ROUNDS, AT_LEAST = {"smoke": (2, 0.0), "regular": (7, 0.05), "large": (15, 0.2)}[PROFILE]
PAUSE = 0.0 if PROFILE == "smoke" else 0.02  # in which threads that another side has left spinning sleep


def pick(smoke, regular, large):
    """A list of parameters by the profile."""
    return list({"smoke": smoke, "regular": regular, "large": large}[PROFILE])


def progress(text):
    """A line for who started the suite, who names a file for it."""
    if path := os.environ.get("FASTNN_PROGRESS"):
        with open(path, "a") as file:
            print(text, file=file)


def call_seconds(call, times):
    """Of one call, the mean over `times`; a timer when `call` is given."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def epoch_seconds(run, epochs):
    """Of one epoch, the start of a run apart: run(1) is taken from run(1 + epochs)."""
    start = time.perf_counter()
    run(1)
    middle = time.perf_counter()
    run(1 + epochs)
    return (time.perf_counter() - middle - (middle - start)) / epochs


def scaled(timer, factor):
    return lambda times: timer(times) * factor


def peak_timer(flops, dtype, threads=1):
    """Of as many operations as a core can do: multiply-adds in registers, and nothing else."""
    from fastnn_kernels import peak
    from fastnn_kernels.simd import VECTOR_BYTES

    values = np.zeros(peak.CHAINS * VECTOR_BYTES // np.dtype(dtype).itemsize, dtype)
    call = partial(peak.multiply_adds, values, 10_000)
    return scaled(partial(call_seconds, call), flops / (2 * values.size * 10_000) / threads)


def enough(timer, at_least):
    """How many times last `at_least` seconds; one, which may compile, does not count."""
    timer(1)
    times, spent = 1, 0.0
    while spent < at_least and times < 10**7:
        start = time.perf_counter()
        timer(times)
        spent = time.perf_counter() - start
        if spent < at_least:
            times = max(2 * times, int(1.1 * times * min(at_least / max(spent, 1e-9), 10)))
    return times


def keep_freed_memory():
    """Let glibc's allocator keep blocks of up to 31 MiB, which it does once it has freed one as large.

    Else it depends on what ran before whether NumPy's results are paid for in page faults: predictions for
    4096 rows of 30-128-1 took it 3.0 ms in a new process and 0.7 ms after this.
    """
    np.ones(31 << 20, np.uint8)


def take_turns(timers, rounds=ROUNDS, at_least=AT_LEAST, pause=0.0):
    """{name: seconds of each round} of {name: timer}; `pause` in seconds before each sample."""
    keep_freed_memory()
    times = {name: enough(timer, at_least) for name, timer in timers.items()}
    samples = {name: [] for name in timers}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            for name in list(timers)[:: 1 if turn % 2 == 0 else -1]:
                time.sleep(pause)
                if times[name] > 1:
                    timers[name](1)  # caches and branches get used to it
                samples[name].append(timers[name](times[name]))
    finally:
        if collecting:
            gc.enable()
    return samples


def assert_agree(mine, reference, rtol):
    """Both gave the same arrays, but for `rtol` times the largest element of each."""
    for x, y in zip(mine, reference, strict=True):
        np.testing.assert_allclose(x, y, rtol, rtol * float(np.abs(y).max(initial=0)))


def cpus():
    """Those that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count())]


def in_child(function, *arguments, threads=1):
    """function(*arguments), plain data both, in a process bound to `threads` CPUs: not all can be told.

    What is not installed there, or not in an older commit, raises NotImplementedError here.
    """
    own = cpus()[:threads]
    if len(own) < threads:
        raise NotImplementedError(f"there are {len(own)} CPUs, not {threads}")
    code = (
        f"import json, sys; from {function.__module__} import {function.__name__} as f; "
        "print(json.dumps(f(*json.loads(sys.argv[1]))))"
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    limits = dict.fromkeys(LIMITS, str(threads)) | {"PYTHONPATH": path}
    bind = (lambda: os.sched_setaffinity(0, own)) if hasattr(os, "sched_setaffinity") else None
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)], env=os.environ | limits, capture_output=True,
        text=True, preexec_fn=bind,
    )  # fmt: skip
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise RuntimeError(f"{function.__name__}{arguments} failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
