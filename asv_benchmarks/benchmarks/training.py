"""Training: whole epochs of Adam, shuffled, the start of `fit` apart."""

from abc import abstractmethod
from functools import partial

import numpy as np

from benchmarks.cases import LARGE, MIDDLE, NETWORKS, SMALL, Case
from benchmarks.common import Beside, Measured, samples
from benchmarks.measure import (
    PAUSE,
    ROUNDS,
    call_seconds,
    cpus,
    epoch_seconds,
    in_child,
    peak_timer,
    pick,
    scaled,
    take_turns,
)  # fmt: skip
from benchmarks.peers import PEERS, all_installed, learn_the_same

SIDES = pick(["fastnn", "NumPy", "FMA peak"],
             *[["fastnn", "JAX", "PyTorch", "scikit-learn", "NumPy", "FMA peak"]] * 2)  # fmt: skip


def beside(name, peers):
    """{side: seconds of a step, each round} of all that are installed, once they learn the same."""
    case = NETWORKS[name]
    few = Case(case.sizes, min(case.batch, 1000), 10, case.activation, case.dtype)
    X = few.data[0][:1000]
    few_sides = all_installed(peers, few, shuffle=False)
    learn_the_same(few_sides, few.network().predict(X), X)
    sides = all_installed(few_sides, case)
    timers = {peer: scaled(partial(epoch_seconds, side.run), 1 / case.steps) for peer, side in sides.items()}
    if "FMA peak" in peers:
        timers["FMA peak"] = peak_timer(case.flops, case.dtype)
    return take_turns(timers, pause=PAUSE)


class Training(Beside):
    """Seconds of a step of Adam within whole shuffled epochs, on one CPU; the start of `fit` apart."""

    seconds = 20
    params = [SIDES, pick([SMALL], NETWORKS, NETWORKS)]
    param_names = ["against", "network"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 1800

    def measure(self, name):
        return in_child(beside, name, self.params[0])


def start_of_fit(name):
    """What fit(epochs=1) takes above an epoch, each round."""
    case = NETWORKS[name]
    run = PEERS["fastnn"](case).run
    found = take_turns({"one": partial(call_seconds, lambda: run(1)), "epoch": partial(epoch_seconds, run)})
    return list(np.subtract(found["one"], found["epoch"]))


class Start(Measured):
    """Seconds of `fit` before the first step and after the last."""

    seconds = 4
    params = [pick([SMALL], [SMALL, LARGE], [SMALL, MIDDLE, LARGE])]
    param_names = ["network"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name):
        return in_child(start_of_fit, name)

    def track_start(self, found, name):
        return samples(found[name,])

    track_start.unit = "seconds"


def by_threads(name, choices):
    """{threads: seconds of a step, each round}, in turn."""
    case = NETWORKS[name]
    runs = {str(threads): PEERS["fastnn"](case, threads=threads).run for threads in choices}
    timers = {name: scaled(partial(epoch_seconds, run), 1 / case.steps) for name, run in runs.items()}
    return take_turns(timers, pause=PAUSE)


class Threads(Measured):
    """Seconds of a step by threads, and by what "auto" takes; all in turn."""

    seconds = 5
    params = [pick([1], [1, 2, 4, 8, 16, "auto"], [1, 2, 3, 4, 6, 8, 12, 16, 32, 64, "auto"]),
              pick([SMALL], [SMALL, MIDDLE, LARGE], NETWORKS)]  # fmt: skip
    param_names = ["threads", "network"]
    timed = staticmethod(by_threads)

    def setup_cache(self):
        return self.measure_all()

    def cases(self):
        return [(name,) for name in self.params[1]]

    def measure(self, name):
        most = len(cpus())
        choices = [x for x in self.params[0] if x == "auto" or x <= most]
        found = in_child(self.timed, name, choices, threads=most)
        return {x: found[str(x)] for x in choices}

    def kept(self, found):
        return {(x, *case): (taken, found[case][1]) for case in found for x, taken in found[case].items()}

    def track_seconds(self, found, *case):
        return samples(found[case][0])

    def track_ratio(self, found, *case):
        """Over the time of one thread."""
        return samples(np.divide(*found[case]))

    track_seconds.unit = "seconds"
    track_ratio.unit = "of one thread's time"


def scaling(library, grows, values):
    """{value: seconds of a step, each round} of 64-128-128-1, batch 32, as one thing grows; in turn."""
    timers = {}
    for value in values:
        given = {"width": 128, "depth": 2, "batch": 32} | {grows: value}
        sizes = (64, *[given["width"]] * given["depth"], 1)
        few = Case(sizes, given["batch"], 1)
        case = Case(sizes, given["batch"], int(min(max(2e8 / few.flops, 4), 200)))
        run = PEERS[library](case).run
        timers[str(value)] = scaled(partial(epoch_seconds, run), 1 / case.steps)
    return take_turns(timers, rounds=min(ROUNDS, 5))


class Scaling(Measured):
    """The steps of networks as one thing grows."""

    seconds = 25
    params = [["fastnn"], pick([8, 64], [8, 32, 128, 512, 1024], [8, 16, 32, 64, 128, 256, 512, 1024])]

    @abstractmethod
    def setup_cache(self):
        """Of each subclass its own."""

    def cases(self):
        return [(library,) for library in self.params[0]]

    def measure(self, library):
        return in_child(scaling, library, self.param_names[1], self.params[1])

    def kept(self, found):
        return {(library, int(x)): taken for (library,), by in found.items() for x, taken in by.items()}

    def track_step(self, found, *case):
        return samples(found[case])

    track_step.unit = "seconds"


class Width(Scaling):
    """Seconds of a step of 64-w-w-1, batch 32."""

    params = [pick(["fastnn"], *[["fastnn", "NumPy"]] * 2), Scaling.params[1]]
    param_names = ["library", "width"]

    def setup_cache(self):
        return self.measure_all()


class Depth(Scaling):
    """Hidden layers of 128 units."""

    params = [Width.params[0], pick([1], [1, 2, 4, 8], [1, 2, 3, 4, 5, 6, 7, 8])]
    param_names = ["library", "depth"]

    def setup_cache(self):
        return self.measure_all()


class Batch(Scaling):
    params = [Width.params[0], pick([1], [1, 8, 64, 256, 1024], [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024])]
    param_names = ["library", "batch"]

    def setup_cache(self):
        return self.measure_all()
