"""No fit writes before or behind the vectors that it works in."""

import numpy as np
import pytest

from cases import DTYPES, normal
from fastnn import Network, memory
from training_cases import assert_agrees, make_data

SPARE, MARK = 512, 0xA5  # bytes on both sides


@pytest.fixture
def written(monkeypatch):
    """Tells how many bytes beside vectors have been written to."""
    made = []

    def marked(size, dtype):
        itemsize = np.dtype(dtype).itemsize
        memory_of_it = np.full(size * itemsize + 2 * SPARE + 64, MARK, np.uint8)
        start = SPARE + -(memory_of_it.ctypes.data + SPARE) % 64
        end = start + size * itemsize
        memory_of_it[start:end] = 0
        made.append((memory_of_it, start, end))
        return memory_of_it[start:end].view(dtype)

    monkeypatch.setattr(memory, "aligned_zeros", marked)
    return lambda: sum((m[:start] != MARK).sum() + (m[end:] != MARK).sum() for m, start, end in made)


SIZES = ([2, 1, 17], [9, 1, 1], [3, 1, 3, 17], [1, 1, 1], [5, 33, 1, 33], [4, 17, 2], [300, 5, 1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_fit_stays_in_its_vectors(sizes, activation, dtype, written):
    for dropout in (0.0, 0.3):
        for batch_size in (1, 7, 8, 33, 300):
            network = Network(sizes, activation=activation, dropout=dropout, dtype=dtype, seed=0)
            X = normal(dtype, (300, sizes[0]), "X")
            network.fit(X, X[:, [0] * sizes[-1]], epochs=1, batch_size=batch_size, threads=2)
            network.predict(X)
    assert written() == 0


@pytest.mark.parametrize("sizes", SIZES[:5], ids=str)
def test_layers_of_one_unit_agree_with_numpy(sizes):
    network = Network(sizes, activation="tanh", dtype="float64", seed=3)
    assert_agrees(network, *make_data(network), epochs=5, given={"threads": 2})
