"""What the estimators' tests share: targets of every kind, scikit-learn's class and ours, equality."""

import numpy as np
from sklearn import neural_network as theirs

import fastnn

TARGETS = ("binary", "classes", "multilabel", "number", "numbers", "counts")
FITTED = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")


def data(targets, dtype=np.float64, n=90):
    """X (n, 6) and y."""
    random = np.random.RandomState(3)
    X = random.standard_normal((n, 6)).astype(dtype)
    signal = X[:, 0] + 0.5 * X[:, 1] * X[:, 2]
    y = {
        "binary": np.where(signal > 0, "yes", "no"),
        "classes": np.array([3, 7, 8, 20])[np.digitize(signal, [-0.7, 0, 0.7])],
        "multilabel": np.stack([signal > 0, X[:, 3] > 0.5, X[:, 4] > X[:, 5]], axis=1).astype(int),
        "number": signal.astype(dtype),
        "numbers": np.stack([signal, X[:, 1] - 3 * X[:, 4]], axis=1).astype(dtype),
        "counts": random.poisson(np.exp(0.5 * signal)),
    }[targets]
    return X, y


def pair(targets, **options):
    """scikit-learn's estimator and ours, for these targets."""
    name = "MLPClassifier" if targets in ("binary", "classes", "multilabel") else "MLPRegressor"
    if targets == "counts":
        options["loss"] = "poisson"
    options = {"random_state": 1, **options}
    return getattr(theirs, name)(**options), getattr(fastnn, name)(**options)


def assert_same(expected, ours, X, tolerance=1e-8):
    """Two fitted estimators are one, to a relative tolerance."""

    def close(a, b):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(a).max())

    for name in FITTED:
        assert getattr(ours, name) == getattr(expected, name), name
    for a, b in zip(expected.coefs_ + expected.intercepts_, ours.coefs_ + ours.intercepts_, strict=True):
        close(a, b)
    close(np.array(expected.loss_), np.array(ours.loss_))
    for name in ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
        assert hasattr(expected, name) == hasattr(ours, name)
        a, b = getattr(expected, name, None), getattr(ours, name, None)
        assert (a is None) == (b is None), name
        if a is not None:
            close(np.array(a), np.array(b))
    if hasattr(expected, "predict_proba"):
        np.testing.assert_array_equal(expected.predict(X), ours.predict(X))
        np.testing.assert_array_equal(expected.classes_, ours.classes_)
        close(expected.predict_proba(X), ours.predict_proba(X))
        with np.errstate(divide="ignore"):
            close(*(np.exp(estimator.predict_log_proba(X)) for estimator in (expected, ours)))
        assert expected.predict(X).dtype == ours.predict(X).dtype
    else:
        close(expected.predict(X), ours.predict(X))
