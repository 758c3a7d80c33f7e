"""What is decided about a run before any memory is taken: its threads, its chunks of rows, its layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.input_stage import InputStage
from fastnn.optimizers import Optimizer, n_moments
from fastnn.threads import REAL_THREADS, worthwhile_threads
from fastnn_kernels.fit_layout import FitLayout, layout_of
from fastnn_kernels.layout import n_units
from fastnn_kernels.lines import PAIRS, SAMPLES, UNITS, LineLayout, choose_layout, lines_of
from fastnn_kernels.machine import chunk_rows
from fastnn_kernels.pair_layout import PairLayout, pair_rows, pairs_of
from fastnn_kernels.pairs import GROUP

# Of a batch of more rows than a segment has, the gradients of segments are summed while their rows are in
# cache, if those sums are no more than this share of what the rows themselves take. A smaller batch cut in
# two: 2 to 5% more time a step.
SEGMENT_ROWS, SEGMENT_SHARE = 256, 0.5
# A sum over more rows than this is taken in pieces, which are added up pairwise: for exactness. Smaller ones
# where a batch has many segments.
PIECE_ROWS, SEGMENT_PIECE_ROWS = 256, 64


@dataclass(frozen=True)
class Settings:
    """What a run is told besides its data: see `Network.fit`."""

    optimizer: Optimizer
    batch_size: int
    l2: float = 0.0
    l2_by_batch: bool = False
    clip_norm: float = np.inf
    label_smoothing: float = 0.0
    huber_threshold: float = 1.0
    ceiling: float = np.inf  # of an element of a cross-entropy, in the costs that are told
    tolerant: bool = False  # of an infinite cost, which parameters may survive
    threads: int | str = "auto"
    told_every: int = 1  # of so many steps one tells its cost, the others an older one, where that is quicker
    same_rows: bool = False  # all steps of a slice are over the same rows in the same order
    input_stage: InputStage | None = None


@dataclass(frozen=True)
class Plan:
    """A run of the network of `layers`, the table of layout.py, over batches of at most `capacity` rows.

    sparse: X is CSR; gradient_only: nothing is trained, the gradient is wanted; bfloat16: weights, inputs
    and deltas are rounded to it for the products; in_parts: each step is done in parts, as a batch has rows
    elsewhere.
    """

    layers: Array = field(compare=False)
    dtype: np.dtype[Any]
    cost: str
    n_targets: int
    weighted: bool
    seed: int
    settings: Settings
    sparse: bool = False
    gradient_only: bool = False
    bfloat16: bool = False
    in_parts: bool = False
    lanes: str = field(init=False)  # what stands in a vector's lanes: UNITS, SAMPLES or PAIRS
    layout: FitLayout | LineLayout | PairLayout = field(init=False, compare=False)
    architecture: bytes = field(init=False, repr=False)  # of `layers`: plans compare by it
    workers: int = field(init=False)
    chunk: int = field(init=False)
    segments: int = field(init=False)

    def __post_init__(self) -> None:
        batch, settings = self.capacity, self.settings
        workers = settings.threads
        if workers == "auto":
            workers = worthwhile_threads(self.layers, batch, self.dtype.itemsize, self.sparse)
        elif not REAL_THREADS:
            workers = 1
        self._decide(architecture=self.layers.tobytes(), workers=int(workers), lanes=UNITS)
        sizes = [int(self.layers["n_in"][0]), *self.layers["n_out"].tolist()]
        dropout = bool((self.layers["keep"] < 1).any())
        if self.bfloat16:
            self._decide(lanes=PAIRS)
        elif not (self.sparse or dropout or settings.input_stage):
            self._decide(lanes=choose_layout(sizes, batch, self.dtype.itemsize))
        if self.lanes == SAMPLES:
            lines = lines_of(self.layers, self.dtype, batch)
            self._decide(layout=lines, chunk=lines.chunk, segments=-(-batch // lines.chunk))
            return
        if self.lanes == UNITS and (self.layers["n_out"][:-1] == 1).any():
            self._decide(workers=1)  # rows of one unit are written a vector at a time: over those of another
        layout = pairs_of(self.layers) if self.bfloat16 else layout_of(self.layers, self.dtype)
        rows = self.rows_together
        # Many rows are summed where they are still in cache, if the sums are smaller than they.
        segment = min(SEGMENT_ROWS, -(-batch // (2 * rows)) * rows)
        segments = -(-batch // segment)
        few = segments * layout.size > SEGMENT_SHARE * batch * n_units(self.layers)
        if self.sparse or batch <= SEGMENT_ROWS or few:
            # In parts of one size: a rest of some rows would read all weights once more.
            share = -(-batch // self.workers)
            fitting = pair_rows(sizes) if self.bfloat16 else chunk_rows(sizes, self.dtype.itemsize)
            parts = max(1, round(share / fitting))
            segment, segments = min(batch, -(-share // (rows * parts)) * rows), 0
        self._decide(layout=layout, chunk=segment, segments=segments)

    def twin(self, l2: float, optimizer: Optimizer) -> Plan:
        """This plan with other numbers, an optimizer of the same kind among them: nothing is decided anew."""
        other, settings = object.__new__(Plan), object.__new__(Settings)
        vars(settings).update(vars(self.settings), l2=l2, optimizer=optimizer)
        vars(other).update(vars(self), settings=settings)
        return other

    def _decide(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def kernel_seed(self) -> int:
        """The seed of the dropout masks, as the kernels take it."""
        return self.seed & 0xFFFFFFFF

    @property
    def capacity(self) -> int:
        return self.settings.batch_size

    @property
    def segmented(self) -> bool:
        return self.segments > 0

    @property
    def rows_together(self) -> int:
        """Rows of which no two belong to different workers: those of a tile, or of a group of pairs."""
        return GROUP if self.bfloat16 else 8

    @property
    def unit(self) -> int:
        """What a worker's share of a batch is cut into: rows that go together, or segments."""
        return self.chunk if self.segmented else self.rows_together

    @property
    def slots(self) -> int:
        """Rows of the workspace: of a whole batch, or of each worker's chunk or block of lines."""
        if isinstance(self.layout, LineLayout):
            return self.workers * self.layout.line
        return self.workers * self.chunk if self.segmented else self.capacity

    @property
    def piece(self) -> int:
        """The most rows whose products are added up in one chain; of bfloat16 some are one link of it."""
        links = 4 if self.bfloat16 else 1
        return links * (SEGMENT_PIECE_ROWS if self.segmented else PIECE_ROWS)

    @property
    def whole(self) -> bool:
        """Whether the gradients of all blocks are kept, or each is used at once."""
        wanted = self.sparse or self.gradient_only or self.in_parts or self.settings.input_stage is not None
        return wanted or self.settings.clip_norm < np.inf

    @property
    def n_moments(self) -> int:
        return 0 if self.gradient_only else n_moments(self.settings.optimizer)
