"""A fit's parameters as the loops see them: panels for the products, blocks for the update phase.

Where everything stands is panels.py's affair; here it is cut into units of work.
"""

from functools import lru_cache

import numpy as np

from fastnn_kernels.panels import fit_layers, lanes, padded, panel_table, panel_widths

BLOCKS = np.dtype([(name, np.int64) for name in "layer panel first rows columns size offset".split()])
BACK = np.dtype([(name, np.int64) for name in "layer column width offset".split()])
BLOCK_ROWS = 32
BLOCK_ROWS_OF_COLUMN = 4096


def shares_of(work, workers):
    """Boundaries (workers + 1,) of contiguous shares of blocks of so much work."""
    ends = np.cumsum(work)
    return np.searchsorted(ends - 0.5 * work, ends[-1] * np.arange(workers + 1) / workers)


class FitLayout:
    """panels, places: the tables of panels.py; back: the panels of W'; blocks: the units of the update phase.

    size, back_size: elements of a vector of parameters and of that of W'; layers: the table of layout.py.
    """

    def __init__(self, layers, dtype):
        self.layers, self.itemsize = layers, np.dtype(dtype).itemsize
        self.places, self.size, self.back_size = fit_layers(layers, self.itemsize)
        self.panels = panel_table(layers, self.itemsize)
        self.back = np.array(list(self._back()), BACK)
        self.blocks = np.array(list(self._blocks()), BLOCKS)

    def vectors(self, panel):
        """How many vectors wide a panel of W, or of W', is."""
        return int(panel["width"]) // lanes(self.itemsize)

    def _back(self):
        """The panels of W' of each layer but the first; of one output, W' is W itself, one row."""
        for index, place in enumerate(self.places[1:], 1):
            column, n_in, n_out = 0, int(place["n_in"]), int(place["n_out"])
            if n_out == 1:
                yield index, 0, padded(n_in, self.itemsize), place["weights"]
                continue
            for width in panel_widths(n_in, self.itemsize):
                yield index, column, width, place["transposed"] + column * n_out
                column += width

    def _blocks(self):
        """Rows of each panel, which begin a vector of W', and each b.

        Sums over a layer are taken block by block, whoever does which.
        """
        for number, panel in enumerate(self.panels):
            index, width, columns = (int(panel[x]) for x in ("layer", "width", "columns"))
            if panel["bias"]:
                yield index, number, -1, 1, columns, width, panel["offset"]
            elif self.layers["n_out"][index] == 1:
                n_in = int(self.layers["n_in"][index])
                for first in range(0, n_in, BLOCK_ROWS_OF_COLUMN):
                    rows = min(BLOCK_ROWS_OF_COLUMN, n_in - first)
                    yield index, number, first, rows, 1, padded(rows, self.itemsize), panel["offset"] + first
            else:
                for first in range(0, int(panel["rows"]), BLOCK_ROWS):
                    rows = min(BLOCK_ROWS, int(panel["rows"]) - first)
                    yield index, number, first, rows, columns, rows * width, panel["offset"] + first * width

    def shares(self, workers):
        """Boundaries (workers + 1,) of contiguous shares of `blocks` with about equal work."""
        # A sum over rows moves as much memory as a part of a tile's work.
        work = np.where(self.blocks["first"] < 0, 2, 1) * self.blocks["size"]
        return shares_of(work, workers)


@lru_cache(maxsize=64)
def _known(table, kind, dtype):
    return FitLayout(np.frombuffer(table, kind), dtype)


def layout_of(layers, dtype):
    """The FitLayout of these layers, not to be changed: to make one takes as long as predicting many rows."""
    return _known(layers.tobytes(), layers.dtype, np.dtype(dtype))
