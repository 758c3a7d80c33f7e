"""How much memory a table may take: what this process could still get without swapping or being killed."""

from __future__ import annotations

import re
from pathlib import Path

from fastnn.cli.inputs import InputError

MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def available_bytes() -> float:
    """Of the system, or of the container that this process runs in; infinity where neither says."""
    try:
        free = re.search(r"^MemAvailable: +(\d+) kB", MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        free = None
    return min(int(free[1]) * 1024.0 if free else float("inf"), _left_to_the_container())


def _left_to_the_container() -> float:
    try:
        most, used = ((CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        return max(0.0, float(most) - float(used)) if most != "max" else float("inf")
    except (OSError, ValueError):
        return float("inf")


def require_room(data: str, size: float, free: float) -> None:
    """`size` bytes for the table `data` are no more than are free."""
    if size > free:
        raise InputError(
            f"{data!r} takes {size / 1e9:.3g} GB of memory or more, and {free / 1e9:.3g} GB are free; "
            "give fewer rows or columns of it"
        )
