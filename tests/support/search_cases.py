"""Searches for tests: scikit-learn's beside ours."""

import numpy as np
from sklearn.model_selection import GridSearchCV

from fastnn.search import FleetSearchCV


def both(network, grid, X, y, cv=3, **options):
    """Fitted searches: scikit-learn's and ours."""
    return [kind(network, grid, cv=cv, **options).fit(X, y) for kind in (GridSearchCV, FleetSearchCV)]


def assert_equal_results(expected, ours, tolerance=1e-6):
    assert expected.cv_results_.keys() == ours.cv_results_.keys()
    for name, values in expected.cv_results_.items():
        if "time" in name:
            continue
        if values is expected.cv_results_["params"] or values.dtype.kind == "O":
            assert list(values) == list(ours.cv_results_[name]), name
        elif name.startswith("rank"):
            assert values.dtype == ours.cv_results_[name].dtype
        else:
            np.testing.assert_allclose(values, ours.cv_results_[name], rtol=0, atol=tolerance, err_msg=name)
    for name in ("best_score_", "best_params_", "best_index_", "n_splits_", "multimetric_"):
        assert hasattr(expected, name) == hasattr(ours, name), name
