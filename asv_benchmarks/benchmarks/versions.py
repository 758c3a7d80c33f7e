"""What the other figures were measured with."""

import platform
import re
from importlib import metadata

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
