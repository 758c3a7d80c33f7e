"""Prediction: the latency of one row, the throughput of many, and a row inside compiled code."""

from functools import partial

import numpy as np

from benchmarks.cases import PREDICTED, PREDICTED_ROWS, Case
from benchmarks.common import Beside, Measured, samples
from benchmarks.measure import call_seconds, in_child, pick, take_turns
from benchmarks.peers import all_installed

SIDES = pick(["fastnn", "NumPy"],
             *[["fastnn", "ONNX Runtime", "JAX", "PyTorch", "scikit-learn", "NumPy"]] * 2)  # fmt: skip


def beside(name, rows, peers):
    """{side: seconds of a prediction, each round}; all outputs agree."""
    case = PREDICTED[name]
    sides = all_installed(peers, case)
    X = np.ascontiguousarray(np.resize(case.data[0], (rows, case.sizes[0])))
    expected = case.network().predict(X)
    for side in sides.values():
        np.testing.assert_allclose(side.outputs(X), expected, rtol=1e-3, atol=1e-5)
    return take_turns({peer: partial(call_seconds, partial(side.outputs, X)) for peer, side in sides.items()})


class Prediction(Beside):
    """Seconds of a prediction of so many rows, on one CPU."""

    seconds = 8
    params = [SIDES, pick(["30-128-1"], PREDICTED, PREDICTED), pick([1], PREDICTED_ROWS, PREDICTED_ROWS)]
    param_names = ["against", "network", "rows"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 900

    def measure(self, name, rows):
        return in_child(beside, name, rows, self.params[0])


class Compiled(Measured):
    """A row of 4-32-16-4 given to what `compiled` makes, in a loop of a user's own compiled code."""

    seconds = 6
    params = [["4-32-16-4"]]
    param_names = ["network"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name):
        return in_child(compiled_row)

    def track_row(self, found, name):
        return samples(found[name,])

    track_row.unit = "seconds"


def compiled_row():
    """Seconds of a row, each round."""
    import numba

    f = Case((4, 32, 16, 4), 1, 1, "tanh").network().compiled()

    @numba.njit
    def loop(x, times):
        total = x[0]
        for _ in range(times):
            x[0] = total * np.float32(1e-3)
            total = f(x)[0]
        return total

    call = partial(call_seconds, partial(loop, np.ones(4, np.float32), 100))
    return list(np.divide(take_turns({"row": call})["row"], 100))
