"""The forward pass of one thread with products of bfloat16 numbers."""

from __future__ import annotations

import numpy as np

from fastnn.checks import Array
from fastnn.memory import aligned_zeros
from fastnn.pair_memory import PairMemory
from fastnn.program import ForwardProgram
from fastnn_kernels import epoch_pairs, pair_moves, panel_moves, records
from fastnn_kernels.pair_layout import pairs_of
from fastnn_kernels.pairs import WORD, whole_groups


def pack_pairs(layers: Array, params: Array) -> tuple[Array, Array]:
    """A copy of the parameters in panels of whole groups, and their weights' pairs: see pair_layout.py."""
    layout = pairs_of(layers)
    panels, pairs = aligned_zeros(layout.size, np.float32), aligned_zeros(layout.size // 2, np.int32)
    panel_moves.copy_panels(layout.panels, len(layout.panels), params, panels, False)
    to_pairs = pair_moves.weights_to_pairs.function()
    for offset, rows, bias in layout.panels[["offset", "rows", "bias"]].tolist():
        if not bias:
            source, to = panels.ctypes.data + panels.itemsize * offset, pairs.ctypes.data + WORD * offset // 2
            to_pairs(source, whole_groups(rows), to, 0, 0)
    return panels, pairs


class PairsProgram(ForwardProgram, PairMemory):
    """Each layer rounds its inputs, but CSR rows, which are multiplied in float32."""

    loop = epoch_pairs.predict_pairs

    def describe(self, layers: Array, chunk: int, sparse: bool) -> None:
        self.layout, self._sparse = pairs_of(layers), sparse
        self.panels = np.zeros(int((self.layout.panels["bias"] == 0).sum()), records.PANEL)
        self.slots, rows = whole_groups(chunk), self.room(chunk, np.int64)
        for index, (layer, known) in enumerate(zip(self.layers, layers, strict=True)):
            self.describe_activation(layer, known, bent=True)
            outputs = self.describe_rows(layer, known, rows, csr=sparse and index == 0)
            rows = self.first_columns(outputs)
        self.describe_weights(sparse)
        self.describe_pairs(self.record[0], training=False)

    def place(self, params: Array, packed: tuple[Array, Array]) -> None:
        self.place_weights(self._sparse, *packed)
