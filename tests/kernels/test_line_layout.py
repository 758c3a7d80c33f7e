"""Which layout a network and a batch take, and the blocks of rows of samples in lanes."""

import pytest

from fastnn_kernels.lines import SAMPLES, UNITS, block_rows, choose_layout, line_size
from fastnn_kernels.simd import VECTOR_BYTES


@pytest.mark.parametrize("itemsize", (4, 8))
def test_blocks_are_a_whole_batch_or_equal_parts_of_whole_tiles(itemsize):
    tile = 3 * VECTOR_BYTES // itemsize
    for sizes in ((2, 4, 1), (4, 32, 16, 4), (8, 16, 16, 1), (700, 10)):
        for batch in (1, 7, 48, 455, 481, 1000, 10_000, 12_345):
            rows = block_rows(sizes, batch, itemsize)
            assert rows == batch or rows % tile == 0
            assert rows <= max(480, tile)
            blocks = -(-batch // rows)
            assert blocks * rows - batch < rows + blocks * tile


@pytest.mark.parametrize("itemsize", (4, 8))
def test_lines_are_whole_vectors_off_bad_strides(itemsize):
    for rows in range(1, 500):
        line = line_size(rows, itemsize)
        assert line >= rows and line * itemsize % VECTOR_BYTES == 0 and line * itemsize % 1024


def test_narrow_networks_over_many_rows_take_samples():
    for sizes, batch in (
        ((2, 4, 1), 400),
        ((4, 32, 16, 4), 10_000),
        ((8, 16, 16, 1), 1000),
        ((2, 2, 1), 10_000),
    ):
        assert choose_layout(sizes, batch, 4) == SAMPLES


def test_wide_layers_and_few_rows_take_units():
    for sizes, batch in (
        ((784, 128, 10), 64),
        ((256, 1024, 16), 100_000),
        ((128, 256, 1), 1024),
        ((16, 16, 1), 8),
    ):
        for itemsize in (4, 8):
            assert choose_layout(sizes, batch, itemsize) == UNITS


def test_more_rows_never_lead_back_to_units():
    for sizes in ((2, 4, 1), (16, 16, 16, 1), (30, 32, 1), (64, 64, 1), (10, 3)):
        found = [choose_layout(sizes, 2**i, 4) == SAMPLES for i in range(20)]
        assert found == sorted(found)
