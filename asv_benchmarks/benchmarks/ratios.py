"""fastnn's time over NumPy's for the same results, taken in turn."""

from benchmarks.calls import call_of
from benchmarks.common import Ratios, alternate, assert_agree, paired, pick
from benchmarks.models import predictions, sizes_of, trainings

TOLERANCE = 1e-3  # of float32 sums in other orders
ROWS = pick([64], [4000], [10_000])[0]


class Kernels(Ratios):
    params = [
        pick(
            ["relu forward"],
            ["matmul", "layer_backward", "relu forward", "tanh forward", "softmax_cross_entropy", "adam"],
            ["matmul", "matmul_at", "matmul_bt", "affine_forward", "affine_backward", "layer_backward",
             "relu forward", "relu backward", "tanh forward", "tanh backward", "gelu forward",
             "gelu backward", "softmax forward", "binary_cross_entropy", "softmax_cross_entropy", "huber",
             "sgd", "adam"],
        ),
        pick([4], [32], [1, 32, 256]),
        pick([16], [128], [16, 128, 512]),
    ]  # fmt: skip
    param_names = ["kernel", "batch", "width"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name, batch, width):
        return paired(*call_of(name, batch, width, "float32"), TOLERANCE)


class Training(Ratios):
    """An epoch of Adam, from the same weights over the same batches."""

    params = [
        pick(["2-4-1"], ["2-4-1", "30-128-1", "784-128-10"],
             ["2-4-1", "30-128-1", "64-64-64-1", "784-128-10", "784-512-256-10"]),
        pick([32], [32], [1, 32, 256]),
    ]  # fmt: skip
    param_names = ["network", "batch"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name, batch):
        few = trainings(sizes_of(name), batch, 10 * batch)  # roundings grow with the steps
        assert_agree(*(call() for call in few), TOLERANCE)
        return alternate(*trainings(sizes_of(name), batch, ROWS))


class Prediction(Ratios):
    params = [
        pick(["30-128-1"], ["30-128-1", "784-128-10"], ["2-4-1", "30-128-1", "784-128-10"]),
        pick([1], [1, 4096], [1, 64, 4096]),
    ]
    param_names = ["network", "rows"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name, rows):
        return paired(*predictions(sizes_of(name), rows), TOLERANCE)
