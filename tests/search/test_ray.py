"""Searches on Ray, where it is installed: the same bits."""

import pickle

import joblib
import numpy as np
import pytest

from estimator_cases import data
from fastnn import MLPClassifier
from fastnn.estimators.shuffles import Shuffles
from fastnn.search import FleetSearchCV
from processes import run_apart


def test_orders_go_on_in_memory_that_is_read_only():
    orders, parts = Shuffles(np.arange(50), np.random.RandomState(0)), []
    orders.epochs(0, 2)
    sent = pickle.dumps(orders, protocol=5, buffer_callback=parts.append)
    elsewhere = pickle.loads(sent, buffers=[bytes(part) for part in parts])
    np.testing.assert_array_equal(elsewhere.epochs(1, 5), orders.epochs(1, 5))


def searches_on_ray():
    import warnings

    warnings.simplefilter("ignore")  # Ray's own
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    X, y = data("classes")
    network = MLPClassifier(7, max_iter=12, batch_size=16, early_stopping=True, random_state=1)
    choices = {"alpha": np.geomspace(1e-5, 1, 12), "learning_rate_init": [0.003, 0.03]}
    for options in ({}, {"factor": 2}):
        here = FleetSearchCV(network, choices, cv=3, **options).fit(X, y)
        with joblib.parallel_config("ray", n_jobs=2):
            there = FleetSearchCV(network, choices, cv=3, **options).fit(X, y)
        for name, values in here.cv_results_.items():
            if "time" not in name and name != "params":
                np.testing.assert_array_equal(values, there.cv_results_[name], err_msg=name)
        for a, b in zip(here.best_estimator_.coefs_, there.best_estimator_.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
    ray.shutdown()


@pytest.mark.slow
def test_a_search_has_the_same_bits_on_ray():
    pytest.importorskip("ray")
    run_apart(searches_on_ray, timeout=300)
