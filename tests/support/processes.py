"""Test code in a process of its own: there a deadlock, a crash or a signal fails one test, and readably."""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from fastnn import Network

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
START = """
import faulthandler, sys
faulthandler.dump_traceback_later({timeout}, exit=True)
sys.path[:0] = {path!r}
{before}
from {module} import {name}
from luck import seeded
seeded("{name}")
{name}({first}*{arguments!r})
"""


MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
ranks = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason="there is no MPI here"
)


def code_of(function, arguments, timeout, before="", first=""):
    """A program that calls a function of a test module, and says where it is if that takes too long."""
    return START.format(timeout=timeout, path=[str(Path(__file__).parent), *sys.path],
                        module=function.__module__, name=function.__name__, arguments=arguments,
                        before=before, first=first)  # fmt: skip


def run_apart(function, *arguments, timeout=120):
    """Run a function of a test module in a new interpreter; a failure, or a hang, shows its output."""
    code = code_of(function, arguments, timeout)
    status, text = ended([sys.executable, "-W", "error", "-c", code], timeout)
    if status != 0:
        pytest.fail(f"{function.__name__}{arguments} ended with {status}\n{text[-6000:]}", pytrace=False)
    return text


def run_on_ranks(n_ranks, function, *arguments, timeout=120, fails=False):
    """Run function(comm, ...) in so many processes of MPI; what they wrote. fails: they are to, in time."""
    code = code_of(function, arguments, timeout, "from mpi4py import MPI", "MPI.COMM_WORLD, ")
    program = [sys.executable, "-W", "error", "-m", "mpi4py", "-c", code]
    status, text = ended([MPIEXEC, "-n", str(n_ranks), *program], timeout)
    if status == "a hang" or (status != 0) != fails:
        called = f"{function.__name__}{arguments} on {n_ranks} ranks"
        pytest.fail(f"{called} ended with {status}\n{text[-6000:]}", pytrace=False)
    return text


def ended(command, timeout):
    """Run a command; its status, or 'a hang', and all that it wrote."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(timeout + 20)
        except subprocess.TimeoutExpired:
            status = "a hang"
        if status != 0:
            if hasattr(os, "killpg"):
                try:
                    os.killpg(process.pid, signal.SIGKILL)  # its own children too
                except ProcessLookupError:
                    pass
            process.kill()
            process.wait()
        output.seek(0)
        return status, output.read().decode(errors="replace")


def problem(n_samples=600, n_in=5, seed=0):
    """Two classes that a small network learns."""
    X = np.random.default_rng(seed).standard_normal((n_samples, n_in)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.float32)


def network(seed=1):
    return Network([5, 24, 12, 1], activation="tanh", output="sigmoid", dropout=0.1, seed=seed)


def digest(seed=1, threads=1, epochs=3):
    """What the parameters of a small training come to."""
    net = network(seed)
    net.fit(*problem(seed=seed), epochs=epochs, batch_size=64, threads=threads)
    return hashlib.sha256(net.params.tobytes() + net.predict(problem()[0]).tobytes()).hexdigest()
