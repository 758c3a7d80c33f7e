"""What all benchmarks share: the profile, honest ratios, and measuring many cases in one process."""

import contextlib
import gc
import itertools
import os
import time
from abc import ABC, abstractmethod

import numpy as np

PROFILES = ("smoke", "regular", "large")
PROFILE = os.environ.get("FASTNN_BENCH", "regular")
if PROFILE not in PROFILES:
    raise ValueError(f"FASTNN_BENCH={PROFILE!r}: give one of {', '.join(PROFILES)}")


def pick(smoke, regular, large):
    """A list of parameters by the profile."""
    return list({"smoke": smoke, "regular": regular, "large": large}[PROFILE])


PAIRS, AT_LEAST = {"smoke": (2, 0.0), "regular": (15, 5e-3), "large": (31, 1e-2)}[PROFILE]


@contextlib.contextmanager
def or_skip():
    """What an older commit does not have is skipped; in the working tree, it is an error."""
    try:
        yield
    except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
        if "ASV_COMMIT" not in os.environ:
            raise
        raise NotImplementedError(f"not in this commit: {error!r}") from error


@contextlib.contextmanager
def optional():
    """A library that is not installed is skipped."""
    try:
        yield
    except ImportError as error:
        raise NotImplementedError(f"not installed: {error}") from error


def seconds(call, times):
    """Of one call, the mean over `times`."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def calls_for(call, at_least):
    """How many calls last `at_least` seconds."""
    times = 1
    while (spent := seconds(call, times) * times) < at_least:
        times = max(2 * times, int(1.1 * times * min(at_least / max(spent, 1e-9), 10)))
    return times


def aligned(array):
    """A copy that begins with a cache line; where others begin is chance: Adam took 6 us or 15 by it."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def keep_freed_memory():
    """Let glibc's allocator keep blocks of up to 31 MiB, which it does once it has freed one as large.

    Else it depends on what ran before whether NumPy's results are paid for in page faults: predictions for
    4096 rows of 30-128-1 took it 3.0 ms in a new process and 0.7 ms after this.
    """
    np.ones(31 << 20, np.uint8)


def assert_agree(mine, reference, rtol):
    """Both gave the same arrays, but for `rtol` times the largest element of each."""
    for x, y in zip(mine, reference, strict=True):
        np.testing.assert_allclose(x, y, rtol, rtol * float(np.abs(y).max(initial=0)))


def alternate(f, g, pairs=PAIRS, at_least=AT_LEAST):
    """Seconds of a call of f and of g (pairs, 2), taken in turn: f g, g f, f g ..."""
    keep_freed_memory()
    calls = f, g
    f(), g()
    times = [calls_for(call, at_least) for call in calls]
    samples = np.empty((pairs, 2))
    collecting = gc.isenabled()
    gc.disable()
    try:
        for pair in range(pairs):
            for side in (0, 1) if pair % 2 == 0 else (1, 0):
                samples[pair, side] = seconds(calls[side], times[side])
    finally:
        if collecting:
            gc.enable()
    return samples


def paired(f, g, rtol, pairs=PAIRS, at_least=AT_LEAST):
    """`alternate`, once the results of f and g, tuples of arrays, are found to agree."""
    assert_agree(f(), g(), rtol)
    return alternate(f, g, pairs, at_least)


def repeated(call, samples=None, at_least=AT_LEAST):
    """Seconds of a call, several times."""
    keep_freed_memory()
    call()
    times = calls_for(call, at_least)
    return np.array([seconds(call, times) for _ in range(samples or max(2, PAIRS // 2))])


def samples(values):
    """What asv makes a median, quantiles and a confidence interval of."""
    return {"samples": [float(x) for x in np.ravel(values)], "number": 1}


class Timed:
    """asv measures each case by itself: compiled in `setup`, warm, in calls of 50 ms together."""

    version = "1"
    rounds = pick([1], [2], [2])[0]
    sample_time = 0.05
    warmup_time = 0.5
    repeat = (3, 10, 2.0)


class Measured(ABC):
    """All cases are measured at once, in one process; asv then looks each of them up.

    asv takes an abstract class for no benchmark, and knows a cache by the line where it is made: each
    subclass has a `setup_cache` of its own that returns `self.measure_all()`.
    """

    version = "1"

    @abstractmethod
    def measure(self, *case):
        """What is kept of one case, a tuple of parameters; NotImplementedError skips it."""

    def measure_all(self):
        found = {}
        for case in itertools.product(*self.params):
            with contextlib.suppress(NotImplementedError), or_skip():
                found[case] = self.measure(*case)
        return found

    def setup(self, found, *case):
        if case not in found:
            raise NotImplementedError("not in this commit, or not installed")


class Ratios(Measured):
    """`measure` gives seconds (pairs, 2) of fastnn and of what it is compared with.

    The ratio is the one to watch: asv takes less for better. The speed-up is its inverse, to be read.
    """

    def track_ratio(self, found, *case):
        return samples(found[case][:, 0] / found[case][:, 1])

    def track_speedup(self, found, *case):
        return samples(found[case][:, 1] / found[case][:, 0])

    def track_seconds(self, found, *case):
        return samples(found[case][:, 0])

    def track_reference_seconds(self, found, *case):
        return samples(found[case][:, 1])

    track_ratio.unit = "of the other's time"
    track_speedup.unit = "x"
    track_seconds.unit = track_reference_seconds.unit = "seconds"
