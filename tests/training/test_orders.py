"""The orders of rows are those that NumPy's generators draw."""

import numpy as np
import pytest

from fastnn import orders

SEEDS = np.array([0, 5, 2**31 + 3, 2**32 - 1, 2**32, 2**40 + 17, 2**62 - 1, 12345])
EPOCHS = np.array([0, 1, 2, 3, 100, 2**31, 0, 7])
COUNTS = np.array([900, 1, 2, 3, 64, 65, 127, 17])


@pytest.mark.parametrize("threads", (1, 3))
@pytest.mark.parametrize("compiled", (True, False))
def test_they_are_numpys(compiled, threads, monkeypatch):
    if not compiled:
        monkeypatch.setattr(orders, "as_numpy", lambda: False)
    monkeypatch.setattr(orders, "NUMBERS_PER_THREAD", 1)
    monkeypatch.setattr(orders, "MEMBERS_AT_ONCE", 2)
    found = np.full((8, 3 * 900), -1)
    for own, count in zip(found, COUNTS, strict=True):
        own[: 3 * count] = np.tile(np.arange(count), 3)
    expected = found.copy()
    for own, seed, epoch, count in zip(expected, SEEDS, EPOCHS, COUNTS, strict=True):
        for e in range(3):
            np.random.default_rng([seed, epoch + e, 0]).shuffle(own[e * count : (e + 1) * count])
    orders.shuffle(SEEDS, EPOCHS, COUNTS, found, 3, threads)
    np.testing.assert_array_equal(found, expected)


def test_this_numpy_needs_no_other_way():
    assert orders.as_numpy()


@pytest.mark.parametrize("wanted", (0, orders.WORTH_COMPILING))
@pytest.mark.parametrize("part", (0, 3))
@pytest.mark.parametrize("seed", (0, 2**33, 2**63 - 1, 2**63, 2**90))
def test_those_of_a_run_too(seed, part, wanted):
    numbers = np.arange(7, 400)
    found = orders.shuffled(numbers, seed, 11, part, 3, wanted)
    for epoch, order in enumerate(found, 11):
        expected = numbers.copy()
        np.random.default_rng([seed, epoch, part]).shuffle(expected)
        np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(numbers, np.arange(7, 400))
