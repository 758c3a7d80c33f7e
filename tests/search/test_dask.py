"""Searches and bags on a cluster of dask: the same bits, also where a worker is killed on the way."""

import os
import signal
from pathlib import Path

import joblib
import numpy as np
import pytest

from estimator_cases import data
from fastnn import MLPClassifier, MLPRegressor
from fastnn.search import BaggedMLPRegressor, FleetSearchCV

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.slow,
]
GRID = {"alpha": np.geomspace(1e-5, 1, 12), "learning_rate_init": [0.003, 0.03]}


class KilledOnce:
    """Called after an epoch: kills the process that it is in, but only the first that is not `spared`."""

    def __init__(self, marker, spared):
        self.marker, self.spared = Path(marker), spared

    def __call__(self, estimator):
        if os.getpid() != self.spared and estimator.n_iter_ == 3:
            try:
                self.marker.touch(exist_ok=False)
            except FileExistsError:
                return False
            os.kill(os.getpid(), signal.SIGKILL)
        return False


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("dask.distributed")
    options = dict(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    before = dict(os.environ)  # dask sets its workers' OMP_NUM_THREADS=1 here too, and leaves it
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        client.run(lambda: __import__("warnings").simplefilter("ignore"))
        yield client
    os.environ.clear()
    os.environ.update(before)


def assert_same_scores(one, other):
    for name, values in one.cv_results_.items():
        if "time" not in name and name != "params":
            np.testing.assert_array_equal(values, other.cv_results_[name], err_msg=name)
    for a, b in zip(one.best_estimator_.coefs_, other.best_estimator_.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("options", ({}, {"factor": 2}), ids=str)
def test_a_search_has_the_same_bits_on_a_cluster(cluster, options):
    X, y = data("classes")
    network = MLPClassifier(7, max_iter=12, batch_size=16, early_stopping=True, random_state=1)
    here = FleetSearchCV(network, GRID, cv=3, **options).fit(X, y)
    with joblib.parallel_config("dask"):
        there = FleetSearchCV(network, GRID, cv=3, **options).fit(X, y)
    assert_same_scores(here, there)


def test_what_a_killed_worker_had_is_done_again(cluster, tmp_path):
    X, y = data("classes")
    marker = tmp_path / "killed"
    network = MLPClassifier(7, max_iter=12, batch_size=16, random_state=1)
    here = FleetSearchCV(network, GRID, cv=3).fit(X, y)
    network.set_params(on_epoch_end=KilledOnce(marker, os.getpid()))
    with joblib.parallel_config("dask"):
        there = FleetSearchCV(network, GRID, cv=3).fit(X, y)
    assert marker.exists()
    assert_same_scores(here, there)


def test_a_bag_has_the_same_bits_on_a_cluster(cluster):
    X, y = data("number")
    member = MLPRegressor(hidden_layer_sizes=7, max_iter=12)
    bags = [BaggedMLPRegressor(11, estimator=member, random_state=0) for _ in range(2)]
    here = bags[0].fit(X, y).predict(X)
    with joblib.parallel_config("dask"):
        there = bags[1].fit(X, y).predict(X)
    np.testing.assert_array_equal(here, there)
