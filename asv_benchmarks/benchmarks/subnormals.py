"""That the time of a step does not depend on the numbers: the same work, once they have become tiny."""

import time
from functools import partial

import numpy as np

from benchmarks.common import Measured, samples
from benchmarks.measure import call_seconds, in_child, pick, take_turns

SIZES = (64, 256, 256, 10)
EPOCHS = pick([2], [20], [20])[0]


def _digits():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return (X / 16).astype("float32"), y


def _epochs(net, X, y, count, **options):
    """Seconds of each epoch of one fit."""
    marks = []
    net.fit(
        X, y, epochs=count, threads=1, callbacks=[lambda run: marks.append(time.perf_counter())], **options
    )
    return np.diff(marks)


def _network():
    from fastnn import Network

    return Network(SIZES, output="softmax", seed=0)


def _late_over_early(**options):
    """Epochs 20 to 40 over the median of the first 20: moments of dead units have sunk by then."""
    taken = _epochs(_network(), *_digits(), 2 * EPOCHS, **options)
    return taken[EPOCHS:] / np.median(taken[:EPOCHS])


def moments_of_dead_units():
    return list(_late_over_early())


def weights_that_decay():
    """SGD with l2 = 0.5."""
    from fastnn import SGD

    return list(_late_over_early(optimizer=SGD(0.1), l2=0.5))


def inputs_that_turn_zero():
    """Half of the columns hold numbers in the first part of each epoch's rows only, then zeros."""
    X, y = _digits()
    dead = X.copy()
    dead[X.shape[0] // 8 :, ::2] = 0
    usual, tiny = (_epochs(_network(), given, y, 2 * EPOCHS, shuffle=False)[EPOCHS:] for given in (X, dead))
    return list(tiny / np.median(usual))


def tiny_weights():
    """`predict` where all weights are 1e-41."""
    X, _ = _digits()
    usual, tiny = _network(), _network()
    tiny.params[:] = 1e-41
    calls = {name: partial(call_seconds, partial(net.predict, X))
             for name, net in (("usual", usual), ("tiny", tiny))}  # fmt: skip
    found = take_turns(calls)
    return list(np.divide(found["tiny"], found["usual"]))


RUNS = {
    "digits, epochs 20 to 40 over 1 to 20": moments_of_dead_units,
    "half of the inputs turn zero": inputs_that_turn_zero,
    "SGD with l2 = 0.5, late over early": weights_that_decay,
    "predict with weights of 1e-41": tiny_weights,
}


class Subnormals(Measured):
    """Time over that of the same work on usual numbers: 64-256-256-10 on digits; 1 is what should be."""

    seconds = 5
    params = [pick(list(RUNS)[-1:], RUNS, RUNS)]
    param_names = ["run"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name):
        return in_child(RUNS[name])

    def track_ratio(self, found, name):
        return samples(found[name,])

    track_ratio.unit = "of the usual time"
