"""Members of a fleet that are trained in several threads: the same bits, and a Ctrl-C for all of them."""

import os
import signal
import sys
import threading
from functools import partial

import numpy as np
import pytest

from cases import DTYPES
from fastnn import SGD, Fleet
from fastnn.fleet_members import MembersTrainer
from fleet_cases import data, networks, orders, spans, trainer_of
from processes import run_apart


@pytest.mark.parametrize("dtype", DTYPES)
def test_members_in_threads(dtype):
    """Of as many threads as members, and fewer and more: the same bits, and one that diverges is alone."""
    X, Y = data("squared_error", 50, 6, 1, dtype)
    nets = networks(5, [6, 9, 1], dtype=dtype)
    own, steps = orders(range(5), [np.arange(50)] * 5, 4), spans(50, 16, 4)
    rates = np.repeat(SGD(0.01).corrected(np.arange(len(steps)), 4)[..., None], 5, axis=2)
    rates[:, 0, 2] = 1e30
    results = []
    for threads in (1, 2, 5, 8):
        some = trainer_of(nets, SGD(), 16, 1, threads=threads)
        trainer, told = MembersTrainer(some.plan, some.params.copy()), []
        tell = partial(lambda told, *said: told.append(said), told)
        costs = trainer.train(X, Y, np.empty(0, dtype), own, steps, rates, tell)
        assert trainer.workers == (1 if threads == 8 else threads)
        assert np.flatnonzero(trainer.diverged).tolist() == [2] and len(told) == 6
        results.append((trainer.params, trainer.moments, costs))
    for result in results[1:]:
        for found, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(found, expected)


def interrupt_members_in_threads():
    """A Ctrl-C while two threads train networks, for ever."""
    X = np.random.default_rng(0).standard_normal((2000, 40)).astype("float32")
    y = X[:, 0] > 0
    fleet = Fleet(4, [40, 90, 90, 1], output="sigmoid", seed=0)
    train, pressed = MembersTrainer.train, []

    def pressing(*arguments):
        if not pressed:
            pressed.append(threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)))
            pressed[0].start()
        return train(*arguments)

    MembersTrainer.train = pressing
    with pytest.warns(UserWarning, match="training was interrupted"):
        history = fleet.fit(X, y, epochs=10**9, threads=2)
    assert history.stopped.startswith("interrupted") and np.isfinite(fleet.params).all()
    assert fleet.epochs_trained.any()
    params = fleet.params.copy()
    for thread in threading.enumerate():  # one that has nothing to do any more may still be ending
        if thread is not threading.current_thread():
            thread.join()
    np.testing.assert_array_equal(fleet.params, params)
    fleet.fit(X, y, epochs=1, threads=2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself a Ctrl-C there")
def test_a_ctrl_c_ends_all_threads():
    run_apart(interrupt_members_in_threads)
