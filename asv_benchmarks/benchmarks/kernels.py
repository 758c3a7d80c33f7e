"""Kernels by themselves, one thread, in cache."""

from functools import partial

import numpy as np

from benchmarks.calls import ACTIVATIONS, COSTS, LAYERS, OPTIMIZERS, call_of, product
from benchmarks.cases import PRODUCTS
from benchmarks.common import Beside
from benchmarks.measure import assert_agree, call_seconds, peak_timer, pick, scaled, take_turns

TOLERANCE = 1e-3  # of float32 sums in other orders
DTYPES = pick(["float32"], ["float32", "float64"], ["float32", "float64"])
SHOWN = ("tanh forward", "exp forward", "sigmoid forward", "gelu forward", "relu backward", "tanh backward",
         "softmax_cross_entropy", "adam", "affine_forward", "layer_backward")  # fmt: skip
ALL = [
    *LAYERS,
    *(f"{name} {way}" for name in ACTIVATIONS for way in ("forward", "backward")),
    *COSTS,
    *OPTIMIZERS,
]


def beside(timer, ours, numpys, parts=1, **more):
    """{side: seconds of a part of a call, each round}, once both agree."""
    with np.errstate(all="ignore"):
        assert_agree(ours(), numpys(), TOLERANCE)
        timers = {"fastnn": timer, "NumPy": partial(call_seconds, numpys), **more}
        return take_turns({name: scaled(timer, 1 / parts) for name, timer in timers.items()})


class Products(Beside):
    """C = A B of m x k x n by the tiles of a fit, B in panels; NumPy's is OpenBLAS."""

    seconds = 1.5
    params = [["fastnn", "NumPy", "FMA peak"], pick(PRODUCTS[:1], PRODUCTS, PRODUCTS), DTYPES]
    param_names = ["against", "shape", "dtype"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, shape, dtype):
        m, k, n = map(int, shape.split("x"))
        peak = peak_timer(2 * m * k * n, dtype)
        return beside(*product(m, k, n, np.dtype(dtype).type), **{"FMA peak": peak})


class Kernels(Beside):
    """Seconds an element or parameter, of 4,096 in cache; of layers a call, 32 rows, 128 units to 128."""

    seconds = 1.5
    params = [["fastnn", "NumPy"], pick(["relu backward", "adam"], SHOWN, ALL), DTYPES]
    param_names = ["against", "kernel", "dtype"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 900

    def measure(self, name, dtype):
        return beside(*call_of(name, 32, 128, dtype), parts=1 if name in LAYERS else 32 * 128)
