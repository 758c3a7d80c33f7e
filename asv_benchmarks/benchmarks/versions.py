"""What the other figures were measured with."""

import platform
import re
from importlib import metadata

from benchmarks.common import Measured, samples
from benchmarks.measure import in_child, pick, take_turns

LIBRARIES = ["Python", "numpy", "numba", "llvmlite", "scipy", "scikit-learn", "torch", "jax", "onnxruntime"]


class Versions:
    """asv keeps numbers only: 1.23.4 is 12304."""

    version = "1"
    params = [LIBRARIES]
    param_names = ["library"]

    def setup(self, library):
        try:
            found = platform.python_version() if library == "Python" else metadata.version(library)
        except metadata.PackageNotFoundError as error:
            raise NotImplementedError(f"not installed: {error}") from error
        self.numbers = map(int, re.findall(r"\d+", found))

    def track_version(self, library):
        major, minor, patch, *_ = (*self.numbers, 0, 0)
        return 10_000 * major + 100 * minor + patch


def peak_seconds(dtype):
    """Of an operation at one core's FMA peak, each round."""
    from benchmarks.measure import peak_timer

    return take_turns({"peak": peak_timer(1, dtype)})["peak"]


class Peak(Measured):
    """GFLOP/s of one core that does nothing but multiply-adds: what shares of the peak are shares of."""

    seconds = 2
    params = [pick(["float32"], ["float32", "float64"], ["float32", "float64"])]
    param_names = ["dtype"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, dtype):
        return in_child(peak_seconds, dtype)

    def track_gflops(self, found, dtype):
        return samples([1e-9 / x for x in found[dtype,]])

    track_gflops.unit = "GFLOP/s"
