"""Ctrl-C: fit ends soon, with a warning, whole steps and a whole history, wherever the signal hits."""

import _thread
import functools
import linecache
import os
import random
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from fastnn import Adam, Network, epochs, model, run, training
from fastnn import threads as team
from fastnn import trainer as trainers
from processes import network, problem, run_apart

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself a Ctrl-C there")
slow = functools.partial(pytest.param, marks=pytest.mark.slow)
LISTS = "cost", "val_cost", "val_score", "lr", "seconds"


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def interrupted_fit(net, X, Y, **options):
    """The history of a run that ends by a Ctrl-C, and is whole."""
    epochs.Epochs.last_interrupt = -np.inf  # not soon after another one
    with pytest.warns(UserWarning, match="training was interrupted .* are kept"):
        history = net.fit(X, Y, **options)
    assert_whole(history, "validation_data" in options)
    assert history.stopped.startswith("interrupted "), history.stopped
    return history


def assert_whole(history, validated):
    lengths = [len(getattr(history, name)) for name in LISTS if validated or "val" not in name]
    assert len(set(lengths)) == 1, lengths


def assert_trains_on(net, X, Y, **options):
    before = net.params.copy()
    assert np.isfinite(before).all()
    history = net.fit(X, Y, epochs=2, **options)
    assert history.stopped is None and len(history) == 2
    assert np.isfinite(net.params).all() and not np.array_equal(net.params, before)


class Begun(threading.Event):
    """What `Trainer.train` does, with a word to a waiting thread when it begins."""

    def __init__(self):
        super().__init__()
        self.train = trainers.Trainer.train
        trainers.Trainer.train = lambda trainer, *call: self(trainer, *call)

    def __call__(self, trainer, *call):
        self.trainer = trainer
        self.set()
        return self.train(trainer, *call)


