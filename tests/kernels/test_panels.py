"""Where the numbers of a fit stand, and the ways in and out: no bit is lost, no element past the end read."""

import numpy as np
import pytest
from numba import config

from cases import DTYPES, normal
from fastnn_kernels.layout import layer_table, n_parameters, parameter_views
from fastnn_kernels.panels import (
    LINE_BYTES,
    fit_layers,
    leading_dimension,
    padded,
    panel_table,
    panel_widths,
)
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import addresses, compiled, lanes

both = pytest.mark.parametrize("dtype", DTYPES)
leaves = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
WIDTHS = (1, 2, 3, 15, 17, 31, 33, 47, 49, 64, 97, 130)
NETWORKS = (
    *((5, n, 3) for n in WIDTHS),
    *((n, 7, 1) for n in WIDTHS),
    (1, 1, 1),
    (784, 512, 256, 10),
    (30, 128, 1, 33),
)


def layers_of(sizes):
    return layer_table(sizes, [0] * (len(sizes) - 1))


def packed(vector, sizes):
    """A fit's vector in plain NumPy: the rule of panels.py once more."""
    layers, itemsize = layers_of(sizes), vector.itemsize
    table, size, _ = fit_layers(layers, itemsize)
    fit = np.zeros(size, vector.dtype)
    for W, b, place in zip(*parameter_views(vector, layers), table, strict=True):
        n_in, n_out = W.shape
        at = place["weights"]
        if n_out == 1:
            fit[at : at + n_in] = W[:, 0]
        else:
            column = 0
            for width in panel_widths(n_out, itemsize):
                part = W[:, column : column + width]
                fit[at : at + n_in * width].reshape(n_in, width)[:, : part.shape[1]] = part
                column, at = column + width, at + n_in * width
        fit[place["biases"] : place["biases"] + n_out] = b
    return fit


def turned(W):
    """The panels of W' in one vector."""
    n_in, itemsize = W.shape[0], W.itemsize
    around = np.zeros((W.shape[1], padded(n_in, itemsize)), W.dtype)
    around[:, :n_in] = W.T
    cuts = np.cumsum(panel_widths(n_in, itemsize))[:-1]
    return np.concatenate([panel.ravel() for panel in np.split(around, cuts, axis=1)])


@pytest.mark.parametrize("itemsize", (4, 8))
def test_panels_are_at_most_three_vectors_wide_and_never_three_and_one(itemsize):
    vector = padded(1, itemsize)
    for n in range(1, 400):
        widths = np.array(panel_widths(n, itemsize)) // vector
        assert widths.sum() * vector == padded(n, itemsize) and widths.max() <= 3
        assert (widths == 1).sum() <= (n <= vector) and (np.diff(widths) <= 0).all()


@pytest.mark.parametrize("itemsize", (4, 8))
def test_rows_of_activations_are_whole_vectors_with_a_stride_that_caches_like(itemsize):
    for n in range(2, 2000):
        row = leading_dimension(n, itemsize)
        assert n <= row <= n + 2 * padded(1, itemsize) and row % padded(1, itemsize) == 0
        assert row * itemsize % 1024
    assert leading_dimension(1, itemsize) == 1


@pytest.mark.parametrize("itemsize", (4, 8))
def test_every_matrix_and_bias_begins_at_a_cache_line_and_none_overlap(itemsize):
    for sizes in NETWORKS:
        layers = layers_of(sizes)
        table, size, transposed = fit_layers(layers, itemsize)
        panels = panel_table(layers, itemsize)
        for name in ("weights", "biases"):
            assert (table[name] * itemsize % LINE_BYTES == 0).all()
        turned = table["transposed"][table["transposed"] >= 0]
        assert (turned * itemsize % LINE_BYTES == 0).all() and (turned < max(transposed, 1)).all()
        starts, ends = panels["offset"], panels["offset"] + panels["rows"] * panels["width"]
        assert (starts[1:] >= ends[:-1]).all() and ends[-1] <= size
        assert (panels["rows"] * panels["columns"]).sum() == n_parameters(layers)
        assert (panels["columns"] <= panels["width"]).all()


@leaves
@both
@pytest.mark.parametrize("edge", EDGES)
def test_parameters_come_back_from_a_fit_as_they_went(dtype, edge):
    name = np.dtype(dtype).name
    for sizes in NETWORKS:
        layers = layers_of(sizes)
        user = normal(dtype, n_parameters(layers), "user")
        expected, table = packed(user, sizes), panel_table(layers, user.itemsize)
        numbers = guarded(table.view(np.int64), edge)
        fit, back = guarded(np.zeros_like(expected), edge), guarded(np.full_like(user, np.nan), edge)
        call = compiled("copy_panels", name)
        call(numbers, len(table), guarded(user, edge), fit, False)
        np.testing.assert_array_equal(fit, expected)
        fit[expected == 0] = 5  # what stands between and behind is not the user's
        call(numbers, len(table), back, fit, True)
        np.testing.assert_array_equal(back, user)


@leaves
@both
@pytest.mark.parametrize("edge", EDGES)
def test_transposed_weights_block_by_block(dtype, edge):
    call = compiled("transpose_panel", np.dtype(dtype).name)
    for n_in, n_out in ((n, m) for n in WIDTHS for m in (2, 3, 15, 17, 47, 49, 97)):
        W = normal(dtype, (n_in, n_out), "W")
        expected = turned(W)
        for block in (lanes(dtype), 32, 4096):
            to = guarded(np.zeros_like(expected), edge)
            column = 0
            for width in panel_widths(n_out, W.itemsize):
                part = np.zeros((n_in, width), dtype)
                columns = min(width, n_out - column)
                part[:, :columns] = W[:, column : column + columns]
                part[:, columns:] = 7  # is not read into W'
                for first in range(0, n_in, block):
                    rows = guarded(part[first : first + block].copy(), edge)
                    call(rows, width, len(rows), column, columns, first, n_in, n_out, to)
                column += width
            np.testing.assert_array_equal(to, expected)


@leaves
@both
@pytest.mark.parametrize("edge", EDGES)
def test_strips_are_copies_that_end_in_zeros(dtype, edge):
    call = compiled("copy_strip", np.dtype(dtype).name)
    for n in WIDTHS:
        A = guarded(normal(dtype, (11, n + 3), "A"), edge)
        width = padded(n, A.itemsize)
        chosen = guarded(addresses(A)[[10, 3, 3, 0, 10]], edge)
        to = guarded(np.full((5, width), np.nan, dtype), edge)
        call(chosen, 3, n, 5, to, width)
        np.testing.assert_array_equal(to[:, :n], A[[10, 3, 3, 0, 10], 3:])
        assert not to[:, n:].any()
