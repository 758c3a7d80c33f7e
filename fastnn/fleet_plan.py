"""What is decided about the training of a fleet: what its members share, and what is each one's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.optimizers import Optimizer, n_moments
from fastnn.plan import Plan, Settings
from fastnn_kernels.layout import n_parameters
from fastnn_kernels.machine import machine
from fastnn_kernels.simd import VECTOR_BYTES

# A worker's inputs, outputs and deltas of a chunk of rows: half of a second-level cache.
CHUNK_BYTES = machine().l2 // 2
LANES, MEMBERS = "lanes", "members"
# Parameters times the cube root of a batch's rows. A group's parameters, gradients and moments stand in cache
# once for all its lanes; a large network fills its tiles alone, and all the better the more rows there are.
# Measured with Adam on one core, lanes against one after another, in float32 and in float64: batch 32:
# 30-32-1 3.1 and 1.6 times as fast, 64-64-64-1 1.8 and 1.5, 128-128-10 0.9 and 0.8; batch 128: 64-64-1 1.7
# and 1.1, 64-64-64-1 0.9 and 1.0; batch 1024: 30-32-1 1.5 and 1.3, 64-64-1 1.1 and 0.9; batch 8: 128-128-10
# 1.0 and 0.9.
LARGEST_IN_LANES = 40_000


@dataclass(frozen=True)
class FleetPlan:
    """A run of `n_members` networks of `layers`, the table of layout.py, over batches of one largest size.

    settings: what all share, and the kind of the optimizer; of its numbers those below count. n_targets: Y's
    width; weighted: whether rows have weights. Of each member: seeds of the dropout masks, l2, betas
    (n_members, 2), keeps (n_members, n_layers): the share of each layer's units that survive dropout.
    """

    layers: Array
    dtype: np.dtype[Any]
    cost: str
    n_targets: int
    weighted: bool
    settings: Settings
    seeds: NDArray[np.int64]
    l2: NDArray[np.float64]
    betas: NDArray[np.float64]
    keeps: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        layers: Array,
        dtype: Any,
        cost: str,
        n_targets: int,
        weighted: bool,
        settings: Settings,
        seeds: Any,
        *,
        l2: Any = None,
        betas: Any = None,
        keeps: Any = None,
    ) -> FleetPlan:
        """A plan for as many members as there are seeds; else as `settings` and `layers` say."""
        n = len(seeds)

        def own(given: Any, shared: Any, *shape: int) -> Array:
            return np.array(np.broadcast_to(shared if given is None else given, (n, *shape)), np.float64)

        masks = np.array(seeds, np.int64) & 0xFFFFFFFF
        l2, betas = own(l2, settings.l2), own(betas, settings.optimizer.betas, 2)
        keeps = own(keeps, layers["keep"], len(layers))
        return cls(
            layers, np.dtype(dtype), cost, n_targets, weighted, settings, masks, l2, betas, keeps
        )  # fmt: skip

    @property
    def n_members(self) -> int:
        return len(self.seeds)

    @property
    def arrangement(self) -> str:
        """LANES or MEMBERS: whether networks stand in lanes, or are trained one after another.

        By shape and batch alone: a member's bits do not depend on how many others there are.
        """
        return LANES if self.n_params * np.cbrt(self.settings.batch_size) <= LARGEST_IN_LANES else MEMBERS

    @property
    def lanes(self) -> int:
        """The members of a group: the lanes of a vector."""
        return int(VECTOR_BYTES // self.dtype.itemsize)

    @property
    def n_groups(self) -> int:
        return -(-self.n_members // self.lanes)

    @property
    def sizes(self) -> list[int]:
        return [int(self.layers["n_in"][0]), *self.layers["n_out"].tolist()]

    @property
    def n_params(self) -> int:
        return int(n_parameters(self.layers))

    @property
    def n_moments(self) -> int:
        return n_moments(self.settings.optimizer)

    @property
    def chunk(self) -> int:
        """The rows of a batch that a group carries through all layers at once: of sizes alone."""
        rows = CHUNK_BYTES // (2 * VECTOR_BYTES * sum(self.sizes))
        return max(12, min(self.settings.batch_size, rows // 12 * 12))

    def kept(self, members: NDArray[np.int64]) -> FleetPlan:
        """The plan of these members alone."""
        own = {name: getattr(self, name)[members] for name in ("seeds", "l2", "betas", "keeps")}
        return replace(self, **own)

    def alone(self, member: int, optimizer: Optimizer) -> Plan:
        """The plan of one member, on the engine of a single network."""
        layers = self.layers.copy()
        layers["keep"] = self.keeps[member]
        settings = replace(self.settings, optimizer=optimizer, l2=float(self.l2[member]))
        seed = int(self.seeds[member])
        return Plan(layers, self.dtype, self.cost, self.n_targets, self.weighted, seed, settings)
