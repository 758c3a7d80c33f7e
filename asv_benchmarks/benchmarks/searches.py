"""FleetSearchCV beside GridSearchCV, and halving beside fits to the end."""

import warnings
from functools import partial

import numpy as np

from benchmarks.cases import DATA
from benchmarks.common import Beside
from benchmarks.measure import PAUSE, assert_agree, call_seconds, in_child, pick, take_turns

# name: (data, rates of learning, penalties, units of the hidden layer, epochs); 5 folds each.
SEARCHES = {
    "200 fits, 50 x 8, (10,), 20 epochs": ("few", 40, 1, 10, 20),
    "100 fits, breast cancer, (16,), 30 epochs": ("breast_cancer", 5, 4, 16, 30),
    "100 fits, digits, (16,), 10 epochs": ("digits", 5, 4, 16, 10),
}
QUICK = {"10 fits, 50 x 8, (10,), 2 epochs": ("few", 2, 1, 10, 2)}
# name: (candidates, epochs)
HALVED = {"256 candidates, breast cancer, (16,), 200 epochs": (256, 200)}
QUICK_HALVED = {"16 candidates, breast cancer, (16,), 4 epochs": (16, 4)}


def scaled_rows(data):
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore")  # that a network has not converged
    X, y = DATA[data]()
    return StandardScaler().fit_transform(X), y


def search_seconds(searches, X, y, rounds):
    """{side: seconds, each round} of {side: search}."""
    timers = {side: partial(call_seconds, partial(search.fit, X, y)) for side, search in searches.items()}
    return take_turns(timers, rounds, at_least=0.0, pause=PAUSE)


def beside(name):
    """{side: seconds, each round}; all give the candidates the same scores."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier as Theirs

    from fastnn import MLPClassifier
    from fastnn.search import FleetSearchCV

    data, rates, penalties, hidden, epochs = {**SEARCHES, **QUICK}[name]
    grid = {
        "learning_rate_init": np.geomspace(1e-4, 1e-2, rates),
        "alpha": np.geomspace(1e-5, 1e-2, penalties),
    }
    ours, theirs = (model(hidden, max_iter=epochs, random_state=0) for model in (MLPClassifier, Theirs))
    searches = {
        "fastnn": FleetSearchCV(ours, grid, refit=False),
        "GridSearchCV of ours": GridSearchCV(ours, grid, refit=False),
        "scikit-learn": GridSearchCV(theirs, grid, refit=False),
    }
    found = search_seconds(searches, *scaled_rows(data), rounds=2)
    first, *others = (search.cv_results_["mean_test_score"] for search in searches.values())
    for scores in others:
        assert_agree([first], [scores], 0.01)  # a row of some hundred may lie on the border
    return found


class Searches(Beside):
    """Seconds of a grid on 5 folds on one CPU, float64; scikit-learn's is GridSearchCV over its networks."""

    seconds = 20
    params = [["fastnn", "GridSearchCV of ours", "scikit-learn"], pick(QUICK, SEARCHES, SEARCHES)]
    param_names = ["against", "search"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 1800

    def measure(self, name):
        return in_child(beside, name)


def halved(name):
    """{side: seconds, each round}: all candidates in rungs of a fourth, and the third rung's to the end."""
    from scipy.stats import loguniform

    from fastnn import MLPClassifier
    from fastnn.search import FleetSearchCV

    count, epochs = {**HALVED, **QUICK_HALVED}[name]
    choices = {"learning_rate_init": loguniform(1e-4, 1e-1), "alpha": loguniform(1e-6, 1)}
    network = MLPClassifier(16, max_iter=epochs, random_state=0)
    rungs = FleetSearchCV(network, choices, n_candidates=count, factor=4, random_state=0, refit=False)
    X, y = scaled_rows("breast_cancer")
    results = rungs.fit(X, y).cv_results_
    rows = np.flatnonzero(results["iter"] == min(2, results["iter"].max()))
    best = [{name: [value] for name, value in results["params"][row].items()} for row in rows]
    searches = {"fastnn": rungs, "the best 16 to the end": FleetSearchCV(network, best, refit=False)}
    return search_seconds(searches, X, y, rounds=3)


class Halving(Beside):
    """Seconds of a search that halves by fourths, on 5 folds; beside it, whole fits of the third rung's."""

    seconds = 15
    params = [["fastnn", "the best 16 to the end"], pick(QUICK_HALVED, HALVED, HALVED)]
    param_names = ["against", "search"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name):
        return in_child(halved, name)
