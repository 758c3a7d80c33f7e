"""The parameters of an estimator: one flat vector, of which `coefs_` and `intercepts_` are views."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike
from sklearn.utils import check_random_state

from fastnn.checks import Array, per_layer
from fastnn.prediction import Forward
from fastnn_kernels import layout
from fastnn_kernels.activations import ACTIVATIONS as KERNELS

# scikit-learn's names, and those that it does not have, with fastnn's names of the same functions.
ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
EXTRA = [name for name, entry in KERNELS.items() if entry.elementwise and name not in ACTIVATIONS.values()]
ACTIVATIONS |= {name: name for name in EXTRA}
OUTPUTS = {"identity": "identity", "logistic": "sigmoid", "softmax": "softmax", "exp": "exp"}

MOST_SHARED = 10_000  # parameters: the memory of a forward pass holds on to those that it was given last


class FlatParameters:
    """A flat vector of the parameters of layers of widths `sizes`: see fastnn_kernels.layout.

    coefs [(n_in, n_out), ...] and intercepts [(n_out,), ...] are views of `vector`.
    """

    def __init__(self, sizes: Sequence[int], dtype: DTypeLike) -> None:
        self.sizes = tuple(sizes)
        self._table = _table(self.sizes)
        self.vector: Array = np.zeros(layout.n_parameters(self._table), dtype)
        self.coefs, self.intercepts = layout.parameter_views(self.vector, self._table)
        self._forwards: dict[Any, Forward] = {}

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

    def copy(self) -> FlatParameters:
        """The same values in a vector of its own."""
        other = object.__new__(FlatParameters)
        other.sizes, other._table, other._forwards = self.sizes, self._table, self._forwards
        other.vector = self.vector.copy()
        other.coefs, other.intercepts = layout.parameter_views(other.vector, self._table)
        return other

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
        table = self._table.copy()
        table["activation"] = codes
        table["keep"] = [*(1.0 - share for share in per_layer("dropout", dropout, n_hidden)), 1.0]
        return table

    def forward(
        self,
        activation: str | Sequence[str],
        output: str | None,
        dtype: np.dtype[Any],
        bfloat16: bool = False,
    ) -> Forward:
        """What computes the outputs or, with None, the activations of the last hidden layer."""
        key = (activation if isinstance(activation, str) else tuple(activation), output, dtype, bfloat16)
        if key not in self._forwards:
            layers = self.layers(activation, output or "identity")[: None if output else -1]
            small = self.vector.size <= MOST_SHARED
            given = dtype, bfloat16
            self._forwards[key] = _shared(layers.tobytes(), *given) if small else Forward(layers, *given)
        return self._forwards[key]


@lru_cache(maxsize=64)
def _table(sizes: tuple[int, ...]) -> Array:
    """The layer table of these widths, not to be changed."""
    return layout.layer_table(sizes, 0)


@lru_cache(maxsize=16)
def _shared(layers: bytes, dtype: np.dtype[Any], bfloat16: bool) -> Forward:
    """One for all small networks of these layers: to make it takes longer than to use it."""
    return Forward(np.frombuffer(layers, layout.LAYER), dtype, bfloat16)


def _same(views: Sequence[Any], values: Any) -> bool:
    if len(views) != len(values):
        return False
    for view, value in zip(views, values, strict=True):
        if view is not value:
            return False
    return True


class _Unseeded(ISeedSequence):
    """Nothing to begin with, for a generator that is seeded next: NumPy's own seeds it twice, in 0.2 ms."""

    STATE = (0,) * 624

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> Any:
        return self.STATE[:n_words]


UNSEEDED: Any = _Unseeded()


def generator_of(random_state: Any) -> np.random.RandomState:
    """What scikit-learn's check_random_state gives, number for number.

    >>> generator_of(7).uniform() == np.random.RandomState(7).uniform()
    True
    """
    if not isinstance(random_state, int | np.integer):
        return check_random_state(random_state)
    generator = np.random.RandomState(np.random.MT19937(UNSEEDED))
    generator.seed(random_state)
    return generator


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
