"""What the inputs of a network's products are rounded to, and what this CPU has for it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastnn_kernels.simd import BFLOAT16_UNITS, DOTS_OF_PAIRS

BFLOAT16 = "bfloat16"
IN_FLOAT32 = (
    "precision='bfloat16' is computed in float32 from rounded numbers here: the results are right, but come "
    "no sooner than without it"
)
_told: set[str] = set()


def precision_of(value: Any, dtype: np.dtype[Any]) -> str:
    """What the option `precision` stands for: 'bfloat16', or the name of `dtype`, for None too."""
    if value is None or (isinstance(value, str) and value == str(dtype)):
        return str(dtype)
    if not isinstance(value, str) or value != BFLOAT16:
        raise ValueError(f"precision={value!r}; give 'bfloat16', or None for that of dtype={str(dtype)!r}")
    if dtype != np.float32:
        raise ValueError(
            f"precision='bfloat16' goes with float32, not {dtype}: give dtype='float32', or X of float32"
        )
    return BFLOAT16


def say_once(stacklevel: int) -> None:
    """Warn, the first time in a process, that bfloat16 buys no speed here, where that is so."""
    if not DOTS_OF_PAIRS and IN_FLOAT32 not in _told:
        _told.add(IN_FLOAT32)
        warnings.warn(IN_FLOAT32, stacklevel=stacklevel + 1)


def about_this_cpu() -> str:
    """A line for `fastnn info`."""
    if DOTS_OF_PAIRS:
        return "products of pairs by AVX512-BF16"
    has = f"this CPU has {' and '.join(BFLOAT16_UNITS)}" if BFLOAT16_UNITS else "none in this CPU"
    return f"{has}; precision='bfloat16' is computed in float32 from rounded numbers"
