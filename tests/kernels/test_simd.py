"""Vectors are as wide as the processor that numba compiles for has them, and multiply and add at once."""

import os
import platform
import re
import subprocess
import sys

import numpy as np
import pytest
from numba import config
from test_matmul import whole_machine_code

from fastnn_kernels.matmul import TILE_ROWS, TILE_VECTORS, matmul, scratch_size
from fastnn_kernels.simd import VECTOR_BYTES

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="the tiles are intrinsics, which only compile")
x86 = pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names x86 processors")

EQUIVALENCE = """
import numpy as np
from fastnn_kernels.matmul import matmul, matmul_bt, scratch_size, transpose
from fastnn_kernels.simd import VECTOR_BYTES

random = np.random.default_rng(1)
for dtype in (np.float32, np.float64):
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    for m, k, n in ((1, 1, 1), (9, 5, 1), (13, 7, lanes - 1), (8, 9, 3 * lanes), (5, 300, 7 * lanes + 1)):
        # Small whole numbers: the products are exact in any order.
        A, B = (random.integers(-8, 8, shape).astype(dtype) for shape in ((m, k), (k, n)))
        scratch = np.full(scratch_size(m, k, n, A.itemsize), np.nan, dtype)
        transposed = np.full((n, k), np.nan, dtype)
        transpose(B, transposed)
        C = np.full((2, m, n), np.nan, dtype)
        matmul(A, B, C[0], scratch)
        matmul_bt(A, transposed, C[1], scratch)
        assert (transposed == B.T).all() and (C == A @ B).all(), (dtype, m, k, n)
print(VECTOR_BYTES)
"""


@pytest.mark.slow
@x86
@pytest.mark.parametrize(
    "target, expected",
    (
        ({"NUMBA_CPU_NAME": "haswell"}, 32),
        ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, 16),
    ),
    ids=("haswell", "generic"),
)
def test_vectors_are_as_wide_as_the_target_has_them(target, expected, tmp_path):
    if expected == 32 and VECTOR_BYTES == 16:
        pytest.skip("this machine cannot run AVX2 code")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path)} | target
    command = [sys.executable, "-W", "error", "-c", EQUIVALENCE]
    child = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert int(child.stdout) == expected


def test_a_width_is_one_that_processors_have():
    assert VECTOR_BYTES in (16, 32, 64)


@pytest.mark.slow
@x86
@pytest.mark.parametrize("dtype, suffix", ((np.float32, "ps"), (np.float64, "pd")))
def test_the_tile_is_made_of_vector_fused_multiply_adds(dtype, suffix):
    if VECTOR_BYTES == 16:
        pytest.skip("this processor has no fused multiply-add")
    A, scratch = np.ones((4, 4), dtype), np.empty(scratch_size(4, 4, 4, np.dtype(dtype).itemsize), dtype)
    code = whole_machine_code(matmul, A, A, A.copy(), scratch)
    size, register = np.dtype(dtype).itemsize, {64: "zmm", 32: "ymm"}[VECTOR_BYTES]
    name = f"fastnn_product_tile_{size}_{TILE_ROWS}x{TILE_VECTORS}:"
    (tile,) = (part for part in re.split(r"\n(?=\w+:)", code) if part.startswith(name))
    multiply_adds = re.findall(rf"\bvfmadd\d+{suffix}[^\n]*%{register}", tile)
    assert len(multiply_adds) >= TILE_ROWS * TILE_VECTORS
    assert not re.search(r"\bv?mul[ps][sd]|\bvfn?m\w+s[sd]|\bcall", tile)
