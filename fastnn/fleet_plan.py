"""What is decided about the training of a fleet: what its members share, and what is each one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.optimizers import Rule, n_moments
from fastnn.plan import Plan, Settings
from fastnn_kernels.fleet_tiles import tile_shapes
from fastnn_kernels.layout import n_parameters
from fastnn_kernels.machine import Machine, machine
from fastnn_kernels.simd import VECTOR_BYTES

# A worker's inputs, outputs and deltas of a chunk of rows: they are read from the first-level cache.
CHUNK_BYTES = machine().l1
LANES, MEMBERS = "lanes", "members"
# Cycles. Who is trained by itself pays for the calls of each layer's leaves and, where the last layer is no
# single column, for each row.
LAYER, WIDE_ROW = 620, 135
# In lanes, what comes between the products costs so much for a row and a unit of all lanes, and what an
# update reads for each parameter. A vector that a product reads costs so much where weights and gradients are
# in the second-level cache, and each 32 bytes of it where they are not.
UNIT, PARAMETER, NEAR, FAR = 4.2, 1.5, 1.1, 1.3


def lanes_pay(sizes: Sequence[int], batch: int, itemsize: int, here: Machine) -> bool:
    """Whether a step takes less time with networks in lanes than with each by itself.

    Both do the same multiply-adds, two vectors of them a cycle. One after another, a single element goes with
    a vector; in lanes both operands are vectors, so that what a product reads is as many times as large: a
    tile of h rows and w columns reads h + w vectors for h w multiply-adds, which takes longer than those
    where registers are few or caches far. What is lost so is weighed against the calls that lanes share.

    The numbers are those of long fits of 8 shapes from 2-4-1 to 64-64-1 in batches of 8 to 512 rows, float32
    and float64, on a processor of 16 registers of 32 bytes: what is chosen is the faster way, or up to 11%
    slower. Alone, a network of many rows has samples in lanes: then it gains nothing here. With 32 registers
    of 64 bytes (Emerald Rapids) the same numbers choose the faster way in 60 of 66 such cases, and lose 26%
    in one and 12% at most in five.
    """
    lanes, width = here.vector_bytes // itemsize, max(tile_shapes(here.registers))
    height, pairs = tile_shapes(here.registers)[width][0], list(zip(sizes, sizes[1:], strict=False))
    products = 3 * batch * sum(n_in * n_out for n_in, n_out in pairs)
    n_params = sum((n_in + 1) * n_out for n_in, n_out in pairs)
    read = NEAR if 2 * here.vector_bytes * n_params <= here.l2 else FAR * here.vector_bytes / 32
    lost = max(0.0, read * (height + width) / (height * width) - 0.5)
    saved = LAYER * len(pairs) + batch * WIDE_ROW * (sizes[-1] > 1)
    return saved * lanes >= UNIT * batch * sum(sizes[1:]) + PARAMETER * n_params + lost * products


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
        """LANES or MEMBERS: whether networks stand in lanes, or each is trained by itself.

        By shape and batch alone: a member's bits do not depend on how many others there are.
        """
        pays = lanes_pay(self.sizes, self.settings.batch_size, self.dtype.itemsize, machine())
        return LANES if pays else MEMBERS

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

    def alone(self, member: int) -> Plan:
        """The plan of one member, on the engine of a single network; a penalty where any member has one."""
        layers = self.layers.copy()
        layers["keep"] = self.keeps[member]
        rule = Rule(name=self.settings.optimizer.kernel, decay_rates=tuple(self.betas[member].tolist()))
        settings = replace(self.settings, optimizer=rule, l2=float(self.l2.max()))
        seed = int(self.seeds[member])
        return Plan(layers, self.dtype, self.cost, self.n_targets, self.weighted, seed, settings)
