"""One hidden layer of tanh and a sigmoid by hand, for points in a plane; arrays are (n_features, n_samples).

parameters: a dictionary of W1 (n_h, n_x), b1 (n_h, 1), W2 (n_y, n_h), b2 (n_y, 1). Lists and integers are
taken too; an argument is never changed. Defaults are those of the edition with a rate of 0.01 and seed 42; of
the other, nn_model(X, Y, n_h, learning_rate=1.2, seed=2) gives the numbers. What many copies have wrong, and
what these functions do:

- A cost with log(1 - A) twice, or log(0): here both terms, once each, finite at saturation.
- update_parameters that changes the arrays it was given: here they are new.
- A shared random generator: here every function that draws has a seed of its own, the course's by default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.checks import Array, whole
from fastnn.course import _layers
from fastnn.course._arrays import ELEMENTWISE, entry, matrices
from fastnn.course._loops import as_dictionary, as_layers, checked_data, descend, float_type, printer
from fastnn.course.deep import initialize_parameters as _deep_parameters
from fastnn.course.planar_data import load_extra_datasets, load_planar_dataset

__all__ = [
    "HiddenSize",
    "backward_propagation",
    "compute_cost",
    "compute_loss",
    "forward_propagation",
    "hidden_size_experiment",
    "initialize_parameters",
    "layer_sizes",
    "load_extra_datasets",
    "load_planar_dataset",
    "nn_model",
    "plot_decision_boundary",
    "predict",
    "sigmoid",
    "update_parameters",
]

Parameters = dict[str, Array]
IDENTITY, SIGMOID, TANH = (ELEMENTWISE[name] for name in ("identity", "sigmoid", "tanh"))
PRINTED = "Cost after iteration {}: {:f}"


def layer_sizes(X: Any, Y: Any, n_h: int = 4) -> tuple[int, int, int]:
    """n_x, n_h, n_y: features of X, hidden units, outputs in Y."""
    (X,) = matrices("X", X)
    return X.shape[0], n_h, np.shape(Y)[0] if np.ndim(Y) > 1 else 1


def initialize_parameters(n_x: int, n_h: int, n_y: int, *, seed: int = 42) -> Parameters:
    """W1 and W2 = 0.01 * standard normal, b1 and b2 = 0."""
    return _deep_parameters(n_x, n_h, n_y, seed=seed)


def sigmoid(Z: Any) -> Array:
    """1 / (1 + exp(-Z)), of any shape."""
    return _layers.activate(Z, SIGMOID)[0]


def forward_propagation(X: Any, parameters: Mapping[str, Any]) -> tuple[Array, Parameters]:
    """A2 (n_y, n_samples), and the cache of Z1, A1 (n_h, n_samples), Z2 and A2."""
    W1, b1, W2, b2 = (entry("parameters", parameters, name) for name in ("W1", "b1", "W2", "b2"))
    Z1, A1, _ = _layers.forward("X W1 b1", X, W1, b1, TANH)
    Z2, A2, _ = _layers.forward("A1 W2 b2", A1, W2, b2, SIGMOID)
    return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}


def compute_cost(A2: Any, Y: Any, parameters: Any = None) -> np.float64:
    """The mean over samples of -(y log(a) + (1 - y) log(1 - a)); older notebooks give parameters, unused.

    No logarithm is taken of less than the dtype's eps, so that the cost is finite where A2 is 0 or 1.
    """
    return _layers.mean_cross_entropy("A2", A2, Y)


compute_loss = compute_cost


def backward_propagation(
    parameters: Mapping[str, Any], cache: Mapping[str, Any], X: Any, Y: Any
) -> Parameters:
    """dW1, db1, dW2, db2, from dZ2 = A2 - Y and dZ1 = W2' dZ2 * (1 - A1^2)."""
    W1, W2 = (entry("parameters", parameters, name) for name in ("W1", "W2"))
    A1, A2 = (entry("cache", cache, name) for name in ("A1", "A2"))
    dZ2 = _layers.difference("A2", A2, Y)
    dA1, dW2, db2 = _layers.backward("dZ2 A1 W2", dZ2, None, IDENTITY, A1, W2)
    dZ1 = _layers.hidden_gradient("A1", dA1, A1, TANH)
    _, dW1, db1 = _layers.backward("dZ1 X W1", dZ1, None, IDENTITY, X, W1, with_input=False)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


def update_parameters(
    parameters: Mapping[str, Any], grads: Mapping[str, Any], learning_rate: float = 1.2
) -> Parameters:
    """W - learning_rate * dW and b - learning_rate * db of both layers, in new arrays."""
    return _layers.steps(parameters, grads, learning_rate)


def nn_model(
    X: Any,
    Y: Any,
    n_h: int,
    num_iterations: int = 10000,
    learning_rate: float = 0.01,
    print_cost: bool = False,
    *,
    seed: int = 42,
) -> Parameters:
    """The parameters after `num_iterations` steps of gradient descent over all samples, in compiled code.

    print_cost prints the cost of every 1000th iteration.
    """
    n_x, n_h, n_y = layer_sizes(X, Y, whole("n_h", n_h, 1))
    drawn, report = initialize_parameters(n_x, n_h, n_y, seed=seed), printer(print_cost, PRINTED)
    start = as_layers(drawn, float_type(X))
    layers, _ = descend(X, Y, start, ("tanh", "sigmoid"), learning_rate, num_iterations, report, 1000)
    return as_dictionary(layers)


def predict(parameters: Mapping[str, Any], X: Any) -> Array:
    """Whether A2 > 0.5, (n_y, n_samples)."""
    return forward_propagation(X, parameters)[0] > 0.5


def plot_decision_boundary(model: Callable[[Array], Any], X: Any, Y: Any) -> Any:
    """The plane in the colours of the classes, and the samples in it, on the current Axes, which it returns.

    model: a function of points (n, 2), such as lambda x: predict(parameters, x.T).
    """
    from matplotlib import pyplot

    from fastnn.plots import decision_boundary

    return decision_boundary(model, X, Y, pyplot.gca())


@dataclass(frozen=True, eq=False)
class HiddenSize:
    """A trained network of the experiment; called with points (n, n_x) it gives their classes (n,)."""

    n_h: int
    parameters: Parameters
    accuracy: float

    def __call__(self, points: Any) -> Array:
        return predict(self.parameters, np.asarray(points).T)[0]


def hidden_size_experiment(
    X: Any,
    Y: Any,
    sizes: Sequence[int] = (1, 2, 3, 4, 5, 20, 50),
    num_iterations: int = 5000,
    learning_rate: float = 1.2,
    *,
    seed: int = 2,
) -> dict[int, HiddenSize]:
    """A network trained for each size of the hidden layer, and its accuracy on X.

    The rate is one at which 5,000 iterations are enough; that of nn_model takes many more.
    fastnn.plots.hidden_size_panel(result, X, Y) shows their decision boundaries.
    """
    data = checked_data(X, Y)
    networks = {}
    for n_h in sizes:
        parameters = nn_model(*data, n_h, num_iterations, learning_rate, seed=seed)
        accuracy = float(np.mean(predict(parameters, data[0]) == (data[1] > 0.5)))
        networks[n_h] = HiddenSize(n_h, parameters, accuracy)
    return networks
