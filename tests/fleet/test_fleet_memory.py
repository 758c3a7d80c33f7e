"""Fleet: what a fit needs beside parameters, running means and data."""

import tracemalloc

import numpy as np
import pytest

from cases import DTYPES
from fastnn import Adam, Fleet


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes, arrangement", (([30, 32, 1], "lanes"), ([100, 200, 1], "members")))
def test_a_fit_keeps_parameters_once(sizes, arrangement, dtype, monkeypatch):
    """Whichever way: they, two running means and the data; of all else less than a fifth of that."""
    X = np.random.default_rng(0).standard_normal((1024, sizes[0])).astype(dtype)
    n = 1000 if arrangement == "lanes" else 64
    monkeypatch.setattr("fastnn.fleet_plan.lanes_pay", lambda *about: arrangement == "lanes")
    monkeypatch.setattr("fastnn.trainer._spare", {})  # a trainer that is put by does not count
    for members in (2, n):  # the first fit compiles
        fleet, y = Fleet(members, sizes, dtype=dtype, seed=0), X[:, 0]
        tracemalloc.start()
        fleet.fit(X, y, epochs=2, batch_size=64, optimizer=Adam(1e-3), threads=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    kept = 3 * fleet.params.nbytes + X.nbytes + y.nbytes
    assert fleet.params.nbytes + X.nbytes + y.nbytes + peak < 1.2 * kept
