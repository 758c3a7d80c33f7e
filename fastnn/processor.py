"""What this machine's processor is called: its maker's name for it, and its kind in words people know."""

from __future__ import annotations

import platform
import re
from pathlib import Path

# LLVM's names; a name that is not here stands for itself.
KINDS = {
    "znver1": "Zen",
    "znver2": "Zen 2",
    "znver3": "Zen 3",
    "znver4": "Zen 4",
    "znver5": "Zen 5",
    "haswell": "Haswell",
    "broadwell": "Broadwell",
    "skylake": "Skylake",
    "skylake-avx512": "Skylake",
    "cascadelake": "Cascade Lake",
    "cooperlake": "Cooper Lake",
    "icelake-client": "Ice Lake",
    "icelake-server": "Ice Lake",
    "tigerlake": "Tiger Lake",
    "alderlake": "Alder Lake",
    "raptorlake": "Raptor Lake",
    "sapphirerapids": "Sapphire Rapids",
    "emeraldrapids": "Emerald Rapids",
    "graniterapids": "Granite Rapids",
    "neoverse-n1": "Neoverse N1",
    "neoverse-v1": "Neoverse V1",
    "neoverse-v2": "Neoverse V2",
    "apple-m1": "M1",
    "apple-m2": "M2",
    "apple-m3": "M3",
    "apple-m4": "M4",
}


def words(model: str, kind: str) -> str:
    """The name of a processor from its maker's and from LLVM's.

    >>> words("Intel(R) Xeon(R) Processor @ 2.80GHz", "icelake-server")
    'Intel Xeon 2.80GHz (Ice Lake)'
    """
    short = " ".join(
        re.sub(r"\((?:R|TM|C)\)|\bCPU\b|\bProcessor\b|@", " ", model, flags=re.IGNORECASE).split()
    )
    return f"{short or platform.machine()} ({KINDS.get(kind, kind)})"


def processor() -> str:
    """The name of this machine's: two machines that both call themselves "AMD EPYC" may be of two kinds."""
    from llvmlite.binding import get_host_cpu_name  # type: ignore[import-untyped]

    try:
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    return words(names[0] if names else platform.processor(), get_host_cpu_name())
