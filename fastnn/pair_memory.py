"""What training and prediction with products of bfloat16 numbers have in common: their memory and records."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.memory import Memory
from fastnn_kernels import pair_moves, tile_unit
from fastnn_kernels.csr import CSR_PANELS
from fastnn_kernels.pair_layout import PairLayout, panels_over
from fastnn_kernels.pair_tiles import pair_tiles
from fastnn_kernels.pairs import PANEL_VECTORS, STRIP, WORD, panel_width, tiles_permitted, whole_groups


class PairMemory(Memory):
    """A memory of records that the loops of epoch_pairs.py read; slots: rows of all panels, whole groups."""

    layout: PairLayout
    slots: int
    layers: Array
    panels: Array

    def words(self, size: int) -> Array:
        """A vector of zeroed words of pairs."""
        return self.zeros(size, np.int32)

    def tiles(self, n: int) -> tuple[int, int]:
        """Room for rows of n numbers in tiles: the words from strip to strip, and its address."""
        strip = whole_groups(n) // 2 * STRIP
        return strip, int(self.words(self.slots // STRIP * strip).ctypes.data)

    def describe_pairs(self, run: Any, training: bool) -> None:
        """The leaves that make pairs, and those that begin and end the use of AMX's tiles."""
        moves = {"rows_to_pairs": pair_moves.rows_to_pairs}
        if training:
            moves["weights_to_pairs"] = pair_moves.weights_to_pairs
        if tiles_permitted():
            moves |= {"configure": tile_unit.configure_tiles, "release": tile_unit.release_tiles}
        self.put(run, slots=self.slots, pair_row=panel_width() * WORD, **moves)

    def describe_rows(self, layer: Any, known: Any, rows: int, csr: bool) -> Array:
        """A layer's inputs in tiles, unless they are CSR rows, and its outputs, a vector of panels."""
        outputs = self.panels_of(int(known["n_out"]))
        self.put(layer, rows=rows, ld_out=panel_width(), outputs=outputs.ctypes.data)
        if not csr:
            strip, tiles = self.tiles(int(known["n_in"]))
            self.put(layer, strip=strip, tiles=tiles)
        return outputs

    def panels_of(self, n: int) -> Array:
        """Rows of n float32 numbers in panels."""
        return self.zeros(self.slots * panels_over(n) * panel_width())

    def first_columns(self, panels: Array) -> int:
        """The address of the table of the addresses of the rows of the first panel."""
        return self.rows(panels[: self.slots * panel_width()], panel_width())

    def describe_weights(self, sparse: bool) -> None:
        """The panels of W, all but where they stand."""
        known = self.layout.panels[self.layout.panels["bias"] == 0]
        for panel, about in zip(self.panels, known, strict=False):
            csr = sparse and about["layer"] == 0
            self.put(
                panel, at=int(about["column"]) * self.slots * self.itemsize,
                offset=int(about["offset"]) * self.itemsize,
                row=panel_width(), columns=panel_width(),
                forward=None if csr else pair_tiles().forward,
                csr_forward=CSR_PANELS[PANEL_VECTORS][0] if csr else None,
                csr_backward=CSR_PANELS[PANEL_VECTORS][1] if csr else None,
            )  # fmt: skip
        for index, layer in enumerate(self.layers):
            layer["first_panel"], layer["end_panel"] = np.searchsorted(known["layer"], (index, index + 1))

    def place_weights(self, sparse: bool, fit: Array, pairs: Array) -> None:
        """Where the panels of W stand: in pairs, or for CSR rows in float32; and their biases."""
        plain = self.layout.panels["bias"] != 0
        known, starts = self.layout.panels[~plain], self.layout.panels["offset"][plain]
        csr = sparse & (known["layer"] == 0)
        own, paired = (known["offset"] * size for size in (self.itemsize, WORD // 2))
        panels = self.panels[: len(known)]
        panels["weights"] = np.where(csr, fit.ctypes.data + own, pairs.ctypes.data + paired)
        panels["biases"] = fit.ctypes.data + (starts[known["layer"]] + known["column"]) * self.itemsize
