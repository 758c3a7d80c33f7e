"""Measure the kernels on this machine, one thread, and print a table or write it into README.md.

    python asv_benchmarks/kernels_report.py [--readme] [--quick]

Products are given as a share of the core's peak of fused multiply-adds, which is measured in turn with
each of them: the clock drifts, a ratio does not. All figures are medians over rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numba  # noqa: E402
import numpy as np  # noqa: E402

from fastnn_kernels import activations, matmul, optimizers, peak  # noqa: E402
from fastnn_kernels.simd import VECTOR_BYTES  # noqa: E402
from readme import machine, write_readme  # noqa: E402

SMALL = [(32, 30, 128), (32, 64, 64), (64, 784, 128), (128, 784, 512), (512, 512, 512)]
LARGE = [(1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096), (256, 4096, 4096)]
RAGGED = [(200, 64, 10), (32, 100, 100)]
# The shares asked for; with 256-bit vectors 0.75 for the large ones, and none for the ragged.
SHARES = {**dict.fromkeys(SMALL, 0.85), **dict.fromkeys(LARGE, 0.80), **dict.fromkeys(RAGGED, 0.50)}

FIRST_STEP = """
import sys, time
import numpy, numba
start = time.perf_counter()
from fastnn import Network
X = numpy.zeros((32, 30), "float32")
Network([30, 128, 1], output="sigmoid", seed=0).fit(X, X[:, 0], epochs=1)
print(time.perf_counter() - start)
"""


@numba.njit
def many_products(A, B, C, scratch, times):
    for _ in range(times):
        matmul.matmul(A, B, C, scratch)


@numba.njit
def many_activations(Z, code, A, times):
    for _ in range(times):
        activations.activation_forward(Z, code, A)


@numba.njit
def many_adams(grads, mean, square, params, times):
    T = params.dtype.type
    for _ in range(times):
        optimizers.adam(grads, T(1e-3), T(0.9), T(0.999), T(1e-8), T(1), T(0), T(0), mean, square, params)


@numba.njit
def many_transposes(A, B, times):
    for _ in range(times):
        matmul.transpose(A, B)


def seconds(run, times):
    start = time.perf_counter()
    run(times)
    return (time.perf_counter() - start) / times


def inner(run, at_least=0.01):
    """How often to repeat `run` for a sample of `at_least` seconds."""
    run(1)  # compiles
    times = 1
    while (spent := seconds(run, times) * times) < at_least:
        times = max(times + 1, int(times * min(10, 1.2 * at_least / max(spent, 1e-9))))
    return times


def alternating(runs, rounds):
    """Medians over rounds of the seconds of each of `runs`, and of the ratio of the first two, in turn."""
    times = [inner(run) for run in runs]
    samples = [[seconds(run, n) for run, n in zip(runs, times, strict=True)] for _ in range(rounds)]
    ratio = statistics.median(sample[1] / sample[0] for sample in samples)
    return [statistics.median(column) for column in zip(*samples, strict=True)], ratio


def peak_run(dtype):
    values = np.zeros(peak.CHAINS * VECTOR_BYTES // np.dtype(dtype).itemsize, dtype)
    flops = 2 * values.size * 1000
    return lambda times: peak.multiply_adds(values, 1000 * times), flops


def products(dtype, shapes, rounds):
    for m, k, n in shapes:
        random = np.random.default_rng(0)
        A = random.standard_normal((m, k)).astype(dtype)
        B = random.standard_normal((k, n)).astype(dtype)
        C, D = np.empty((m, n), dtype), np.empty((m, n), dtype)
        scratch = np.empty(matmul.scratch_size(m, k, n, C.itemsize), dtype)

        def ours(times, A=A, B=B, C=C, scratch=scratch):
            many_products(A, B, C, scratch, times)

        def numpys(times, A=A, B=B, D=D):
            for _ in range(times):
                np.dot(A, B, D)

        peak_of, flops = peak_run(dtype)
        ours(1)
        numpys(1)
        np.testing.assert_allclose(C, D, rtol=0, atol=1e-3 * np.sqrt(k))
        (spent, at_peak, blas), _ = alternating([ours, peak_of, numpys], rounds)
        most = flops / at_peak
        share, theirs = (2 * m * k * n / x / most for x in (spent, blas))
        yield f"{m}x{k}x{n}", most / 1e9, share, theirs, SHARES[m, k, n]


def small_kernels(rounds):
    """(name, measured, unit, asked for) of the kernels that are no products; float32, in cache."""
    size, T = 4096, np.float32
    Z = np.random.default_rng(0).standard_normal((1, size)).astype(T)
    A = np.empty_like(Z)
    for name in ("exp", "sigmoid", "tanh", "relu", "gelu"):
        code = activations.ACTIVATIONS[name].code

        def run(times, code=code):
            many_activations(Z, code, A, times)

        spent = statistics.median(seconds(run, inner(run)) for _ in range(rounds))
        asked = 0.3 if name in ("exp", "sigmoid", "tanh") else None
        yield name, spent / size * 1e9, "ns an element", asked
    state = [np.full(size, 0.1, T) for _ in range(4)]

    def adam(times):
        many_adams(*state, times)

    spent = statistics.median(seconds(adam, inner(adam)) for _ in range(rounds))
    yield "adam", spent / size * 1e9, "ns a parameter", 0.15
    W, V = np.zeros((64, 64), T), np.zeros((64, 64), T)

    def transpose(times):
        many_transposes(W, V, times)

    spent = statistics.median(seconds(transpose, inner(transpose)) for _ in range(rounds))
    yield "transpose of 64x64", spent * 1e6, "us", 0.5


def first_step(runs=3):
    """Seconds from `import numba` to the end of a first training step: empty cache, then warm."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        call = [sys.executable, "-c", FIRST_STEP]

        def once():
            done = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
            return float(done.stdout)

        cold = once()
        return cold, statistics.median(once() for _ in range(runs))


def report(quick=False):
    rounds = 3 if quick else 11
    lines = [
        machine() + " One thread.",
        "",
        "| product (m x k x n) | type | share of the FMA peak | NumPy's (OpenBLAS) | asked for |",
        "|---|---|---|---|---|",
    ]
    for dtype in (np.float32, np.float64):
        shapes = SMALL + RAGGED if quick else SMALL + LARGE + RAGGED
        for name, most, share, theirs, asked in products(dtype, shapes, rounds):
            miss = "" if share >= asked else " (missed)"
            kind = np.dtype(dtype).name
            ours = f"{share:.0%} of {most:.0f} GFLOP/s{miss}"
            lines.append(f"| {name} | {kind} | {ours} | {theirs:.0%} | {asked:.0%} |")
            print(lines[-1], flush=True)
    lines += ["", "| kernel, float32 | measured | asked for |", "|---|---|---|"]
    for name, value, unit, asked in small_kernels(rounds):
        miss = " (missed)" if asked and value > asked else ""
        lines.append(f"| {name} | {value:.2f} {unit}{miss} | {f'{asked} or less' if asked else ''} |")
    cold, warm = first_step()
    for name, value, asked in (("empty", cold, 8), ("warm", warm, 0.5)):
        miss = " (missed)" if value > asked else ""
        lines.append(f"| first training step, {name} cache | {value:.2f} s{miss} | {asked} s or less |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no large products")
    options = parser.parse_args()
    table = report(options.quick)
    print(table)
    if options.readme:
        write_readme("kernels", table)


if __name__ == "__main__":
    main()
