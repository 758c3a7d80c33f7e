"""Halving over epochs: survivors go on where they stopped, and end where a fit of all epochs ends."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from estimator_cases import data, pair
from fastnn import MLPClassifier
from fastnn.search import FleetSearchCV, fleet_search
from fastnn.search.halving import rungs

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"alpha": [1e-4, 0.1], "learning_rate_init": [0.001, 0.003, 0.03, 0.1]}


@pytest.mark.parametrize("n_candidates", (1, 2, 7, 8, 9, 100))
@pytest.mark.parametrize("factor", (1.5, 2.0, 3.0, 8.0))
@pytest.mark.parametrize("epochs", (1, 2, 30, 200))
def test_rungs_go_up_to_all_epochs_with_fewer_and_fewer(n_candidates, factor, epochs):
    ladder = rungs(n_candidates, factor, epochs)
    assert ladder[0].n_candidates == n_candidates and ladder[-1].epochs == epochs
    for below, above in zip(ladder, ladder[1:], strict=False):
        assert 1 <= above.n_candidates <= below.n_candidates and 1 <= below.epochs <= above.epochs
    if epochs >= n_candidates:
        assert ladder[-1].n_candidates <= np.ceil(factor)


@pytest.mark.parametrize("early_stopping", (False, True))
@pytest.mark.parametrize("targets", ("classes", "number"))
@pytest.mark.parametrize("shuffle", (pytest.param(False, marks=pytest.mark.slow), True))
def test_each_rung_scores_as_a_fit_of_its_epochs(targets, early_stopping, shuffle):
    X, y = data(targets)
    network = pair(
        targets, hidden_layer_sizes=(6,), max_iter=24, batch_size=20, early_stopping=early_stopping,
        n_iter_no_change=4, shuffle=shuffle,
    )[1]  # fmt: skip
    search = FleetSearchCV(network, GRID, cv=3, factor=2).fit(X, y)
    results = search.cv_results_
    assert search.n_resources_ == [3, 6, 12, 24] and search.n_candidates_ == [8, 4, 2, 1]
    assert results["iter"].tolist() == [0] * 8 + [1] * 4 + [2] * 2 + [3]
    for params, epochs, score in zip(
        results["params"], results["n_resources"], results["mean_test_score"], strict=True
    ):
        network.set_params(max_iter=int(epochs))
        grid = {name: [value] for name, value in params.items()}
        expected = GridSearchCV(network, grid, cv=3, refit=False).fit(X, y)
        np.testing.assert_allclose(score, expected.cv_results_["mean_test_score"][0], rtol=0, atol=1e-6)
    assert search.best_index_ == 14 and search.best_estimator_.max_iter == 24


def test_survivors_are_the_best_of_the_rung_before():
    X, y = data("binary")
    network = MLPClassifier(6, max_iter=16, random_state=0)
    results = FleetSearchCV(network, GRID, cv=3, factor=2).fit(X, y).cv_results_
    for rung in range(results["iter"].max()):
        here, above = results["iter"] == rung, results["iter"] == rung + 1
        order = np.argsort(-results["mean_test_score"][here], kind="stable")
        params = [results["params"][row] for row in np.flatnonzero(here)]
        assert [params[row] for row in order[: above.sum()]] == [
            results["params"][row] for row in np.flatnonzero(above)
        ]


def test_no_epoch_is_trained_twice():
    X, y = data("binary")
    epochs = []
    network = MLPClassifier(6, max_iter=16, random_state=0, on_epoch_end=lambda _: epochs.append(1) and False)
    FleetSearchCV(make_pipeline(StandardScaler(), network), {"mlpclassifier__alpha": [1, 2, 3, 4]}, cv=3,
                  factor=2, refit=False).fit(X, y)  # fmt: skip
    assert len(epochs) == 3 * (4 * 4 + 2 * 4 + 1 * 8)


def test_who_is_dropped_is_forgotten(monkeypatch):
    """What a rung has trained is kept of those who go on, and of no others."""
    X, y = data("binary")
    evaluate, known = fleet_search._Going.evaluate, []

    def watched(going, *arguments):
        results = evaluate(going, *arguments)
        known.append(len(going._members))
        return results

    monkeypatch.setattr(fleet_search._Going, "evaluate", watched)
    FleetSearchCV(MLPClassifier(6, max_iter=16, random_state=0), GRID, cv=3, factor=2, refit=False).fit(X, y)
    assert known == [8, 4, 2, 1]


def test_what_is_no_fleet_halves_too():
    X, y = data("binary")
    network = MLPClassifier(6, max_iter=16, random_state=0, solver="lbfgs")
    with pytest.warns(UserWarning, match="one by one"):
        search = FleetSearchCV(network, {"alpha": [1e-4, 0.1, 1.0]}, cv=3, factor=2).fit(X, y)
    assert search.cv_results_["n_resources"].tolist() == [8, 8, 8, 16, 16]


def test_max_iter_cannot_be_searched_for_and_halved():
    X, y = data("binary")
    with pytest.raises(ValueError, match="max_iter says how many there are in all"):
        FleetSearchCV(MLPClassifier(), {"max_iter": [1, 2]}, factor=2).fit(X, y)
