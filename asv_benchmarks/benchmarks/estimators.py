"""The drop-ins for scikit-learn beside it: the same parameters, random state and results, in float64."""

import warnings
from functools import partial

from benchmarks.cases import ESTIMATORS, Estimator
from benchmarks.common import Beside
from benchmarks.measure import PAUSE, ROUNDS, call_seconds, in_child, pick, take_turns

QUICK = Estimator("fit, breast cancer, 2 epochs", "breast_cancer", (("max_iter", 2),))


def beside(name):
    """{side: seconds, each round}, once both are found to do the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a fit ended before it had converged
        case = ESTIMATORS.get(name, QUICK)
        timers = {
            side: partial(call_seconds, call)
            for side, call in zip(("fastnn", "scikit-learn"), case.sides(), strict=True)
        }
        return take_turns(timers, rounds=ROUNDS if case.rows else min(ROUNDS, 5), pause=PAUSE)


class Classifier(Beside):
    """MLPClassifier with scikit-learn's defaults but where a case says otherwise, float64."""

    seconds = 10
    params = [["fastnn", "scikit-learn"], pick([QUICK.name], ESTIMATORS, ESTIMATORS), pick([1], [1], [1, 2])]
    param_names = ["against", "case", "threads"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 1800

    def measure(self, name, threads):
        return in_child(beside, name, threads=threads)
