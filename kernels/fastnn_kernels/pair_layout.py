"""The memory of a fit whose products are of bfloat16 numbers: parameters in panels of whole groups.

W of a layer (n_in, n_out) is cut into panels of two vectors; each is (height, width) in float32, height n_in
in whole groups of pairs.py: what is past W's end are zeros, and stays so. The weights' pairs stand in a
vector of half the length, in the same places. W', for the product back to a layer's input, is in pairs only,
in a vector of its own: panels over n_in, (n_out in whole groups / 2, width) words each, of all layers but the
first. There are no exceptions: a layer of one output has a panel too.
"""

from functools import lru_cache
from itertools import zip_longest

import numpy as np

from fastnn_kernels.fit_layout import BLOCKS, shares_of
from fastnn_kernels.machine import LEAST_ROWS, machine
from fastnn_kernels.pairs import GROUP, panel_width, whole_groups
from fastnn_kernels.panels import PANEL

# A unit of AMX that has had nothing to do for half a microsecond, as long as the optimizer takes for 1,024
# parameters, wakes up in 0.3 us: by blocks of 8 groups gradients and updates of W (1024, 1024) take 15% less
# time than by blocks of one.
BLOCK_ROWS = 8 * GROUP
# So many panels are worked at together: the same rows of each, one after the other. Their inputs over a batch
# of 784-2048-2048-10, 2 MB, are read a quarter as often: 8% less time a step.
TOGETHER = 4


def pair_rows(sizes):
    """Rows that a worker carries through all layers at once, at least LEAST_ROWS.

    What a layer takes of them, in pairs, is read for each panel: it fills half of the second-level cache.
    """
    return max(LEAST_ROWS, machine().l2 // 4 // max(sizes))


def panels_over(n):
    """How many panels n columns take."""
    return -(-n // panel_width())


class PairLayout:
    """panels: the PANEL table of W and b of each layer; blocks: the units of the update phase.

    size: elements of a vector of parameters; turned: where each layer's W' begins among the back_size words
    of pairs; layers: the table of layout.py.
    """

    def __init__(self, layers):
        self.layers, self.size, self.back_size = layers, 0, 0
        self.turned, panels = [], []
        for index, layer in enumerate(layers):
            panels += self._panels(index, layer)
        self.panels = np.array(panels, PANEL)
        self.blocks = np.array(list(self._blocks()), BLOCKS)

    def _panels(self, index, layer):
        n_in, n_out, width = int(layer["n_in"]), int(layer["n_out"]), panel_width()
        for column in range(0, n_out, width):
            columns, source = min(width, n_out - column), int(layer["weights"]) + column
            yield index, 0, column, columns, width, n_in, self.size, source, n_out
            self.size += whole_groups(n_in) * width
        row = panels_over(n_out) * width
        yield index, 1, 0, n_out, row, 1, self.size, int(layer["biases"]), n_out
        self.size += whole_groups(row)
        self.turned.append(self.back_size)
        if index:
            self.back_size += whole_groups(n_in) * whole_groups(n_out) // 2

    def _blocks(self):
        """Some rows of each panel, and each b; sums over a layer are taken block by block."""
        for index in range(len(self.layers)):
            numbers = np.flatnonzero(self.panels["layer"] == index)
            for first in range(0, len(numbers), TOGETHER):
                mine = [list(self._blocks_of(number)) for number in numbers[first : first + TOGETHER]]
                yield from (block for row in zip_longest(*mine) for block in row if block is not None)

    def _blocks_of(self, number):
        panel = self.panels[number]
        index, width, offset = (int(panel[name]) for name in ("layer", "width", "offset"))
        if panel["bias"]:
            yield index, number, -1, 1, int(panel["columns"]), width, offset
            return
        height = whole_groups(int(panel["rows"]))
        for first in range(0, height, BLOCK_ROWS):
            rows, place = min(BLOCK_ROWS, height - first), offset + first * width
            yield index, number, first, rows, int(panel["columns"]), rows * width, place

    def shares(self, workers):
        """Boundaries (workers + 1,) of contiguous shares of `blocks` with about equal work."""
        return shares_of(self.blocks["size"], workers)


@lru_cache(maxsize=64)
def _known(table, kind):
    return PairLayout(np.frombuffer(table, kind))


def pairs_of(layers):
    """The PairLayout of these layers, not to be changed."""
    return _known(layers.tobytes(), layers.dtype)
