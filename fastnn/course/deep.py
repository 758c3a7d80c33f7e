"""A network of any depth by hand: relu, relu, ..., sigmoid; arrays are (n_features, n_samples).

parameters: a dictionary of W1 (n_1, n_0), b1 (n_1, 1), W2, b2, ... Lists and integers are taken too. No
argument is changed, but for the dictionary that update_parameters is given. The names and the results are
those of the course notebooks, but for what many copies have wrong:

- Z is W A + b, never np.dot(A, W), and the last layer takes the output of the one before it.
- grads["dA1"] is the gradient of A1, which layer 2 passes down; the keys are not shifted by one.
- The cost has log(A) and log(1 - A) once each, and is finite where A is 0 or 1.
- Nothing is added inside the sigmoid: it is exact, and no large Z overflows.
- update_parameters puts new arrays into the dictionary: arrays that were kept stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from fastnn.checks import Array, whole, widths
from fastnn.course import _layers
from fastnn.course._arrays import ELEMENTWISE, activation_code, entry
from fastnn.course._loops import as_dictionary, as_layers, descend, float_type, printer

__all__ = [
    "L_Model_Forward",
    "L_layer_model",
    "L_model_backward",
    "L_model_forward",
    "compute_cost",
    "compute_dA_prev",
    "compute_dW",
    "compute_dZ",
    "compute_db",
    "compute_loss",
    "initialize_parameters",
    "initialize_parameters_deep",
    "linear_activation_backward",
    "linear_activation_forward",
    "linear_backward",
    "linear_forward",
    "predict",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "two_layer_model",
    "update_parameters",
]

Parameters = dict[str, Array]
LinearCache = tuple[Array, Array, Array]
Cache = tuple[LinearCache, Array]
IDENTITY, RELU, SIGMOID = (ELEMENTWISE[name] for name in ("identity", "relu", "sigmoid"))
PRINTED = "Cost after iteration {}: {}"


# Parameters.


def initialize_parameters(layer_dims: Any, *more: int, seed: int = 1) -> Parameters:
    """W = 0.01 * standard normal, b = 0, for widths from inputs to outputs, as a list or one by one."""
    return _drawn((layer_dims, *more) if more else layer_dims, seed, lambda n_in: 0.01)


def initialize_parameters_deep(layer_dims: Any, *, seed: int = 1) -> Parameters:
    """W = standard normal / sqrt(n_in), b = 0, for a list of widths from inputs to outputs."""
    return _drawn(layer_dims, seed, lambda n_in: 1 / np.sqrt(n_in))


def _drawn(layer_dims: Any, seed: int, scale: Callable[[int], Any]) -> Parameters:
    sizes = widths("layer_dims", layer_dims)
    # The generator of np.random.seed, without touching the one that all share.
    random = np.random.RandomState(whole("seed", seed, 0, 2**32 - 1))
    pairs = zip(sizes, sizes[1:], strict=False)
    return as_dictionary(
        [(random.randn(n_out, n_in) * scale(n_in), np.zeros((n_out, 1))) for n_in, n_out in pairs]
    )


def update_parameters(
    parameters: MutableMapping[str, Any], grads: Mapping[str, Any], learning_rate: float
) -> MutableMapping[str, Array]:
    """Changes `parameters` to W - learning_rate * dW and b - learning_rate * db of each layer; returns it."""
    parameters.update(_layers.steps(parameters, grads, learning_rate))
    return parameters


# Activations, of any shape.


def sigmoid(Z: Any) -> tuple[Array, Array]:
    """A = 1 / (1 + exp(-Z)), and Z for the way back."""
    return _layers.activate(Z, SIGMOID)


def relu(Z: Any) -> tuple[Array, Array]:
    """A = max(Z, 0), and Z for the way back; NaN stays NaN."""
    return _layers.activate(Z, RELU)


def sigmoid_backward(dA: Any, Z: Any) -> Array:
    """dZ = dA * A * (1 - A) with A = sigmoid(Z)."""
    return _layers.activation_gradient(dA, Z, SIGMOID)


def relu_backward(dA: Any, Z: Any) -> Array:
    """dZ = dA where Z > 0, else 0."""
    return _layers.activation_gradient(dA, Z, RELU)


# Forward.


def linear_forward(A: Any, W: Any, b: Any) -> tuple[Array, LinearCache]:
    """Z = W A + b (n_out, n_samples), and the cache (A, W, b)."""
    Z, _, cache = _layers.forward("A W b", A, W, b, IDENTITY)
    return Z, cache  # type: ignore[return-value]


def linear_activation_forward(A_prev: Any, W: Any, b: Any, activation: str) -> tuple[Array, Cache]:
    """A = g(W A_prev + b), and the cache ((A_prev, W, b), Z); g is "relu", "sigmoid", "tanh", ..."""
    Z, A, cache = _layers.forward("A_prev W b", A_prev, W, b, activation_code(activation))
    return A, (cache, Z)  # type: ignore[return-value]


def L_model_forward(X: Any, parameters: Mapping[str, Any]) -> tuple[Array, list[Cache]]:
    """AL (n_L, n_samples) and the cache of each layer."""
    depth, A, caches = _depth(parameters), X, []
    for layer in range(1, depth + 1):
        W, b = (entry("parameters", parameters, f"{letter}{layer}") for letter in "Wb")
        names = f"{'X' if layer == 1 else f'A{layer - 1}'} W{layer} b{layer}"
        Z, A, cache = _layers.forward(names, A, W, b, RELU if layer < depth else SIGMOID)
        caches.append((cache, Z))
    return A, caches  # type: ignore[return-value]


L_Model_Forward = L_model_forward


def _depth(parameters: Mapping[str, Any]) -> int:
    if not isinstance(parameters, Mapping) or not parameters or len(parameters) % 2:
        given = list(parameters) if isinstance(parameters, Mapping) else type(parameters).__name__
        raise ValueError(f"parameters is {given}: expected a dictionary of W1, b1, W2, b2, ...")
    return len(parameters) // 2


def compute_cost(AL: Any, Y: Any) -> np.float64:
    """The mean over samples of -(y log(a) + (1 - y) log(1 - a)), summed over outputs.

    No logarithm is taken of less than the dtype's eps, so that the cost is finite where AL is 0 or 1.
    """
    return _layers.mean_cross_entropy("AL", AL, Y)


compute_loss = compute_cost


# Backward: the four equations of a layer, then all of them at once.


def compute_dZ(dA: Any, Z: Any, activation: str) -> Array:
    """dZ = dA * g'(Z), of any shape; g is "relu", "sigmoid", "tanh", ..."""
    return _layers.activation_gradient(dA, Z, activation_code(activation))


