"""A layer of relu and a sigmoid by hand, trained on mini-batches; here arrays are (n_samples, n_features).

relu, sigmoid and their ways back give arrays here, and the ways back take (Z, dA), where fastnn.course.deep
has pairs and (dA, Z). What many copies have wrong, and what these do:

- A last mini-batch that is dropped, or cut from data before scaling: here all rows are trained on, a short
  last batch too, and all from the same array.
- An epoch's cost that is the sum over batches divided by another count: here it is the mean over all samples,
  taken after the epoch.
- log(0) where the sigmoid is 0 or 1: here costs come from Z2 where it is known, and are finite anyway.
- 1e-5 added inside the sigmoid: here it is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.checks import Array, real, whole
from fastnn.course import _layers
from fastnn.course._arrays import ELEMENTWISE, matrices
from fastnn.course._epochs import descend_epochs
from fastnn.course._loops import as_dictionary

__all__ = [
    "TwoLayerNetwork",
    "breast_cancer_data",
    "breast_cancer_run",
    "caculate_accuracy",
    "calculate_accuracy",
    "predict",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
]

Curves = dict[str, list[float]]
IDENTITY, RELU, SIGMOID = (ELEMENTWISE[name] for name in ("identity", "relu", "sigmoid"))


def relu(X: Any) -> Array:
    """max(X, 0), of any shape; NaN stays NaN."""
    return _layers.activate(X, RELU)[0]


def relu_backward(Z: Any, dA: Any) -> Array:
    """dZ = dA where Z > 0, else 0."""
    return _layers.activation_gradient(dA, Z, RELU)


def sigmoid(X: Any) -> Array:
    """1 / (1 + exp(-X)), of any shape."""
    return _layers.activate(X, SIGMOID)[0]


def sigmoid_backward(Z: Any, dA: Any) -> Array:
    """dZ = dA * A * (1 - A) with A = sigmoid(Z)."""
    return _layers.activation_gradient(dA, Z, SIGMOID)


def predict(AL: Any) -> Array:
    """1 where AL > 0.5, else 0, of AL's shape."""
    (AL,) = matrices("AL", AL)
    return _layers.classes(AL)


def calculate_accuracy(AL: Any, Y: Any) -> float:
    """The share of samples whose label is that of AL, probabilities or labels (n_samples, 1), from 0 to 1."""
    predictions = predict(AL)
    return float(np.mean(predictions == _labels(Y, len(predictions))))


caculate_accuracy = calculate_accuracy  # as published


