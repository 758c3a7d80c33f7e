"""The memory of a run with samples in lanes, and the records that tell the compiled loop about it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.fit_memory import FitMemory
from fastnn_kernels import epoch_lines, line_moves, line_tiles, records
from fastnn_kernels.activations import BY_CODE, Activation
from fastnn_kernels.lines import LineLayout
from fastnn_kernels.panels import lanes, leading_dimension


class LinesWorkspace(FitMemory):
    """Parameters as the user's; of each worker a block of lines for each layer, and a vector a parameter."""

    loop, loop_in_parts = epoch_lines.train_lines, epoch_lines.train_lines_in_parts
    layout: LineLayout

    def describe(self) -> None:
        self.layout = self.plan.layout
        self._describe_run()
        self._describe_layers()
        self._describe_blocks()

    def _describe_run(self) -> None:
        layout, vectors = self.layout, lanes(self.itemsize) * self.layout.size
        self.put(
            self.run[0], block_rows=layout.rows, line=layout.line, n_parameters=layout.size,
            lane_grads=self.room(self.plan.workers * vectors), lane_bytes=vectors * self.itemsize,
            to_lines=line_moves.rows_to_lines, lines_forward=line_tiles.forward_lines,
            lines_gradient=line_tiles.gradient_lines, lane_sums=line_tiles.lane_sums,
        )  # fmt: skip

    def _lines(self, units: int) -> Array:
        """Each worker's lines of so many units, then a line of ones."""
        array = self.zeros(self.plan.slots * (units + 1))
        array.reshape(self.plan.workers, units + 1, self.layout.line)[:, -1] = 1
        return array

    def _describe_layers(self) -> None:
        lines = self._lines(self.layout.sizes[0])
        for index, (layer, known) in enumerate(zip(self.layers, self.layout.layers, strict=True)):
            activation, top = BY_CODE[int(known["activation"])], index == len(self.layers) - 1
            bent, derived = activation.slope is not None, activation.quadratic is not None
            self.describe_activation(layer, index, bent and not top, derived and not top)
            weights = int(known["weights"])
            self.put(
                layer, input_lines=lines.ctypes.data, weights=self.fit.ctypes.data + weights * self.itemsize,
                sums=weights * lanes(self.itemsize) * self.itemsize,
            )  # fmt: skip
            if top:
                self._describe_top(layer)
            else:
                lines = self._describe_hidden(layer, activation)

    def _describe_hidden(self, layer: Any, activation: Activation) -> Array:
        """The lines of a hidden layer's outputs, which its deltas overwrite if they need no other's."""
        lines = self._lines(int(layer["n_out"]))
        saved = self.zeros(lines.size) if activation.needs_z else lines
        bent, quadratic = activation.slope is not None, activation.quadratic
        apart = not (bent or quadratic or activation.needs_z)
        deltas = self.zeros(lines.size) if apart else lines
        self.put(
            layer, height=int(layer["n_out"]) + 1, lines=lines.ctypes.data,
            saved_lines=saved.ctypes.data, delta_lines=deltas.ctypes.data,
        )  # fmt: skip
        if quadratic is None:
            self.put(self.run[0], lines_backward=line_tiles.backward_lines)
        else:
            c0, c1, c2 = quadratic
            self.put(layer, quadratic=line_tiles.backward_lines_quadratic, c0=c0, c1=c1, c2=c2)
        return lines

    def _describe_top(self, layer: Any) -> None:
        """Rows of outputs and deltas for the costs, and their lines: of one output the rows are a line."""
        n_out, slots = int(layer["n_out"]), self.plan.slots
        ld_out = leading_dimension(n_out, self.itemsize)
        outputs, deltas = self.zeros(slots * ld_out), self.zeros(slots * ld_out)
        saved = self.zeros(slots * ld_out) if layer["save"] else outputs
        lines, delta_lines = outputs, deltas
        if n_out > 1:
            lines = delta_lines = self.zeros(slots * n_out)
            self.put(layer, delta_rows=self.rows(deltas, ld_out))
            self.put(self.run[0], to_rows=line_moves.lines_to_rows)
        self.put(
            layer, ld_out=ld_out, outputs=outputs.ctypes.data, saved=saved.ctypes.data,
            deltas=deltas.ctypes.data, height=n_out, lines=lines.ctypes.data,
            delta_lines=delta_lines.ctypes.data,
        )  # fmt: skip
        self.describe_outputs(*((outputs, saved, deltas) if ld_out == n_out else ()))

    def _describe_blocks(self) -> None:
        layout, moments = self.layout, [m.ctypes.data for m in self.moments] + [0, 0]
        self.blocks = np.zeros(len(layout.blocks), records.BLOCK)
        for block, known in zip(self.blocks, layout.blocks, strict=True):
            offset = int(known["offset"]) * self.itemsize
            self.put(
                block, layer=int(known["layer"]), first=int(known["first"]), size=int(known["size"]),
                offset=offset, values=self.fit.ctypes.data + offset,
                mean=moments[0] and moments[0] + offset, square=moments[1] and moments[1] + offset,
            )  # fmt: skip
        self.put(self.run[0], blocks=self.blocks.ctypes.data)

    def load(self, vector: Array, to: Array) -> None:
        to[:] = vector

    def store(self, source: Array, vector: Array) -> None:
        vector[:] = source
