"""Trained parameters, bit by bit, as they were when they were last written down.

A change of the Python above the kernels must not move one of them; one of the kernels may, on purpose:

    python tests/training/test_pins.py     # writes the digests of this kind of CPU anew
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from llvmlite.binding import get_host_cpu_name

from fastnn import SGD, Adam, AdamW, EarlyStopping, MLPClassifier, MLPRegressor, Network, cosine
from fastnn_kernels.simd import VECTOR_BYTES

PINS = Path(__file__).with_name("pins.json")
LEVEL = f"{VECTOR_BYTES} bytes, {get_host_cpu_name()}"
N_ROWS = 203


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


X = numbers(N_ROWS, 12) * (numbers(N_ROWS, 12, seed=1) > 0)
LABELS = (X[:, 0] + 0.3 * X[:, 1] * X[:, 2] > 0).astype(int)
CLASSES = np.digitize(X[:, 0] - X[:, 3], [-0.5, 0.5])
TARGETS = {"identity": X[:, :3] @ numbers(3, 2), "sigmoid": LABELS, "softmax": CLASSES, "exp": CLASSES}
WEIGHTS = np.abs(numbers(N_ROWS))


def network(sizes, output, fits, dtype="float32", **options):
    """The parameters after some fits, by the name of the method and its options."""

    def train():
        net = Network(sizes, output=output, dtype=dtype, seed=1, **options)
        for method, more in fits:
            getattr(net, method)(X, TARGETS[output], **more)
        return net.params

    return train


def estimator(kind, y, sparse=False, dtype=np.float64, passes=0, **options):
    """The parameters of an estimator after `fit`, or after so many calls of `partial_fit`."""

    def train():
        rows = scipy.sparse.csr_array(X.astype(dtype)) if sparse else X.astype(dtype)
        model = kind(**{"random_state": 1, "max_iter": 8, "tol": 0, "hidden_layer_sizes": (9, 5), **options})
        for _ in range(passes):
            model.partial_fit(rows, y, **({"classes": np.unique(y)} if kind is MLPClassifier else {}))
        if not passes:
            model.fit(rows, y)
        return np.concatenate([array.ravel() for array in (*model.coefs_, *model.intercepts_)])

    return train


CASES = {
    "adam": network([12, 20, 2], "identity", [("fit", {"epochs": 4})]),
    "adam, float64, tanh": network(
        [12, 17, 9, 1], "sigmoid", [("fit", {"epochs": 4})], "float64", activation="tanh"
    ),
    "sgd, one row a step": network(
        [12, 5, 1], "sigmoid", [("fit", {"epochs": 1, "batch_size": 1, "optimizer": SGD(0.05)})]
    ),
    "momentum, full batch": network(
        [12, 8, 3], "softmax", [("fit", {"epochs": 30, "batch_size": None, "optimizer": SGD(0.1, 0.9)})]
    ),
    "nesterov, clipped, l2": network(
        [12, 33, 3], "softmax",
        [("fit", {"epochs": 3, "optimizer": SGD(0.1, 0.9, nesterov=True), "clip_norm": 0.5, "l2": 0.01})],
    ),
    "adamw, dropout, smoothing, weights": network(
        [12, 16, 16, 3], "softmax",
        [("fit", {"epochs": 3, "batch_size": 50, "optimizer": AdamW(cosine(1e-2, 3)), "label_smoothing": 0.1,
                  "sample_weight": WEIGHTS})], dropout=0.2, activation=["silu", "softplus"],
    ),
    "early stopping, class weights, held out": network(
        [12, 16, 1], "sigmoid",
        [("fit", {"epochs": 30, "early_stopping": EarlyStopping(2), "validation_split": 0.2,
                  "class_weight": "balanced", "optimizer": Adam(0.05)})],
    ),
    "partial fits, large batch": network(
        [12, 16, 1], "exp",
        [("partial_fit", {"batch_size": 160}), ("partial_fit", {"batch_size": 160}), ("fit", {"epochs": 1})],
        "float64", activation="elu",
    ),
    "huber, in order": network(
        [12, 7, 2], "identity", [("fit", {"epochs": 2, "shuffle": False, "batch_size": 16})],
        cost="huber", huber_threshold=0.3, activation="leaky_relu",
    ),
    "classifier": estimator(MLPClassifier, LABELS),
    "classifier, CSR, sgd": estimator(
        MLPClassifier, CLASSES, sparse=True, solver="sgd", learning_rate="invscaling", batch_size=32
    ),
    "classifier, CSR, float32, early stopping": estimator(
        MLPClassifier, CLASSES, sparse=True, dtype=np.float32, early_stopping=True, max_iter=30
    ),
    "classifier, partial fits, dropout, clipped": estimator(
        MLPClassifier, CLASSES, passes=3, solver="adamw", dropout=0.1, clip_norm=1.0, class_weight={0: 2.0}
    ),
    "regressor, full batch, no shuffle": estimator(
        MLPRegressor, TARGETS["identity"], batch_size=N_ROWS, shuffle=False, activation="logistic"
    ),
    "regressor, counts, adaptive": estimator(
        MLPRegressor, CLASSES, loss="poisson", solver="sgd", learning_rate="adaptive", tol=1e-2, max_iter=40,
        n_iter_no_change=2, learning_rate_init=0.05,
    ),
}  # fmt: skip


def digest(case):
    return hashlib.sha256(CASES[case]().tobytes()).hexdigest()[:16]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", CASES)
def test_parameters_are_those_written_down(case):
    known = json.loads(PINS.read_text())
    if case not in known.get(LEVEL, {}):
        pytest.skip(f"nothing is written down for {LEVEL}")
    assert digest(case) == known[LEVEL][case]


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    pins = json.loads(PINS.read_text()) if PINS.exists() else {}
    pins[LEVEL] = {case: digest(case) for case in CASES}
    PINS.write_text(json.dumps(pins, indent=1) + "\n")
