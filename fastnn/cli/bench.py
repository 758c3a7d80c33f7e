"""`fastnn bench`: kernels and training steps beside those of the NumPy reference, measured in turn."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from fastnn import reference
from fastnn.cli.measure import median_seconds, reference_step_seconds, warm_up
from fastnn.cli.report import duration, show
from fastnn.network import Network
from fastnn.processor import processor
from fastnn_kernels import matmul
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.simd import VECTOR_BYTES

Row = tuple[str, float, float]  # what, seconds in fastnn, seconds in NumPy
PRODUCTS = ((32, 30, 128), (64, 784, 128), (512, 512, 512))
SHOWN, N_ELEMENTS = ("sigmoid", "tanh", "relu", "gelu"), 1 << 16
NETWORKS = (([30, 128, 1], 32), ([64, 64, 64, 1], 32), ([784, 128, 10], 64))
N_BATCHES, EPOCHS = 50, 4


def kernels() -> Iterator[Row]:
    """Products and activations, float32, one thread."""
    random = np.random.default_rng(0)
    for m, k, n in PRODUCTS:
        A, B = (random.standard_normal(shape, np.float32) for shape in ((m, k), (k, n)))
        C, scratch = np.empty((m, n), np.float32), np.empty(matmul.scratch_size(m, k, n, 4), np.float32)
        ours = median_seconds(matmul.matmul, A, B, C, scratch)
        yield f"product {m}x{k}x{n}", ours, median_seconds(np.dot, A, B, C)
    Z = random.standard_normal((1, N_ELEMENTS), np.float32)
    for name in SHOWN:
        ours = median_seconds(ACTIVATIONS[name].forward, Z, *Z.shape)
        yield f"{name} of {N_ELEMENTS:,}", ours, median_seconds(reference.activation_forward, Z, name)


def training() -> Iterator[Row]:
    """A step within an epoch; Adam here, plain gradient steps there; as many threads as suit each."""
    random = np.random.default_rng(0)
    for sizes, batch_size in NETWORKS:
        X = random.standard_normal((N_BATCHES * batch_size, sizes[0]), np.float32)
        y = random.integers(0, max(2, sizes[-1]), len(X)).astype(np.float32)
        network = Network(sizes, output="softmax" if sizes[-1] > 1 else "sigmoid", seed=0)
        ours = median_seconds(partial(network.fit, X, y, epochs=EPOCHS, batch_size=batch_size))
        theirs = reference_step_seconds(network, X, y, batch_size)
        name = f"step of {'-'.join(map(str, sizes))}, batch {batch_size}"
        yield name, ours / (EPOCHS * N_BATCHES), theirs


def show_bench() -> None:
    """Measure, and show what came out."""
    warm_up()
    with threadpool_limits(1):
        rows = list(kernels())
    rows += training()
    title = f"fastnn bench, float32: {processor()}, {8 * VECTOR_BYTES}-bit vectors"
    cells = ((name, duration(a), duration(b), f"{b / a:.2f}x") for name, a, b in rows)
    show(title, cells, ("", "fastnn", "NumPy reference", "NumPy takes"))
    print("Medians. Kernels on one thread, steps on as many as suit each; NumPy's are plain gradient steps.")
