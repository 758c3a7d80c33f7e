"""What candidates have in common is checked, drawn and encoded once: nobody sees the difference."""

import numpy as np
import pytest
from sklearn import config_context

from estimator_cases import data
from fastnn import MLPClassifier, MLPRegressor
from search_cases import assert_equal_results, both

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"alpha": [1e-4, 0.1], "learning_rate_init": [0.003, 0.05]}


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined", "ignore:One or more of the test scores")
def test_scores_are_told_as_scikit_learn_tells_them():
    """Labels that a fold has not seen, one class in it, several columns, one row to score."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    splits = [(np.arange(30), np.arange(30, 40)), (np.arange(30), np.array([35]))]
    one, rare = np.repeat([0, 1], (30, 10)), np.where(np.arange(40) < 30, np.arange(40) % 2, 7)
    for y in (one, rare, (X > 0).astype(int)):
        network = MLPClassifier(4, max_iter=3, random_state=0)
        assert_equal_results(*both(network, GRID, X, y, cv=splits, refit=False))
    for y in (X[:, 0], X[:, :2], np.ones(40)):
        network = MLPRegressor(hidden_layer_sizes=4, max_iter=3, random_state=0)
        assert_equal_results(*both(network, GRID, X, y, cv=splits, refit=False, return_train_score=True))


@pytest.mark.parametrize(
    "options",
    (
        {"activation": ["tanh"], "dropout": [0.2], "shuffle": False},
        {"warm_start": True},
        {"class_weight": {"no": 2.0, "yes": 1.0}},
        {"early_stopping": True, "scoring": "roc_auc"},
        {"on_epoch_end": lambda estimator: estimator.n_iter_ == 4},
        {"random_state": np.random.RandomState(3)},
    ),
    ids=lambda options: next(iter(options)),
)
def test_each_candidate_is_itself(options):
    X, y = data("binary")
    network = MLPClassifier(**{"hidden_layer_sizes": 7, "max_iter": 8, "random_state": 1} | options)
    grid = GRID | {"beta_1": [0.5, 0.9], "n_iter_no_change": [2, 5]}
    assert_equal_results(*both(network, grid, X, y, cv=2))


def test_validation_can_be_left_out():
    X, y = data("binary")
    with config_context(skip_parameter_validation=True):
        assert_equal_results(*both(MLPClassifier(4, max_iter=2, random_state=0), GRID, X, y, cv=2))
