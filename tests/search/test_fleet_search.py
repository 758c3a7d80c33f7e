"""FleetSearchCV is GridSearchCV and RandomizedSearchCV, number for number, whatever is trained together."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from estimator_cases import TARGETS, data, pair
from fastnn import MLPClassifier, MLPRegressor
from fastnn.search import FleetSearchCV
from search_cases import assert_equal_results, both

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"alpha": [1e-4, 0.1], "learning_rate_init": [0.003, 0.02, 0.05]}
SOLVERS = (
    {"solver": "adam"},
    {"solver": "sgd", "learning_rate": "adaptive"},
    {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0.0, "shuffle": False},
    {"solver": "adam", "early_stopping": True, "n_iter_no_change": 3},
    {"solver": "sgd", "early_stopping": True, "validation_fraction": 0.2},
)


class Counting(StandardScaler):
    """How often it is fitted."""

    fits = 0

    def fit(self, X, y=None, sample_weight=None):
        Counting.fits += 1
        return super().fit(X, y, sample_weight)


def small(targets, **options):
    return pair(targets, hidden_layer_sizes=(7,), max_iter=25, batch_size=16, tol=1e-3, **options)


@pytest.mark.parametrize(
    "options", [SOLVERS[0], *(pytest.param(x, marks=pytest.mark.slow) for x in SOLVERS[1:])], ids=str
)
@pytest.mark.parametrize("targets", TARGETS)
def test_scores_are_those_of_a_grid_search(targets, options):
    X, y = data(targets)
    _, network = small(targets, **options)
    expected, ours = both(network, GRID, X, y, cv=4, return_train_score=True)
    assert_equal_results(expected, ours)
    assert ours.best_params_ == expected.best_params_
    np.testing.assert_allclose(ours.predict(X), expected.predict(X)) if y.dtype.kind == "f" else None
    assert ours.score(X, y) == pytest.approx(expected.score(X, y))


@pytest.mark.slow
@pytest.mark.parametrize("options", [SOLVERS[0], SOLVERS[4]], ids=str)
@pytest.mark.parametrize("targets", ("binary", "classes", "number"))
def test_scores_are_those_of_scikit_learns_networks(targets, options):
    X, y = data(targets)
    theirs, network = small(targets, **options)
    assert_equal_results(
        GridSearchCV(theirs, GRID, cv=3).fit(X, y), FleetSearchCV(network, GRID, cv=3).fit(X, y)
    )


def test_several_shapes_and_solvers_are_searched_at_once():
    X, y = data("classes")
    _, network = small("classes")
    grid = [
        {"hidden_layer_sizes": [(), 5, (4, 3)], "activation": ["tanh", "relu"]},
        {"solver": ["sgd", "adam", "adamw"], "batch_size": [10, 33], "beta_1": [0.5, 0.9]},
        {"max_iter": [1, 7], "early_stopping": [True, False], "tol": [0.0, 0.1]},
    ]
    assert_equal_results(*both(network, grid, X, y))


def test_draws_are_those_of_a_randomized_search():
    from scipy.stats import loguniform

    X, y = data("binary")
    _, network = small("binary")
    choices = {"alpha": loguniform(1e-5, 1), "learning_rate_init": loguniform(1e-3, 0.1)}
    expected = RandomizedSearchCV(network, choices, n_iter=6, cv=3, random_state=5).fit(X, y)
    ours = FleetSearchCV(network, choices, n_candidates=6, cv=3, random_state=5).fit(X, y)
    assert_equal_results(expected, ours)
    with pytest.raises(ValueError, match="alpha is a distribution: say how many to draw with n_candidates="):
        FleetSearchCV(network, choices).fit(X, y)


def test_steps_before_the_network_are_fitted_once_a_fold():
    X, y = data("binary")
    Counting.fits = 0
    pipeline = make_pipeline(Counting(), small("binary")[1])
    grid = {"counting__with_mean": [True, False]} | {f"mlpclassifier__{name}": v for name, v in GRID.items()}
    ours = FleetSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert Counting.fits == 2 * 3 + 1  # and the best one in the end
    assert_equal_results(GridSearchCV(pipeline, grid, cv=3).fit(X, y), ours)


@pytest.mark.parametrize("scoring", (["accuracy", "neg_log_loss"], make_scorer(accuracy_score), "roc_auc"))
def test_scorers_of_all_kinds(scoring):
    X, y = data("binary")
    network = small("binary")[1]
    refit = "neg_log_loss" if isinstance(scoring, list) else True
    expected, ours = both(network, GRID, X, y, scoring=scoring, refit=refit)
    assert_equal_results(expected, ours)
    assert ours.score(X, y) == pytest.approx(expected.score(X, y))
    assert type(ours.scorer_) is type(expected.scorer_)


def test_a_function_may_choose_and_a_function_may_score():
    X, y = data("number")
    network = small("number")[1]

    def worst(results):
        return int(results["mean_test_score"].argmin())

    def errors(estimator, X, y):
        error = np.abs(estimator.predict(X) - y)
        return {"mean": -error.mean(), "max": -error.max()}

    assert_equal_results(*both(network, GRID, X, y, refit=worst))
    assert_equal_results(*both(network, GRID, X, y, scoring=errors, refit="max"))
    unfitted = FleetSearchCV(network, GRID, cv=3, refit=False).fit(X, y)
    assert not hasattr(unfitted, "best_estimator_") and unfitted.best_index_ == unfitted.best_index_


def test_weights_groups_and_frames_reach_the_folds():
    pandas = pytest.importorskip("pandas")
    X, y = data("binary")
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    weights, groups = np.linspace(0.1, 2, len(y)), np.arange(len(y)) % 5
    network = small("binary")[1]
    searches = []
    for kind in (GridSearchCV, FleetSearchCV):
        search = kind(network, GRID, cv=GroupKFold(3))
        searches.append(search.fit(frame, y, sample_weight=weights, groups=groups))
    assert_equal_results(*searches)
    assert list(searches[1].feature_names_in_) == list(frame.columns)
    assert searches[1].n_features_in_ == 6 and list(searches[1].classes_) == ["no", "yes"]


@pytest.mark.parametrize("early_stopping", (False, True))
def test_a_candidate_that_diverges_fails_alone(early_stopping):
    X, y = data("number")
    network = small("number", solver="sgd", early_stopping=early_stopping)[1]
    grid = {"learning_rate_init": [0.01, 1e200, 0.02]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        expected, ours = both(network, grid, X, y, error_score=-7.0)
    assert_equal_results(expected, ours)
    if not early_stopping:
        assert ours.cv_results_["mean_test_score"][1] == -7
        with pytest.raises(ValueError, match="non-finite parameter weights"):
            FleetSearchCV(network, grid, cv=3, error_score="raise").fit(X, y)


def test_parameters_that_cannot_be_fail_alone():
    X, y = data("binary")
    network = small("binary")[1]
    with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 6"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
            search = FleetSearchCV(network, {"alpha": [-1.0, 0.1]}, cv=3).fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        FleetSearchCV(network, {"alpha": [-1.0]}, cv=3).fit(X, np.where(y == "no", 1, 0))


def test_what_is_no_fleet_is_fitted_one_by_one_and_said_once():
    X, y = data("binary")
    network = small("binary")[1]
    grid = {"solver": ["lbfgs", "adam"], "alpha": [0.1, 1.0]}
    with pytest.warns(UserWarning, match="one by one: solver='lbfgs' takes no batches") as said:
        ours = FleetSearchCV(network, grid, cv=3).fit(X, y)
    assert len([w for w in said if "one by one" in str(w.message)]) == 1
    assert_equal_results(GridSearchCV(network, grid, cv=3).fit(X, y), ours)
    foreign = LogisticRegression()
    with pytest.warns(UserWarning, match="LogisticRegression is neither"):
        ours = FleetSearchCV(foreign, {"C": [0.1, 1.0]}, cv=3).fit(X, y)
    assert_equal_results(GridSearchCV(foreign, {"C": [0.1, 1.0]}, cv=3).fit(X, y), ours)


@pytest.mark.parametrize("n_jobs", (1, 2))
def test_results_do_not_depend_on_the_number_of_processes(n_jobs):
    X, y = data("classes")
    network = small("classes", early_stopping=True)[1]
    one = FleetSearchCV(network, GRID, cv=3, factor=2).fit(X, y)
    other = FleetSearchCV(network, GRID, cv=3, factor=2, n_jobs=n_jobs).fit(X, y)
    for name, values in one.cv_results_.items():
        if "time" not in name and name != "params":
            np.testing.assert_array_equal(values, other.cv_results_[name])


def test_a_search_can_be_cloned_and_pickled_and_the_best_estimator_goes_on():
    X, y = data("number")
    search = FleetSearchCV(
        MLPRegressor(hidden_layer_sizes=5, max_iter=10, random_state=0), {"alpha": [0.1, 1]}, cv=3
    )
    assert clone(search).get_params().keys() == search.get_params().keys()
    loaded = pickle.loads(pickle.dumps(search.fit(X, y)))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    assert type(search).__module__ == "fastnn.search"
    loaded.best_estimator_.partial_fit(X, y)


def test_a_search_leaves_the_estimator_as_it_was():
    X, y = data("binary")
    network = MLPClassifier(4, max_iter=5)  # random_state=None: every member has draws of its own
    FleetSearchCV(network, {"alpha": [0.1, 1]}, cv=ShuffleSplit(2, random_state=0), factor=2).fit(X, y)
    assert not hasattr(network, "coefs_") and network.random_state is None


def test_an_end_before_convergence_is_said():
    X, y = data("binary")
    with warnings.catch_warnings():
        warnings.simplefilter("always", ConvergenceWarning)
        with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(3\)"):
            FleetSearchCV(MLPClassifier(4, max_iter=3), {"alpha": [0.1]}, cv=2, refit=False).fit(X, y)


@pytest.mark.parametrize(
    "given", ({"factor": 1}, {"n_candidates": 0}, {"param_distributions": 3}, {"cv": "x"})
)
def test_arguments_that_cannot_be_are_refused(given):
    X, y = data("binary")
    options = {"param_distributions": {"alpha": [1]}, **given}
    with pytest.raises(ValueError, match=f"The '{next(iter(given))}' parameter of FleetSearchCV"):
        FleetSearchCV(MLPClassifier(), **options).fit(X, y)


def halved(estimator):
    """A hook that changes what has been learnt."""
    if estimator.n_iter_ == 3:
        for W in estimator.coefs_:
            W *= 0.5


def test_hooks_may_change_parameters_and_end_a_training():
    X, y = data("number")
    for hook in (halved, lambda estimator: estimator.n_iter_ == 4):
        network = small("number")[1].set_params(on_epoch_end=hook)
        assert_equal_results(*both(network, GRID, X, y))


def test_callbacks_are_told_what_those_of_a_grid_search_are():
    pytest.importorskip("sklearn.callback")
    X, y = data("binary")

    class Record:
        def __init__(self):
            self.told = []

        def setup(self, estimator, context):
            self.told.append("setup")

        def teardown(self, estimator, context):
            self.told.append("teardown")

        def on_fit_task_begin(self, estimator, context, **about):
            self.told.append((context.task_name, context.max_subtasks))

        def on_fit_task_end(self, estimator, context, **about):
            self.told.append(context.task_name)

    heard = []
    for kind in (GridSearchCV, FleetSearchCV):
        record = Record()
        kind(MLPClassifier(4, max_iter=3), {"alpha": [0.1, 1]}, cv=2).set_callbacks(record).fit(X, y)
        heard.append(record.told)
    assert heard[0] == heard[1]
