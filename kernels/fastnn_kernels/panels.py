"""The memory of a fit: weights, their gradients and moments in column panels of one tile's width.

W of a layer (n_in, n_out) is cut into panels of 3 vectors while more than 4 are left, four vectors into 2 +
2, the last panel is what remains; each is (n_in, width) contiguous, its columns past n_out are zeros. W of
one output is one row of n_in, in whole vectors. b is a row as wide as the panels together. Each W and each b
begins at a multiple of LINE_BYTES. W', for the product back to a layer's input, stands in a vector of its
own: panels (n_out, width) over the n_in columns of W', for all layers but the first; of one output, W' is W
itself.

Products of bfloat16 read a second vector of this layout, whose weights are rounded copies, and W' is made of
those. Each worker rounds what it has just updated.

A one-output layer's activations and deltas stand one after the other, without padding. Products read rows
by their addresses, so that X is read in place.

A weight enters its panel in `copy_panels`, W' in `transpose_panel` (panel_moves.py), and nowhere else. The
padding is zeros from the vector's allocation on: nothing changes it.
"""

import numpy as np

from fastnn_kernels.simd import VECTOR_BYTES

LINE_BYTES = 64
PANEL_VECTORS = 3
# A stride that is a multiple of it brings the rows of a tile into few sets of the first-level cache.
BAD_STRIDE = 1024

# A panel: `rows` rows of `columns` of the user's numbers, from `source` on, `source_row` apart; from
# `offset` on in the fit's vector, `width` apart. `column` is the first of W's columns that it holds; a bias
# has rows = 1.
PANEL = np.dtype(
    [
        (name, np.int64)
        for name in ("layer", "bias", "column", "columns", "width", "rows", "offset", "source", "source_row")
    ]
)
FIELDS = len(PANEL)
COLUMNS, WIDTH, ROWS, OFFSET, SOURCE, SOURCE_ROW = range(3, FIELDS)

# Where a layer stands: offsets of W and b in the fit's vector, of W' in the vector of transposed weights (of
# one output and of the first layer -1), b's length, and the elements between rows of its input and output.
FIT_LAYER = np.dtype(
    [
        (name, np.int64)
        for name in ("n_in", "n_out", "weights", "biases", "transposed", "padded", "input_row", "output_row")
    ]
)


def lanes(itemsize):
    """Elements of a vector."""
    return VECTOR_BYTES // itemsize


def padded(n, itemsize):
    """n elements in whole vectors."""
    return -(-n // lanes(itemsize)) * lanes(itemsize)


def leading_dimension(n, itemsize):
    """Elements between rows of n activations: whole vectors, off multiples of 1 KiB; of one output 1."""
    if n == 1:
        return 1
    row = padded(n, itemsize)
    return row + lanes(itemsize) if row * itemsize % BAD_STRIDE == 0 else row


def panel_widths(n, itemsize):
    """Widths in elements of the panels of n columns."""
    left, widths = padded(n, itemsize) // lanes(itemsize), []
    while left:
        widths.append(2 if left == PANEL_VECTORS + 1 else min(PANEL_VECTORS, left))
        left -= widths[-1]
    return [width * lanes(itemsize) for width in widths]


def _lined_up(offset, itemsize):
    return -(-offset * itemsize // LINE_BYTES) * LINE_BYTES // itemsize


def fit_layers(layers, itemsize):
    """The FIT_LAYER table of a network with the layer table `layers` of layout.py; its vectors' sizes.

    Returns the table, the length of a vector of parameters and that of the vector of transposed weights.
    """
    table, at, transposed = np.zeros(len(layers), FIT_LAYER), 0, 0
    for index, layer in enumerate(layers):
        n_in, n_out = int(layer["n_in"]), int(layer["n_out"])
        size = padded(n_in, itemsize) if n_out == 1 else n_in * padded(n_out, itemsize)
        biases = _lined_up(at + size, itemsize)
        turned = index > 0 and n_out > 1
        table[index] = (
            n_in, n_out, at, biases, transposed if turned else -1, padded(n_out, itemsize),
            leading_dimension(n_in, itemsize), leading_dimension(n_out, itemsize),
        )  # fmt: skip
        at = _lined_up(biases + padded(n_out, itemsize), itemsize)
        if turned:
            transposed = _lined_up(transposed + n_out * padded(n_in, itemsize), itemsize)
    return table, at, transposed


def panel_table(layers, itemsize):
    """The PANEL table, layer by layer: the panels of W, then b. `layers`: the layer table of layout.py."""
    rows, (table, _, _) = [], fit_layers(layers, itemsize)
    for index, (layer, place) in enumerate(zip(layers, table, strict=True)):
        n_in, n_out = int(layer["n_in"]), int(layer["n_out"])
        height, width, column = (1, n_in, 0) if n_out == 1 else (n_in, n_out, 0)
        source, offset = int(layer["weights"]), int(place["weights"])
        widths = [padded(n_in, itemsize)] if n_out == 1 else panel_widths(n_out, itemsize)
        for w in widths:
            rows.append((index, 0, column, min(w, width - column), w, height, offset, source + column, width))
            column, offset = column + w, offset + height * w
        biases, start = int(place["biases"]), int(layer["biases"])
        rows.append((index, 1, 0, n_out, int(place["padded"]), 1, biases, start, n_out))
    return np.array(rows, PANEL)
