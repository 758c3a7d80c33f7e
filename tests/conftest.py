"""Fixtures of all rooms, and what is left out where kernels are interpreted."""

import hypothesis
import numpy as np
import pytest
from numba import config
from threadpoolctl import threadpool_limits

from fastnn.precision import about_this_cpu
from luck import seeded

# The same examples in every run, however long a busy machine takes for one.
hypothesis.settings.register_profile("same", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("same")


def pytest_report_header():
    """Which products of bfloat16 are tested here."""
    return f"bfloat16: {about_this_cpu()}"


# Matrix products exist as machine code only: without a compiler nothing above them can be tested.
collect_ignore_glob = (
    ["training/*", "estimators/*", "tabular/*", "course/*", "cli/*"] if config.DISABLE_JIT else []
)


@pytest.fixture(autouse=True)
def no_luck(request):
    """A test draws the same numbers alone, after others and in another process."""
    seeded(request.node.nodeid)


@pytest.fixture(autouse=True)
def no_interrupt_before(monkeypatch):
    """A second Ctrl-C within a second is another thing than the first one, also of another test."""
    if not config.DISABLE_JIT:
        monkeypatch.setattr("fastnn.epochs.Epochs.last_interrupt", -np.inf)


@pytest.fixture(autouse=True, scope="session")
def one_blas_thread():
    """NumPy's products are small here: on a busy machine BLAS's threads would wait for each other."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def quiet():
    """Interpreted kernels and twins may warn of the NaN, overflow and underflow that they are given."""
    with np.errstate(all="ignore"):
        yield
