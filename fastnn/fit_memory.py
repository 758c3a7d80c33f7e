"""What the memory of a run has in either layout: the loop's record, its options and its leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.memory import CACHE_LINE, Memory
from fastnn.plan import Plan
from fastnn_kernels import leaves, plumbing, records
from fastnn_kernels.activations import BY_CODE
from fastnn_kernels.costs import COSTS
from fastnn_kernels.optimizers import OPTIMIZERS, gradient_kept, squared_norm
from fastnn_kernels.team import TEAM_SIZE


class FitMemory(Memory):
    """Vectors, tables and leaves of a run: `run` is the record that the `loop` is given.

    fit, moments: the parameters and running means in the layout of the fit.
    """

    loop: leaves.Leaf
    loop_in_parts: leaves.Leaf

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.dtype)
        self.plan, layout = plan, plan.layout
        self.loop = self.loop_in_parts if plan.in_parts else self.loop
        self.fit = self.zeros(layout.size)
        self.moments = [self.zeros(layout.size) for _ in range(plan.n_moments)]
        self._padded = -(-(layout.size + 1) * self.itemsize // CACHE_LINE) * CACHE_LINE // self.itemsize
        self.partials = self.zeros(plan.segments * self._padded)
        self.team, self.done = np.zeros(TEAM_SIZE, np.int64), np.zeros(1, np.int64)
        self.run = np.zeros(1, records.RUN)
        self.layers = np.zeros(len(layout.layers), records.LAYER)
        self._describe_options()
        self.describe()
        self.connect(self.loop)

    def describe(self) -> None:
        """Fill in the rest of the record and the tables."""
        raise NotImplementedError

    def load(self, vector: Array, to: Array) -> None:
        """Copy a vector in the order of the user's parameters to one of the fit's layout."""
        raise NotImplementedError

    def store(self, source: Array, vector: Array) -> None:
        """Copy a vector of the fit's layout to one in the order of the user's parameters."""
        raise NotImplementedError

    @property
    def state(self) -> list[Array]:
        """What goes on from step to step beside the parameters, as it stands here."""
        return self.moments

    def begin(self) -> None:
        """Called before the first step, with the parameters in place."""

    def tune(self, l2: float, betas: Array, seed: int) -> None:
        """Have other numbers stand where the plan's were."""
        run = self.run[0]
        self.betas[:], run["l2"], run["seed"] = betas, l2, seed

    @property
    def gradient(self) -> Array:
        """The gradient of the last step, in the layout of the fit, where it is kept whole."""
        return self.gradient_and_one[:-1]

    @property
    def gradient_and_one(self) -> Array:
        """The gradient and an element behind it, which is free between the parts of a step."""
        return self.partials[: self.fit.size + 1]

    def _describe_options(self) -> None:
        plan, settings = self.plan, self.plan.settings
        layout, slots, n_blocks = plan.layout, plan.slots, len(plan.layout.blocks)
        clipped = settings.clip_norm < np.inf
        self.betas = self.keep(np.array(settings.optimizer.betas, np.float64))
        # For the whole team, and for each that is smaller.
        self.shares = {n: self.keep(layout.shares(n).astype(np.int64)) for n in {1, plan.workers}}
        cost = COSTS[plan.cost]
        update = gradient_kept if plan.gradient_only else OPTIMIZERS[settings.optimizer.kernel].update
        self.put(
            self.run[0],
            n_layers=len(layout.layers), n_blocks=n_blocks, itemsize=self.itemsize, chunk=plan.chunk,
            workers=plan.workers, capacity=plan.capacity, n_targets=plan.n_targets, seed=plan.kernel_seed,
            segmented=plan.segmented, unit=plan.unit, clipped=clipped, l2_by_batch=settings.l2_by_batch,
            tolerant=settings.tolerant, layers=self.layers.ctypes.data, team=self.team.ctypes.data,
            scalars=self.betas.ctypes.data, done=self.done.ctypes.data,
            rows=self.room(slots, np.int64), targets=self.room(slots * plan.n_targets),
            row_weights=self.room(slots if plan.weighted else 0), costs=self.room(plan.capacity),
            partials=self.partials.ctypes.data, fit_bytes=self._padded * self.itemsize,
            norms=self.room(n_blocks, np.float64), squares=self.room(n_blocks, np.float64),
            y_words=plan.n_targets * self.itemsize // 4,
            smoothing=settings.label_smoothing, threshold=settings.huber_threshold,
            ceiling=settings.ceiling, clip=settings.clip_norm, l2=settings.l2,
            told_every=settings.told_every, same_rows=settings.same_rows,
            gather=plumbing.gather, copy_rows=plumbing.copy_rows, cost=cost.rows,
            clip_cost=cost.clip if settings.ceiling < np.inf else None, update=update,
            total=plumbing.total, weigh=plumbing.weigh if plan.weighted else None,
            norm=squared_norm if clipped or settings.l2 else None,
            add=plumbing.add if plan.segments > 1 else None,
        )  # fmt: skip

    def describe_outputs(self, *own: Array) -> None:
        """Where costs find outputs, what is saved of them, and deltas, without padding; own: the rows."""
        size = self.plan.slots * int(self.plan.layout.layers["n_out"][-1])
        outputs, saved, deltas = own or (self.zeros(size) for _ in range(3))
        self.put(
            self.run[0], outputs=outputs.ctypes.data, saved_outputs=saved.ctypes.data,
            output_deltas=deltas.ctypes.data,
        )  # fmt: skip

    def describe_activation(self, layer: Any, index: int, bent: bool, derived: bool = False) -> None:
        """What comes between a layer's products and the next's.

        bent: the products do it, back, too; derived: on the way back only.
        """
        known, last = self.plan.layout.layers[index], len(self.layers) - 1
        activation, keep = BY_CODE[int(known["activation"])], float(known["keep"])
        linear = index == last and COSTS[self.plan.cost].from_logits
        save = records.SAVE_NOTHING
        if activation.needs_z and not linear:
            save = records.SAVE_Z
        elif keep < 1:
            save = records.SAVE_A
        self.put(
            layer, n_in=int(known["n_in"]), n_out=int(known["n_out"]), save=save, keep=keep,
            slope=activation.slope if bent else 1.0,
            activate=None if linear or bent else activation.forward,
            derive=None if linear or bent or derived else activation.backward,
        )  # fmt: skip
