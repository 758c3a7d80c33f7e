"""What the drop-ins can and scikit-learn's classes cannot; the defaults change nothing."""

import re

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.utils import compute_class_weight

from estimator_cases import assert_same, data, pair
from fastnn import Adam, AdamW, MLPClassifier, MLPRegressor, Network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit(targets="classes", **options):
    X, y = data(targets)
    return pair(targets, **{"max_iter": 15, "hidden_layer_sizes": 8})[1].set_params(**options).fit(X, y)


def test_defaults_are_the_explicit_nothing():
    nothing = {
        "class_weight": None, "dropout": 0, "clip_norm": None, "scoring": None, "coefs_init": None,
        "intercepts_init": None, "n_threads": 1, "progress": False, "on_epoch_end": None, "weight_decay": 5,
        "precision": None,
    }  # fmt: skip
    a, b = fit(), fit(**nothing)
    for W, V in zip(a.coefs_, b.coefs_, strict=True):
        np.testing.assert_array_equal(W, V)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", ["balanced", {3: 2.0, 7: 0.5, 8: 1, 20: 0.25}])
def test_class_weight_is_a_sample_weight(class_weight, weighted):
    X, y = data("classes")
    each = class_weight
    if class_weight == "balanced":
        each = dict(
            zip(np.unique(y), compute_class_weight("balanced", classes=np.unique(y), y=y), strict=True)
        )
    weights = np.linspace(0.5, 2, len(X)) if weighted else None
    ours = MLPClassifier(8, max_iter=10, random_state=1, class_weight=class_weight).fit(X, y, weights)
    by_row = np.array([each[label] for label in y]) * (1 if weights is None else weights)
    assert_same(Theirs(8, max_iter=10, random_state=1).fit(X, y, by_row), ours, X)


def test_class_weight_of_chunks():
    X, y = data("binary")
    model = MLPClassifier(8, class_weight={"yes": 3.0}, random_state=1)
    expected = Theirs(8, random_state=1).partial_fit(
        X, y, np.where(y == "yes", 3.0, 1), classes=["no", "yes"]
    )
    assert_same(expected, model.partial_fit(X, y, classes=["no", "yes"]), X)
    with pytest.raises(ValueError, match="class_weight='balanced' needs all of y"):
        model.set_params(class_weight="balanced").partial_fit(X, y)


def test_class_weight_of_several_labels():
    X, Y = data("multilabel")
    weights = [{0: 1, 1: 2.0}, {0: 0.5, 1: 1}, {0: 1, 1: 3.0}]
    ours = MLPClassifier(8, max_iter=5, random_state=1, class_weight=weights).fit(X, Y)
    by_row = np.prod([[each[label] for label in Y[:, k]] for k, each in enumerate(weights)], axis=0)
    assert_same(Theirs(8, max_iter=5, random_state=1).fit(X, Y, by_row), ours, X)


def test_held_out_rows_of_the_users_own():
    X, y = data("classes", n=150)
    given = {"X_val": X[100:], "y_val": y[100:]}
    model = MLPClassifier(8, max_iter=25, random_state=1).fit(X[:100], y[:100], **given)
    expected = Theirs(8, max_iter=25, random_state=1).fit(X[:100], y[:100])
    for W, V in zip(expected.coefs_, model.coefs_, strict=True):
        np.testing.assert_allclose(W, V, rtol=1e-8)  # it is only looked at
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 25
    assert model.validation_scores_[-1] == accuracy_score(y[100:], model.predict(X[100:]))
    np.testing.assert_allclose(
        model.validation_loss_curve_[-1], log_loss(y[100:], model.predict_proba(X[100:])), rtol=1e-12
    )
    model.set_params(early_stopping=True, n_iter_no_change=3, max_iter=200, learning_rate_init=0.03)
    for rows in (given, {**given, "X_val": sparse.csc_matrix(X[100:])}):
        model.fit(X[:100], y[:100], **rows)
        assert model.n_iter_ < 200
        assert model.best_validation_score_ == model.score(X[100:], y[100:])
    weights = np.linspace(0, 1, 50)
    model.fit(X[:100], y[:100], **given, sample_weight_val=weights)
    assert model.best_validation_score_ == model.score(X[100:], y[100:], weights)


def test_validation_loss_of_every_kind():
    for targets in ("binary", "classes", "multilabel", "number", "numbers", "counts"):
        X, y = data(targets)
        half = len(X) // 2
        model = pair(targets, max_iter=3, alpha=0)[1]
        model.fit(X[:half], y[:half], X_val=X[half:], y_val=y[half:])
        # The next fit goes on from there, and says the loss of its rows before the first step.
        again = model.set_params(warm_start=True, batch_size=half, max_iter=1, learning_rate_init=1e-12)
        loss = model.validation_loss_curve_[-1]
        np.testing.assert_allclose(again.fit(X[half:], y[half:]).loss_, loss, rtol=1e-10)


