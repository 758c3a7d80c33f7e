"""What all reports share: a line about the machine, and how a section gets into README.md."""

import datetime
import platform
from pathlib import Path

import llvmlite
import numba
import numpy as np

from fastnn.cli.info import processor
from fastnn_kernels.simd import VECTOR_BYTES

README = Path(__file__).parents[1] / "README.md"


def machine():
    """One line about what the figures were measured on."""
    return (
        f"Measured on {datetime.date.today()}: {processor()}, {8 * VECTOR_BYTES}-bit vectors; "
        f"Python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}, "
        f"llvmlite {llvmlite.__version__}."
    )


def write_readme(section, text):
    """Replace the section between its two marks in README.md."""
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, rest = README.read_text().split(begin)
    README.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
