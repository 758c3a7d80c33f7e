"""The memory of a fit's input stage, and the record that tells the compiled loop about it."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from fastnn.checks import Array
from fastnn.input_stage import InputStage, factors
from fastnn.memory import Memory
from fastnn.plan import Plan
from fastnn_kernels import input_stage, panel_moves, records
from fastnn_kernels.fit_layout import BLOCK_ROWS, FitLayout
from fastnn_kernels.optimizers import OPTIMIZERS

OWN_RATES = input_stage.OWN_RATES // 8


class StageMemory(Memory):
    """W, the codes E, their gradients and moments; of V, its gradient and W's moments the fit's own vectors.

    state: what goes on from step to step.
    """

    def __init__(self, plan: Plan, stage: InputStage, fit: Array, moments: list[Array], grads: Array) -> None:
        super().__init__(plan.dtype)
        assert isinstance(plan.layout, FitLayout)
        self._fit, self._layer = fit, plan.layers[0]
        self._groups = stage.groups(int(self._layer["n_in"]))
        known = plan.layout.panels
        self._table = np.ascontiguousarray(known[(known["layer"] == 0) & (known["bias"] == 0)])
        size, n_codes = int(plan.layout.places["biases"][0]), sum(k * d for _, k, d in self._groups)
        self._weights, self._codes = self.zeros(size), self.zeros(n_codes)
        code_moments = [self.zeros(n_codes) for _ in moments]
        self.state = [self._weights, self._codes, *code_moments]
        self._parts = self._cut(stage)
        panels = np.stack([self._table["offset"], self._table["width"]], axis=1).astype(np.int64)
        mean, square = [*(m.ctypes.data for m in moments), 0, 0][:2]
        code_mean, code_square = [*(m.ctypes.data for m in code_moments), 0, 0][:2]
        self.record = np.zeros(1, records.STAGE)
        optimizer = plan.settings.optimizer
        self.put(
            self.record[0], panels=self.keep(panels).ctypes.data, n_panels=len(panels),
            parts=self._parts.ctypes.data, n_parts=len(self._parts), itemsize=self.itemsize,
            backward=input_stage.stage_backward, forward=input_stage.stage_forward,
            update=OPTIMIZERS[optimizer.kernel].update,
            scalars=self.keep(np.array(optimizer.betas, np.float64)).ctypes.data,
            own_rates=self.room(OWN_RATES * plan.workers, np.float64),
            values=fit.ctypes.data, grads=grads.ctypes.data, weights=self._weights.ctypes.data,
            weight_grads=self.room(size), mean=mean, square=square, codes=self._codes.ctypes.data,
            code_grads=self.room(n_codes), code_mean=code_mean, code_square=code_square,
        )  # fmt: skip
        self.connect(input_stage.step_of_stage)

    def _cut(self, stage: InputStage) -> Array:
        """The PART table: each category, and columns of scales that follow one another, some at a time."""
        parts, codes = [], 0
        for plain, run in groupby(self._groups, lambda group: group[1] == 1):
            groups = list(run)
            for start in range(0, len(groups), BLOCK_ROWS if plain else 1):
                these = groups[start : start + BLOCK_ROWS] if plain else groups[start : start + 1]
                first, rows, inner = these[0]
                parts.append((first, len(these), rows, inner, codes, stage.pace(these[0])))
                codes += len(these) * rows * inner
        return np.array(parts, records.PART)

    def begin(self) -> None:
        """From the V that stands in the fit's vector to E and W, and back to the V that they are."""
        shape = int(self._layer["n_in"]), int(self._layer["n_out"])
        V = np.empty(shape, self.dtype)
        W, end = np.zeros_like(V), 0
        panel_moves.copy_panels(self._table, len(self._table), V, self._fit, True)
        for vector in self.state:
            vector[:] = 0
        for first, rows, inner in self._groups:
            codes, weights = factors(V[first : first + rows], inner)
            self._codes[end : end + rows * inner] = codes.ravel()
            W[first : first + inner] = weights
            end += rows * inner
        panel_moves.copy_panels(self._table, len(self._table), W, self._weights, False)
        offsets = self.record["panels"][0], len(self._table)
        for part in self._parts:
            input_stage.stage_forward(
                *map(int, (*offsets, part["first"], part["groups"], part["rows"], part["inner"])),
                self._weights, self._codes[int(part["codes"]) :], self._fit,
            )  # fmt: skip