def test_scoring():
    X, y = data("binary", n=150)
    options = {"early_stopping": True, "max_iter": 12, "random_state": 1, "hidden_layer_sizes": 8}
    by_loss = MLPClassifier(**options, scoring="loss").fit(X, y)
    np.testing.assert_array_equal(by_loss.validation_scores_, -np.array(by_loss.validation_loss_curve_))
    by_log_loss = MLPClassifier(**options, scoring="neg_log_loss").fit(X, y)
    np.testing.assert_allclose(by_log_loss.validation_scores_, by_loss.validation_scores_)
    np.testing.assert_array_equal(
        MLPClassifier(**options, scoring="accuracy").fit(X, y).validation_scores_,
        MLPClassifier(**options).fit(X, y).validation_scores_,
    )
    rows = []

    def score(model, X, y):
        rows.append((len(X), set(y)))
        return float(len(rows))

    model = MLPClassifier(**options, scoring=score).fit(X, y)
    assert model.validation_scores_ == [float(n + 1) for n in range(12)]
    assert rows == [(15, {"yes", "no"})] * 12
    regressor = MLPRegressor(early_stopping=True, max_iter=4, scoring="neg_mean_absolute_error")
    assert all(score < 0 for score in regressor.fit(*data("number")).validation_scores_)


def test_an_activation_per_layer():
    X, _ = data("classes")
    for name in ("leaky_relu", "elu", "gelu", "silu", "softplus"):
        assert fit(activation=name, hidden_layer_sizes=(6, 5)).n_iter_ == 15
    model = fit(activation=["tanh", "relu", "logistic"], hidden_layer_sizes=(6, 5, 4))
    A = X
    steps = (np.tanh, lambda z: np.maximum(z, 0), lambda z: 1 / (1 + np.exp(-z)))
    for W, b, g in zip(model.coefs_, model.intercepts_, steps, strict=False):
        A = g(A @ W + b)
    np.testing.assert_allclose(model.transform(X), A, rtol=1e-12)
    same, one = fit(activation=["tanh"] * 2, hidden_layer_sizes=(6, 5)), {"activation": "tanh"}
    np.testing.assert_array_equal(same.coefs_[0], fit(**one, hidden_layer_sizes=(6, 5)).coefs_[0])


@pytest.mark.parametrize("optimizer", [AdamW(0.01, weight_decay=0.3, epsilon=1e-30), Adam(0.01)])
def test_adamw_is_the_networks(optimizer):
    X, y = data("number")
    net = Network([6, 5, 1], activation="tanh", dtype="float64", seed=0)
    ours = MLPRegressor(
        hidden_layer_sizes=5, activation="tanh", solver="adamw", weight_decay=0.3, alpha=0, max_iter=7,
        shuffle=False, batch_size=30, learning_rate_init=0.01, epsilon=1e-30,
        coefs_init=[W.copy() for W in net.weights], intercepts_init=[b.copy() for b in net.biases],
    ).fit(X, y)  # fmt: skip
    net.fit(X, y, epochs=7, batch_size=30, optimizer=optimizer, shuffle=False)
    same = np.allclose(net.predict(X)[:, 0], ours.predict(X), rtol=1e-9)
    assert same == isinstance(optimizer, AdamW)


def test_dropout():
    plain, dropped, again = fit(), fit(dropout=0.5), fit(dropout=[0.5])
    assert dropped.loss_ > plain.loss_
    np.testing.assert_array_equal(dropped.coefs_[0], again.coefs_[0])
    X, _ = data("classes")
    np.testing.assert_array_equal(dropped.predict_proba(X), dropped.predict_proba(X))  # all units
    np.testing.assert_array_equal(plain.coefs_[0], fit(dropout=[0.0]).coefs_[0])


def test_clip_norm():
    X, y = data("number")
    options = {"solver": "sgd", "momentum": 0, "max_iter": 1, "batch_size": len(X), "learning_rate_init": 1}
    before = MLPRegressor(hidden_layer_sizes=5, **options, random_state=1, clip_norm=1e-9).fit(X, 100 * y)
    after = MLPRegressor(hidden_layer_sizes=5, **options, random_state=1, clip_norm=0.5).fit(X, 100 * y)
    flat = [np.concatenate([p.ravel() for p in m.coefs_ + m.intercepts_]) for m in (before, after)]
    np.testing.assert_allclose(np.linalg.norm(flat[1] - flat[0]), 0.5, rtol=1e-6)


def test_initial_weights():
    model = fit()
    again = fit(coefs_init=model.coefs_, intercepts_init=[list(b) for b in model.intercepts_], max_iter=1)
    assert again.loss_ < fit(max_iter=1).loss_
    with pytest.raises(ValueError, match=re.escape("coefs_init has arrays of the shapes [(6, 8)]; expected")):
        fit(coefs_init=model.coefs_[:1])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_on_epoch_end(solver):
    seen = []

    def watch(model):
        seen.append((model.n_iter_, float(model.loss_), model.score(*data("classes"))))

    model = fit(on_epoch_end=[watch, lambda model: model.n_iter_ == 5], solver=solver)
    assert model.n_iter_ == 5 == len(seen)
    assert [n for n, _, _ in seen] == [1, 2, 3, 4, 5]
    assert seen[-1][1] == model.loss_ and seen[-1][2] == model.score(*data("classes"))
    plain = fit(solver=solver, max_iter=5)
    np.testing.assert_array_equal(plain.coefs_[0], model.coefs_[0])


