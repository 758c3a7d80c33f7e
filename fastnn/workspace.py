"""The memory of a run with units in lanes, and the records that tell the compiled loop about it."""

from __future__ import annotations

import numpy as np

from fastnn.block_memory import BlockMemory
from fastnn.checks import Array
from fastnn.stage_memory import StageMemory
from fastnn_kernels import epoch, input_stage, panel_moves, records
from fastnn_kernels.activations import BY_CODE
from fastnn_kernels.column_tiles import (
    backward_column,
    bias_gradient,
    bias_gradient_column,
    forward_column,
    gradient_column,
)
from fastnn_kernels.csr import CSR_PANELS, csr_backward_column, csr_forward_column
from fastnn_kernels.fit_layout import BLOCK_ROWS, FitLayout
from fastnn_kernels.machine import machine
from fastnn_kernels.panel_tiles import BACKWARD_PANELS, FORWARD_PANELS, GRADIENT_PANELS
from fastnn_kernels.panels import PANEL_VECTORS, lanes, leading_dimension, padded

# A strip of inputs is copied once a step and read for every panel: it pays from so many panels on.
STRIPPED_PANELS = 2


class PanelWorkspace(BlockMemory):
    """A run with units in lanes: parameters in panels, activations in padded rows."""

    loop, loop_in_parts = epoch.train, epoch.train_in_parts
    layout: FitLayout
    stage: StageMemory | None = None

    def describe(self) -> None:
        self.layout = self.plan.layout
        self._back = self.zeros(self.layout.back_size)
        self.stripped = self._layers_in_strips()
        self.describe_sums()
        self._describe_run()
        self._describe_layers(self.plan.slots)
        self._describe_panels()
        self._describe_blocks()
        stage, grads = self.plan.settings.input_stage, self.gradient_and_one
        if stage is not None:
            self.stage = StageMemory(self.plan, stage, self.fit, self.moments, grads)
            self.put(self.run[0], stage=input_stage.step_of_stage, staged=self.stage.record.ctypes.data)

    @property
    def state(self) -> list[Array]:
        return self.moments if self.stage is None else [*self.moments, *self.stage.state]

    def begin(self) -> None:
        if self.stage is not None:
            self.stage.begin()

    # The records.

    def _layers_in_strips(self) -> Array:
        """The layers whose inputs are kept in strips for the sums over rows: wide ones whose inputs fill L1.

        784-512-256-10 over 128 rows: the gradients with Adam take 73% of the FMA peak, in strips 85%. Of
        inputs that stay in the first level strips only cost: 4% of a step of 64-64-64-1 over 32 rows.
        """
        plan, layers = self.plan, self.layout.layers
        wide = padded(1, self.itemsize) * PANEL_VECTORS * STRIPPED_PANELS
        many = plan.capacity * layers["n_in"] * self.itemsize >= machine().l1
        many &= (layers["n_out"] > wide) & (not plan.segmented)
        return np.asarray(many & ~(plan.sparse & (np.arange(len(layers)) == 0)))

    def _describe_run(self) -> None:
        plan, layout, slots = self.plan, self.layout, self.plan.slots
        strip = self.stripped.any() * min(plan.piece, slots) * PANEL_VECTORS * lanes(self.itemsize)
        self.put(
            self.run[0], slots=slots,
            delta_strip=self.room(plan.workers * strip), delta_strip_bytes=strip * self.itemsize,
            strip=panel_moves.copy_strip if self.stripped.any() else None,
            transpose=panel_moves.transpose_panel if layout.back_size else None,
        )  # fmt: skip

    def _describe_layers(self, slots: int) -> None:
        """Activations, deltas and what is saved of each layer, and the tables of their rows' addresses."""
        table, last = self.layout.layers, len(self.layers) - 1
        rows = int(self.run["rows"][0])
        for index, (layer, known) in enumerate(zip(self.layers, table, strict=True)):
            n_out, slope = int(known["n_out"]), BY_CODE[int(known["activation"])].slope
            ld_out = leading_dimension(n_out, self.itemsize)
            # A row of one unit is not padded: the way back writes a whole vector from each row on.
            size = slots * ld_out + (lanes(self.itemsize) if n_out == 1 else 0)
            outputs, deltas = self.zeros(size), self.zeros(size)
            self.describe_activation(layer, index, slope is not None and index != last and n_out > 1)
            saved = self.zeros(size) if layer["save"] else outputs
            self.put(
                layer, ld_out=ld_out, rows=rows, delta_rows=self.rows(deltas, ld_out),
                outputs=outputs.ctypes.data, saved=saved.ctypes.data, deltas=deltas.ctypes.data,
            )  # fmt: skip
            if self.stripped[index]:
                strips = self.zeros(-(-int(known["n_in"]) // BLOCK_ROWS) * BLOCK_ROWS * slots)
                strip_rows = self.rows(strips[: slots * BLOCK_ROWS], BLOCK_ROWS)
                self.put(layer, strips=strips.ctypes.data, strip_rows=strip_rows)
            rows = self.rows(outputs, ld_out)
        self.describe_outputs(*((outputs, saved, deltas) if ld_out == n_out else ()))

    def _describe_panels(self) -> None:
        """The panels of W, then those of W'."""
        layout, size = self.layout, self.itemsize
        weights = layout.panels[layout.panels["bias"] == 0]
        self.panels = np.zeros(len(weights) + len(layout.back), records.PANEL)
        fit, back = self.fit.ctypes.data, self._back.ctypes.data
        for panel, known in zip(self.panels, weights, strict=False):
            index, column, vectors = int(known["layer"]), int(known["column"]), layout.vectors(known)
            offset, sparse = int(known["offset"]) * size, self.plan.sparse and index == 0
            one = layout.layers["n_out"][index] == 1
            csr = (csr_forward_column, csr_backward_column) if one else CSR_PANELS[vectors]
            self.put(
                panel, weights=fit + offset, at=column * size, offset=offset,
                row=int(known["width"]), columns=int(known["width"]),
                biases=fit + (int(layout.places["biases"][index]) + column) * size,
                forward=None if sparse else forward_column if one else FORWARD_PANELS[vectors],
                csr_forward=csr[0] if sparse else None, csr_backward=csr[1] if sparse else None,
            )  # fmt: skip
        for panel, known in zip(self.panels[len(weights) :], layout.back, strict=True):
            one = layout.layers["n_out"][known["layer"]] == 1
            self.put(
                panel, weights=(fit if one else back) + int(known["offset"]) * size,
                at=int(known["column"]) * size,
                backward=backward_column if one else BACKWARD_PANELS[layout.vectors(known)],
            )  # fmt: skip
        for index, layer in enumerate(self.layers):
            layer["first_panel"], layer["end_panel"] = np.searchsorted(weights["layer"], (index, index + 1))
            bounds = np.searchsorted(layout.back["layer"], (index, index + 1))
            layer["first_back"], layer["end_back"] = bounds + len(weights)
        self.put(self.run[0], panels=self.panels.ctypes.data)

    def _describe_blocks(self) -> None:
        layout, size, plan = self.layout, self.itemsize, self.plan
        fit, back = self.fit.ctypes.data, self._back.ctypes.data
        moments = [m.ctypes.data for m in self.moments] + [0, 0]
        self.blocks = np.zeros(len(layout.blocks), records.BLOCK)
        # All of a panel at once: one by one they took a tenth of three epochs over CSR rows of 5,000 columns.
        for number, panel in enumerate(layout.panels):
            its = slice(*np.searchsorted(layout.blocks["panel"], (number, number + 1)))
            blocks, known, index = self.blocks[its], layout.blocks[its], int(panel["layer"])
            one, column = layout.layers["n_out"][index] == 1, int(panel["column"])
            offset = known["offset"] * size
            self.put(
                blocks, layer=index, first=known["first"], rows=known["rows"], size=known["size"],
                at=0 if panel["bias"] or one else column * size, width=int(panel["width"]), column=column,
                columns=known["columns"], offset=offset, values=fit + offset,
                mean=moments[0] and moments[0] + offset, square=moments[1] and moments[1] + offset,
            )  # fmt: skip
            if panel["bias"]:
                self.put(blocks, gradient=bias_gradient_column if one else bias_gradient)
                continue
            if not (plan.sparse and index == 0):
                self.put(blocks, gradient=gradient_column if one else GRADIENT_PANELS[layout.vectors(panel)])
            if index and not one:
                self.put(blocks, transposed=back + int(layout.places["transposed"][index]) * size)
        self.put(self.run[0], blocks=self.blocks.ctypes.data)
