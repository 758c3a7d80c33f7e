"""Products of bfloat16 numbers, beside float32's and PyTorch's of either kind."""

from functools import partial

from benchmarks.cases import LARGE, NETWORKS, Case
from benchmarks.common import Beside
from benchmarks.measure import PAUSE, epoch_seconds, in_child, pick, scaled, take_turns
from benchmarks.peers import all_installed, fastnn, learn_the_same, pytorch

# PyTorch's optimizer is its fastest here, which by default it is not.
SIDES = {
    "fastnn": partial(fastnn, precision="bfloat16"),
    "fastnn, float32": fastnn,
    "PyTorch, bfloat16": partial(pytorch, precision="bfloat16", fused=True),
    "PyTorch, float32": partial(pytorch, fused=True),
}
OTHERS = (
    Case((64, 64, 64, 10), 64, 80),
    Case((256, 256, 10), 128, 20),
    Case((784, 2048, 2048, 10), 512, 2),
)
CASES = {case.name: case for case in (*OTHERS[:2], NETWORKS[LARGE], [*NETWORKS.values()][-1], OTHERS[2])}


def beside(name):
    """{side: seconds of a step, each round}, once all learn the same."""
    case = CASES[name]
    few = Case(case.sizes, case.batch, 10)
    X = few.data[0][:1000]
    few_sides = all_installed(SIDES, few, among=SIDES, shuffle=False)
    learn_the_same(few_sides, few.network().predict(X), X)
    sides = all_installed(few_sides, case, among=SIDES)
    timers = {side: scaled(partial(epoch_seconds, x.run), 1 / case.steps) for side, x in sides.items()}
    return take_turns(timers, pause=PAUSE)


class Bfloat16(Beside):
    """Seconds of a step of Adam with products of bfloat16, on one CPU; PyTorch under autocast, or without."""

    seconds = 25
    params = [list(SIDES), pick(list(CASES)[:1], CASES, CASES)]
    param_names = ["against", "network"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 1800

    def measure(self, name):
        return in_child(beside, name)
