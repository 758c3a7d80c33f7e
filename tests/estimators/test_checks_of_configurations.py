"""scikit-learn's checks of every estimator, on configurations that are not the default.

Some ask of a fit what no network of that kind does: a validation set out of five rows, a line through moons.
A check may fail only where scikit-learn's own class fails it in the same configuration.
"""

from unittest import SkipTest

import numpy as np
import pytest
from sklearn import neural_network as theirs
from sklearn.datasets import make_blobs
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CONFIGURATIONS = (
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (5,), "learning_rate_init": 0.05},
    {"early_stopping": True},
    {"solver": "lbfgs"},
    {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.01},
)
EXTRAS = (
    {"hidden_layer_sizes": (20, 10), "activation": ["gelu", "silu"], "solver": "adamw", "clip_norm": 5.0},
    {"activation": "leaky_relu", "dropout": 0.1, "early_stopping": True, "scoring": "loss"},
)


def counterpart(estimator):
    """scikit-learn's estimator of the same parameters, as far as it has them."""
    kind = getattr(theirs, type(estimator).__name__)
    params = {name: value for name, value in estimator.get_params().items() if name in kind().get_params()}
    if not isinstance(params["activation"], str) or params["activation"] not in theirs._base.ACTIVATIONS:
        params["activation"] = "relu"
    if params["solver"] == "adamw":
        params["solver"] = "adam"
    return kind(**params)


@pytest.mark.slow
@parametrize_with_checks(
    [
        kind(max_iter=100, **options)
        for kind in (MLPClassifier, MLPRegressor)
        for options in CONFIGURATIONS + EXTRAS
    ]
)
def test_every_estimator(estimator, check):
    try:
        check(estimator)
    except SkipTest:
        raise
    except Exception as error:
        if check.func.__name__ == "check_class_weight_classifiers":
            pytest.xfail(
                "scikit-learn's has no class_weight; with these as sample_weight it predicts the same"
            )
        with pytest.raises(type(error)):
            check(counterpart(estimator))


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_weights_are_scikit_learns_sample_weights(n_classes, options):
    """On the data and the weights of check_class_weight_classifiers, which some of these do not pass."""
    X, y = make_blobs(centers=n_classes, random_state=0, cluster_std=20)
    X, X_test, y, _ = train_test_split(X, y, test_size=0.5, random_state=0)
    weights = {0: 1000, 1: 0.0001, 2: 0.0001} if n_classes == 3 else {0: 1000, 1: 0.0001}
    options = {"max_iter": 300, "random_state": 0, **options}
    ours = MLPClassifier(class_weight=weights, **options).fit(X, y)
    same = theirs.MLPClassifier(**options).fit(X, y, sample_weight=compute_sample_weight(weights, y))
    np.testing.assert_allclose(ours.predict_proba(X_test), same.predict_proba(X_test), rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X_test), same.predict(X_test))