class TwoLayerNetwork:
    """hidden_dim units of relu, then one sigmoid.

    `parameters` are W1 (n_features, hidden_dim), b1 (1, hidden_dim), W2 (hidden_dim, 1) and b2 (1, 1);
    `grads` their gradients dW1, ... after a `backward`; `caches` what the last `forward` has left: A0 = X,
    Z1, A1, Z2, A2, each (n_samples, ...). seed: of the weights and of the order of rows in `fit`; None takes
    what the generator of np.random gives next, as the course does.
    """

    def __init__(self, hidden_dim: int = 128, *, seed: int | None = None) -> None:
        self.hidden_dim = whole("hidden_dim", hidden_dim, 1)
        self.seed = None if seed is None else whole("seed", seed, 0, 2**32 - 1)
        self.parameters: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}
        self.caches: dict[str, Array] = {}

    def initialize_weight(self, X: Any) -> dict[str, Array]:
        """W1, W2, b1 and b2 = 0.01 * standard normal, drawn in this order, for the features and type of X."""
        (X,) = matrices("X", X)
        self.parameters, self.grads, self.caches = self._drawn(X), {}, {}
        return self.parameters

    def _drawn(self, X: Array) -> dict[str, Array]:
        n_in, n_h = X.shape[1], self.hidden_dim
        draw = np.random.randn if self.seed is None else np.random.RandomState(self.seed).randn
        W1, W2, b1, b2 = (0.01 * draw(*shape) for shape in ((n_in, n_h), (n_h, 1), (1, n_h), (1, 1)))
        drawn = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
        # In the order in which their transposes can be read.
        return {name: array.astype(X.dtype, order="F") for name, array in drawn.items()}

    def forward(self, X: Any) -> Array:
        """A2 = sigmoid(relu(X W1 + b1) W2 + b2) (n_samples, 1), which is kept in `caches`."""
        X = self._rows(X)
        # The layers' functions have samples in columns: they take and give the transposes.
        W1, b1, W2, b2 = (array.T for array in self.parameters.values())
        Z1, A1, _ = _layers.forward("X W1 b1", X.T, W1, b1, RELU)
        Z2, A2, _ = _layers.forward("A1 W2 b2", A1, W2, b2, SIGMOID)
        self.caches = {"A0": X, "Z1": Z1.T, "A1": A1.T, "Z2": Z2.T, "A2": A2.T}
        return A2.T

    def compute_cost(self, AL: Any, Y: Any) -> np.float64:
        """The mean over samples of -(y log(a) + (1 - y) log(1 - a)), with logarithms of at least eps."""
        (AL,) = matrices("AL", AL)
        return _layers.mean_cross_entropy("AL", AL.T, _labels(Y, len(AL)).T)

    def backward(self, AL: Any, Y: Any) -> dict[str, Array]:
        """dW1, db1, dW2, db2 of the mean cost, from AL, which `forward` gave for its last samples."""
        if not self.caches:
            raise ValueError("there is nothing to go back from: call forward(X) first")
        X, Z1, A1, Z2, _ = (array.T for array in self.caches.values())
        W1, _, W2, _ = (array.T for array in self.parameters.values())
        (AL,) = matrices("AL", AL)
        dZ2 = _layers.cross_entropy_gradient("AL", AL.T, Z2, _labels(Y, X.shape[1]).T)
        dA1, dW2, db2 = _layers.backward("dZ2 A1 W2", dZ2, None, IDENTITY, A1, W2)
        _, dW1, db1 = _layers.backward("dA1 X W1", dA1, Z1, RELU, X, W1, with_input=False)
        self.grads = {"dW1": dW1.T, "db1": db1.T, "dW2": dW2.T, "db2": db2.T}
        return self.grads

    def update_parameter(self, learning_rate: float = 0.01) -> None:
        """W - learning_rate * dW and b - learning_rate * db, new arrays in the same dictionary."""
        if not self.grads:
            raise ValueError("there are no gradients: call forward(X) and backward(AL, Y) first")
        rate = real("learning_rate", learning_rate)
        self.parameters |= {
            name: _layers.step(name, value.T, self.grads[f"d{name}"].T, rate).T
            for name, value in self.parameters.items()
        }

    def train(self, X: Any, Y: Any, learning_rate: float = 0.01) -> np.float64:
        """One step of gradient descent on these samples; their mean cost before it, exact from Z2."""
        real("learning_rate", learning_rate)
        Y = _labels(Y, len(self._rows(X)))
        A2 = self.forward(X)
        cost, _ = _layers.logistic_loss("Z2", self.caches["Z2"].T, Y.T)
        self.backward(A2, Y)
        self.update_parameter(learning_rate)
        return cost

    def fit(
        self,
        X: Any,
        Y: Any,
        X_test: Any = None,
        Y_test: Any = None,
        *,
        learning_rate: float = 0.01,
        epochs: int = 1000,
        batch_size: int = 32,
    ) -> Curves:
        """Mini-batches of shuffled rows, in compiled code; train_cost, train_accuracy, test_... by epoch.

        The first call draws the weights; a further one goes on from where they are. Curves are taken after
        each epoch, over all samples;
        fastnn.plots.learning_curves(curves) shows them.
        """
        (X,) = matrices("X", X)
        parameters = self.parameters or self._drawn(X)
        Y = _labels(Y, len(X)).T
        test = None
        if X_test is not None:
            (X_test,) = matrices("X_test", X_test)
            test = X_test.T, _labels(Y_test, len(X_test)).T
        start = [(parameters[f"W{i}"].T, parameters[f"b{i}"].T) for i in (1, 2)]
        seed = np.random.randint(2**31) if self.seed is None else self.seed
        options = learning_rate, epochs, batch_size, seed
        layers, curves = descend_epochs(X.T, Y, test, start, ("relu", "sigmoid"), *options)
        self.parameters = {name: array.T for name, array in as_dictionary(layers).items()}
        self.grads, self.caches = {}, {}
        names = ["train_cost", "train_accuracy", "test_cost", "test_accuracy"][: 4 if test else 2]
        return dict(zip(names, curves.T.tolist(), strict=False))

    def _rows(self, X: Any) -> Array:
        """X, checked against the weights."""
        if not self.parameters:
            raise ValueError("the network has no weights yet: call initialize_weight(X) first")
        (X,) = matrices("X", X)
        n_in = len(self.parameters["W1"])
        if X.shape[1] != n_in:
            raise ValueError(f"X has shape {X.shape}, expected (n_samples, {n_in}): W1 has {n_in} rows")
        return X


def _labels(Y: Any, n_samples: int) -> Array:
    """Y (n_samples, 1), which may be given as (n_samples,)."""
    (Y,) = matrices("Y", np.reshape(Y, (-1, 1)) if np.ndim(Y) == 1 else Y)
    if Y.shape != (n_samples, 1):
        raise ValueError(f"Y has shape {Y.shape}, expected ({n_samples}, 1): a label for each sample")
    return Y


def breast_cancer_data(seed: int = 0) -> tuple[Array, Array, Array, Array]:
    """X_train (455, 30), X_test (114, 30), Y_train, Y_test (n, 1): 80/20 by class, scaled to 0 .. 1.

    The scaling is that of the training part: its smallest value of a feature is 0, its largest 1.
    """
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    X, y = load_breast_cancer(return_X_y=True)
    parts = train_test_split(X, y.reshape(-1, 1), test_size=0.2, stratify=y, random_state=seed)
    X_train, X_test, Y_train, Y_test = parts
    low, high = X_train.min(axis=0), X_train.max(axis=0)
    return (X_train - low) / (high - low), (X_test - low) / (high - low), Y_train, Y_test


def breast_cancer_run(
    hidden_dim: int = 16,
    *,
    learning_rate: float = 0.01,
    epochs: int = 1000,
    batch_size: int = 32,
    seed: int = 0,
) -> tuple[TwoLayerNetwork, Curves]:
    """A network trained on the breast-cancer data, and its curves for the training and the test part."""
    network = TwoLayerNetwork(hidden_dim, seed=seed)
    X_train, X_test, Y_train, Y_test = breast_cancer_data(seed)
    curves = network.fit(
        X_train, Y_train, X_test, Y_test, learning_rate=learning_rate, epochs=epochs, batch_size=batch_size
    )
    return network, curves
