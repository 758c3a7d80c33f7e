"""What a compilation means for the person who waits: a word on the screen, and a Ctrl-C that is heard.

A kernel is compiled once on a machine, when a run first needs it. numba spends that time in callbacks in
which Python drops a KeyboardInterrupt, so while it compiles a Ctrl-C is noted, and raised after the kernel or
before the next function of a loop: each takes less than a second.
"""

import contextlib
import logging
import signal
import sys
import threading
import time

LOGGER = logging.getLogger("fastnn")
LOGGER.addHandler(logging.NullHandler())
# About how long what is not on the disk yet takes to compile, from which on it is worth a word.
WORTH_A_WORD = 1.0
_LISTENERS = []
_HEARD = []  # a Ctrl-C that is still to be raised


def listen(listener):
    """Call listener(name, seconds) after each compilation; returns the function that ends this."""
    _LISTENERS.append(listener)
    return lambda: _LISTENERS.remove(listener)


def _interactive():
    """Whether somebody sits in front of a terminal or a notebook, and this is no worker of theirs."""
    processes = sys.modules.get("multiprocessing.process")  # which a worker has loaded
    if processes is not None and processes.current_process().name != "MainProcess":
        return False
    if "ipykernel" in sys.modules:
        return True
    return bool(sys.stderr and sys.stderr.isatty() and (hasattr(sys, "ps1") or sys.stdout.isatty()))


def announce(count, seconds):
    """Say that so many kernels are compiled now, about how long it takes, and that it is once."""
    if seconds < WORTH_A_WORD:
        return
    text = f"compiling {count} kernels for this machine, once: about {seconds:.0f} s"
    LOGGER.info(text)
    if _interactive() and not _LISTENERS:
        print(f"fastnn: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def compiling(name):
    """Around the compilation of one kernel."""
    started = time.perf_counter()
    with uninterrupted():
        yield
    seconds = time.perf_counter() - started
    LOGGER.debug("compiled %s in %.2f s", name, seconds)
    for listener in list(_LISTENERS):
        listener(name, seconds)


@contextlib.contextmanager
def uninterrupted():
    """A Ctrl-C in here is raised at the end; only where Python's own handler is in place."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: _HEARD.append(True))
    try:
        yield
        raise_heard()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _HEARD.clear()


def raise_heard():
    """Where a compilation may end: a Ctrl-C that was noted, in the thread that is to hear it."""
    if _HEARD and threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt
