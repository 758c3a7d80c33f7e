"""Many networks of one shape and their parameters: all of a fleet but its training."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnn import storage
from fastnn.checks import Array, as_numbers, assign, is_sparse, whole
from fastnn.data import as_features
from fastnn.fleet_data import FleetRows, fleet_rows
from fastnn.fleet_forward import FleetForward
from fastnn.fleet_run import FleetMembers
from fastnn.model import MOST_EPOCHS, draw_weights
from fastnn.network import Network
from fastnn_kernels.layout import parameter_views

# Outputs that are kept at once while means over the members are taken.
OUTPUTS_BYTES = 1 << 26
LARGEST_SEED = 1 << 62


class FleetModel:
    """What `Fleet` is before it is trained: see there."""

    def __init__(
        self,
        n_members: int,
        sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        output: str = "identity",
        cost: str | None = None,
        dropout: float | Sequence[float] | Array = 0.0,
        huber_threshold: float = 1.0,
        dtype: DTypeLike = "float32",
        seed: int | Sequence[int] | None = None,
    ) -> None:
        n_members = whole("n_members", n_members, 1)
        own = isinstance(dropout, np.ndarray) and dropout.ndim == 2
        shared: Any = 0.0 if own else dropout
        self.like: Final = Network(
            sizes, activation=activation, output=output, cost=cost, dropout=shared,
            huber_threshold=huber_threshold, dtype=dtype, seed=0,
        )  # fmt: skip
        self.seeds: Final = _seeds(seed, n_members)
        self.dropout: Final = _dropout(dropout, self.like, n_members)
        self.epochs_trained: Final = np.zeros(n_members, np.int64)
        self.diverged = np.zeros(n_members, bool)
        self._params = np.zeros((n_members, self.like.params.size), self.like.dtype)
        self._forward = FleetForward(self.like.task, self.like.layers)
        for params, each in zip(self._params, self.seeds.tolist(), strict=True):
            draw_weights(parameter_views(params, self.like.layers)[0], self.like.activations, each)

    # What it consists of

    @property
    def params(self) -> Array:
        """All parameters (n_members, n_params); assigning to it copies the values into it."""
        return self._params

    @params.setter
    def params(self, values: Any) -> None:
        assign("params", self._params, values)

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.like.sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.like.dtype

    @property
    def activations(self) -> tuple[str, ...]:
        return self.like.activations

    @property
    def cost(self) -> str:
        return self.like.cost

    @property
    def members(self) -> FleetMembers:
        """What a run of training changes: views of this fleet."""
        keeps = 1.0 - np.pad(self.dropout, ((0, 0), (0, 1)))
        return FleetMembers(self.like, self._forward, self._params, self.seeds, self.epochs_trained, keeps)

    def __len__(self) -> int:
        return len(self.params)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self):,} x {self.like!r}"

    def __getitem__(self, member: int) -> Network:
        """The network with a copy of this member's parameters."""
        if isinstance(member, bool) or not isinstance(member, int | np.integer):
            raise TypeError(f"a fleet is indexed by a member's number, not {member!r}")
        if not -len(self) <= member < len(self):
            raise IndexError(f"there is no member {member}: the fleet has {len(self)}")
        k = int(member) % len(self)
        about = self.like.describe()
        del about["epochs_trained"]
        network = Network(**about | {"seed": int(self.seeds[k]), "dropout": self.dropout[k].tolist()})
        network.params = self.params[k]
        network.epochs_trained = int(self.epochs_trained[k])
        return network

    def __iter__(self) -> Iterator[Network]:
        return (self[k] for k in range(len(self)))

    @classmethod
    def of(cls, networks: Iterable[Network]) -> Self:
        """A fleet of copies of these networks, which have one shape; seeds and dropout may differ."""
        given = list(networks)
        if not given or not all(isinstance(network, Network) for network in given):
            raise ValueError("give at least one Network, and nothing else")
        own = {"seed", "dropout", "epochs_trained"}
        for k, network in enumerate(given):
            mine, first = network.describe(), given[0].describe()
            if different := [
                f"{x}: {mine[x]!r}, not {first[x]!r}" for x in mine if x not in own and mine[x] != first[x]
            ]:
                raise ValueError(f"network {k} is of another shape than the first: {'; '.join(different)}")
        fleet = cls._like(given[0], [x.seed for x in given], np.array([x.dropout for x in given]))
        fleet.params = np.stack([network.params for network in given])
        fleet.epochs_trained[:] = [network.epochs_trained for network in given]
        return fleet

    @classmethod
    def _like(cls, network: Network, seeds: Sequence[int], dropout: Array) -> Self:
        """A fleet of this shape."""
        about = network.describe()
        del about["epochs_trained"]
        if about.pop("precision") != about["dtype"]:
            raise ValueError(
                "a fleet's products are not of bfloat16: give networks without precision='bfloat16'"
            )
        dropout = dropout.reshape(len(seeds), -1)
        return cls(len(seeds), about.pop("sizes"), **about | {"seed": seeds, "dropout": dropout})

    # What it says

    def _features(self, X: Any) -> Array:
        if is_sparse(X):
            raise TypeError("a fleet takes dense rows: give X.toarray()")
        array, task = as_numbers("X", X), self.like.task
        if array.ndim == 3:
            if len(array) != len(self):
                raise ValueError(f"X has {len(array)} data sets; the fleet has {len(self)} members")
            flat = as_features(array.reshape(-1, array.shape[2]), task.n_in, task.dtype, finite=False)
            return np.asarray(flat).reshape(array.shape)
        return np.asarray(as_features(array, task.n_in, task.dtype, finite=False))

    def predict(self, X: Any) -> Array:
        """Each member's outputs (n_members, n_samples, n_out) for X (n_samples, n_in), or one X a member."""
        return self._forward(self.params, self._features(X))

    def _moments(self, X: Any) -> tuple[Array, Array]:
        """Mean and variance over the members of their outputs (n_samples, n_out), in float64."""
        X, task = self._features(X), self.like.task
        mean = np.empty((X.shape[-2], task.n_out))
        variance = np.empty_like(mean)
        step = max(1, OUTPUTS_BYTES // (8 * len(self) * task.n_out))
        for start in range(0, len(mean), step):
            some = slice(start, start + step)
            outputs = self._forward(self.params, np.ascontiguousarray(X[..., some, :])).astype(np.float64)
            mean[some], variance[some] = outputs.mean(axis=0), outputs.var(axis=0)
        return mean, variance

    def mean(self, X: Any) -> Array:
        """The mean over the members of their outputs (n_samples, n_out)."""
        return self._moments(X)[0].astype(self.dtype)

    def std(self, X: Any) -> Array:
        """The standard deviation over the members of their outputs (n_samples, n_out)."""
        return np.sqrt(self._moments(X)[1]).astype(self.dtype)

    def evaluate(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[Array, Array]:
        """Each member's mean cost and score (n_members,): accuracy where outputs are classes, else R2."""
        data: FleetRows = fleet_rows(self.like.task, len(self), (X, y, sample_weight))
        return self._forward.judge(self.params, np.arange(len(self)), data)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> Array:
        """Each member's score (n_members,): see `evaluate`."""
        return self.evaluate(X, y, sample_weight)[1]

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the architecture and all parameters to a safetensors file, atomically."""
        storage.write(path, *self._state())

    def _state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        own = {"seeds": self.seeds, "epochs_trained": self.epochs_trained, "dropout": self.dropout}
        return {"params": self.params, **own}, {"fleet": self.like.describe()}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The fleet that `save` wrote to `path`."""
        return cls.restored(*storage.read(path), os.fspath(path))

    @classmethod
    def restored(cls, arrays: dict[str, Array], about: dict[str, Any], path: str) -> Self:
        """The fleet of a file's contents."""
        with storage.refusing(f"{path!r} holds no fleet of fastnn"):
            description = dict(about["fleet"])
            del description["epochs_trained"]
            params, sizes = arrays["params"], description["sizes"]
            # Compared before anything is allocated: a file may speak of any sizes.
            n_params = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
            n = len(params)
            shapes = {
                "params": (n, n_params),
                "seeds": (n,),
                "epochs_trained": (n,),
                "dropout": (n, len(sizes) - 2),
            }
            if any(arrays[name].shape != shape for name, shape in shapes.items()) or n == 0:
                raise ValueError("its arrays do not fit its architecture")
            if str(params.dtype) != description["dtype"]:
                raise ValueError(f"its parameters are {params.dtype}")
            trained = [whole("epochs_trained", x, 0, MOST_EPOCHS) for x in arrays["epochs_trained"].tolist()]
            fleet = cls._like(Network(**description), arrays["seeds"].tolist(), arrays["dropout"])
            fleet.params = params
            fleet.epochs_trained[:] = trained
        return fleet

    def __getstate__(self) -> tuple[dict[str, Array], dict[str, Any]]:
        return self._state()

    def __setstate__(self, state: tuple[dict[str, Array], dict[str, Any]]) -> None:
        with storage.refusing("'pickle' holds no fleet of fastnn"):
            arrays, about = state
        self.__dict__.update(type(self).restored(arrays, about, "pickle").__dict__)


def _seeds(seed: int | Sequence[int] | None, n_members: int) -> NDArray[np.int64]:
    """One for each member: those that follow a number, or those given."""
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str):
        if np.shape(seed) != (n_members,):
            raise ValueError(f"seed has shape {np.shape(seed)}; expected a number, or ({n_members},)")
        return np.array([whole("seed", x, 0, LARGEST_SEED) for x in seed], np.int64)
    return whole("seed", seed, 0, LARGEST_SEED - n_members) + np.arange(n_members, dtype=np.int64)


def _dropout(dropout: Any, like: Network, n_members: int) -> Array:
    """Of each member and hidden layer (n_members, n_hidden)."""
    if not (isinstance(dropout, np.ndarray) and dropout.ndim == 2):
        return np.tile(np.array(like.dropout, np.float64), (n_members, 1))
    shape = n_members, len(like.sizes) - 2
    if dropout.shape != shape or dropout.dtype.kind not in "fiu":
        raise ValueError(
            f"dropout has shape {dropout.shape}; expected a number, one a hidden layer, or {shape}"
        )
    if not ((dropout >= 0) & (dropout < 1)).all():
        raise ValueError("dropout must be at least 0 and below 1 for all members")
    return dropout.astype(np.float64)
