"""Training and prediction take subnormal numbers as zeros, and leave the caller's arithmetic as it was."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from numba import config

from fastnn import SGD, DivergenceError, Network
from fastnn.plan import Plan, Settings
from fastnn.trainer import Gradient
from fastnn_kernels import modes

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="the mode belongs to compiled code")
TINY = np.float32(1e-41)
X, Y = np.ones((40, 3), np.float32), np.ones((40, 1), np.float32)


STICKY = 0x3F  # flags of what has happened, which are not the mode


@numba.njit
def control():
    return modes.control() & ~STICKY


def network():
    net = Network([3, 5, 1], seed=0)
    net.params = np.full(net.params.size, TINY)
    return net


@pytest.fixture(autouse=True)
def unchanged():
    before = control()
    yield
    assert control() == before and TINY * np.float32(1.0) > 0


def trained(threads=1):
    """A rate of 0 moves nothing, but for what is no number in there."""
    net = network()
    net.fit(X, Y, epochs=2, batch_size=8, optimizer=SGD(0.0), threads=threads)
    return net.params.copy(), control()


@pytest.mark.parametrize("threads", (1, 2))
def test_subnormal_parameters_are_zeros_in_training(threads):
    params, _ = trained(threads)
    assert not params.any()


def test_subnormal_parameters_are_zeros_in_predictions():
    net = network()
    for rows in (X[:1], np.repeat(X, 10, axis=0)):
        assert not net.predict(rows * np.float32(1e6)).any()


def test_user_threads_keep_their_own_mode():
    before = control()
    with ThreadPoolExecutor(3) as pool:
        for params, after in pool.map(lambda _: trained(), range(6)):
            assert not params.any() and after == before


def test_a_failed_fit_leaves_the_mode():
    net = Network([3, 5, 1], seed=0)
    with pytest.raises(DivergenceError):
        net.fit(X * np.float32(1e30), Y, epochs=5, optimizer=SGD(1e30))


def test_training_goes_on_where_moments_die_away():
    """Half of the inputs become zero: their moments halve in each step until they are no numbers any more."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((64, 20)).astype(np.float32)
    net = Network([20, 16, 1], seed=0)
    net.fit(rows, rows[:, :1], epochs=50, optimizer="adam")
    rows[:, 10:] = 0
    net.fit(rows, rows[:, :1], epochs=1500, batch_size=None, optimizer=SGD(0.01, 0.5), l2=0.5)
    sizes = abs(net.params[net.params != 0])
    assert np.isfinite(net.params).all() and sizes.min() >= np.finfo(np.float32).tiny


@pytest.mark.slow
def test_ten_million_equal_rows_give_the_gradient_of_one():
    """Sums over a batch are taken in chunks, which are added pairwise: a chain was 6e-4 off."""
    sizes, row = (4, 16, 1), np.array([[0.3, -0.7, 1.1, 0.2]])
    net = Network(sizes, activation="tanh", dtype="float64", seed=0)
    found = []
    for dtype, n in ((np.float32, 10_000_000), (np.float64, 8)):
        plan = Plan(
            net.layers, np.dtype(dtype), "squared_error", 1, False, 0, Settings(SGD(), n), False, True
        )
        rows, labels = np.empty((n, 4), dtype), np.full((n, 1), 0.37, dtype)
        rows[:] = row
        gradient_of = Gradient(plan, net.params.astype(dtype))
        found.append(gradient_of(rows, labels, np.empty(0, dtype))[2])
    assert abs(found[0] - found[1]).max() <= 1e-6 * abs(found[1]).max()
