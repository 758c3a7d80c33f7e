"""The parameters of an estimator: one flat vector, of which `coefs_` and `intercepts_` are views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastnn.data import Array
from fastnn_kernels import layout
from fastnn_kernels.activations import ACTIVATIONS as KERNELS
from fastnn_kernels.affine import affine_scratch_size

# scikit-learn's names, and below them those it does not have, with fastnn's names of the same functions.
ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
ACTIVATIONS |= {name: name for name in ("leaky_relu", "elu", "gelu", "silu", "softplus")}
OUTPUTS = {"identity": "identity", "logistic": "sigmoid", "softmax": "softmax", "exp": "exp"}
PREDICTION_CHUNK = 64


def per_layer(name: str, value: Any, n_hidden: int) -> tuple[Any, ...]:
    """One value for each hidden layer: `value` for all, or those in a list."""
    if not isinstance(value, list | tuple):
        return (value,) * n_hidden
    if len(value) != n_hidden:
        raise ValueError(f"{name}={value!r} has {len(value)} entries; there are {n_hidden} hidden layers")
    return tuple(value)


class Plan:
    """The layer table of a forward pass, and the memory that it takes."""

    def __init__(self, layers: Array, itemsize: int) -> None:
        sizes = [(int(layer["n_in"]), int(layer["n_out"])) for layer in layers]
        self.layers = layers
        self.n_out = sizes[-1][1]
        self.products = sum(n_in * n_out for n_in, n_out in sizes)
        self.buffer_size = 2 * PREDICTION_CHUNK * max((n_out for _, n_out in sizes[:-1]), default=1)
        self.scratch_size = max(affine_scratch_size(PREDICTION_CHUNK, *size, itemsize) for size in sizes)


class FlatParameters:
    """A flat vector of the parameters of layers of widths `sizes`: see fastnn_kernels.layout.

    coefs [(n_in, n_out), ...] and intercepts [(n_out,), ...] are views of `vector`.
    """

    def __init__(self, sizes: Sequence[int], dtype: DTypeLike) -> None:
        self.sizes = tuple(sizes)
        self._table = layout.layer_table(self.sizes, [0] * (len(self.sizes) - 1))
        self.vector: Array = np.zeros(layout.n_parameters(self._table), dtype)
        self.coefs, self.intercepts = layout.parameter_views(self.vector, self._table)
        self._plans: dict[Any, Plan] = {}

    @classmethod
    def packed(cls, coefs: Sequence[Any], intercepts: Sequence[Any]) -> FlatParameters:
        """A copy of these weights and biases, if they fit each other."""
        weights, biases = ([np.asarray(value) for value in values] for values in (coefs, intercepts))
        if not weights or len(weights) != len(biases):
            raise ValueError(f"coefs_ has {len(weights)} arrays and intercepts_ {len(biases)}: give one each")
        n_in = weights[0].shape[0] if weights[0].ndim else 0
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
            n_out = W.shape[-1] if W.ndim else 0
            if W.shape != (n_in, n_out) or b.shape != (n_out,) or not n_out:
                raise ValueError(
                    f"coefs_[{layer}] has shape {W.shape} and intercepts_[{layer}] {b.shape}; "
                    f"expected ({n_in}, n) and (n,)"
                )
            n_in = n_out
        sizes = (weights[0].shape[0], *(W.shape[1] for W in weights))
        flat = cls(sizes, np.result_type(np.float32, *weights, *biases))
        flat.fill(weights, biases)
        return flat

    def fill(self, coefs: Sequence[Array] | None, intercepts: Sequence[Array] | None) -> None:
        """Copy these values, where given, into the vector."""
        for views, values in ((self.coefs, coefs), (self.intercepts, intercepts)):
            for view, value in zip(views, values or (), strict=values is not None):
                view[:] = value

    def holds(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> bool:
        """Whether these lists still hold our views: a user may have put other arrays in."""
        return _same(self.coefs, coefs) and _same(self.intercepts, intercepts)

    def layers(
        self, activation: str | Sequence[str], output: str, dropout: float | Sequence[float] = 0.0
    ) -> Array:
        """The layer table with these activations, by scikit-learn's names, and shares of units to drop."""
        n_hidden = len(self.sizes) - 2
        codes = [
            *(KERNELS[ACTIVATIONS[name]].code for name in per_layer("activation", activation, n_hidden)),
            KERNELS[OUTPUTS[output]].code,
        ]
        keep = [*(1.0 - share for share in per_layer("dropout", dropout, n_hidden)), 1.0]
        return layout.layer_table(self.sizes, codes, keep)

    def plan(self, activation: str | Sequence[str], output: str | None, itemsize: int) -> Plan:
        """How to compute the outputs or, with None, the activations of the last hidden layer."""
        key = (activation if isinstance(activation, str) else tuple(activation), output, itemsize)
        if key not in self._plans:
            layers = self.layers(activation, output or "identity")
            self._plans[key] = Plan(layers if output else layers[:-1], itemsize)
        return self._plans[key]


def _same(views: Sequence[Any], values: Any) -> bool:
    if len(views) != len(values):
        return False
    for view, value in zip(views, values, strict=True):
        if view is not value:
            return False
    return True


def draw(flat: FlatParameters, activation: str | Sequence[str], random_state: np.random.RandomState) -> None:
    """Uniform initial values, W then b of each layer, within sqrt(f / (n_in + n_out)).

    f is 2 for logistic layers, else 6; the output layer takes that of the last hidden one.
    """
    names = per_layer("activation", activation, len(flat.sizes) - 2)
    names = (*names, names[-1] if names else activation)
    for name, W, b in zip(names, flat.coefs, flat.intercepts, strict=True):
        limit = np.sqrt((2.0 if name == "logistic" else 6.0) / sum(W.shape))
        W[:] = random_state.uniform(-limit, limit, W.shape)
        b[:] = random_state.uniform(-limit, limit, b.shape)