def interrupt_a_long_epoch(sizes, n_samples, batch_size, threads, after):
    """The parameters are bit by bit those of the steps that the history speaks of."""
    X = np.random.default_rng(0).standard_normal((n_samples, sizes[0]), dtype=np.float32)
    Y = (X[:, 0] * X[:, -1] > 0).astype(np.float32)
    options = {"batch_size": batch_size, "shuffle": False, "optimizer": Adam(1e-4), "threads": threads}
    nets = [Network(sizes, activation="tanh", output="sigmoid", dropout=0.1, seed=1) for _ in range(2)]
    Network(sizes, output="sigmoid", seed=1).fit(X[:64], Y[:64], **options)  # compiled
    begun = Begun()

    def press():
        begun.wait()
        time.sleep(after)
        interrupt()

    thread = threading.Thread(target=press)
    thread.start()
    history = interrupted_fit(nets[0], X, Y, epochs=1, **options)
    thread.join()
    batches = int(history.stopped.split()[-2])
    assert len(history) == 0
    assert 0 < batches == begun.trainer.steps_done < -(-n_samples // batch_size), history.stopped
    assert not np.array_equal(nets[0].params, Network(sizes, activation="tanh", seed=1).params)
    done = slice(batches * batch_size)
    nets[1].fit(X[done], Y[done], epochs=1, **options)
    assert nets[0].params.tobytes() == nets[1].params.tobytes()
    assert_trains_on(nets[0], X[:640], Y[:640], **options)


@pytest.mark.parametrize(
    ("sizes", "n_samples", "batch_size", "threads", "after"),
    (
        ([30, 128, 1], 1_000_000, 8, 1, 0.1),
        slow([30, 128, 1], 1_000_000, 8, 2, 0.1),
        slow([30, 128, 1], 200_000, 32, 8, 0.1),
        slow([2, 4, 1], 3_000_000, 1, 1, 0.01),  # in the very first slice, of which nothing is known yet
        slow([2, 4, 1], 3_000_000, 1, 2, 0.01),
        slow([784, 512, 256, 1], 40_000, 128, 2, 0.05),
    ),
)
def test_ctrl_c_in_a_long_epoch(sizes, n_samples, batch_size, threads, after):
    run_apart(interrupt_a_long_epoch, sizes, n_samples, batch_size, threads, after)


@pytest.mark.parametrize("threads", (1, 2))
def test_ctrl_c_in_a_callback(threads):
    net, (X, Y) = network(), problem()
    options = {"batch_size": 32, "validation_data": problem(seed=1), "threads": threads}
    history = interrupted_fit(net, X, Y, epochs=9, **options,
                              callbacks=[lambda run: interrupt() if run.epoch == 3 else None])  # fmt: skip
    assert history.stopped == "interrupted after epoch 3" and len(history) == 3 == net.epochs_trained
    other = network()
    other.fit(X, Y, epochs=3, **options)
    assert net.params.tobytes() == other.params.tobytes()
    assert_trains_on(net, X, Y, **options)


@pytest.mark.parametrize("epoch", (1, 2))
def test_ctrl_c_in_the_validation(epoch, monkeypatch):
    """The epoch is trained, but has no entry: its validation cost is not known."""
    calls, cost_and_score = [], model.cost_and_score

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == epoch:
            interrupt()
        return cost_and_score(*arguments)

    monkeypatch.setattr(model, "cost_and_score", interrupted)
    net, (X, Y) = network(), problem()
    history = interrupted_fit(net, X, Y, epochs=5, validation_data=(X, Y), threads=2)
    assert history.stopped == f"interrupted after epoch {epoch}" and len(history) == epoch - 1
    assert net.epochs_trained == epoch


def test_ctrl_c_keeps_the_best_parameters_where_early_stopping_would():
    net, (X, Y) = network(), problem()
    after = []

    def callback(run):
        after.append(run.network.params.copy())
        if run.epoch == 4:
            interrupt()

    with pytest.warns(
        UserWarning, match="interrupted after epoch 4; the parameters of the best epoch are kept"
    ):
        history = net.fit(X, Y, epochs=9, early_stopping=9, optimizer=Adam(0.5), callbacks=[callback])
    assert np.array_equal(net.params, after[np.argmin(history.cost)])


def test_partial_fit_goes_on_after_ctrl_c():
    net, (X, Y) = network(), problem()
    net.partial_fit(X, Y)
    with pytest.warns(UserWarning, match="interrupted after epoch 2"):
        net.partial_fit(X, Y, callbacks=[lambda run: interrupt()])
    before = net.params.copy()
    history = net.partial_fit(X, Y)
    assert history.stopped is None and len(history) == 3 and not np.array_equal(net.params, before)


def interrupt_every_line(threads):
    """KeyboardInterrupt at each line that a fit executes in turn: here the signal cannot miss a gap."""
    X, Y = problem(96)
    options = {"batch_size": 32, "validation_data": (X, Y), "early_stopping": 5, "threads": threads}
    files = {module.__file__ for module in (training, run, epochs, trainers, team)}
    network().fit(X, Y, **options)
    target, line = 0, 0

    def trace(frame, event, _):
        nonlocal line
        if frame.f_code.co_filename not in files:
            return None
        nothing = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() == "try:"
        if event == "line" and not nothing:  # CPython does not look for signals there
            line += 1
            if line == target:
                raise KeyboardInterrupt
        return trace

    caught = outside = 0
    while True:
        net, target, line = network(), target + 1, 0
        epochs.Epochs.last_interrupt = -np.inf
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            sys.settrace(trace)
            try:
                history = net.fit(X, Y, epochs=2, **options)
            except KeyboardInterrupt:
                outside += 1
                history = None
            finally:
                sys.settrace(None)
        if history is not None:
            assert_whole(history, True)
            if not seen:
                assert history.stopped is None and line < target, (target, line)
                break
            caught += 1
            assert "interrupted" in str(seen[0].message) and history.stopped.startswith("interrupted")
        assert no_thread_is_left(), target
        assert np.isfinite(net.params).all(), target
        if target % 10 == 0:
            assert_trains_on(net, X, Y, **options)
    print(f"{threads} threads: {caught} inside, {outside} before or after, {target - 1} lines")
    assert caught > 100 and outside < caught


def no_thread_is_left():
    """One that was interrupted at its very start is not waited for, but ends by itself."""
    for _ in range(1000):
        if _thread._count() == 0:
            return True
        time.sleep(0.002)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("threads", (1, 3))
def test_an_interrupt_at_every_line(threads):
    print(run_apart(interrupt_every_line, threads))


def interrupt_at_random(number):
    """Short steps with two threads, and a real signal at any moment of them."""
    X, Y = problem(320)
    network().fit(X, Y, threads=2, validation_data=(X, Y))
    outside = 0
    for seed in range(number):
        epochs.Epochs.last_interrupt = -np.inf
        net, delay, done = network(), random.Random(seed).uniform(0, 0.03), threading.Event()

        def press(delay=delay, done=done):
            while not done.wait(delay):
                interrupt()
                delay = 1.0  # once more if Python dropped it: in a destructor, say

        thread = threading.Thread(target=press)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                thread.start()
                history = net.fit(X, Y, epochs=10**6, batch_size=16, threads=2, validation_data=(X, Y))
                done.set()
            assert_whole(history, True)
            assert history.stopped.startswith("interrupted "), history.stopped
        except KeyboardInterrupt:  # before or after the training itself
            outside += 1
        done.set()
        thread.join()
        assert_trains_on(net, X, Y, threads=2)
    print(outside, "of", number, "outside of the training")


@pytest.mark.slow
def test_fifty_random_moments():
    print(run_apart(interrupt_at_random, 50))
