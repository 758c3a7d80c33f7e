"""The drop-ins for scikit-learn beside it: the same parameters, random state and results, in float64."""

import warnings

from benchmarks.common import PAIRS, Ratios, alternate, pick
from estimators_report import CASES, Case

SHORT = ("max_iter", pick([2], [20], [50])[0])
_cases = pick(
    [Case("fit, breast cancer", "breast_cancer", 0, (SHORT,))],
    [
        Case("fit, breast cancer", "breast_cancer", 0, (SHORT,)),
        Case("fit, digits", "digits", 0, (SHORT,)),
        Case("predict_proba, 1 row", "breast_cancer", 0, (SHORT,), rows=1),
        Case("predict_proba, 1,000 rows", "breast_cancer", 0, (SHORT,), rows=1000),
    ],
    CASES,
)


class Classifier(Ratios):
    params = [["scikit-learn"], [case.name for case in _cases]]
    param_names = ["peer", "case"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 1800

    def measure(self, peer, name):
        case = next(case for case in _cases if case.name == name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a fit ended before it had converged
            theirs, ours = case.runs()
            return alternate(ours, theirs, pairs=PAIRS if case.rows else min(PAIRS, 5))
