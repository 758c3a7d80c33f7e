"""The losses that scikit-learn's MLPRegressor does not have: for outliers, and for quantiles."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import d2_pinball_score, mean_pinball_loss

from estimator_cases import data
from fastnn import MLPRegressor, reference

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LEVELS = [0.1, 0.5, 0.9]


def noisy(n=600):
    """X (n, 1), and y whose spread grows with it."""
    random = np.random.RandomState(0)
    X = random.uniform(0, 1, (n, 1))
    return X, X[:, 0] + (0.1 + X[:, 0]) * random.standard_normal(n)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_losses_that_scikit_learn_does_not_have(loss, solver):
    """Half of the rows are outliers by a thousand in one direction only."""
    random = np.random.RandomState(0)
    X = random.uniform(-1, 1, (400, 2))
    y = X[:, 0] + np.where(random.rand(400) < 0.3, 1000, 0)
    options = dict(
        hidden_layer_sizes=(), solver=solver, max_iter=300, learning_rate_init=0.05, random_state=0
    )
    errors = {}
    for name in (loss, "squared_error"):
        model = MLPRegressor(name, **options).fit(X, y)
        errors[name] = np.median(np.abs(model.predict(X) - X[:, 0]))
    assert errors[loss] < 1 < 20 < errors["squared_error"]


@pytest.mark.parametrize("n_out", [1, 2])
@pytest.mark.parametrize(
    "loss, more",
    [("absolute_error", {}), ("huber", {"huber_threshold": 0.3}), ("quantile", {"quantile": 0.2})],
)
def test_their_values(loss, more, n_out):
    """The first epoch of one batch has the loss of the initial weights; L2 included, mean over outputs."""
    X, Y = data("numbers")
    Y = Y if n_out == 2 else Y[:, 0]
    weights = np.linspace(0.5, 2, len(X))
    options = dict(max_iter=1, batch_size=90, random_state=0, alpha=0.1, **more)
    start = MLPRegressor(loss, **options, learning_rate_init=1e-300).fit(X, Y, weights)
    model = MLPRegressor(loss, **options).fit(X, Y, weights, X_val=X, y_val=Y, sample_weight_val=weights)
    threshold = {"threshold": 0.3} if loss == "huber" else {}
    targets = Y.reshape(90, n_out)
    if loss == "quantile":
        targets = np.hstack([targets, np.full_like(targets, 0.2)])

    def mean_loss(model):
        outputs = model.predict(X).reshape(90, n_out)
        costs, _ = getattr(reference, loss)(outputs, targets, weights, **threshold)
        return costs.sum() / n_out / weights.sum()

    penalty = 0.05 * sum((W**2).sum() for W in start.coefs_) / weights.sum()
    np.testing.assert_allclose(model.loss_curve_, mean_loss(start) + penalty)
    np.testing.assert_allclose(model.validation_loss_curve_, mean_loss(model))


def test_loss_names_that_are_unknown():
    with pytest.raises(ValueError, match="'loss' parameter of MLPRegressor must be a str among"):
        MLPRegressor("pinball").fit(*data("number"))
    with pytest.raises(
        ValueError, match="'huber_threshold' parameter of MLPRegressor must be a float in the range"
    ):
        MLPRegressor("huber", huber_threshold=0).fit(*data("number"))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_one_quantile_is_that_of_a_linear_program(quantile, solver):
    X, y = noisy(300)
    options = dict(hidden_layer_sizes=(), max_iter=600, learning_rate_init=0.02, alpha=0, random_state=0)
    ours = MLPRegressor("quantile", quantile=quantile, solver=solver, tol=1e-7, **options).fit(X, y)
    exact = QuantileRegressor(quantile=quantile, alpha=0).fit(X, y)
    losses = [mean_pinball_loss(y, model.predict(X), alpha=quantile) for model in (ours, exact)]
    assert losses[1] <= losses[0] < 1.02 * losses[1]
    assert ours.predict(X).shape == (300,)
    assert abs((y < ours.predict(X)).mean() - quantile) < 0.05


def test_several_quantiles_at_once_never_cross():
    X, y = noisy()
    model = MLPRegressor(
        "quantile", (16,), quantile=LEVELS, max_iter=150, learning_rate_init=0.01, random_state=0
    )
    model.fit(X, y)
    rows = np.linspace(-3, 4, 200)[:, None]
    predicted = model.predict(rows)
    assert predicted.shape == (200, 3) and (np.diff(predicted, axis=1) >= 0).all()
    for level, below in zip(LEVELS, (y[:, None] < model.predict(X)).mean(axis=0), strict=True):
        assert abs(below - level) < 0.06
    wanted = np.mean(
        [d2_pinball_score(y, p, alpha=q) for q, p in zip(LEVELS, model.predict(X).T, strict=True)]
    )
    assert model.score(X, y) == pytest.approx(wanted) and wanted > 0.1
    weights = np.linspace(0, 1, len(y))
    assert model.score(X, y, weights) != pytest.approx(wanted)


def test_sorting_makes_no_loss_larger():
    """Of a network that has learnt nothing the outputs cross; in order they are better, or as good."""
    X, y = noisy(50)
    model = MLPRegressor(
        "quantile", (5,), quantile=LEVELS, max_iter=1, learning_rate_init=1e-9, random_state=3
    )
    model.fit(X, y)
    raw = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0) @ model.coefs_[1] + model.intercepts_[1]
    raw[:, ::2] += [0.5, -0.5]  # these cross
    Y = np.hstack([np.repeat(y[:, None], 3, axis=1), np.tile(LEVELS, (50, 1))])
    before, after = (reference.quantile(values, Y)[0] for values in (raw, np.sort(raw, axis=1)))
    assert (after <= before + 1e-12).all() and (after < before - 1e-3).any()


def test_quantiles_among_the_other_options():
    X, y = noisy(200)
    options = dict(hidden_layer_sizes=(6,), quantile=LEVELS, early_stopping=True, max_iter=30, random_state=0)
    model = MLPRegressor("quantile", **options).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_ and model.n_outputs_ == 3
    assert clone(model).get_params()["quantile"] == LEVELS
    chunks = MLPRegressor("quantile", (6,), quantile=LEVELS, random_state=0)
    for part in (slice(0, 100), slice(100, 200)):
        chunks.partial_fit(X[part], y[part], np.ones(100))
    assert chunks.predict(X).shape == (200, 3)
    both = MLPRegressor("quantile", (6,), quantile=0.3, max_iter=5).fit(X, np.stack([y, -y], axis=1))
    assert both.predict(X).shape == (200, 2)


@pytest.mark.parametrize(
    "quantile, match",
    [
        (0.0, "'quantile' parameter of MLPRegressor must be a float in the range"),
        (1.0, "'quantile' parameter of MLPRegressor must be a float in the range"),
        ([], "must be numbers between 0 and 1, in rising order"),
        ([0.5, 0.1], "must be numbers between 0 and 1, in rising order"),
        ([0.1, 0.1], "must be numbers between 0 and 1, in rising order"),
        ([0.1, 1.5], "must be numbers between 0 and 1, in rising order"),
        (["a"], "must be numbers between 0 and 1, in rising order"),
        ([[0.1]], "must be numbers between 0 and 1, in rising order"),
    ],
)
def test_quantiles_that_are_none(quantile, match):
    with pytest.raises(ValueError, match=match):
        MLPRegressor("quantile", quantile=quantile).fit(*noisy(20))


def test_several_quantiles_are_of_one_number():
    X, y = noisy(20)
    with pytest.raises(ValueError, match="several quantiles are of one number, but y has 2 columns"):
        MLPRegressor("quantile", quantile=LEVELS).fit(X, np.stack([y, y], axis=1))