def test_progress(capsys):
    fit(progress=True, max_iter=4)
    assert "4/4" in capsys.readouterr().err
    fit(progress=True, max_iter=4, solver="lbfgs")
    assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_of_scikit_learn(solver):
    callback = pytest.importorskip("sklearn.callback")
    X, y = data("classes")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(8, max_iter=6, random_state=1, solver=solver).set_callbacks(monitor)
    model.fit(X, y)
    scores = [entry["accuracy"] for entry in monitor.get_logs().data if entry["task_name"] == "epoch"]
    assert len(scores) >= 6 and scores[5] == model.score(X, y)
    np.testing.assert_array_equal(
        model.coefs_[0], MLPClassifier(8, max_iter=6, random_state=1, solver=solver).fit(X, y).coefs_[0]
    )

    class Stop:
        """Of the protocol, and nothing more."""

        def setup(self, estimator, context):
            self.begun = []

        def teardown(self, estimator, context):
            self.begun.append("down")

        def on_fit_task_begin(self, estimator, context):
            self.begun.append(context.task_name)

        def on_fit_task_end(self, estimator, context):
            return context.task_name == "epoch" and estimator.n_iter_ == 3

    stop = Stop()
    model = MLPClassifier(8, max_iter=6, random_state=1, solver=solver).set_callbacks(stop).fit(X, y)
    assert model.n_iter_ == 3
    assert stop.begun == ["fit", "epoch", "epoch", "epoch", "down"]


def test_threads_change_nothing():
    X, y = data("classes", n=600)
    options = {"hidden_layer_sizes": (70, 30), "max_iter": 4, "random_state": 1}
    models = [MLPClassifier(**options, n_threads=threads).fit(X, y) for threads in (1, 2, 3)]
    for model in models[1:]:
        np.testing.assert_array_equal(models[0].coefs_[0], model.coefs_[0])
    many = np.tile(X, (1000, 1))
    for model in models[1:]:
        np.testing.assert_array_equal(models[0].predict_proba(many), model.predict_proba(many))


BAD = [
    (
        {"activation": ["relu", "tanh"]},
        "activation=['relu', 'tanh'] has 2 entries; there are 1 hidden layers",
    ),
    ({"activation": ["softmax"]}, "activation has the entry 'softmax'; expected identity, logistic"),
    ({"dropout": [0.1, 0.2]}, "dropout=[0.1, 0.2] has 2 entries; there are 1 hidden layers"),
    ({"dropout": [1.0]}, "dropout has the entry 1.0; expected a number from 0 to below 1"),
    (
        {"dropout": 0.1, "solver": "lbfgs"},
        "dropout, clip_norm and precision need one of the solvers sgd, adam, adamw",
    ),
    (
        {"clip_norm": 1.0, "solver": "lbfgs"},
        "dropout, clip_norm and precision need one of the solvers sgd, adam, adamw",
    ),
    ({"on_epoch_end": [1]}, "on_epoch_end=[1] must be a function, or a list of functions"),
    ({"hidden_layer_sizes": [2.5]}, "hidden_layer_sizes must be whole numbers, got [2.5]"),
    ({"hidden_layer_sizes": [3, 0]}, "hidden_layer_sizes must be > 0, got [3, 0]."),
    ({"solver": "adamax"}, "The 'solver' parameter of MLPClassifier must be a str among"),
    ({"clip_norm": 0}, "The 'clip_norm' parameter of MLPClassifier must be a float in the range (0.0, inf)"),
    ({"n_threads": 0}, "The 'n_threads' parameter of MLPClassifier must be an int in the range [1, 1024]"),
    ({"scoring": "best"}, "The 'scoring' parameter of MLPClassifier must be"),
]


@pytest.mark.parametrize("options, message", BAD)
def test_errors(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(**options)


def test_errors_of_held_out_rows():
    X, y = data("classes")
    model = MLPClassifier(8, max_iter=2)
    for given, message in (
        ({"X_val": X}, "X_val and y_val go together"),
        ({"y_val": y}, "X_val and y_val go together"),
        ({"X_val": X[:, :3], "y_val": y}, "X has 3 features, but MLPClassifier is expecting 6"),
        ({"X_val": X, "y_val": y + 1}, "there are labels that are not among the classes: [ 4  9 21]"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            model.fit(X, y, **given)
    with pytest.raises(ValueError, match="with the solvers sgd, adam, adamw"):
        MLPClassifier(solver="lbfgs").fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="y_val has 2 outputs, but y has 1"):
        MLPRegressor().fit(X, y, X_val=X, y_val=np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="loss='poisson' needs y >= 0, but y goes down to -4"):
        MLPRegressor("poisson").fit(X, y - 7)
