"""Subnormal numbers as zeros: from here on, in this thread alone, until restored."""

import platform
import threading

import numpy as np
import pytest
from numba import config

from fastnn_kernels._jit import kernel
from fastnn_kernels.modes import control, flush_subnormals, restore

machine = platform.machine().lower()
pytestmark = [
    pytest.mark.skipif(config.DISABLE_JIT, reason="the modes are intrinsics, which only compile"),
    pytest.mark.skipif(
        machine not in ("x86_64", "amd64", "aarch64", "arm64"), reason="no such register known"
    ),
]


@kernel
def mode():
    return control()


@kernel
def products(a, b, inside, outside):
    """a * b with subnormal numbers as zeros, then as they are."""
    before = flush_subnormals()
    for i in range(a.size):
        inside[i] = a[i] * b[i]
    within = control()
    restore(before)
    for i in range(a.size):
        outside[i] = a[i] * b[i]
    return before, within, control()


@kernel
def set_mode(value):
    before = control()
    restore(value)
    return before


@kernel
def flush():
    return flush_subnormals()


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_results_and_operands_that_are_subnormal_are_zeros_inside_only(dtype):
    tiny = np.finfo(dtype).tiny
    a = np.array([tiny, tiny / 4, -tiny / 4, 1.0, 3.0] * 8, dtype)
    b = np.array([0.5, 8.0, 8.0, tiny * 2, 5.0] * 8, dtype)
    inside, outside = np.empty_like(a), np.empty_like(a)
    before, within, after = products(a, b, inside, outside)
    assert before == after == mode() and within != before
    np.testing.assert_array_equal(inside, np.array([0, 0, 0, tiny * 2, 15] * 8, dtype))
    np.testing.assert_array_equal(outside, np.array([tiny / 2, tiny * 2, -tiny * 2, tiny * 2, 15] * 8, dtype))


def test_another_thread_keeps_its_own_mode():
    found, started, asked = [], threading.Event(), threading.Event()

    def other():
        found.append(mode())
        started.set()
        asked.wait(60)
        found.append(mode())

    thread = threading.Thread(target=other)
    thread.start()
    started.wait(60)
    before = flush()
    try:
        asked.set()
        thread.join()
    finally:
        within = set_mode(before)
    assert within != before and found == [before, before] and mode() == before


def test_python_does_not_see_it_after_restoring():
    tiny = np.array([np.finfo(np.float32).tiny], np.float32)
    out = np.empty_like(tiny)
    products(tiny, np.array([0.5], np.float32), out, out.copy())
    assert (tiny / np.float32(4))[0] > 0
