"""Attacks by signals: kills while a file is saved, Ctrl-Cs and ends at any moment of a training."""

import os
import signal
import time
import warnings
from pathlib import Path

import numpy as np

from attacks.hostile import Found, choose
from fastnn import Network
from processes import network, problem

X, Y = problem(200)


def forked(work):
    """The process id of a copy of this process that does `work` and ends with its result as its status."""
    process = os.fork()
    if process:
        return process
    status = 99
    try:
        warnings.simplefilter("ignore")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        status = work()
    finally:
        os._exit(status)


def attack_saves(random, note):
    """A process that saves in a loop is killed; the file is one of its networks, and the next save sweeps."""
    folder, nets = Path("saves"), [network(seed) for seed in (1, 2)]
    folder.mkdir(exist_ok=True)
    nets[0].save(folder / "a")

    def work():
        while True:
            for net in nets:
                net.save(folder / "a")

    delay = random.uniform(0, 0.03)
    note(f"a kill after {delay:.4f} s of saves")
    process = forked(work)
    time.sleep(delay)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    found = Network.load(folder / "a").params.tobytes()
    if found not in [net.params.tobytes() for net in nets]:
        raise Found("the file is of neither network")
    if len(left := os.listdir(folder)) > 2:
        raise Found(f"more is left than one temporary: {left}")
    nets[0].save(folder / "a")
    if (left := os.listdir(folder)) != ["a"]:
        raise Found(f"not swept: {left}")
    return "done"


def attack_interrupts(random, note):
    """Volleys of Ctrl-C within a training: it ends, and the network is whole and trains on."""
    network().fit(X, Y, epochs=1, threads=1, validation_data=(X, Y))
    threads, pauses = int(random.integers(1, 3)), random.uniform(0, 0.02, int(random.integers(1, 5)))
    note(f"Ctrl-C with {threads} threads, pauses {pauses.round(4).tolist()}")
    ready, tell = os.pipe()

    def work():
        net = network()
        os.write(tell, b"x")
        try:
            try:
                net.fit(X, Y, epochs=10**7, batch_size=16, threads=threads, validation_data=(X, Y))
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        except KeyboardInterrupt:
            pass
        if not np.isfinite(net.params).all():
            return 1
        net.fit(X, Y, epochs=1, threads=threads)
        return 0 if np.isfinite(net.predict(X)).all() else 2

    process = forked(work)
    os.read(ready, 1)
    os.close(ready), os.close(tell)
    deadline, status = time.monotonic() + 60, None
    for pause in (*pauses, *[0.2] * 300):
        time.sleep(pause)
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            break
        os.kill(process, signal.SIGINT)
        if time.monotonic() > deadline:
            break
    else:
        ended = 0
    if not ended:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise Found("a training that does not end")
    # A Ctrl-C before or after the training ends the process in Python's own way.
    if status not in (0, 99 << 8):
        raise Found(f"ended with {status}")
    return "done" if status == 0 else "refused"


def attack_ends(random, note):
    """SIGTERM or SIGKILL within a training with checkpoints: it ends by the signal, the last one is whole."""
    network().fit(X, Y, epochs=1, threads=1)
    how, delay = choose(random, (signal.SIGTERM, signal.SIGKILL)), random.uniform(0, 0.1)
    note(f"{how.name} after {delay:.4f} s")
    path = Path("run")
    path.unlink(missing_ok=True)
    process = forked(lambda: bool(network().fit(X, Y, epochs=10**7, threads=1, checkpoint=path)))
    time.sleep(delay)
    os.kill(process, how)
    _, status = os.waitpid(process, 0)
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != how:
        raise Found(f"ended with {status}, not by {how.name}")
    if not path.exists():
        return "refused"
    history = network().fit(X, Y, epochs=Network.load(path).epochs_trained + 1, threads=1, resume=path)
    if history.stopped:
        raise Found(f"the run does not go on: {history.stopped}")
    return "done"
