"""The forward pass of one thread: its memory, its records, and where it finds the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.memory import Memory, address, aligned_zeros
from fastnn_kernels import inference, panel_moves, plumbing, records
from fastnn_kernels.activations import BY_CODE
from fastnn_kernels.column_tiles import forward_column
from fastnn_kernels.csr import CSR_PANELS, csr_forward_column
from fastnn_kernels.fit_layout import layout_of
from fastnn_kernels.layout import parameter_views
from fastnn_kernels.panel_tiles import PANELS, PANELS_OF_BFLOAT16
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


def rounded(values: Array) -> Array:
    """A copy of a vector in numbers of bfloat16."""
    result = np.empty_like(values)
    panel_moves.round_values(values, values.size, result)
    return result


def rounded_weights(layers: Array, params: Array) -> Array:
    """A copy of the parameters whose weights are numbers of bfloat16; the biases stay."""
    result = rounded(params)
    for own, copy in zip(*(parameter_views(vector, layers)[1] for vector in (params, result)), strict=True):
        copy[:] = own
    return result


class Program(Memory):
    """Memory, records and leaves of the forward pass of one thread.

    packed: dense layers read panels, else the user's own matrices, as a layer over CSR rows always does;
    bfloat16: each layer rounds its inputs, but CSR rows, which come rounded as the parameters do.
    """

    def __init__(
        self,
        layers: Array,
        dtype: np.dtype[Any],
        chunk: int,
        sparse: bool,
        packed: bool,
        bfloat16: bool = False,
    ) -> None:
        super().__init__(dtype)
        layout = layout_of(layers, dtype)
        known = layout.panels[layout.panels["bias"] == 0]
        self.panels = np.zeros(len(known), records.PANEL)
        self.layers = np.zeros(len(layers), records.LAYER)
        self.record = np.zeros(1, records.RUN)
        self._numbers = self.record.view(np.int64)  # by place: faster than by name
        self._packed = packed & ~(sparse & (known["layer"] == 0))
        index, one = known["layer"], layers["n_out"][known["layer"]] == 1
        biases = np.where(self._packed, layout.places["biases"][index], layers["biases"][index])
        self._offsets = np.where(self._packed, known["offset"], known["source"]) * self.itemsize
        self._bias_offsets = (np.where(one, 0, known["column"]) + biases) * self.itemsize
        self._weights, self._biases = self.panels["weights"], self.panels["biases"]  # views
        rows, tiles = self.room(chunk, np.int64), PANELS_OF_BFLOAT16 if bfloat16 else PANELS
        for panel, about, in_panels, single in zip(self.panels, known, self._packed, one, strict=True):
            width, vectors = int(about["width"]), layout.vectors(about)
            wanted = tiles.forward if in_panels else tiles.in_place
            csr = sparse and about["layer"] == 0
            self.put(
                panel, at=0 if single else int(about["column"]) * self.itemsize, in_place=not in_panels,
                row=width if in_panels else int(about["source_row"]),
                columns=width if in_panels else int(about["columns"]),
                forward=None if csr else forward_column if single else wanted[vectors],
                csr_forward=(csr_forward_column if single else CSR_PANELS[vectors][0]) if csr else None,
            )  # fmt: skip
        inputs = rows
        for index, (layer, about) in enumerate(zip(self.layers, layers, strict=True)):
            activation, n_out = BY_CODE[int(about["activation"])], int(about["n_out"])
            ld_out = leading_dimension(n_out, self.itemsize)
            outputs, bent = self.zeros(chunk * ld_out), activation.slope is not None and n_out > 1
            first, end = np.searchsorted(known["layer"], (index, index + 1))
            if bfloat16 and not (sparse and index == 0):
                inputs = self.rounded_inputs(layer, int(about["n_in"]), inputs, chunk)
            self.put(
                layer, n_in=int(about["n_in"]), n_out=n_out, ld_out=ld_out, first_panel=first, end_panel=end,
                rows=inputs, outputs=outputs.ctypes.data, keep=1.0, slope=activation.slope if bent else 1.0,
                activate=None if bent else activation.forward,
            )  # fmt: skip
            inputs = self.rows(outputs, ld_out)
        self.put(
            self.record[0], n_layers=len(layers), itemsize=self.itemsize, chunk=chunk, sparse=sparse,
            layers=self.layers.ctypes.data, panels=self.panels.ctypes.data, rows=rows,
            copy_rows=plumbing.copy_rows, round_strip=panel_moves.round_strip if bfloat16 else None,
        )  # fmt: skip
        self.connect(inference.predict)
        self._loop = inference.predict.function()
        self._params: Array | None = None
        self._address = self.record.ctypes.data

    def place(self, params: Array, panels: Array | None) -> None:
        """Where the parameters stand: the user's vector, and the packed one."""
        if self._params is not params or panels is not None:
            start: Any = address(params)
            if panels is not None:
                start = np.where(self._packed, address(panels), start)
            np.add(self._offsets, start, out=self._weights)
            np.add(self._bias_offsets, start, out=self._biases)
            self._params = params

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
