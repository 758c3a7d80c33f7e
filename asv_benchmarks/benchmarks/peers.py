"""fastnn beside what people use today, taken in turn, on the same numbers, in processes of their own.

    python -m benchmarks.peers <case>   in asv_benchmarks, prints what `measure` finds

A child is bound to as many CPUs as it may use threads: not every library can be told.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.common import Ratios, alternate, optional, or_skip, pick
from benchmarks.models import sizes_of

NETWORKS = pick(["30-128-1"], ["2-4-1", "30-128-1", "64-64-64-1", "784-128-10"],
                ["2-4-1", "30-128-1", "64-64-64-1", "784-128-10", "784-512-256-10"])  # fmt: skip


def training(peer, name, batch, threads):
    """Seconds (pairs, 2) of an epoch, once both are seen to learn the same in ten steps.

    Not in more: scikit-learn's Adam adds its epsilon elsewhere, and small gradients soon tell.
    """
    import peers

    few = peers.Case(sizes_of(name), batch, 10 * batch, "relu", threads, shuffle=False)
    sides = [side(few) for side in (peers.fastnn, peers.PEERS[peer])]
    X = few.data()[0]
    for side in sides:
        side.run(1)
    ours, theirs = (side.outputs(X) for side in sides)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-3)
    assert np.abs(ours - few.network().predict(X)).max() > 2e-2, "nothing was learned that could agree"
    case = peers.Case(few.sizes, batch, 125 * batch, "relu", threads)
    ours, theirs = (side(case) for side in (peers.fastnn, peers.PEERS[peer]))
    return alternate(lambda: ours.run(1), lambda: theirs.run(1))


def prediction(peer, name, rows, threads):
    """Seconds (pairs, 2) of a prediction of the same parameters."""
    import inference_report
    from benchmarks.models import data, network

    net, X = network(sizes_of(name)), data(sizes_of(name), max(rows, 64))[0]
    if peer == "ONNX Runtime":
        theirs = inference_report.onnx_session(net)
    else:
        theirs = inference_report.scikit_learn(net, X)
    X = X[:rows].copy()
    np.testing.assert_allclose(np.asarray(theirs(X))[:, -1:], net.predict(X), rtol=1e-3, atol=1e-5)
    return alternate(lambda: net.predict(X), lambda: theirs(X))


def in_child(function, peer, name, size, threads):
    """The same in a process bound to `threads` CPUs."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    if len(cpus) < threads:
        raise NotImplementedError("there are fewer CPUs")
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    call = [sys.executable, "-m", "benchmarks.peers", repr((function.__name__, peer, name, size, threads))]
    done = subprocess.run(
        call, cwd=Path(__file__).parents[1], env={**os.environ, **limits}, stdout=subprocess.PIPE,
        check=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    )  # fmt: skip
    found = json.loads(done.stdout)
    if isinstance(found, str):
        raise NotImplementedError(found)
    return np.array(found)


class Training(Ratios):
    """A shuffled epoch of 125 steps of Adam in float32."""

    params = [["scikit-learn", "PyTorch", "JAX"], NETWORKS, [32], pick([1], [1], [1, 2])]
    param_names = ["peer", "network", "batch", "threads"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 1800

    def measure(self, *case):
        return in_child(training, *case)


class Prediction(Ratios):
    params = [["scikit-learn", "ONNX Runtime"], ["30-128-1"], pick([1], [1, 10_000], [1, 64, 10_000]), [1]]
    param_names = ["peer", "network", "rows", "threads"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 600

    def measure(self, *case):
        return in_child(prediction, *case)


if __name__ == "__main__":
    function, *case = ast.literal_eval(sys.argv[1])
    try:
        with or_skip(), optional():
            answer = globals()[function](*case).tolist()
    except NotImplementedError as error:
        answer = str(error)
    print(json.dumps(answer))