def compute_dW(dZ: Any, A_prev: Any) -> Array:
    """dW = dZ A_prev' / n_samples."""
    return _layers.weight_gradient(dZ, A_prev)


def compute_db(dZ: Any) -> Array:
    """db (n_out, 1): the mean of dZ over samples."""
    return _layers.bias_gradient(dZ)


def compute_dA_prev(W: Any, dZ: Any) -> Array:
    """dA_prev = W' dZ."""
    return _layers.input_gradient(W, dZ)


def linear_backward(dZ: Any, cache: LinearCache) -> tuple[Array, Array, Array]:
    """dA_prev = W' dZ, dW = dZ A_prev' / n_samples, db = mean of dZ over samples."""
    A_prev, W = _linear_part(cache)
    return _layers.backward("dZ A_prev W", dZ, None, IDENTITY, A_prev, W)


def linear_activation_backward(dA: Any, cache: Cache, activation: str) -> tuple[Array, Array, Array]:
    """dA_prev, dW, db of a layer from the dA of its output."""
    A_prev, W, Z = _parts(cache)
    return _layers.backward("dA A_prev W Z", dA, Z, activation_code(activation), A_prev, W)


def L_model_backward(AL: Any, Y: Any, caches: Sequence[Cache]) -> dict[str, Array]:
    """dA{l-1}, dW{l}, db{l} of each layer l: dA0 is the gradient by X.

    The last layer's dZ is AL - Y, exact at saturation, where -(Y / AL - (1 - Y) / (1 - AL)) has no value.
    """
    if not len(caches):
        raise ValueError("caches is empty: expected those of L_model_forward, one for each layer")
    grads: dict[str, Array] = {}
    dA = _layers.cross_entropy_gradient("AL", AL, _parts(caches[-1])[2], Y)
    for layer in range(len(caches), 0, -1):
        A_prev, W, Z = _parts(caches[layer - 1])
        last = layer == len(caches)
        names = f"{'dZ' if last else 'dA'}{layer} A{layer - 1} W{layer}" + ("" if last else f" Z{layer}")
        dA, dW, db = _layers.backward(names, dA, Z, IDENTITY if last else RELU, A_prev, W)
        grads[f"dA{layer - 1}"], grads[f"dW{layer}"], grads[f"db{layer}"] = dA, dW, db
    return grads


