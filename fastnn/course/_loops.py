"""Whole runs of gradient descent over all samples, on the engine that `Network.fit` has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.checks import Array, as_kernels_want, real, whole
from fastnn.course._arrays import ELEMENTWISE, matrices, readable
from fastnn.optimizers import SGD
from fastnn.plan import Plan, Settings
from fastnn.trainer import DivergenceError, Trainer
from fastnn_kernels.layout import layer_table, parameter_views

Report = Callable[[int, float], None]
Layers = list[tuple[Array, Array]]  # W and b of each layer
MOST_STEPS = 10_000  # whose costs and rates are in memory at once


def checked_data(
    X: Any, Y: Any, dtype: np.dtype[Any] | None = None, names: tuple[str, str] = ("X", "Y")
) -> tuple[Array, Array]:
    """X (n_in, n_samples) finite and Y (n_out, n_samples) from 0 to 1, as kernels read X's type or `dtype`.

    Y may be (n_samples,).
    """
    (X,), Y = matrices(names[0], X), np.asarray(Y)
    (Y,) = matrices(names[1], Y.reshape(1, -1) if Y.ndim == 1 else Y)
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"{names[0]} has shape {X.shape} and {names[1]} {Y.shape}: expected a column for each sample"
        )
    dtype = dtype or X.dtype
    with np.errstate(over="ignore"):
        X, Y = readable(X.astype(dtype, copy=False)), readable(Y.astype(dtype, copy=False))
    if not np.isfinite(X).all():
        raise ValueError(
            f"{names[0]} holds NaN or infinity as {dtype}: impute or drop such samples, or scale"
        )
    if not ((Y >= 0) & (Y <= 1)).all():
        raise ValueError(
            f"{names[1]} holds {Y.min()} to {Y.max()}, expected labels 0 and 1, or probabilities"
        )
    return X, Y


def printer(print_cost: bool, text: str) -> Report | None:
    """A report of the cost, whose `text` has places for an iteration and a cost; None for none."""
    return (lambda iteration, cost: print(text.format(iteration, cost))) if print_cost else None


def descend(
    X: Any,
    Y: Any,
    parameters: Layers,
    activations: Sequence[str],
    learning_rate: float,
    num_iterations: int,
    report: Report | None = None,
    every: int = 100,
) -> tuple[Layers, list[float]]:
    """W and b of each layer after so many steps over all samples, and the cost before step 0, `every`, ...

    X (n_in, n_samples), Y (n_out, n_samples), W (n_out, n_in), b (n_out, 1): none of them is changed. The
    cost is the mean cross-entropy; the last activation is the sigmoid. `report` is told iteration and cost.
    """
    rate, n_steps = real("learning_rate", learning_rate), whole("num_iterations", num_iterations)
    X, Y = checked_data(X, Y, parameters[0][0].dtype)
    layers, dtype, n_samples = checked_layers(X, Y, parameters, activations), X.dtype, X.shape[1]
    params = flat_parameters(parameters)
    settings = Settings(SGD(rate), n_samples, told_every=every, same_rows=True)
    trainer = Trainer(Plan(layers, dtype, "binary_cross_entropy", len(Y), False, 0, settings), params)
    rows = as_kernels_want(X.T, dtype), as_kernels_want(Y.T, dtype), np.empty(0, dtype), np.arange(n_samples)
    most = every if report is not None else max(1, MOST_STEPS // every) * every
    costs: list[float] = []
    for first in range(0, n_steps, most):
        count = min(most, n_steps - first)
        rates = settings.optimizer.corrected(np.arange(count), count)
        try:
            told = trainer.train(*rows, np.tile([[0, n_samples]], (count, 1)), rates)[::every, 0]
            finite = bool(np.isfinite(params).all())
        except DivergenceError:
            finite = False
        if not finite:
            raise DivergenceError(
                f"the cost is not finite after iteration {max(trainer.steps_done - 1, 0)}: use a smaller "
                f"learning_rate than {rate:g}, or scale X"
            ) from None
        costs += told.tolist()
        if report is not None:
            report(first, costs[-1])
    return as_columns(params, layers), costs


def flat_parameters(parameters: Layers) -> Array:
    """One vector of all parameters, as the engine has them: see fastnn_kernels.layout."""
    return np.concatenate([array.T.ravel() for layer in parameters for array in layer])


def as_columns(params: Array, layers: Array) -> Layers:
    """W (n_out, n_in) and b (n_out, 1) of each layer of such a vector, in arrays of their own."""
    weights, biases = parameter_views(params, layers)
    return [(W.T.copy(), b.reshape(-1, 1).copy()) for W, b in zip(weights, biases, strict=True)]


def checked_layers(X: Array, Y: Array, parameters: Layers, activations: Sequence[str]) -> Array:
    """The kernels' table of these layers, each of which takes what the one before it gives."""
    sizes = [len(X), *(len(W) for W, _ in parameters)]
    for number, ((W, b), n_in, n_out) in enumerate(zip(parameters, sizes, sizes[1:], strict=False), 1):
        if W.shape != (n_out, n_in) or b.shape != (n_out, 1):
            before = f"X has {n_in} rows" if number == 1 else f"W{number - 1} has {n_in}"
            raise ValueError(
                f"W{number} has shape {W.shape} and b{number} {b.shape}, but {before}: expected "
                f"{(n_out, n_in)} and {(n_out, 1)}"
            )
    if len(Y) != sizes[-1]:
        raise ValueError(f"Y has shape {Y.shape}, but the network has {sizes[-1]} outputs, a row of Y each")
    return layer_table(sizes, [ELEMENTWISE[name] for name in activations])


def as_dictionary(layers: Layers) -> dict[str, Array]:
    """W1, b1, W2, b2, ... by their names."""
    return {
        f"{letter}{number}": array
        for number, layer in enumerate(layers, 1)
        for letter, array in zip("Wb", layer, strict=True)
    }


def as_layers(parameters: Mapping[str, Array], dtype: np.dtype[Any]) -> Layers:
    """W and b of each layer, as copies of this type."""
    numbers = range(1, len(parameters) // 2 + 1)
    return [(parameters[f"W{i}"].astype(dtype), parameters[f"b{i}"].astype(dtype)) for i in numbers]


def float_type(X: Any) -> np.dtype[Any]:
    """float32 if X is of that type, else float64."""
    return np.dtype(np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)
