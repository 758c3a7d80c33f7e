"""Seconds of a training step as one thing grows: on logarithmic axes its slope says what a step is bound by.

The network is 64-128-128-1 and the batch 32 but for what grows; Adam in float32.
"""

import os

from benchmarks.common import Measured, pick, repeated, samples
from benchmarks.models import flops_of_step, trainings

BOTH = pick(["fastnn"], ["fastnn", "numpy"], ["fastnn", "numpy"])


class Scaling(Measured):
    def step(self, library, width=128, depth=2, batch=32, threads=1):
        sizes = (64, *[width] * depth, 1)
        steps = int(min(max(2e8 / flops_of_step(sizes, batch), 4), 200))
        calls = trainings(sizes, batch, steps * batch, threads)
        return repeated(calls[library == "numpy"]) / steps

    def track_step(self, found, *case):
        return samples(found[case])

    track_step.unit = "seconds"


class Width(Scaling):
    params = [BOTH, pick([8], [8, 16, 32, 64, 128, 256, 512, 1024], [8, 16, 32, 64, 128, 256, 512, 1024])]
    param_names = ["library", "width"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, library, width):
        return self.step(library, width=width)


class Depth(Scaling):
    """Hidden layers of 128 units."""

    params = [BOTH, pick([1], [1, 2, 4, 8], [1, 2, 3, 4, 5, 6, 7, 8])]
    param_names = ["library", "depth"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, library, depth):
        return self.step(library, depth=depth)


class Batch(Scaling):
    params = [BOTH, pick([1], [1, 4, 16, 64, 256, 1024], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])]
    param_names = ["library", "batch"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, library, batch):
        return self.step(library, batch=batch)


class Threads(Scaling):
    """Batches of 128 on hidden layers of 512 units."""

    params = [["fastnn"], pick([1], [1, 2, 4, 8], [1, 2, 4, 8, 16, 32, 64])]
    param_names = ["library", "threads"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, library, threads):
        if threads > len(os.sched_getaffinity(0)):
            raise NotImplementedError("there are fewer CPUs")
        return self.step(library, width=512, batch=128, threads=threads)
