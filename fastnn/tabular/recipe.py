"""The recipe of a table's networks: every setting with its default, the presets, and the schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import choice, real, whole, widths
from fastnn_kernels.activations import ACTIVATIONS

# The rate is zero after these shares of a run: a cosine over each doubling of 1 + 15 t.
CYCLE_ENDS = (1 / 15, 3 / 15, 7 / 15, 1.0)


@dataclass(frozen=True)
class cosine_log:
    """rate * (0.5 - 0.5 cos(2 pi log2(1 + 15 t))), t from 0 to 1 over `epochs`: four waves, ever longer.

    >>> cosine_log(0.1, epochs=15)(np.array([0, 1, 3, 7]), 1).round(6)  # where a wave ends
    array([0., 0., 0., 0.])
    """

    rate: float
    epochs: float

    def __call__(self, steps: NDArray[np.int64], per_epoch: int) -> NDArray[Any]:
        t = np.minimum(steps / (self.epochs * per_epoch), 1.0)
        return self.rate * (0.5 - 0.5 * np.cos(2 * np.pi * np.log2(1 + 15 * t)))


@dataclass(frozen=True)
class Recipe:
    """How one network is trained, and how many; see the parameters of `TabularClassifier`."""

    members: int = 5
    hidden_layer_sizes: tuple[int, ...] = (128, 128, 128)
    activation: str = "auto"
    epochs: int = 16
    min_steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 0.004
    beta_2: float = 0.95
    weight_decay: float = 0.02
    dropout: float = 0.1
    label_smoothing: float = 0.0
    bins: int = 16
    waves: int = 8
    wave_scale: float = 0.1
    scale_rate: float = 6.0
    embedding: int = 8
    embedding_rate: float = 1.0

    def __post_init__(self) -> None:
        for name in ("members", "epochs", "batch_size"):
            whole(name, getattr(self, name), 1)
        for name in ("min_steps", "bins", "waves", "embedding"):
            whole(name, getattr(self, name))
        for name in ("learning_rate", "wave_scale"):
            real(name, getattr(self, name), above=True)
        for name in ("weight_decay", "scale_rate", "embedding_rate"):
            real(name, getattr(self, name))
        for name in ("beta_2", "dropout", "label_smoothing"):
            real(name, getattr(self, name), 0, 1)
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str) or not isinstance(sizes, Iterable):
            raise ValueError(f"hidden_layer_sizes={sizes!r}; give a list of widths, such as (128, 128)")
        object.__setattr__(
            self, "hidden_layer_sizes", widths("hidden_layer_sizes", (*sizes, 1))[:-1] if sizes else ()
        )
        hidden = {name: entry for name, entry in ACTIVATIONS.items() if entry.elementwise}
        if self.activation != "auto":
            choice("activation", self.activation, hidden)

    def activation_for(self, classes: bool) -> str:
        """SELU for classes, Mish for numbers, where it is left open."""
        if self.activation != "auto":
            return self.activation
        return "selu" if classes else "mish"

    def epochs_for(self, n_rows: int) -> int:
        """Epochs over so many rows: enough for `min_steps` steps."""
        steps = -(-n_rows // min(self.batch_size, n_rows))
        return max(self.epochs, -(-self.min_steps // steps))

    def work(self, n_rows: int, n_features: int) -> float:
        """What the seconds of a whole training of one network go with: its epochs times its weights."""
        sizes = (n_features, *self.hidden_layer_sizes, 1)
        return float(self.epochs_for(n_rows) * sum(a * b for a, b in zip(sizes, sizes[1:], strict=False)))


# From one quick network to bags of two sizes; measured over the 14 tables of asv_benchmarks/tables.py.
PRESETS = {
    "fast": Recipe(members=1, epochs=10, min_steps=600),
    "default": Recipe(),
    "best": Recipe(members=15, hidden_layer_sizes=(192, 192, 192), epochs=24, min_steps=1500),
}
SETTINGS = tuple(field.name for field in fields(Recipe))


def recipe(preset: str | None, settings: dict[str, Any]) -> Recipe:
    """The preset's recipe with those of these settings that are not None; no preset is the default one."""
    given = {name: value for name, value in settings.items() if value is not None}
    return replace(choice("preset", "default" if preset is None else preset, PRESETS), **given)
