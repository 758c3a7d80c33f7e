"""Seconds of a step, an epoch and a whole fit, with all that `fit` does around them."""

from benchmarks.common import Timed, or_skip, pick
from benchmarks.models import RATE, data, network, sizes_of

NETWORKS = pick(["30-128-1"], ["30-128-1", "64-64-64-1", "784-128-10"],
                ["2-4-1", "30-128-1", "64-64-64-1", "784-128-10", "784-512-256-10"])  # fmt: skip
ROWS = pick([64], [4000], [10_000])[0]


class Epoch(Timed):
    """A shuffled epoch of Adam."""

    params = [NETWORKS, pick([32], [32, 256], [1, 32, 256])]
    param_names = ["network", "batch"]

    @or_skip()
    def setup(self, name, batch):
        sizes = sizes_of(name)
        self.net, self.data = network(sizes), data(sizes, ROWS)
        self.options = {"batch_size": batch, "threads": 1, "epochs": 1}
        self.net.fit(*self.data, **self.options)

    def time_epoch(self, name, batch):
        self.net.fit(*self.data, **self.options)


class Step(Timed):
    """One batch given to `partial_fit`: what learning from a stream costs."""

    params = [NETWORKS[:1], pick([32], [32], [1, 32, 256])]
    param_names = ["network", "batch"]

    @or_skip()
    def setup(self, name, batch):
        sizes = sizes_of(name)
        self.net, self.data = network(sizes), data(sizes, batch)
        self.net.partial_fit(*self.data, threads=1)

    def time_step(self, name, batch):
        self.net.partial_fit(*self.data, threads=1)


class Fit(Timed):
    """Twenty epochs with a validation split, from new weights."""

    params = [NETWORKS[:1]]
    param_names = ["network"]

    @or_skip()
    def setup(self, name):
        from fastnn import Adam

        self.sizes = sizes_of(name)
        self.data = data(self.sizes, ROWS)
        self.options = {"epochs": 20, "optimizer": Adam(RATE), "validation_split": 0.1, "threads": 1}
        self.time_fit(name)

    def time_fit(self, name):
        network(self.sizes).fit(*self.data, **self.options)
