"""What asv's classes share: many cases measured in one process, of which asv looks each up."""

import contextlib
import itertools
import os
import time
import traceback
from abc import ABC, abstractmethod

import numpy as np

from benchmarks.measure import PROFILE, progress


@contextlib.contextmanager
def or_skip():
    """What an older commit does not have is skipped; in the working tree, it is an error."""
    try:
        yield
    except (ImportError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if "ASV_COMMIT" not in os.environ or isinstance(error, NotImplementedError):
            raise
        raise NotImplementedError(f"not in this commit: {error!r}") from error


def samples(values):
    """What asv makes a median, quantiles and a confidence interval of."""
    return {"samples": [float(x) for x in np.ravel(values)], "number": 1}


class Measured(ABC):
    """All cases are measured at once, in one process; asv then looks each of them up.

    asv takes an abstract class for no benchmark, and knows a cache by the line where it is made: each
    subclass has a `setup_cache` of its own that returns `self.measure_all()`.
    """

    version = "2"

    @abstractmethod
    def measure(self, *case):
        """What is kept of one case, a tuple of parameters; NotImplementedError skips it."""

    def cases(self):
        return itertools.product(*self.params)

    def measure_all(self):
        found, cases = {}, list(self.cases())
        for number, case in enumerate(cases, 1):
            start = time.perf_counter()
            outcome = "done"
            try:
                with or_skip():
                    found[case] = self.measure(*case)
            except NotImplementedError as error:
                outcome = f"skipped: {error}"
            except Exception as error:
                if PROFILE == "smoke":
                    raise
                traceback.print_exc()  # the others are worth having
                outcome = f"FAILED: {str(error).strip().splitlines()[-1:]}"
            name = f"{type(self).__module__.rpartition('.')[2]}.{type(self).__name__}"
            took = time.perf_counter() - start
            progress(f"{name} {number}/{len(cases)}: {' '.join(map(str, case))}, {outcome} in {took:.1f} s")
        return self.kept(found)

    def kept(self, found):
        return found

    def setup(self, found, *case):
        if case not in found:
            raise NotImplementedError("not in this commit, or not installed")


class Beside(Measured):
    """`measure` gives {side: samples of seconds} of a case; the first parameter picks the side, fastnn first.

    The ratio is the one to watch: asv takes less for better, and both sides are of one run.
    """

    def cases(self):
        return itertools.product(*self.params[1:])

    def kept(self, found):
        return {(side, *case): (found[case]["fastnn"], taken)
                for case in found for side, taken in found[case].items()}  # fmt: skip

    def track_seconds(self, found, *case):
        return samples(found[case][1])

    def track_ratio(self, found, *case):
        """Our time over the side's."""
        return samples(np.divide(*found[case]))

    track_seconds.unit = "seconds"
    track_ratio.unit = "of the other's time"
