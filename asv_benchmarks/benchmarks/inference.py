"""Seconds of a prediction: the latency of one row, and the throughput of many."""

from benchmarks.common import Timed, or_skip, pick
from benchmarks.models import data, network, sizes_of


class Predict(Timed):
    params = [
        pick(["30-128-1"], ["30-128-1", "784-128-10"], ["4-32-16-4", "30-128-1", "784-128-10"]),
        pick([1], [1, 64, 4096], [1, 64, 4096]),
    ]
    param_names = ["network", "rows"]

    @or_skip()
    def setup(self, name, rows):
        sizes = sizes_of(name)
        self.net, self.X = network(sizes), data(sizes, rows)[0]
        self.net.predict(self.X)

    def time_predict(self, name, rows):
        self.net.predict(self.X)


class Compiled(Timed):
    """One row given to the function that `compiled` makes for a user's own compiled code."""

    rounds = 1  # each of them compiles
    params = [["4-32-16-4"]]
    param_names = ["network"]

    @or_skip()
    def setup(self, name):
        sizes = sizes_of(name)
        self.f, self.x = network(sizes, activation="tanh").compiled(), data(sizes, 1)[0][0]
        self.f(self.x)

    def time_row(self, name):
        self.f(self.x)
