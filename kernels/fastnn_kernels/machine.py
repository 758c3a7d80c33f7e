"""What this machine has, and what follows from it for the sizes of blocks: caches, vectors, registers.

Cache sizes come from the system (Linux: sysfs, macOS: sysctl, Windows: none yet) and are those of one core's
level; where nothing is known, small ones are taken, which are right or too small everywhere.
"""

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastnn_kernels.simd import REGISTERS, VECTOR_BYTES

DEFAULTS = {"l1": 32 << 10, "l2": 256 << 10, "l3": 4 << 20}
LEAST_ROWS = 64  # of a chunk: below that the weights are read too often
L3_SHARE = 16  # of the third-level cache, which other cores use too, rows take this part
_SYSFS = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SYSCTL = {"l1": "l1dcachesize", "l2": "l2cachesize", "l3": "l3cachesize"}


@dataclass(frozen=True)
class Machine:
    """Bytes of the caches that one core uses, bytes of a vector, and how many vector registers there are."""

    l1: int
    l2: int
    l3: int
    vector_bytes: int
    registers: int


def bytes_of(text):
    """'2048K' in bytes; 0 for what is no size."""
    text = text.strip()
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1)
    return int(number) * unit if number.isdigit() else 0


def from_sysfs(folder=_SYSFS):
    found = {}
    for index in sorted(folder.glob("index*")):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind in ("Data", "Unified"):
            found[f"l{level}"] = bytes_of(size)
    return found


def _from_sysctl():
    found = {}
    for level, name in _SYSCTL.items():
        for prefix in ("hw.perflevel0.", "hw."):  # the fast cores of an Apple chip first
            command = ["sysctl", "-n", prefix + name]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=5)
            except (OSError, subprocess.SubprocessError):
                return found
            if done.returncode == 0 and bytes_of(done.stdout):
                found[level] = bytes_of(done.stdout)
                break
    return found


@cache
def machine():
    """The Machine that this process runs on."""
    found = _from_sysctl() if sys.platform == "darwin" else from_sysfs()
    sizes = {level: found.get(level) or size for level, size in DEFAULTS.items()}
    sizes["l3"] = max(sizes["l3"] if "l3" in found else sizes["l2"], sizes["l2"])
    return Machine(**sizes, vector_bytes=VECTOR_BYTES, registers=REGISTERS)


def chunk_rows(sizes, itemsize, found=None):
    """Rows that a worker carries through all layers at once, a multiple of 8 of at least 64.

    The largest number whose activations and deltas at the widest layer fill at most half of the second-level
    cache: rows * (n_in + n_out) * itemsize <= l2 / 2. The other half is for its weights. Where they do not
    fit, each chunk brings them in from the third level, in bursts that nothing hides, while rows come from
    there at leisure: then rows may fill a sixteenth of that. 256-1024-1024-16, 256 rows at once instead of
    64, on Zen 3: 7% less time a step, of 1,024 rows 7%; with all 1,024 at once 3%. found: a Machine.
    """
    found = found or machine()
    n_in, n_out = max(zip(sizes, sizes[1:], strict=False), key=sum)
    room = found.l2 // 2
    if n_in * n_out * itemsize > room:
        room = max(room, found.l3 // L3_SHARE)
    return max(room // ((n_in + n_out) * itemsize) // 8 * 8, LEAST_ROWS)
