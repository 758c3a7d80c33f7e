"""What fastnn finds on this machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version

from fastnn.precision import about_this_cpu
from fastnn.processor import processor
from fastnn.threads import available_threads
from fastnn.version import __version__
from fastnn_kernels._cache import cache_folder
from fastnn_kernels.machine import LEAST_ROWS, machine
from fastnn_kernels.panel_tiles import HEIGHTS
from fastnn_kernels.simd import VECTOR_BYTES

PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "scikit-learn")


def facts() -> Iterator[tuple[str, str]]:
    """(name, value) of each."""
    yield "fastnn", __version__
    yield "processor", processor()
    here, kib = machine(), 1 << 10
    yield "vectors", f"{8 * VECTOR_BYTES} bits, {here.registers} registers"
    yield "caches", f"{here.l1 // kib:,}, {here.l2 // kib:,} and {here.l3 // kib:,} KiB"
    yield "bfloat16", about_this_cpu()
    tiles = ", ".join(f"{heights[0]}x{vectors}" for vectors, heights in HEIGHTS.items())
    yield "tiles", f"{tiles} (rows x vectors)"
    yield "chunks", f"as many rows as fill half of the second cache, at least {LEAST_ROWS}"
    yield "threads", f"{available_threads()} of {os.cpu_count()} processors"
    folder = cache_folder()
    if folder is None:
        yield "cache", "none: the kernels are compiled in each process"
    else:
        sizes = [path.stat().st_size for path in folder.glob("*.nbc")]
        yield "cache", f"{folder}: {len(sizes)} kernels, {sum(sizes) / 1e6:.1f} MB"
    yield "Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    for package in PACKAGES:
        yield package, version(package)
