"""Network: an architecture and its flat parameter vector."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastnn import storage
from fastnn._validation import choice
from fastnn.data import Array, as_chunk, as_features, readable_parts
from fastnn.engine import DivergenceError
from fastnn.history import History
from fastnn.optimizers import Optimizer
from fastnn.options import real, whole
from fastnn.run import Run
from fastnn.scores import cost_and_score
from fastnn.training import fit
from fastnn_kernels import inference, layout
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.affine import affine_scratch_size
from fastnn_kernels.compiled import compiled_network
from fastnn_kernels.costs import COSTS

OUTPUT_COSTS = {
    "identity": "squared_error",
    "sigmoid": "binary_cross_entropy",
    "softmax": "softmax_cross_entropy",
    "exp": "poisson",
}
PREDICTION_CHUNK = 64
# A prediction is cut into compiled calls of so many products, some 20 ms: between them a Ctrl-C is heard.
PREDICTION_PRODUCTS = 1 << 30


class Network:
    """A multi-layer perceptron: `sizes` are its widths, from the inputs to the outputs.

    activation: of the hidden layers, one name or one per layer; output: of the last layer; it picks the
    matching cost (sigmoid binary cross-entropy, softmax cross-entropy, identity squared error, exp Poisson)
    unless `cost` names another. dropout: share of each hidden layer's units that a training step leaves
    out, one number or one per layer. dtype: float32 or float64. `seed` makes everything reproducible.

    `params` is the one flat vector of all parameters; `weights[l]` (n_in, n_out) and `biases[l]` (n_out,)
    are views of it: assign to their elements, not to the attributes.
    """

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
    ) -> None:
        self.sizes = _sizes(sizes)
        self.dtype = _dtype(dtype)
        n_hidden = len(self.sizes) - 2
        self.activations = (*_per_layer("activation", activation, n_hidden), output)
        for name in self.activations[:-1]:
            if name == "softmax":
                raise ValueError("softmax is an activation for the output only; give it as output=")
            choice("activation", name, ACTIVATIONS)
        choice("output", output, ACTIVATIONS)
        self.cost = choice("cost", _default_cost(output) if cost is None else cost, COSTS).name
        if output not in COSTS[self.cost].outputs:
            raise ValueError(
                f"cost={self.cost!r} goes with output {COSTS[self.cost].outputs}, not {output!r}"
            )
        self.dropout = tuple(real("dropout", x, 0, 1) for x in _per_layer("dropout", dropout, n_hidden))
        self.huber_threshold = real("huber_threshold", huber_threshold, above=True)
        drawn = int(np.random.SeedSequence().generate_state(1)[0])
        self.seed = drawn if seed is None else whole("seed", seed)
        self.epochs_trained = 0
        self._run: Run | None = None  # of partial_fit
        codes = [ACTIVATIONS[name].code for name in self.activations]
        self._layers = layout.layer_table(self.sizes, codes, [1.0 - rate for rate in (*self.dropout, 0.0)])
        self.params: Array = np.zeros(layout.n_parameters(self._layers), self.dtype)
        self.weights, self.biases = layout.parameter_views(self.params, self._layers)
        self._initialize()
        self._prepare_predictions()

    def _initialize(self) -> None:
        """W uniform with the variance that keeps the activations' scale (He for rectifiers, else Glorot)."""
        random = np.random.default_rng(self.seed)
        for W, name in zip(self.weights, self.activations, strict=True):
            n_in, n_out = W.shape
            rectifies = name in ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus")
            limit = np.sqrt(6 / n_in if rectifies else 6 / (n_in + n_out))
            W[:] = random.uniform(-limit, limit, W.shape)

    def _prepare_predictions(self) -> None:
        # The last layer's activation is left off where a cost starts from its logits.
        self._logit_layers = self._layers.copy()
        self._logit_layers["activation"][-1] = ACTIVATIONS["identity"].code
        itemsize, rows = self.dtype.itemsize, PREDICTION_CHUNK
        sizes = [affine_scratch_size(rows, int(x["n_in"]), int(x["n_out"]), itemsize) for x in self._layers]
        self._scratch_size = max(sizes)
        self._buffer_size = 2 * rows * max(self.sizes[1:-1], default=1)
        self._rows_per_call = max(1, PREDICTION_PRODUCTS // (rows * self.params.size)) * rows

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
            f"Network({list(self.sizes)}, {activation}output={output!r}, cost={self.cost!r}, "
            f"dtype='{self.dtype}', {self.params.size:,} parameters)"
        )

    def fit(self, X: Any, y: Any = None, **options: Any) -> History:
        """Train on X (n_samples, n_in) and y, (n_samples,) or (n_samples, n_out): see `training.fit`."""
        return fit(self, X, y, **options)

    def partial_fit(
        self, X: Any, y: Any, *, optimizer: Optimizer | str | None = None, **options: Any
    ) -> History:
        """One pass over a chunk of data; the optimizer's running means live on from pass to pass.

        Options are those of `fit`; the optimizer stays that of the last pass if none is given. The History
        is of all passes.
        """
        if optimizer is None:
            optimizer = "adam" if self._run is None else self._run._settings.optimizer
        try:
            return fit(self, X, y, epochs=1, optimizer=optimizer, _partial=True, **options)
        except DivergenceError:
            self._run = None  # the parameters are good, the running means are not
            raise

    def predict(self, X: Any) -> Array:
        """The outputs (n_samples, n_out) for X (n_samples, n_in); class indices are their argmax."""
        if not (
            type(X) is np.ndarray
            and X.dtype == self.dtype
            and X.ndim == 2
            and X.shape[1] == self.sizes[0]
            and X.size
            and X.flags.carray
        ):
            X = as_features(X, self.n_in, self.dtype, finite=False)
        return self._outputs(X, self._layers)

    def _outputs(self, X: Array, layers: Array) -> Array:
        out = np.empty((X.shape[0], self.sizes[-1]), self.dtype)
        buffer, scratch = np.empty(self._buffer_size, self.dtype), np.empty(self._scratch_size, self.dtype)
        parts: Iterable[tuple[int, Array]] = ((0, X),)
        if type(X) is not np.ndarray:
            parts = readable_parts(X, self.dtype)
        elif len(X) > self._rows_per_call:
            step = self._rows_per_call
            parts = ((start, X[start : start + step]) for start in range(0, len(X), step))
        for start, part in parts:
            rows = out[start : start + len(part)]
            inference.predict(layers, self.params, part, PREDICTION_CHUNK, buffer, scratch, rows)
        return out

    def evaluate(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[float, float]:
        """Mean cost, and the score: accuracy where outputs are classes, else R2."""
        return cost_and_score(self, *as_chunk(self, (X, y, sample_weight)))

    def compiled(self) -> Any:
        """An @njit function of one row (n_in,) or a matrix (n, n_in), to call inside compiled code.

        It holds the parameters as they are now; train on, and ask for a new one.
        """
        return compiled_network(self._layers, self.params)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the architecture and the parameters to a safetensors file, atomically."""
        storage.write(path, {"params": self.params}, {"network": self.describe()})

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
            "seed": self.seed,
            "epochs_trained": self.epochs_trained,
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """The network that `save`, or a checkpoint, wrote to `path`."""
        return cls._restored(*storage.read(path), os.fspath(path))

    @classmethod
    def _restored(cls, arrays: dict[str, Array], about: dict[str, Any], path: str) -> Network:
        try:
            description = dict(about["network"])
            epochs_trained = int(description.pop("epochs_trained"))
            params, sizes = arrays["params"], description["sizes"]
            # Compared before anything is allocated: a file may speak of any sizes.
            n_params = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
            if params.shape != (n_params,) or str(params.dtype) != description["dtype"]:
                raise ValueError("its parameters do not fit its architecture")
            if epochs_trained < 0:
                raise ValueError(f"it was trained for {epochs_trained} epochs")
            network = cls(**description)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise storage.ModelFileError(f"{path!r} holds no fastnn network: {error}") from None
        network.params[:] = params
        network.epochs_trained = epochs_trained
        return network

    def __getstate__(self) -> dict[str, Any]:
        return {"about": {"network": self.describe()}, "params": self.params}

    def __setstate__(self, state: dict[str, Any]) -> None:
        restored = type(self)._restored({"params": state["params"]}, state["about"], "pickle")
        self.__dict__.update(restored.__dict__)


def _default_cost(output: str) -> str:
    return OUTPUT_COSTS.get(output, "squared_error")


def _sizes(sizes: Any) -> tuple[int, ...]:
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise ValueError(f"sizes={sizes!r}; give a list of widths, from the inputs' to the outputs'")
    widths = tuple(whole("a width in sizes", size, 1) for size in sizes)
    if len(widths) < 2:
        raise ValueError(f"sizes={list(widths)}; give at least two widths: the inputs' and the outputs'")
    return widths


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        if dtype is not None and np.dtype(dtype) in (np.float32, np.float64):
            return np.dtype(dtype)
    except TypeError:
        pass
    raise ValueError(f"dtype={dtype!r}; give 'float32' or 'float64'")


def _per_layer(name: str, value: Any, n_hidden: int) -> tuple[Any, ...]:
    """One value for each hidden layer."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return (value,) * n_hidden
    values = tuple(value)
    if len(values) != n_hidden:
        raise ValueError(f"{name}={value!r} has {len(values)} entries; there are {n_hidden} hidden layers")
    return values
