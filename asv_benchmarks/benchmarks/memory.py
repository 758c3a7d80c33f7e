"""Bytes at the peak of a process that trains or predicts, and of one that only prepares to do so."""

from benchmarks.common import or_skip, pick
from benchmarks.models import data, network, sizes_of


class Memory:
    version = "1"
    params = [pick(["30-128-1"], ["30-128-1", "784-512-256-10"], ["2-4-1", "30-128-1", "784-512-256-10"])]
    param_names = ["network"]

    def setup_cache(self):
        """In a process of its own, so that no compiler is part of what is measured."""
        for name in self.params[0]:
            with or_skip():
                net = network(sizes_of(name))
                X, y = data(net.sizes, 64)
                net.fit(X, y, epochs=1, threads=1)
                net.predict(X)

    @or_skip()
    def setup(self, name):
        import fastnn.reference_training  # noqa: F401

        sizes = sizes_of(name)
        self.net, (self.X, self.y) = network(sizes), data(sizes, pick([100], [10_000], [100_000])[0])

    def peakmem_reference(self, name):
        """What the others need before they begin: libraries, data and parameters."""

    def peakmem_fit(self, name):
        self.net.fit(self.X, self.y, epochs=1, batch_size=64, threads=1)

    def peakmem_predict(self, name):
        self.net.predict(self.X)
