"""How many threads a run takes: those that pay by the clock, and no greenlets."""

import subprocess
import sys

import pytest
from numba import config

from fastnn.threads import RETRY_SLICES, Pace


def test_a_team_that_is_slower_than_one_thread_gives_way():
    pace = Pace(4, fixed=False)
    assert pace.undecided and pace.next() == 4
    pace.note(4, 9.0)
    assert pace.undecided and pace.next() == 1
    pace.note(1, 1.0)
    assert pace.undecided and pace.next() == 4
    pace.note(4, 7.0)
    chosen = []
    for _ in range(2 * RETRY_SLICES):
        chosen.append(pace.next())
        pace.note(chosen[-1], {4: 0.5, 1: 1.0}[chosen[-1]])  # by now the cores are free again
    first = chosen.index(4)  # found out when it was tried again
    assert set(chosen[:first]) == {1} and first == RETRY_SLICES - 4
    assert (
        chosen[first + 1 : first + RETRY_SLICES] == [4] * (RETRY_SLICES - 1) and chosen.count(1) == first + 1
    )


def test_what_a_team_does_first_does_not_count():
    pace = Pace(2, fixed=False)
    for seconds in (9.0, 1.0, 0.6):
        pace.note(pace.next(), seconds)
    assert not pace.undecided and pace.next() == 2


@pytest.mark.parametrize("workers, fixed", ((1, False), (3, True)))
def test_what_was_asked_for_is_not_tried_out(workers, fixed):
    pace = Pace(workers, fixed)
    for seconds in (9.0, 1.0, 5.0):
        assert pace.next() == workers
        pace.note(workers, seconds)
    assert not pace.undecided


@pytest.mark.slow
@pytest.mark.skipif(config.DISABLE_JIT, reason="matrix products exist as machine code only")
def test_no_greenlet_stands_where_a_worker_should():
    code = """
import _thread
start = _thread.start_new_thread
_thread.start_new_thread = lambda *call: start(*call)  # as gevent's monkey-patching replaces it
import numpy as np
from fastnn import Network
from fastnn.threads import REAL_THREADS, available_threads

X = np.random.default_rng(0).standard_normal((600, 5)).astype(np.float32)
threads = []
net = Network([5, 24, 1], seed=0)
net.fit(X, X[:, :1], epochs=2, threads=2, callbacks=[lambda run: threads.append(run.threads)])
net.predict(X)
print(REAL_THREADS, available_threads(), set(threads))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False 1 {1}\n", "")
