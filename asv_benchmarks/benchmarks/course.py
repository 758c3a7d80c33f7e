"""The course helpers and whole runs beside the same in plain NumPy, in float64; samples are columns."""

from benchmarks.common import PAIRS, Ratios, alternate, assert_agree, pick

TOLERANCE = 1e-6


def beside_numpy(case, pairs):
    """Seconds (pairs, 2) of a case of course_report.py, whose two sides are seen to agree."""
    from course_report import numbers

    assert_agree((numbers(case.ours()),), (numbers(case.numpys()),), TOLERANCE)
    return alternate(case.ours, case.numpys, pairs)


class Helpers(Ratios):
    """One call, between layers of so many units."""

    _names = ["sigmoid", "linear_activation_forward", "linear_activation_backward", "L_model_forward"]
    _more = ["relu", "compute_cost", "update_parameters", "L_model_backward", "get_gradients"]
    params = [
        pick(_names[:1], _names, _names + _more),
        pick([4], [4, 128], [4, 128]),
        pick([200], [200], [200, 10_000]),
    ]
    param_names = ["helper", "units", "samples"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name, units, samples):
        import course_report

        case = next(case for case in course_report.helpers(units, samples) if case.name == name)
        return beside_numpy(case, PAIRS)


class Runs(Ratios):
    """A twentieth of the iterations that courses take."""

    params = [
        pick(["xor.optimize"], ["xor.optimize", "planar.nn_model"],
             ["xor.optimize", "planar.nn_model", "deep.L_layer_model", "breast cancer"]),
    ]  # fmt: skip
    param_names = ["run"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name):
        import course_report

        case = next(case for case in course_report.runs(quick=True) if name in case.name)
        return beside_numpy(case, min(PAIRS, 5))
