"""What the inputs of a network's products are rounded to, and what this CPU has for it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fastnn_kernels.pairs import tiles_permitted
from fastnn_kernels.simd import BFLOAT16_UNITS, DOTS_OF_PAIRS

BFLOAT16 = "bfloat16"
IN_FLOAT32 = (
    "precision='bfloat16' is computed in float32 from rounded numbers here: the results are right, but come "
    "no sooner than without it"
)
# Its pairs come at half the rate of multiply-adds: 1.7 to 1.8 times float32's time on Emerald Rapids.
REFUSED = "precision='bfloat16' takes longer than float32 here: the system does not permit the tiles of AMX"
FEW_WEIGHTS = "precision='bfloat16' gains nothing for a network of {} weights; from about {} on it does"
# Steps on Emerald Rapids with AMX: 0.9 of float32's speed for 4,736 weights and 32 rows, 1.05 for 8,832.
WORTHWHILE = 8192
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


def say_once(sizes: Sequence[int], stacklevel: int) -> None:
    """Warn, the first time in a process, that bfloat16 buys no speed here, or not for such widths."""
    n_weights = sum(n_in * n_out for n_in, n_out in pairwise(sizes))
    if tiles_permitted() or (DOTS_OF_PAIRS and "AMX" not in BFLOAT16_UNITS):
        text = FEW_WEIGHTS if n_weights < WORTHWHILE else None
    else:
        text = REFUSED if DOTS_OF_PAIRS else IN_FLOAT32
    if text is not None and text not in _told:
        _told.add(text)
        warnings.warn(text.format(f"{n_weights:,}", f"{WORTHWHILE:,}"), stacklevel=stacklevel + 1)


def about_this_cpu() -> str:
    """A line for `fastnn info`."""
    if tiles_permitted():
        return "products of tiles by AMX"
    if DOTS_OF_PAIRS:
        refused = "; the system does not permit AMX" if "AMX" in BFLOAT16_UNITS else ""
        return f"products of pairs by AVX512-BF16{refused}"
    has = f"this CPU has {' and '.join(BFLOAT16_UNITS)}" if BFLOAT16_UNITS else "none in this CPU"
    return f"{has}; precision='bfloat16' is computed in float32 from rounded numbers"
