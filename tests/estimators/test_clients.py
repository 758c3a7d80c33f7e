"""What takes scikit-learn's estimators takes ours: each client is tried where it is installed."""

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline as sklearn_pipeline

import fastnn
from estimator_cases import TARGETS, data, pair
from fastnn import MLPClassifier, MLPRegressor

# Clients warn of each other's and of Python's changes; short runs have not converged.
pytestmark = pytest.mark.filterwarnings("ignore")
X, CLASSES = data("binary", n=120)
NUMBERS = data("number", n=120)[1]


def test_the_module_that_users_know():
    for cls in (MLPClassifier, MLPRegressor):
        assert cls.__module__ == "fastnn" and getattr(fastnn, cls.__name__) is cls


SOLVERS = {
    "adam": {},
    "adamw": {"solver": "adamw", "activation": ["gelu"], "dropout": 0.1},
    "sgd": {"solver": "sgd", "learning_rate": "invscaling"},
    "nesterov off": {"solver": "sgd", "nesterovs_momentum": False},
    "lbfgs": {"solver": "lbfgs"},
    "early stopping": {"early_stopping": True},
}


@pytest.mark.parametrize("options", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("targets", TARGETS)
def test_skops_needs_to_trust_one_type(targets, options):
    io = pytest.importorskip("skops.io")
    X, y = data(targets)
    model = pair(targets, hidden_layer_sizes=5, max_iter=4)[1].set_params(**options).fit(X, y)
    file = io.dumps(model)
    assert io.get_untrusted_types(data=file) == [f"fastnn.{type(model).__name__}"]
    same = io.loads(file, trusted=[f"fastnn.{type(model).__name__}"])
    np.testing.assert_array_equal(same.predict(X), model.predict(X))
    if model.solver != "lbfgs" and not model.early_stopping:
        for one in (model, same):
            one.partial_fit(X, y)
        np.testing.assert_array_equal(same.coefs_[0], model.coefs_[0])
        assert same._optimizer.learning_rate == model._optimizer.learning_rate


def test_optuna_searches():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        def prune(model):
            trial.report(model.loss_, model.n_iter_)
            return trial.should_prune()

        width, rate = trial.suggest_int("width", 2, 9), trial.suggest_float("rate", 1e-4, 0.1, log=True)
        model = MLPClassifier(width, learning_rate_init=rate, max_iter=9, random_state=0, on_epoch_end=prune)
        score = model.fit(X, CLASSES).score(X, CLASSES)
        if model.n_iter_ < 9:
            raise optuna.TrialPruned
        return score

    pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0), pruner=pruner)
    study.optimize(objective, n_trials=6)
    assert study.best_value > 0.4 and len(study.trials) == 6


@pytest.mark.slow
def test_dask_fits_on_its_workers():
    distributed = pytest.importorskip("dask.distributed")
    search = GridSearchCV(MLPClassifier(4, max_iter=5, random_state=0), {"alpha": [1e-4, 1, 10]}, cv=3)
    expected = search.fit(X, CLASSES).cv_results_["mean_test_score"]
    options = dict(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None)
    with distributed.Client(**options), joblib.parallel_backend("dask"):
        scores = search.fit(X, CLASSES).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, expected)


def test_mapie_gives_intervals_and_sets():
    mapie = pytest.importorskip("mapie.regression")
    from mapie.classification import SplitConformalClassifier

    model = MLPRegressor(hidden_layer_sizes=20, max_iter=300, learning_rate_init=0.02, random_state=0)
    conformal = mapie.SplitConformalRegressor(model, confidence_level=0.8, prefit=False)
    conformal.fit(X[:60], NUMBERS[:60]).conformalize(X[60:], NUMBERS[60:])
    _, intervals = conformal.predict_interval(X[60:])
    inside = (intervals[:, 0, 0] <= NUMBERS[60:]) & (NUMBERS[60:] <= intervals[:, 1, 0])
    assert 0.75 <= inside.mean() <= 0.95
    sets = SplitConformalClassifier(MLPClassifier(5, max_iter=50), confidence_level=0.9, prefit=False)
    sets.fit(X[:60], CLASSES[:60]).conformalize(X[60:], CLASSES[60:])
    assert sets.predict_set(X)[1].shape[:2] == (120, 2)


def test_imbalanced_learn_resamples_before_it():
    pipeline = pytest.importorskip("imblearn.pipeline")
    from imblearn.ensemble import BalancedBaggingClassifier
    from imblearn.over_sampling import RandomOverSampler

    rare = np.arange(120) < 12
    oversampled = pipeline.make_pipeline(RandomOverSampler(random_state=0), MLPClassifier(5, random_state=0))
    oversampled.fit(X, rare)
    assert oversampled.predict_proba(X)[:, 1].mean() > 0.3
    bagging = BalancedBaggingClassifier(MLPClassifier(5, max_iter=5), n_estimators=3, random_state=0)
    assert bagging.fit(X, rare).predict(X).shape == (120,)


def test_mlflow_logs_pipelines_and_epochs(tmp_path, monkeypatch):
    """Autologging knows scikit-learn's own classes only: a pipeline around ours is one."""
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("mlflow.sklearn")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())

    def log_epoch(model):
        mlflow.log_metric("loss", model.loss_, step=model.n_iter_)

    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        with mlflow.start_run() as run:
            sklearn_pipeline(MLPClassifier(5, max_iter=4, on_epoch_end=log_epoch)).fit(X, CLASSES)
    finally:
        mlflow.sklearn.autolog(disable=True)
    logged = mlflow.get_run(run.info.run_id).data
    assert logged.params["mlpclassifier__max_iter"] == "4" and "training_accuracy_score" in logged.metrics
    assert len(mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")) == 4


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_emlearn_writes_c_of_one_activation(activation, tmp_path, monkeypatch):
    """It knows no list of activations, for which `to_c` is: see docs/scikit_learn.md."""
    emlearn = pytest.importorskip("emlearn")
    monkeypatch.chdir(tmp_path)  # it compiles in a folder `tmp`
    model = MLPClassifier((6, 5), activation=activation, max_iter=20, random_state=0)
    model.fit(X.astype(np.float32), (CLASSES == "yes").astype(int))
    converted = emlearn.convert(model, method="inline")
    np.testing.assert_array_equal(converted.predict(X.astype(np.float32)), model.predict(X))