def _parts(cache: Any) -> tuple[Any, Any, Any]:
    """A_prev, W and Z."""
    if not isinstance(cache, tuple | list) or len(cache) != 2:
        raise ValueError(
            "the cache of a layer must be ((A_prev, W, b), Z), as linear_activation_forward gives it"
        )
    return *_linear_part(cache[0]), cache[1]


def _linear_part(cache: Any) -> tuple[Any, Any]:
    """A_prev and W."""
    if not isinstance(cache, tuple | list) or len(cache) != 3:
        raise ValueError("the cache of a linear layer must be (A_prev, W, b), as linear_forward gives it")
    return cache[0], cache[1]


# Whole runs.


def two_layer_model(
    X: Any,
    Y: Any,
    layers_dims: Sequence[int],
    learning_rate: float = 0.0075,
    num_iterations: int = 3000,
    print_cost: bool = False,
    *,
    seed: int = 1,
    return_costs: bool = False,
) -> Any:
    """As L_layer_model, for (n_x, n_h, n_y) and W = 0.01 * standard normal."""
    if len(layers_dims) != 3:
        raise ValueError(f"layers_dims={list(layers_dims)}: expected three widths, n_x, n_h and n_y")
    parameters = initialize_parameters(layers_dims, seed=seed)
    return _trained(X, Y, parameters, learning_rate, num_iterations, print_cost, return_costs)


def L_layer_model(
    X: Any,
    Y: Any,
    layers_dims: Sequence[int],
    learning_rate: float = 0.0075,
    num_iterations: int = 3000,
    print_cost: bool = False,
    *,
    seed: int = 1,
    return_costs: bool = False,
) -> Any:
    """The parameters after `num_iterations` steps of gradient descent over all samples.

    With return_costs (parameters, costs), as some notebooks have it: the cost of every 100th iteration,
    which print_cost prints. The steps run in compiled code; costs come from Z and are exact.
    """
    parameters = initialize_parameters_deep(layers_dims, seed=seed)
    return _trained(X, Y, parameters, learning_rate, num_iterations, print_cost, return_costs)


def _trained(
    X: Any, Y: Any, parameters: Parameters, rate: float, iterations: int, print_cost: bool, costs_too: bool
) -> Any:
    start = as_layers(parameters, float_type(X))
    activations = ["relu"] * (len(start) - 1) + ["sigmoid"]
    layers, costs = descend(X, Y, start, activations, rate, iterations, printer(print_cost, PRINTED))
    trained = as_dictionary(layers)
    return (trained, costs) if costs_too else trained


def predict(X: Any, y: Any, parameters: Mapping[str, Any]) -> Array:
    """1 where the output is above 0.5, else 0, (n_L, n_samples); prints the accuracy, unless y is None."""
    predictions = _layers.classes(L_model_forward(X, parameters)[0])
    if y is not None:
        truth = np.asarray(y).reshape(1, -1) if np.ndim(y) == 1 else np.asarray(y)
        _layers.agree("y", truth, "the output", predictions)
        print(f"Accuracy: {np.mean(predictions == truth)}")
    return predictions
