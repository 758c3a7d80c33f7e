"""Seconds of one call of each kernel, beside those of NumPy."""

from benchmarks.calls import ACTIVATIONS, COSTS, LAYERS, OPTIMIZERS, PRODUCTS, call_of, product
from benchmarks.common import Timed, or_skip, pick

LIBRARIES = pick(["fastnn"], ["fastnn"], ["fastnn", "numpy"])
BOTH = pick(["fastnn"], ["fastnn", "numpy"], ["fastnn", "numpy"])
BATCHES = pick([4], [32], [1, 32, 256])
WIDTHS = pick([16], [128], [16, 128, 512])
DTYPES = pick(["float32"], ["float32"], ["float32", "float64"])
SHAPES = pick(
    ["32x30x128"],
    ["32x30x128", "64x784x128", "512x512x512"],
    ["32x30x128", "32x64x64", "64x784x128", "128x784x512", "512x512x512", "1024x1024x1024", "200x64x10"],
)


class Products(Timed):
    """C = A B and its transposed forms; the shape is m x k x n."""

    params = [BOTH, pick(["matmul"], ["matmul"], PRODUCTS), SHAPES, DTYPES]
    param_names = ["library", "product", "shape", "dtype"]

    @or_skip()
    def setup(self, library, name, shape, dtype):
        import numpy as np

        calls = product(name, *map(int, shape.split("x")), np.dtype(dtype).type)
        self.call = calls[library == "numpy"]
        self.call()

    def time_product(self, library, name, shape, dtype):
        self.call()


class Kernel(Timed):
    """The other kernels, on (batch, width) arrays and square layers."""

    param_names = ["library", "kernel", "batch", "width", "dtype"]

    @or_skip()
    def setup(self, library, name, batch, width, dtype):
        self.call = call_of(name, batch, width, dtype)[library == "numpy"]
        self.call()


class Layers(Kernel):
    params = [LIBRARIES, pick(LAYERS[:1], LAYERS, LAYERS), BATCHES, WIDTHS, DTYPES]

    def time_layer(self, *case):
        self.call()


class Activations(Kernel):
    _names = pick(["relu"], ["relu", "tanh", "gelu", "softmax"], ACTIVATIONS)
    params = [LIBRARIES, [f"{x} {way}" for x in _names for way in ("forward", "backward")],
              BATCHES, WIDTHS, DTYPES]  # fmt: skip

    def time_activation(self, *case):
        self.call()


class Costs(Kernel):
    params = [LIBRARIES, pick(COSTS[1:2], COSTS[:2], COSTS), BATCHES, WIDTHS, DTYPES]

    def time_cost(self, *case):
        self.call()


class Optimizers(Kernel):
    params = [LIBRARIES, pick(["adam"], ["sgd", "adam"], OPTIMIZERS), BATCHES[:1], WIDTHS, DTYPES]

    def time_step(self, *case):
        self.call()
