"""Which layout a fit takes, and the blocks of rows that samples in lanes are carried in."""

import functools

import numpy as np

from fastnn_kernels.fit_layout import shares_of
from fastnn_kernels.simd import VECTOR_BYTES

UNITS, SAMPLES = "units", "samples"
PAIRS = "pairs"  # units, of pairs of bfloat16 numbers
TILE_VECTORS = 3  # of rows: a block of whole tiles wastes none
MOST_ROWS = 480
BLOCK_BYTES = 1 << 19
# The blocks of a group add up lane by lane, in a chain of at most so many sums or of one block: ten million
# equal rows of float32 keep their digits to 1e-6. Of a batch there are to be so many groups at least.
CHAIN, GROUPS = 64, 16
BLOCKS = np.dtype([(name, np.int64) for name in "layer first size offset".split()])


def block_rows(sizes, batch, itemsize):
    """Rows of a block: all of a batch, or equal parts of at most 480 that are whole tiles.

    It depends on sizes alone, not on threads: so do the sums over rows, block by block.
    """
    tile = TILE_VECTORS * VECTOR_BYTES // itemsize
    most = BLOCK_BYTES // (itemsize * sum(n + 1 for n in sizes))
    most = max(tile, min(MOST_ROWS, most) // tile * tile)
    if batch <= most:
        return batch
    part = -(-batch // -(-batch // most))
    return -(-part // tile) * tile


def line_size(rows, itemsize):
    """Elements from one line of `rows` rows to the next: whole vectors, off multiples of 1 KiB."""
    lanes = VECTOR_BYTES // itemsize
    line = -(-rows // lanes) * lanes
    return line + lanes if line * itemsize % 1024 == 0 else line


def choose_layout(sizes, batch, itemsize):
    """SAMPLES for narrow layers over many rows, UNITS for wide ones or few rows; both work for all.

    A row costs units in lanes a multiply-add for each weight, the padding of panels included, and for each
    panel a start and an end like those of 4 inputs; one vector is a narrow tile, and a single output runs at
    a quarter of the speed. It costs samples in lanes a multiply-add for each parameter, and a batch their
    sums, a vector for each parameter, which must stay in cache. Fitted to 42 steps from 2-4-1 to 128-256-1,
    batch 16 to 1024; measured gains below 1.1 are left to units, whose rows need no copy.
    """
    lanes = VECTOR_BYTES // itemsize
    parameters, units = 0, 0.0
    for n_in, n_out in zip(sizes, sizes[1:], strict=False):
        padded = -(-n_out // lanes) * lanes
        parameters += (n_in + 1) * n_out
        units += (n_in + 4) * (4.0 if n_out == 1 else padded * (1.15 if padded == lanes else 1.0))
    samples = parameters * (0.93 + 2.5 * lanes / batch)
    fits = parameters * VECTOR_BYTES <= BLOCK_BYTES
    return SAMPLES if fits and units >= 1.1 * samples else UNITS


class LineLayout:
    """A fit over batches of at most `batch` rows with samples in lanes; its vectors are as the user's.

    rows: of a block; chunk: of a group of blocks; line: elements of a line; sizes: n_in of the first layer,
    then each n_out; blocks: the units of the update phase, W (first = 0) and b (first = -1) of each layer.
    """

    def __init__(self, layers, dtype, batch):
        self.layers, self.itemsize = layers, np.dtype(dtype).itemsize
        self.sizes = [int(layers["n_in"][0]), *layers["n_out"].tolist()]
        self.rows = block_rows(self.sizes, batch, self.itemsize)
        blocks = -(-batch // self.rows)
        most = CHAIN * VECTOR_BYTES // self.itemsize // self.rows
        self.chunk = self.rows * max(1, min(most, -(-blocks // GROUPS)))
        self.line = line_size(self.rows, self.itemsize)
        self.blocks = np.array(list(self._blocks()), BLOCKS)
        self.size = int(self.blocks["size"].sum())

    def _blocks(self):
        for index, layer in enumerate(self.layers):
            yield index, 0, int(layer["n_in"] * layer["n_out"]), int(layer["weights"])
            yield index, -1, int(layer["n_out"]), int(layer["biases"])

    def shares(self, workers):
        """Boundaries (workers + 1,) of contiguous shares of `blocks` with about equal work."""
        return shares_of(self.blocks["size"], workers)


@functools.lru_cache(maxsize=64)
def _known(table, kind, dtype, batch):
    return LineLayout(np.frombuffer(table, kind), dtype, batch)


def lines_of(layers, dtype, batch):
    """The LineLayout of these layers and batches, not to be changed."""
    return _known(layers.tobytes(), layers.dtype, np.dtype(dtype), batch)
