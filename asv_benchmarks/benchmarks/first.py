"""First runs: user CPU seconds of fresh processes on one CPU, beyond `import numba`, cache empty and warm.

Beyond scikit-learn's import too where the estimators need it.
"""

import os
import statistics
import tempfile

from benchmarks.common import Measured, samples
from benchmarks.measure import in_child, pick, progress

DATA = """
import numpy as np
X = np.random.default_rng(0).standard_normal((64, 30))
y = (X[:, 0] > 0).astype(float)
"""
NETWORK = DATA + "X, y = X.astype('float32'), y.astype('float32')\n"
FIT = """
from fastnn import Network
Network([30, 128, 1], output="sigmoid", seed=0).fit(X, y, epochs=1)
"""
# name: (what comes before the clock starts, what is timed)
FIRST = {
    "import fastnn": ("", "import fastnn"),
    "Network.fit, float32": (NETWORK, FIT),
    "MLPClassifier().fit, float64": (
        DATA + "import sklearn.neural_network",
        "import warnings; warnings.simplefilter('ignore')\n"
        "from fastnn import MLPClassifier\nMLPClassifier(max_iter=2).fit(X, y)",
    ),
    "then another activation, cost and optimizer": (
        NETWORK + FIT,
        "Network([30, 128, 1], activation='tanh', cost='squared_error').fit(X, y, epochs=1, optimizer='sgd')",
    ),
    "then the other element type": (
        NETWORK + FIT,
        "Network([30, 128, 1], output='sigmoid', dtype='float64').fit(X, y, epochs=1)",
    ),
    "predict alone": (NETWORK, "from fastnn import Network\nNetwork([30, 128, 1], seed=0).predict(X)"),
    "deep.L_layer_model": (
        DATA,
        "from fastnn.course import deep\ndeep.L_layer_model(X.T, y[None], [30, 16, 1], num_iterations=10)",
    ),
    "compiled() and a call": (
        NETWORK,
        "from fastnn import Network\nNetwork([30, 128, 1], seed=0).compiled()(X[0])",
    ),
}


def user_seconds(before, code, folder):
    """Of `code`, run after `before` and `import numba`, with kernels kept in a folder."""
    os.environ["NUMBA_CACHE_DIR"] = folder
    import numba  # noqa: F401

    names = {}
    exec(before, names)
    start = os.times()
    exec(code, names)
    end = os.times()
    return end.user + end.children_user - start.user - start.children_user


class FirstRun(Measured):
    """User CPU seconds beyond `import numba` (and scikit-learn's for the estimators), in a fresh process."""

    seconds = 7
    params = [pick(["import fastnn"], FIRST, FIRST), ["empty", "warm"]]
    param_names = ["run", "cache"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 1800

    def cases(self):
        return [(name,) for name in self.params[0]]

    def measure(self, name):
        with tempfile.TemporaryDirectory() as folder:
            taken = [in_child(user_seconds, *FIRST[name], folder) for _ in range(pick([2], [4], [8])[0])]
        progress(f"  {name}: {taken[0]:.2f} s, then {statistics.median(taken[1:]):.2f} s")
        return {"empty": taken[:1], "warm": taken[1:]}

    def kept(self, found):
        return {(name, cache): found[name,][cache] for (name,) in found for cache in self.params[1]}

    def track_cpu_seconds(self, found, *case):
        return samples(found[case])

    track_cpu_seconds.unit = "seconds"
