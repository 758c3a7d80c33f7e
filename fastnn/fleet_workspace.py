"""The memory of a fleet with networks in lanes, and the record that tells the compiled loop about it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.fleet_plan import FleetPlan
from fastnn.memory import CACHE_LINE, Memory
from fastnn_kernels import (
    epoch_fleet,
    fleet_costs,
    fleet_moves,
    fleet_tiles,
    fleet_updates,
    line_moves,
    plumbing,
    records,
)
from fastnn_kernels.activations import ACTIVATIONS, BY_CODE
from fastnn_kernels.costs import COSTS

# From so many inputs on, rows become lanes by transposes in registers; fewer are copied one by one.
TRANSPOSED_INPUTS = 5
COSTS_IN_LANES = {
    "binary_cross_entropy": fleet_costs.binary_cross_entropy_in_lanes,
    "softmax_cross_entropy": fleet_costs.softmax_cross_entropy_in_lanes,
    "quantile": fleet_costs.quantile_in_lanes,
}


class FleetWorkspace(Memory):
    """Moments by group (n_groups, n_params, L), tables by member, an arena for each worker.

    An arena has the parameters of the group that its worker has taken. The others' stand in the members'
    vectors alone, the rows of the array that `show` is given.
    """

    loop = epoch_fleet.train_fleet

    def __init__(self, plan: FleetPlan, workers: int) -> None:
        super().__init__(plan.dtype)
        self.plan, self.workers = plan, workers
        self.padded, self._arena_bytes = plan.n_groups * plan.lanes, 0
        shape = plan.n_groups, plan.n_params, plan.lanes
        size = self.padded * plan.n_params
        self.moments = [self.zeros(size).reshape(shape) for _ in range(plan.n_moments)]
        self.vectors = self.zeros(self.padded, np.int64)
        self.taken = np.zeros(1, np.int64)
        self.run = np.zeros(1, records.FLEET)
        self.layers = np.zeros(len(plan.layers), records.FLEET_LAYER)
        self.active = self.table(np.ones(plan.n_members), np.int64, 0)
        self.diverged = self.table(np.zeros(plan.n_members), np.int64, 0)
        self.steps = self.table(np.zeros(plan.n_members), np.int64, 0)
        self._describe_run()
        self._describe_layers()
        self._describe_arena()
        self.connect(self.loop)

    def padding(self) -> NDArray[np.int64]:
        """For each lane of all groups the member in it; those left over have the last one's numbers."""
        return np.minimum(np.arange(self.padded), self.plan.n_members - 1)

    def table(self, values: Array, dtype: Any, fill: Any = None) -> Array:
        """A number for each lane of all groups; those left over have `fill`, or the last member's."""
        result = self.zeros(self.padded, dtype)
        result[:] = values[self.padding()]
        if fill is not None:
            result[self.plan.n_members :] = fill
        return result

    def _room(self, size: int, dtype: Any = None) -> int:
        """The byte of so many elements in each worker's arena."""
        at, itemsize = self._arena_bytes, np.dtype(dtype or self.dtype).itemsize
        self._arena_bytes += -(-size * itemsize // CACHE_LINE) * CACHE_LINE
        return at

    def _describe_run(self) -> None:
        plan, settings = self.plan, self.plan.settings
        cost, clipped, penalised = COSTS[plan.cost], settings.clip_norm < np.inf, bool(plan.l2.any())
        betas = self.zeros(2 * self.padded, np.float64).reshape(2, -1)
        betas[:] = plan.betas[self.padding()].T
        keeps = self.zeros(plan.keeps.shape[1] * self.padded, np.float64).reshape(-1, self.padded)
        keeps[:] = plan.keeps[self.padding()].T
        moments = [m.ctypes.data for m in self.moments] + [0, 0]
        by_rows = plan.sizes[0] >= TRANSPOSED_INPUTS
        classes, quantiles = cost.targets == "classes", cost.targets == "quantiles"
        clip = np.full(plan.n_members, settings.clip_norm)
        self.put(
            self.run[0],
            n_layers=len(plan.layers), n_groups=plan.n_groups, lanes=plan.lanes, itemsize=self.itemsize,
            padded=self.padded, n_members=plan.n_members, n_parameters=plan.n_params,
            n_targets=plan.n_targets, chunk=plan.chunk,
            taken=self.taken.ctypes.data, layers=self.layers.ctypes.data,
            vectors=self.vectors.ctypes.data, mean=moments[0], square=moments[1],
            group_bytes=plan.n_params * plan.lanes * self.itemsize,
            betas=betas.ctypes.data, keeps=keeps.ctypes.data,
            l2=self.table(plan.l2, np.float64).ctypes.data, clip=self.table(clip, np.float64).ctypes.data,
            active=self.active.ctypes.data, seeds=self.table(plan.seeds, np.int64).ctypes.data,
            steps=self.steps.ctypes.data, diverged=self.diverged.ctypes.data,
            clipped=clipped, penalised=penalised, l2_by_batch=settings.l2_by_batch, by_rows=by_rows,
            whole_rows=classes or quantiles,
            costs_of_row=1 if classes else plan.sizes[-1], smoothing=settings.label_smoothing,
            threshold=settings.huber_threshold, ceiling=settings.ceiling,
            gather=fleet_moves.gather_lanes, store=fleet_moves.store_lanes,
            to_lines=line_moves.rows_to_lines if by_rows else None,
            weigh=fleet_moves.weights_of_lanes, told=fleet_moves.told_in_lanes,
            cost=COSTS_IN_LANES.get(plan.cost, cost.rows),
            clip_cost=cost.clip if settings.ceiling < np.inf else None,
            norm=fleet_moves.norms_of_lanes if clipped or penalised else None,
            collect=fleet_updates.settings_of_lanes,
            update=fleet_updates.UPDATES[settings.optimizer.kernel],
            dropout=fleet_moves.dropout_in_lanes if (plan.keeps < 1).any() else None,
            copy_rows=plumbing.copy_rows, product=fleet_tiles.product_in_lanes,
        )  # fmt: skip

    def _describe_layers(self) -> None:
        """What comes between the products of two layers, and where their rows stand."""
        plan, last = self.plan, len(self.layers) - 1
        vector, rows = plan.lanes * self.itemsize, plan.chunk * plan.lanes
        inputs = self._room(rows * plan.sizes[0])
        for index, (layer, known) in enumerate(zip(self.layers, plan.layers, strict=True)):
            n_out, activation = int(known["n_out"]), BY_CODE[int(known["activation"])]
            linear = index == last and COSTS[plan.cost].from_logits
            dropped = bool((plan.keeps[:, index] < 1).any())
            save = records.SAVE_NOTHING
            if activation.needs_z and not linear:
                save = records.SAVE_Z
            elif dropped:
                save = records.SAVE_A
            forward, backward = activation.forward, activation.backward
            if activation is ACTIVATIONS["softmax"]:
                forward, backward = fleet_moves.softmax_in_lanes, fleet_moves.softmax_in_lanes_backward
            outputs = self._room(rows * n_out)
            self.put(
                layer, n_in=int(known["n_in"]), n_out=n_out, inputs=inputs, outputs=outputs,
                saved=self._room(rows * n_out) if save else outputs, deltas=self._room(rows * n_out),
                weights=int(known["weights"]) * vector, biases=int(known["biases"]) * vector, save=save,
                activate=None if linear else forward, derive=None if linear else backward, drops=dropped,
            )  # fmt: skip
            inputs = outputs

    def _describe_arena(self) -> None:
        plan, lanes, batch = self.plan, self.plan.lanes, self.plan.settings.batch_size
        rows = plan.chunk * lanes
        for name in ("firsts", "counts"):
            self.run[0][name] = self._room(lanes, np.int64)
        for name in "totals inverse sums squares clips penalties going".split():
            self.run[0][name] = self._room(lanes, np.float64)
        per_row = int(self.run[0]["costs_of_row"])
        ones = self._room(lanes)
        self.put(
            self.run[0],
            x_at=self._room(batch * lanes, np.int64), y_at=self._room(batch * lanes, np.int64),
            weights_at=self._room(batch * lanes * plan.weighted, np.int64),
            row_weights=self._room(batch * lanes),
            settings=self._room(fleet_updates.N_SETTINGS * lanes), targets=self._room(rows * plan.n_targets),
            costs=self._room(rows * per_row), zeros=self._room(lanes), ones=ones,
            params=self._room(plan.n_params * lanes), grads=self._room(plan.n_params * lanes),
        )  # fmt: skip
        # Off multiples of 4 KiB, and a cache line between the arenas.
        self._arena_bytes += CACHE_LINE
        arena = self.zeros(self.workers * self._arena_bytes // self.itemsize).reshape(self.workers, -1)
        arena[:, ones // self.itemsize :][:, :lanes] = 1
        self.put(self.run[0], arena=arena.ctypes.data, arena_bytes=self._arena_bytes)

    def show(self, params: Array) -> None:
        """The members' vectors are the rows of these parameters (n_members, n_params)."""
        self.vectors[:] = params.ctypes.data + self.padding() * params.strides[0]

    # Between the members' running means (n_members, n_params) and the lanes.

    def load(self, vectors: Array, to: Array) -> None:
        for group, lanes in enumerate(self._groups()):
            to[group] = vectors[self.padding()[lanes]].T

    def store(self, source: Array, vectors: Array) -> None:
        for group, lanes in enumerate(self._groups()):
            some = vectors[lanes]
            some[:] = source[group].T[: len(some)]

    def _groups(self) -> list[slice]:
        """The members of each."""
        lanes = self.plan.lanes
        return [slice(first, first + lanes) for first in range(0, self.padded, lanes)]
