"""The memory of a run whose parameters stand in panels, and whose gradient is summed up block by block."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.fit_memory import FitMemory
from fastnn_kernels import panel_moves, plumbing
from fastnn_kernels.dropout import dropout
from fastnn_kernels.panels import padded


class BlockMemory(FitMemory):
    """layout: a table of panels, and blocks of them."""

    layout: Any

    def describe_sums(self) -> None:
        """Room for the gradient, whole or of a block a worker, and for sums that are taken in pieces."""
        plan, layout = self.plan, self.layout
        self._table = np.ascontiguousarray(layout.panels)
        block = padded(int(layout.blocks["size"].max()), self.itemsize)
        pieces = -(-(plan.chunk if plan.segmented else plan.capacity) // plan.piece)
        height = 0 if pieces == 1 else pieces.bit_length() + 1
        self.grads = self.zeros(layout.size + 1 if plan.whole else plan.workers * block)
        self.put(
            self.run[0], sparse=plan.sparse, whole=plan.whole, piece=plan.piece,
            grads=self.grads.ctypes.data, block_bytes=block * self.itemsize,
            stack=self.room(plan.workers * height * block), stack_bytes=height * block * self.itemsize,
            dropout=dropout if (layout.layers["keep"] < 1).any() else None,
        )  # fmt: skip
        if height:
            self.put(self.run[0], add=plumbing.add)

    @property
    def gradient_and_one(self) -> Array:
        return super().gradient_and_one if self.plan.segmented else self.grads

    def load(self, vector: Array, to: Array) -> None:
        panel_moves.copy_panels(self._table, len(self._table), vector, to, False)

    def store(self, source: Array, vector: Array) -> None:
        panel_moves.copy_panels(self._table, len(self._table), vector, source, True)
