"""How near to the peak of fused multiply-adds, which is measured in turn with what is compared to it."""

import numpy as np

from benchmarks.calls import product
from benchmarks.common import Measured, alternate, pick, samples
from benchmarks.models import flops_of_step, sizes_of, trainings


def beside_peak(call, flops):
    """Seconds (pairs, 2) of one operation: of a call of so many, and of the core at its peak."""
    from fastnn_kernels import peak
    from fastnn_kernels.simd import VECTOR_BYTES

    values = np.zeros(peak.CHAINS * VECTOR_BYTES // 4, np.float32)
    at_peak = 2 * values.size * 10_000
    return alternate(call, lambda: peak.multiply_adds(values, 10_000)) / (flops, at_peak)


class Peak(Measured):
    """`track_over_peak` is 1 at the peak, and 2 at half of it."""

    def track_over_peak(self, found, *case):
        return samples(found[case][:, 0] / found[case][:, 1])

    def track_gflops(self, found, *case):
        return samples(1e-9 / found[case][:, 0])

    track_over_peak.unit = "of the time at the peak"
    track_gflops.unit = "GFLOP/s"


class Products(Peak):
    """C = A B in float32; the shape is m x k x n."""

    params = [
        pick(["32x30x128"], ["32x30x128", "32x64x64", "64x784x128", "512x512x512"],
             ["32x30x128", "32x64x64", "64x784x128", "128x784x512", "512x512x512", "1024x1024x1024",
              "200x64x10", "32x100x100"]),
    ]  # fmt: skip
    param_names = ["shape"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, shape):
        m, k, n = map(int, shape.split("x"))
        return beside_peak(product("matmul", m, k, n, np.float32)[0], 2 * m * k * n)


class Training(Peak):
    """An epoch of Adam with batches of 64; the operations are those of the products alone."""

    params = [
        pick(["30-128-1"], ["30-128-1", "64-64-64-1", "784-128-10", "784-512-256-10"],
             ["2-4-1", "30-128-1", "64-64-64-1", "784-128-10", "784-512-256-10"]),
    ]  # fmt: skip
    param_names = ["network"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name):
        sizes, steps = sizes_of(name), 30
        call = trainings(sizes, 64, 64 * steps)[0]
        return beside_peak(call, steps * flops_of_step(sizes, 64))
