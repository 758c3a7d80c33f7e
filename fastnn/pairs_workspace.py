"""The memory of a run with products of bfloat16 numbers, and the records that tell the loop about it."""

from __future__ import annotations

import numpy as np

from fastnn.block_memory import BlockMemory
from fastnn.pair_memory import PairMemory
from fastnn_kernels import epoch_pairs, records
from fastnn_kernels.activations import BY_CODE
from fastnn_kernels.column_tiles import bias_gradient
from fastnn_kernels.pair_layout import PairLayout
from fastnn_kernels.pair_tiles import pair_tiles
from fastnn_kernels.pairs import WORD, panel_width, whole_groups


class PairsWorkspace(BlockMemory, PairMemory):
    """Parameters, activations and deltas in panels, and in pairs."""

    loop, loop_in_parts = epoch_pairs.train_pairs, epoch_pairs.train_pairs_in_parts
    layout: PairLayout

    def describe(self) -> None:
        self.layout, self._width = self.plan.layout, panel_width()
        self.slots = whole_groups(self.plan.slots)
        self._pairs, self._back = self.words(self.layout.size // 2), self.words(self.layout.back_size)
        self.describe_sums()
        self.describe_pairs(self.run[0], training=True)
        self._describe_layers()
        self._describe_panels()
        self._describe_blocks()

    def _describe_layers(self) -> None:
        """Activations, deltas and what is saved of each layer, and their pairs."""
        last, rows, half = len(self.layers) - 1, int(self.run["rows"][0]), self.slots // 2
        for index, (layer, known) in enumerate(zip(self.layers, self.layout.layers, strict=True)):
            n_in, n_out = int(known["n_in"]), int(known["n_out"])
            bent = BY_CODE[int(known["activation"])].slope is not None and index != last
            self.describe_activation(layer, index, bent)
            outputs = self.describe_rows(layer, known, rows, csr=self.plan.sparse and index == 0)
            deltas = self.panels_of(n_out)
            saved = self.panels_of(n_out) if layer["save"] else outputs
            self.put(
                layer, deltas=deltas.ctypes.data, saved=saved.ctypes.data,
                delta_rows=self.first_columns(deltas),
            )  # fmt: skip
            if layer["tiles"]:
                self.put(
                    layer, turned=self.words(whole_groups(n_in) * half).ctypes.data,
                    delta_panels=self.words(whole_groups(n_out) * half).ctypes.data,
                )  # fmt: skip
            if index:
                strip, tiles = self.tiles(n_out)
                self.put(layer, delta_strip=strip, delta_tiles=tiles)
            rows = self.first_columns(outputs)
        self.describe_outputs()

    def _describe_panels(self) -> None:
        """The panels of W, then those of W'."""
        layout, width = self.layout, self._width
        pairs: list[tuple[int, int]] = []
        for index, layer in enumerate(self.layers[1:], 1):
            pairs += [(index, column) for column in range(0, int(layer["n_in"]), width)]
        weights = layout.panels[layout.panels["bias"] == 0]
        self.panels = np.zeros(len(weights) + len(pairs), records.PANEL)
        self.describe_weights(self.plan.sparse)
        self.place_weights(self.plan.sparse, self.fit, self._pairs)
        backward = pair_tiles().backward
        for panel, (index, column) in zip(self.panels[len(weights) :], pairs, strict=True):
            place = layout.turned[index] + column * whole_groups(int(self.layers["n_out"][index])) // 2
            self.put(panel, weights=self._back.ctypes.data + place * WORD, backward=backward)
        for index, layer in enumerate(self.layers):
            bounds = np.searchsorted([index for index, _ in pairs], (index, index + 1))
            layer["first_back"], layer["end_back"] = bounds + len(weights)
        self.put(self.run[0], panels=self.panels.ctypes.data)

    def _describe_blocks(self) -> None:
        layout, size, known = self.layout, self.itemsize, self.layout.blocks
        panel, offset = layout.panels[known["panel"]], known["offset"] * size
        index, plain = known["layer"], panel["bias"] != 0
        column, moments = panel["column"], [m.ctypes.data for m in self.moments] + [0, 0]
        heights = np.array([whole_groups(int(n)) // 2 for n in self.layers["n_out"]])
        words = np.asarray(layout.turned)[index] + known["first"] * heights[index] + column // 2 * self._width
        paired, turned = ~plain & (self.layers["tiles"][index] != 0), ~plain & (index > 0)
        self.blocks = np.zeros(len(known), records.BLOCK)
        self.put(
            self.blocks, layer=index, first=known["first"], rows=known["rows"], size=known["size"],
            width=panel["width"], column=column, columns=known["columns"],
            offset=offset, values=self.fit.ctypes.data + offset,
            mean=moments[0] and moments[0] + offset, square=moments[1] and moments[1] + offset,
            pairs=np.where(paired, self._pairs.ctypes.data + offset // 2, 0),
            transposed=np.where(turned, self._back.ctypes.data + words * WORD, 0),
        )  # fmt: skip
        gradient = pair_tiles().gradient
        for block, bias, tiled in zip(self.blocks, plain, paired, strict=True):
            self.put(block, gradient=bias_gradient if bias else gradient if tiled else None)
        self.put(self.run[0], blocks=self.blocks.ctypes.data)
