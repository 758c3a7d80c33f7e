"""An architecture and its flat parameter vector: all of a network but its training."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import DTypeLike

from fastnn import html, storage
from fastnn.checks import Array, assign, choice, float_type, is_plain, per_layer, real, whole, widths
from fastnn.compiled import compiled_network
from fastnn.data import Rows, as_features, as_rows
from fastnn.precision import BFLOAT16, precision_of, say_once
from fastnn.prediction import Forward
from fastnn.scores import Sums, alone, cost_and_score
from fastnn.task import Task
from fastnn_kernels import layout
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS

VIEWS = "a view of `params`: assign to elements, net.{0}[0][:] = ..."
FIXED = {"weights": VIEWS, "biases": VIEWS} | dict.fromkeys(
    ("sizes", "dtype", "precision", "activations", "cost", "dropout", "huber_threshold", "layers", "task"),
    "part of the architecture: make another Network",
)

MOST_EPOCHS = 1 << 53  # more than anybody trains, and still exact in a float


def draw_weights(weights: Iterable[Array], activations: Iterable[str], seed: int) -> None:
    """Fill all W with what this seed draws: uniform, of the variance that keeps the activations' scale.

    He's for rectifiers, else Glorot's.
    """
    random = np.random.default_rng(seed)
    for W, name in zip(weights, activations, strict=True):
        limit = np.sqrt(6 / (W.shape[0] if ACTIVATIONS[name].rectifies else sum(W.shape)))
        W[:] = random.uniform(-limit, limit, W.shape)


class Text(str):
    """A text of several lines that shows as it is at a prompt."""

    def __repr__(self) -> str:
        return str(self)


class Model:
    """What `Network` is before it is trained: see there."""

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        output: str = "identity",
        cost: str | None = None,
        dropout: float | Sequence[float] = 0.0,
        huber_threshold: float = 1.0,
        dtype: DTypeLike = "float32",
        seed: int | None = None,
        precision: str | None = None,
    ) -> None:
        self.sizes: Final = widths("sizes", sizes)
        self.dtype: Final = float_type(dtype)
        self.precision: Final = self._precise(precision)
        n_hidden = len(self.sizes) - 2
        hidden = [choice("activation", x, ACTIVATIONS) for x in per_layer("activation", activation, n_hidden)]
        for entry in hidden:
            if not entry.elementwise:
                raise ValueError(f"{entry.name} is an activation for the output only; give it as output=")
        entries = [*hidden, choice("output", output, ACTIVATIONS)]
        self.activations: Final[tuple[str, ...]] = tuple(entry.name for entry in entries)
        entry = choice("cost", entries[-1].cost if cost is None else cost, COSTS)
        self.cost: Final[str] = entry.name
        if output not in entry.outputs:
            raise ValueError(f"cost={self.cost!r} goes with output {entry.outputs}, not {output!r}")
        if not entries[-1].elementwise and self.sizes[-1] == 1:
            raise ValueError(f"{output} over one output is always 1: give output='sigmoid', or two outputs")
        self.dropout: Final = tuple(real("dropout", x, 0, 1) for x in per_layer("dropout", dropout, n_hidden))
        self.huber_threshold: Final = real("huber_threshold", huber_threshold, above=True)
        drawn = int(np.random.SeedSequence().generate_state(1)[0])
        self.seed = drawn if seed is None else whole("seed", seed)
        self.epochs_trained = 0
        keep = [1.0 - rate for rate in (*self.dropout, 0.0)]
        self.layers: Final[Array] = layout.layer_table(self.sizes, [entry.code for entry in entries], keep)
        self.task: Final = Task(self.n_in, self.n_out, output, self.cost, self.huber_threshold, self.dtype)
        self._params: Array = np.zeros(layout.n_parameters(self.layers), self.dtype)
        weights, biases = layout.parameter_views(self._params, self.layers)
        self.weights: Final[tuple[Array, ...]] = tuple(weights)
        self.biases: Final[tuple[Array, ...]] = tuple(biases)
        self._forwards: dict[str, Forward] = {}
        self._outputs = self._logits = self._forward(self.precision)
        if self.task.from_logits:  # the last layer's activation is left off
            logits = self.layers.copy()
            logits["activation"][-1] = ACTIVATIONS["identity"].code
            self._logits = Forward(logits, self.dtype, self.precision == BFLOAT16)
        draw_weights(self.weights, self.activations, self.seed)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and name in self.__dict__:
            raise AttributeError(f"{name} cannot be set: it is {FIXED[name].format(name)}")
        super().__setattr__(name, value)

    @property
    def params(self) -> Array:
        """The one flat vector of all parameters; assigning to it copies the values into it."""
        return self._params

    @params.setter
    def params(self, values: Any) -> None:
        assign("params", self._params, values)

    @property
    def n_in(self) -> int:
        return self.sizes[0]

    @property
    def n_out(self) -> int:
        return self.sizes[-1]

    def __repr__(self) -> str:
        *hidden, output = self.activations
        activation = f"activation={hidden if len(set(hidden)) > 1 else hidden[0]!r}, " if hidden else ""
        return (
            f"{type(self).__name__}({list(self.sizes)}, {activation}output={output!r}, cost={self.cost!r}, "
            f"dtype='{self.dtype}', {self.params.size:,} parameters)"
        )

    def _summary(self) -> list[tuple[str, ...]]:
        """For each layer: its number, activation, shape of W, dropout, number of parameters."""
        layers = zip(self.weights, self.activations, (*self.dropout, 0.0), strict=True)
        return [
            (str(i), name, " x ".join(map(str, W.shape)), f"{rate:g}", f"{W.size + W.shape[1]:,}")
            for i, (W, name, rate) in enumerate(layers, 1)
        ]

    def summary(self) -> Text:
        """A line for each layer: its activation, shape and number of parameters."""
        rows = [("layer", "activation", "W", "dropout", "parameters"), *self._summary()]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(n) for cell, n in zip(row, wide, strict=True)).rstrip() for row in rows]
        total = f"{self.params.size:,} parameters, {self.dtype}, {self.cost}"
        return Text("\n".join([*lines, total]))

    def _repr_html_(self) -> str:
        head = "layer", "activation", "W", "dropout", "parameters"
        return f"<div>{html.escape(repr(self))}</div>{html.table(head, self._summary())}"

    def _precise(self, precision: str | None) -> str:
        """What the inputs of products are rounded to; says once what bfloat16 is worth here."""
        result = precision_of(precision, self.dtype)
        if result == BFLOAT16:
            say_once(self.sizes, stacklevel=3)
        return result

    def _forward(self, precision: str) -> Forward:
        """The one forward pass of this precision."""
        if precision not in self._forwards:
            self._forwards[precision] = Forward(self.layers, self.dtype, precision == BFLOAT16)
        return self._forwards[precision]

    def predict(self, X: Any, *, precision: str | None = None) -> Array:
        """The outputs (n_samples, n_out) for X (n_samples, n_in); class indices are their argmax.

        precision: 'bfloat16' or 'float32' in place of the network's own.
        """
        if not (is_plain(X, self.dtype) and X.ndim == 2 and X.shape[1] == self.sizes[0] and X.size):
            X = as_features(X, self.n_in, self.dtype, finite=False)
        forward = self._outputs if precision is None else self._forward(self._precise(precision))
        return forward(self._params, X)

    def evaluate(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[float, float]:
        """Mean cost, and the score: accuracy where outputs are classes, else R2."""
        return self.cost_and_score(as_rows(self.task, (X, y, sample_weight)))

    def cost_and_score(
        self, rows: Rows, threads: int | None = None, add: Sums = alone
    ) -> tuple[float, float]:  # fmt: skip
        """`evaluate`, of rows that are checked already, by at most so many threads; add: see `scores`."""
        return cost_and_score(self.task, self._logits(self._params, rows.X, threads), rows, add)

    def compiled(self) -> Any:
        """An @njit function of one row (n_in,) or a matrix (n, n_in), to call inside compiled code.

        It holds the parameters as they are now; train on, and ask for a new one.
        """
        return compiled_network(self.layers, self.params)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the architecture and the parameters to a safetensors file, atomically."""
        storage.write(path, {"params": self.params}, {"network": self.describe()})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The network that `save`, or a checkpoint, wrote to `path`."""
        return cls.restored(*storage.read(path), os.fspath(path))

    def describe(self) -> dict[str, Any]:
        """What `Network(**...)` needs to build this network again, and how far it is trained."""
        return {
            "sizes": list(self.sizes),
            "activation": list(self.activations[:-1]),
            "output": self.activations[-1],
            "cost": self.cost,
            "dropout": list(self.dropout),
            "huber_threshold": self.huber_threshold,
            "dtype": str(self.dtype),
            "precision": self.precision,
            "seed": self.seed,
            "epochs_trained": self.epochs_trained,
        }

    @classmethod
    def restored(cls, arrays: dict[str, Array], about: dict[str, Any], path: str) -> Self:
        """The network of a file's contents: its arrays, and a description that holds `describe()`."""
        if "network" not in about:
            held = ", ".join(about)
            raise storage.ModelFileError(
                f"{path!r} holds no fastnn network, but {held!r:.80}: load it with the class that wrote it"
            )
        with storage.refusing(f"{path!r} holds no fastnn network"):
            description = dict(about["network"])
            epochs_trained = whole("epochs_trained", description.pop("epochs_trained"), 0, MOST_EPOCHS)
            params, sizes = arrays["params"], description["sizes"]
            # Compared before anything is allocated: a file may speak of any sizes.
            n_params = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
            if params.shape != (n_params,) or str(params.dtype) != description["dtype"]:
                raise ValueError("its parameters do not fit its architecture")
            network = cls(**description)
        network.params[:] = params
        network.epochs_trained = epochs_trained
        return network

    def __getstate__(self) -> dict[str, Any]:
        return {"about": {"network": self.describe()}, "params": self.params}

    def __setstate__(self, state: dict[str, Any]) -> None:
        with storage.refusing("'pickle' holds no fastnn network"):
            restored = type(self).restored({"params": state["params"]}, state["about"], "pickle")
        self.__dict__.update(restored.__dict__)
