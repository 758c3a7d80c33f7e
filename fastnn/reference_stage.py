"""The input stage in plain NumPy: what the compiled steps must agree with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastnn.checks import Array
from fastnn.input_stage import InputStage, factors

# New values, of values, their gradient, a name for their moments, their pace, and whether they are weights.
Change = Callable[[Array, Array, object, float, bool], Array]


def stage_forward(E: Array, W: Array) -> Array:
    """V (rows, n_units) of one group: E (rows, inner), W (inner, n_units)."""
    return E @ W


def stage_backward(dV: Array, E: Array, W: Array) -> tuple[Array, Array]:
    """dW, dE."""
    return E.T @ dV, dV @ W.T


class Stage:
    """The factors of the first layer's V (n_in, n_units), which begins as their product."""

    def __init__(self, stage: InputStage, V: Array) -> None:
        self._stage, self._groups, self._factors = stage, stage.groups(len(V)), []
        for first, rows, inner in self._groups:
            E, W = (part.astype(V.dtype) for part in factors(V[first : first + rows], inner))
            self._factors.append((E, W))

    @property
    def V(self) -> Array:
        return np.concatenate([stage_forward(E, W) for E, W in self._factors])

    def step(self, dV: Array, change: Change) -> Array:
        """The new V, after a step of E and of W."""
        for number, (group, (E, W)) in enumerate(zip(self._groups, self._factors, strict=True)):
            dW, dE = stage_backward(dV[group[0] : sum(group[:2])], E, W)
            pace = self._stage.pace(group)
            self._factors[number] = (
                change(E, dE, (number, "E"), pace, False), change(W, dW, (number, "W"), 1.0, True)
            )  # fmt: skip
        return self.V
