"""What fastnn finds on this machine."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import fastnn
from fastnn.threads import available_threads
from fastnn_kernels.matmul import matmul
from fastnn_kernels.simd import VECTOR_BYTES

PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "scikit-learn")


def processor() -> str:
    """Its name, as the system has it."""
    try:
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    return (names[0] if names else platform.processor()) or platform.machine()


def cache_folder() -> Path | None:
    """Where numba keeps this package's compiled kernels; None where it finds no place."""
    folder = getattr(matmul, "_cache", None) and matmul._cache.cache_path
    return Path(folder) if folder else None


def facts() -> Iterator[tuple[str, str]]:
    """(name, value) of each."""
    yield "fastnn", fastnn.__version__
    yield "processor", processor()
    yield "vectors", f"{8 * VECTOR_BYTES} bits"
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
