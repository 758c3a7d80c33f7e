"""Bytes at the peak of a process that trains or predicts, and of one that only prepares to do so."""

from benchmarks.cases import LARGE, NETWORKS, SMALL
from benchmarks.common import or_skip
from benchmarks.measure import pick
from benchmarks.peers import PEERS


class Memory:
    version = "2"
    params = [pick([SMALL], [SMALL, LARGE], [SMALL, LARGE])]
    param_names = ["network"]

    def setup_cache(self):
        """In a process of its own, so that no compiler is part of what is measured."""
        for name in self.params[0]:
            with or_skip():
                case = NETWORKS[name]
                side = PEERS["fastnn"](case)
                side.run(1)
                side.outputs(case.data[0])

    @or_skip()
    def setup(self, name):
        import fastnn.reference_training  # noqa: F401

        self.X = NETWORKS[name].data[0]
        self.side = PEERS["fastnn"](NETWORKS[name])

    def peakmem_reference(self, name):
        """What the others need before they begin: libraries, data and parameters."""

    def peakmem_fit(self, name):
        self.side.run(1)

    def peakmem_predict(self, name):
        self.side.outputs(self.X)
