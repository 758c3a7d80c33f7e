"""Several at once: threads, forked and spawned workers, joblib; always the very numbers of one alone."""

import _thread
import functools
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest

from fastnn import threads as team
from fastnn.threads import Abandoned, available_threads
from fastnn.trainer import Engine
from processes import digest, forks, network, problem, run_apart

pytestmark = pytest.mark.slow

SEEDS = range(4)


def in_user_threads():
    """Fits and predictions of different networks at once, each with a team of its own."""
    alone = [digest(seed, epochs=8) for seed in range(4)]
    for number, threads in ((2, 2), (4, 1), (3, 3)):
        for _ in range(3):
            with ThreadPoolExecutor(number) as pool:
                each = pool.map(functools.partial(digest, threads=threads, epochs=8), range(number))
                assert list(each) == alone[:number]


def test_user_threads_train_different_networks():
    run_apart(in_user_threads)


def predict_in_user_threads():
    """One network for all; another one is trained meanwhile."""
    X, Y = problem(3000)
    net, other = network(), network(2)
    net.fit(X, Y, epochs=1, threads=1)
    wanted, done = net.predict(X), threading.Event()

    def train():
        while not done.is_set():
            other.fit(X, Y, epochs=2, threads=2)

    trainer = threading.Thread(target=train)
    trainer.start()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(net.predict, [X] * 200))
    done.set()
    trainer.join()
    assert all(np.array_equal(result, wanted) for result in results)


def test_one_network_predicts_in_many_threads():
    run_apart(predict_in_user_threads)


def fit_in_processes(method, before):
    """A pool of processes, before or after a training with two threads here."""
    wanted = [digest(seed, before) for seed in SEEDS] if before else None
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.starmap(digest, [(seed, threads) for threads in (1, 2) for seed in SEEDS])
    wanted = wanted or [digest(seed) for seed in SEEDS]
    assert results == wanted * 2


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.parametrize("before", (0, 2))
def test_processes(method, before):
    run_apart(fit_in_processes, method, before)


def fork_while_training(number):
    """Forks of a process one of whose threads is in the middle of a training."""
    wanted, done = digest(7, 2), threading.Event()

    def train():
        while not done.is_set():
            digest(1, 2)

    trainer = threading.Thread(target=train)
    trainer.start()
    for _ in range(number):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, since Python 3.12
            child = os.fork()
        if not child:
            os._exit(0 if digest(7, 2) == wanted else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    done.set()
    trainer.join()


@forks
def test_forks_in_the_middle_of_a_training():
    run_apart(fork_while_training, 20)


def no_thread_stays():
    """After a fit there is nothing that a fork could miss."""
    X, Y = problem()
    network().fit(X, Y, threads=2, validation_data=(X, Y), early_stopping=3)
    assert _thread._count() == 0 and threading.active_count() == 1


def test_no_thread_is_left_behind():
    run_apart(no_thread_stays)


def limit_and_training():
    """What a worker of joblib may use, and a small training with it."""
    return available_threads(), digest(3, available_threads())


def fit_under_joblib(backend, n_jobs, inner):
    wanted = [digest(seed) for seed in SEEDS]
    options = {"inner_max_num_threads": inner} if inner else {}
    with joblib.parallel_config(backend=backend, n_jobs=n_jobs, **options):
        results = joblib.Parallel()(joblib.delayed(digest)(seed, t) for t in (1, 2) for seed in SEEDS)
        limits = joblib.Parallel()(joblib.delayed(limit_and_training)() for _ in range(4))
    assert results == wanted * 2
    assert {text for _, text in limits} == {digest(3)}
    counts = {count for count, _ in limits}
    share = max(1, joblib.cpu_count() // n_jobs)  # which joblib lets the worker know, but not threads
    most = {"loky": inner or share, "multiprocessing": 1, "threading": joblib.cpu_count()}
    assert max(counts) <= most[backend], counts
    assert available_threads() == joblib.cpu_count()


@pytest.mark.parametrize(
    ("backend", "n_jobs", "inner"),
    (("loky", 2, None), ("loky", 2, 1), ("multiprocessing", 2, None), ("threading", 2, None)),
)
def test_joblib(backend, n_jobs, inner):
    run_apart(fit_under_joblib, backend, n_jobs, inner)


def restricted_to_one():
    everything = os.sched_getaffinity(0)
    assert available_threads() == len(everything)
    os.sched_setaffinity(0, {min(everything)})
    assert available_threads() == 1
    X, Y = problem()
    runs = []
    network().fit(X, Y, batch_size=512, epochs=1, callbacks=[lambda run: runs.append(run.threads)])
    assert runs == [1]
    assert digest(1, 4) == digest(1, 1)  # four on one processor, if that is what one asks for


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_is_respected():
    run_apart(restricted_to_one)


@pytest.mark.parametrize("variable", ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"))
def test_the_usual_variables_are_respected(variable):
    code = "from fastnn.threads import available_threads; print(available_threads())"
    result = subprocess.run([sys.executable, "-c", code], env={**os.environ, variable: "1"},
                            capture_output=True, text=True, timeout=60)  # fmt: skip
    assert result.stdout.split() == ["1"], result.stderr


def more_threads_than_processors():
    wanted = digest(1, 1)
    for threads in (3, 8, 8, 16):
        started = time.perf_counter()
        assert digest(1, threads) == wanted, threads
        print(threads, "threads:", time.perf_counter() - started, "s")


def test_more_threads_than_processors():
    print(run_apart(more_threads_than_processors))


def every_failure():
    """A worker that fails, or cannot be started, ends the fit with an error, not the program in a wait."""
    for which, threads in ((0, 2), (1, 2), (1, 4), (3, 4)):
        failing(which, threads)


def failing(which, threads):
    X, Y = problem()
    net = network()
    net.fit(X, Y, threads=threads)
    before, calls, enter, start = net.params.copy(), [], Engine.enter, team.start_new_thread

    def failing_enter(engine, worker):
        if worker == which and engine.plan.workers > 1:
            raise MemoryError("no room")
        return enter(engine, worker)

    def failing_start(*call):
        calls.append(call)
        if len(calls) >= which:
            raise RuntimeError("can't start new thread")
        return start(*call)

    def attempt(error, words):
        try:
            net.fit(X, Y, threads=threads)
        except error as caught:
            assert words in str(caught), caught
        else:
            raise AssertionError("there was no error")
        assert np.array_equal(net.params, before) and net.epochs_trained == 10

    Engine.enter = failing_enter
    attempt(MemoryError if which == 0 else Abandoned, "no room")
    Engine.enter = enter
    if which:
        team.start_new_thread = failing_start
        attempt(Abandoned, "a thread could not be started (can't start new thread): use threads=1")
        assert len(calls) == which
        team.start_new_thread = start
    other = network()
    for _ in range(2):
        other.fit(X, Y, threads=1)
    net.fit(X, Y, threads=threads)
    assert np.array_equal(net.params, other.params)


def test_a_worker_that_fails():
    run_apart(every_failure)
