"""Whole runs of gradient descent over all samples, in compiled code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn._validation import Array
from fastnn.course._arrays import ELEMENTWISE, matrices, readable
from fastnn.course._layers import backward_scratch_size, forward_scratch_size
from fastnn.engine import DivergenceError
from fastnn.options import real, whole
from fastnn_kernels.descent import descend as compiled_descend
from fastnn_kernels.descent import descend_epochs as compiled_epochs
from fastnn_kernels.layout import layer_table, n_units

Report = Callable[[int, float], None]
Layers = list[tuple[Array, Array]]  # W and b of each layer
# A slice is one compiled call. Between slices a Ctrl-C is heard, and costs are printed.
SLICE_SECONDS, SLICE_GROWTH = 0.05, 8


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
    """W and b of each layer after so many steps over all samples, and the cost before every so-manieth.

    X (n_in, n_samples), Y (n_out, n_samples), W (n_out, n_in), b (n_out, 1): none of them is changed. The
    cost is the mean cross-entropy; the last activation is the sigmoid. `report` is told iteration and cost.
    """
    rate, n_steps = real("learning_rate", learning_rate), whole("num_iterations", num_iterations)
    X, Y = checked_data(X, Y, parameters[0][0].dtype)
    run = _Workspace(X, Y, parameters, activations, X.shape[1])
    costs = np.zeros(-(-n_steps // every))
    for first, last in _slices(n_steps):
        compiled_descend(run.layers, run.params, X, Y, rate, first, last, every, *run.arrays, costs)
        numbers = range(-(-first // every), -(-last // every))
        run.check(costs[numbers.start : numbers.stop], f"iteration {last - 1}", rate)
        if report is not None:
            for number in numbers:
                report(number * every, costs[number])
    return run.parameters(), costs.tolist()


def descend_epochs(
    X: Any,
    Y: Any,
    test: tuple[Any, Any] | None,
    parameters: Layers,
    activations: Sequence[str],
    learning_rate: float,
    epochs: int,
    batch_size: int,
    seed: int,
) -> tuple[Layers, Array]:
    """As `descend`, in batches of shuffled samples; curves (n_epochs, 4).

    Each row of the curves is the mean cost and the accuracy over X and over X_test, after the epoch; those of
    X_test are zeros if `test`, (X_test, Y_test), is None.
    """
    rate, epochs = real("learning_rate", learning_rate), whole("epochs", epochs)
    batch_size, random = whole("batch_size", batch_size, 1), np.random.default_rng(seed)
    dtype = parameters[0][0].dtype
    X, Y = checked_data(X, Y, dtype)
    X_test, Y_test = np.empty((len(X), 0), dtype), np.empty((len(Y), 0), dtype)
    if test is not None:
        X_test, Y_test = checked_data(*test, dtype, ("X_test", "Y_test"))
        if len(X_test) != len(X):
            raise ValueError(f"X_test has {len(X_test)} features, X has {len(X)}: they must be the same ones")
    n_samples = X.shape[1]
    batch_size = min(batch_size, n_samples)
    run = _Workspace(X, Y, parameters, activations, max(n_samples, X_test.shape[1]))
    batch, curves = np.empty(batch_size * (len(X) + len(Y)), dtype), np.zeros((epochs, 4))
    for first, last in _slices(epochs):
        orders = np.tile(np.arange(n_samples), (last - first, 1))
        random.permuted(orders, axis=1, out=orders)
        settings = orders, batch_size, rate, X_test, Y_test, batch
        compiled_epochs(run.layers, run.params, X, Y, *settings, *run.arrays, curves[first:last])
        run.check(curves[first:last], f"epoch {last}", rate)
    return run.parameters(), curves


def _slices(n_steps: int) -> Iterator[tuple[int, int]]:
    """First and last of the steps of each compiled call, which takes as long as the one before it tells."""
    first, size = 0, 1
    while first < n_steps:
        last, started = min(n_steps, first + size), time.perf_counter()
        yield first, last
        seconds = (time.perf_counter() - started) / (last - first)
        size = max(1, min(SLICE_GROWTH * size, int(SLICE_SECONDS / max(seconds, 1e-7))))
        first = last


class _Workspace:
    """The layer table, the flat parameters and the memory of a run over at most `n_samples` at a time."""

    def __init__(
        self, X: Array, Y: Array, parameters: Layers, activations: Sequence[str], n_samples: int
    ) -> None:
        self.layers = _layer_table(X, Y, parameters, activations)
        self.params = np.concatenate([array.ravel() for layer in parameters for array in layer])
        dtype, units = self.params.dtype, n_samples * n_units(self.layers)
        sizes = [(int(x["n_in"]), int(x["n_out"]), n_samples, dtype.itemsize) for x in self.layers]
        scratch = max(max(forward_scratch_size(*x), backward_scratch_size(*x)) for x in sizes)
        lengths = units, units, self.params.size, scratch
        self.arrays = [np.empty(length, dtype) for length in lengths]

    def check(self, costs: Array, when: str, rate: float) -> None:
        if not (np.isfinite(costs).all() and np.isfinite(self.params).all()):
            raise DivergenceError(
                f"the cost is not finite after {when}: use a smaller learning_rate than {rate:g}, or scale X"
            )

    def parameters(self) -> Layers:
        """W (n_out, n_in) and b (n_out, 1) of each layer, in arrays of their own."""
        result = []
        for layer in self.layers:
            start, end, n_out = int(layer["weights"]), int(layer["biases"]), int(layer["n_out"])
            W, b = self.params[start:end].reshape(n_out, -1), self.params[end : end + n_out].reshape(-1, 1)
            result.append((W.copy(), b.copy()))
        return result


def _layer_table(X: Array, Y: Array, parameters: Layers, activations: Sequence[str]) -> Array:
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


def sizes_of(name: str, sizes: Any) -> list[int]:
    """The widths of a network's layers, from inputs to outputs."""
    if np.ndim(sizes) != 1:
        raise ValueError(f"{name}={sizes!r}: expected a list of widths, from the inputs' to the outputs'")
    widths = [whole(f"a width in {name}", size, 1) for size in sizes]
    if len(widths) < 2:
        raise ValueError(f"{name}={widths}: expected at least two widths, the inputs' and the outputs'")
    return widths
