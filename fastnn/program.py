"""The forward pass of one thread: its memory, its records, and where it finds the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.memory import Memory, address, aligned_zeros
from fastnn_kernels import inference, leaves, panel_moves, plumbing, records
from fastnn_kernels.activations import BY_CODE
from fastnn_kernels.column_tiles import forward_column
from fastnn_kernels.csr import CSR_PANELS, csr_forward_column
from fastnn_kernels.fit_layout import layout_of
from fastnn_kernels.panel_tiles import FORWARD_PANELS, IN_PLACE_PANELS
from fastnn_kernels.panels import leading_dimension

_X, _X_BYTES, _INDICES, _INDPTR, _ORDER, _OUT = (
    records.RUN.names.index(name) for name in ("x", "x_bytes", "indices", "indptr", "order", "y")
)


def pack(layers: Array, params: Array) -> Array:
    """A copy of the parameters in panels: see fastnn_kernels.panels."""
    layout = layout_of(layers, params.dtype)
    panels = aligned_zeros(layout.size, params.dtype)
    panel_moves.copy_panels(layout.panels, len(layout.panels), params, panels, False)
    return panels


class ForwardProgram(Memory):
    """Memory, records and leaves of the forward pass of one thread, `chunk` rows at a time."""

    loop: leaves.Leaf
    panels: Array

    def __init__(self, layers: Array, dtype: np.dtype[Any], chunk: int, sparse: bool) -> None:
        super().__init__(dtype)
        self.layers = np.zeros(len(layers), records.LAYER)
        self.record = np.zeros(1, records.RUN)
        self._numbers = self.record.view(np.int64)  # by place: faster than by name
        self._address = self.record.ctypes.data
        self.describe(layers, chunk, sparse)
        self.put(
            self.record[0], n_layers=len(layers), itemsize=self.itemsize, chunk=chunk, sparse=sparse,
            layers=self.layers.ctypes.data, panels=self.panels.ctypes.data, rows=int(self.layers["rows"][0]),
            copy_rows=plumbing.copy_rows,
        )  # fmt: skip
        self.connect(self.loop)
        self._loop = self.loop.function()

    def describe(self, layers: Array, chunk: int, sparse: bool) -> None:
        """Fill in the tables of layers and panels."""
        raise NotImplementedError

    def describe_activation(self, layer: Any, known: Any, bent: bool) -> None:
        """Sizes and activation of a layer; bent: the products do it, where it is a bent line."""
        activation, n_out = BY_CODE[int(known["activation"])], int(known["n_out"])
        bent &= activation.slope is not None
        self.put(
            layer, n_in=int(known["n_in"]), n_out=n_out, keep=1.0, slope=activation.slope if bent else 1.0,
            activate=None if bent else activation.forward,
        )  # fmt: skip

    def place(self, params: Array, packed: Any) -> None:
        """Where the parameters stand: the user's vector, and what was made of it for many rows, or None."""
        raise NotImplementedError

    def dense(self, rows: Array, out: Array) -> None:
        """out = the outputs of some rows of the right type."""
        numbers = self._numbers
        numbers[_X], numbers[_X_BYTES], numbers[_OUT] = address(rows), rows.strides[0], address(out)
        self._loop(self._address, 0, len(out))

    def csr(self, data: Array, indices: Array, indptr: Array, out: Array) -> None:
        """out = the outputs of the CSR rows that begin where indptr does."""
        given = (_X, data), (_INDICES, indices), (_INDPTR, indptr), (_ORDER, np.arange(len(out))), (_OUT, out)
        for place, array in given:
            self._numbers[place] = address(array)
        self._loop(self._address, 0, len(out))


class Program(ForwardProgram):
    """packed: dense layers read panels, else the user's own matrices, as one over CSR rows always does."""

    loop = inference.predict

    def __init__(
        self, layers: Array, dtype: np.dtype[Any], chunk: int, sparse: bool, packed: bool
    ) -> None:  # fmt: skip
        self._packs = packed
        self._params: Array | None = None
        super().__init__(layers, dtype, chunk, sparse)

    def describe(self, layers: Array, chunk: int, sparse: bool) -> None:
        layout = layout_of(layers, self.dtype)
        known = layout.panels[layout.panels["bias"] == 0]
        self.panels = np.zeros(len(known), records.PANEL)
        self._packed = self._packs & ~(sparse & (known["layer"] == 0))
        index, one = known["layer"], layers["n_out"][known["layer"]] == 1
        biases = np.where(self._packed, layout.places["biases"][index], layers["biases"][index])
        self._offsets = np.where(self._packed, known["offset"], known["source"]) * self.itemsize
        self._bias_offsets = (np.where(one, 0, known["column"]) + biases) * self.itemsize
        self._weights, self._biases = self.panels["weights"], self.panels["biases"]  # views
        for panel, about, in_panels, single in zip(self.panels, known, self._packed, one, strict=True):
            width, vectors = int(about["width"]), layout.vectors(about)
            wanted = FORWARD_PANELS if in_panels else IN_PLACE_PANELS
            csr = sparse and about["layer"] == 0
            self.put(
                panel, at=0 if single else int(about["column"]) * self.itemsize, in_place=not in_panels,
                row=width if in_panels else int(about["source_row"]),
                columns=width if in_panels else int(about["columns"]),
                forward=None if csr else forward_column if single else wanted[vectors],
                csr_forward=(csr_forward_column if single else CSR_PANELS[vectors][0]) if csr else None,
            )  # fmt: skip
        inputs = self.room(chunk, np.int64)
        for index, (layer, about) in enumerate(zip(self.layers, layers, strict=True)):
            ld_out = leading_dimension(int(about["n_out"]), self.itemsize)
            outputs = self.zeros(chunk * ld_out)
            first, end = np.searchsorted(known["layer"], (index, index + 1))
            self.describe_activation(layer, about, bent=int(about["n_out"]) > 1)
            self.put(
                layer, ld_out=ld_out, first_panel=first, end_panel=end, rows=inputs,
                outputs=outputs.ctypes.data,
            )  # fmt: skip
            inputs = self.rows(outputs, ld_out)

    def place(self, params: Array, packed: Array | None) -> None:
        if self._params is not params or packed is not None:
            start: Any = address(params)
            if packed is not None:
                start = np.where(self._packed, address(packed), start)
            np.add(self._offsets, start, out=self._weights)
            np.add(self._bias_offsets, start, out=self._biases)
            self._params = params
