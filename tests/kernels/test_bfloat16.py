"""Rounding to the 8 significant bits of a bfloat16: the nearest number, of two the even one; and products."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numba import config

from cases import DTYPES, normal
from fastnn.reference_training import bfloat16
from fastnn_kernels.panel_tiles import PANELS_OF_BFLOAT16
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import addresses, compiled, lanes

leaves = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
both = pytest.mark.parametrize("dtype", DTYPES)
edges = pytest.mark.parametrize("edge", EDGES)
# A number, and what it becomes: 1 + 1/128 is the next after 1.
STEP = 1 / 128
ROUNDED = {
    0.0: 0.0,
    1.0: 1.0,
    1 + STEP: 1 + STEP,
    1 + STEP / 2: 1.0,  # a tie, to the even one below
    1 + 3 * STEP / 2: 1 + 2 * STEP,  # a tie, to the even one above
    1 + STEP / 2 + 2**-20: 1 + STEP,
    1 + STEP / 2 - 2**-20: 1.0,
    2 - 2**-20: 2.0,
    257.0: 256.0,
    225.6 * 2.0**120: 226 * 2.0**120,
}


def rounded(values, edge="end"):
    """By the compiled kernel."""
    result = guarded(np.full_like(values, np.nan), edge)
    call = compiled("round_values", values.dtype.name)
    call(guarded(values, edge), values.size, result)
    same = guarded(values, edge)
    call(same, values.size, same)
    np.testing.assert_array_equal(same, result)
    return result


@leaves
@both
def test_known_numbers(dtype):
    given, expected = (np.array(x, dtype) for x in (list(ROUNDED), list(ROUNDED.values())))
    for sign in (1, -1):
        np.testing.assert_array_equal(rounded(sign * given), sign * expected)
        np.testing.assert_array_equal(bfloat16(sign * given), sign * expected)
    assert np.signbit(rounded(np.array([-0.0], dtype))).all()


@leaves
def test_what_is_not_finite_and_what_is_too_large():
    given = np.array(
        [np.inf, -np.inf, np.nan, np.finfo(np.float32).max, -np.finfo(np.float32).max], np.float32
    )
    given = np.append(given, np.array([0x7FFFFFFF, 0xFFC00001, 0x7F800001], np.uint32).view(np.float32))
    expected = np.array([np.inf, -np.inf, np.nan, np.inf, -np.inf, *[np.nan] * 3])
    np.testing.assert_array_equal(rounded(given), expected)


@leaves
def test_every_number_of_bfloat16_stays_and_every_tie_goes_to_the_even_one():
    words = np.arange(1 << 16, dtype=np.uint32)
    words = words[words & 0x7F80 != 0x7F80]  # finite ones
    numbers = (words << 16).view(np.float32)
    np.testing.assert_array_equal(rounded(numbers).view(np.uint32), words << 16)
    ties = (words << 16 | 0x8000).view(np.float32)
    np.testing.assert_array_equal(rounded(ties).view(np.uint32), (words + (words & 1)) << 16)


@leaves
@both
@edges
def test_against_numpy(dtype, edge):
    for size in (1, 3, lanes(dtype), lanes(dtype) + 1, 5 * lanes(dtype) - 1):
        given = normal(dtype, size, "bfloat16") * dtype(10) ** np.arange(size, dtype=dtype)
        np.testing.assert_array_equal(rounded(given, edge), bfloat16(given))


@leaves
@both
@edges
def test_strips_of_rows(dtype, edge):
    call = compiled("round_strip", np.dtype(dtype).name)
    for n in (1, lanes(dtype), lanes(dtype) + 3):
        A, width = guarded(normal(dtype, (11, n + 3), "A"), edge), -(-n // lanes(dtype)) * lanes(dtype)
        chosen = [10, 3, 3, 0, 10]
        to = guarded(np.full((5, width), np.nan, dtype), edge)
        call(guarded(addresses(A)[chosen], edge), 3, n, 5, to, width)
        np.testing.assert_array_equal(to[:, :n], bfloat16(A[chosen, 3:]))
        assert not to[:, n:].any()


# Products


def leaf_of(kind, n_vectors):
    """A leaf that takes numbers of bfloat16, two at once where this CPU does that."""
    return compiled(getattr(PANELS_OF_BFLOAT16, kind)[n_vectors].__name__, "float32")


def numbers(*shape):
    return bfloat16(normal(np.float32, shape, "bfloat16"))


@leaves
@edges
@pytest.mark.parametrize("n_vectors", (1, 2, 3))
@pytest.mark.parametrize("k", (1, 2, 7, 33))
@pytest.mark.parametrize("m", (1, 7, 13))
def test_products_of_panels(m, k, n_vectors, edge):
    width = n_vectors * lanes(np.float32)
    A, B, start, D = numbers(m, k), numbers(k, width), normal(np.float32, width), numbers(k, width)
    own, given, b = guarded(A, edge), guarded(B, edge), guarded(start, edge)
    rows, size = guarded(addresses(own), edge), 1 + abs(A).astype(float) @ abs(B)
    exact = A.astype(float) @ B

    def check(found, expected):
        assert (abs(found - expected) / size).max() < 1e-6

    Z = guarded(np.full((m, width), np.nan, np.float32), edge)
    leaf_of("forward", n_vectors)(rows, m, k, given, b, Z, width, 0.5)
    check(Z, np.where(exact + start > 0, 1, 0.5) * (exact + start))
    whole, Z[:] = Z.copy(), np.nan
    leaf_of("in_place", n_vectors)(rows, m, k, given, width, width - 3, b, Z, width, 0.5)
    np.testing.assert_array_equal(Z[:, :-3], whole[:, :-3])
    assert np.isnan(Z[:, -3:]).all()
    saved = guarded(normal(np.float32, (m, width), "A"), edge)
    leaf_of("backward", n_vectors)(rows, m, k, given, saved, width, Z, width, 0.5)
    check(Z, np.where(saved > 0, 1, 0.5) * exact)
    turned, G = (
        guarded(np.ascontiguousarray(A.T), edge),
        guarded(np.full((m, width), np.nan, np.float32), edge),
    )
    rows, d = guarded(addresses(turned), edge), guarded(D, edge)
    leaf_of("gradient", n_vectors)(rows, 0, m, k, d, width, G, d, d, d)
    size = 1 + abs(A).astype(float) @ abs(D)
    check(G, A.astype(float) @ D)


@leaves
def test_a_row_does_not_depend_on_the_tile_that_computes_it():
    A, B, start = (
        numbers(13, 29),
        numbers(29, 3 * lanes(np.float32)),
        normal(np.float32, 3 * lanes(np.float32)),
    )
    call, found = leaf_of("forward", 3), []
    for first, last in ((0, 13), (0, 1), (5, 6), (3, 10)):
        Z = np.empty((last - first, B.shape[1]), np.float32)
        call(addresses(A)[first:last].copy(), last - first, 29, B, start, Z, B.shape[1], 1.0)
        found.append((Z, first, last))
    for Z, first, last in found:
        np.testing.assert_array_equal(Z, found[0][0][first:last])


COMPILED = """
import re
import numpy as np
from cases import machine_code
from fastnn_kernels.panel_tiles import HEIGHTS, PANELS_OF_BFLOAT16
from fastnn_kernels.simd import DOTS_OF_PAIRS

assert DOTS_OF_PAIRS
for kind, by_width in PANELS_OF_BFLOAT16._asdict().items():
    for n_vectors, leaf in by_width.items():
        code = machine_code(leaf)
        tall = HEIGHTS[n_vectors][0] * n_vectors
        assert len(re.findall("vdpbf16ps", code)) >= 2 * tall, (kind, n_vectors)
"""
FEATURES = "avx avx2 fma bmi bmi2 f16c avx512f avx512vl avx512bw avx512dq avx512cd avx512bf16"


@pytest.mark.slow
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names an x86 processor")
def test_a_cpu_with_such_products_is_given_them(tmp_path):
    """Compiled for one, not run: the tests above run them where this CPU is one."""
    features = ",".join(f"+{name}" for name in FEATURES.split())
    given = {
        "NUMBA_CPU_NAME": "sapphirerapids",
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    path = os.pathsep.join(filter(None, sys.path))
    command, environment = [sys.executable, "-c", COMPILED], os.environ | given | {"PYTHONPATH": path}
    child = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert child.returncode == 0, child.stdout + child.stderr
