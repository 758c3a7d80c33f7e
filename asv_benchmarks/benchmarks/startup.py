"""Seconds before work can begin: of imports, and of a first call with and without kernels on disk."""

import os
import subprocess
import sys
import tempfile

from benchmarks.common import Measured, or_skip, pick, samples

FIRST_CALL = """
import time
start = time.perf_counter()
import numpy
from fastnn import Network
X = numpy.zeros((32, 30), "float32")
net = Network([30, 128, 1], output="sigmoid", seed=0)
net.{call}
print(time.perf_counter() - start)
"""
CALLS = {"fit": "fit(X, X[:, 0], epochs=1)", "predict": "predict(X)"}


class Import:
    version = "1"
    rounds = number = 1
    repeat = pick([1], [5], [11])[0]
    params = [["numpy", "numba", "fastnn", "fastnn.reference"]]
    param_names = ["module"]

    def timeraw_import(self, module):
        return f"import {module}"


class FirstCall(Measured):
    """From `import fastnn` to the end of a first call, in processes and a cache folder of their own."""

    params = [pick(["predict"], CALLS, CALLS), pick(["cold"], ["cold", "warm"], ["cold", "warm"])]
    param_names = ["call", "cache"]

    def setup_cache(self):
        with tempfile.TemporaryDirectory() as folder, or_skip():
            return {
                (name, cache): self.measure(name, cache, folder)
                for name in self.params[0]
                for cache in self.params[1]
            }

    def measure(self, name, cache, folder):
        environment = {**os.environ, "NUMBA_CACHE_DIR": os.path.join(folder, name)}
        code = [sys.executable, "-c", FIRST_CALL.format(call=CALLS[name])]

        def once():
            done = subprocess.run(code, env=environment, capture_output=True, text=True, check=True)
            return float(done.stdout)

        return [once() for _ in range(1 if cache == "cold" else pick([1], [5], [5])[0])]

    def track_first_call(self, found, name, cache):
        return samples(found[name, cache])

    track_first_call.unit = "seconds"
