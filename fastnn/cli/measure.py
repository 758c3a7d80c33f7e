"""How long things take here, in fastnn and in the NumPy reference."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from threadpoolctl import threadpool_limits

from fastnn import reference
from fastnn.network import Network

Array = NDArray[Any]
LEAST_STEPS, MOST_STEPS, ENOUGH_SECONDS = 5, 200, 0.1
RATE = 1e-6


def warm_up(dtype: DTypeLike = "float32") -> float:
    """Compile the kernels of training and prediction, or load them; the seconds it took."""
    started = time.perf_counter()
    X = np.zeros((64, 4), dtype)
    for output in ("sigmoid", "softmax"):
        network = Network([4, 8, 3], output=output, dtype=dtype, seed=0)
        network.fit(X, np.ones((64, 3)) / 3, epochs=1)
        network.predict(X)
        network.evaluate(X, np.ones((64, 3)) / 3)
    return time.perf_counter() - started


def median_seconds(call: Callable[..., Any], *arguments: Any) -> float:
    """Of a call: the median over some repetitions, after a first one that does not count."""
    call(*arguments)
    times: list[float] = []
    while len(times) < LEAST_STEPS or (sum(times) < ENOUGH_SECONDS and len(times) < MOST_STEPS):
        started = time.perf_counter()
        call(*arguments)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def reference_step_seconds(network: Network, X: Array, y: Array, batch_size: int) -> float:
    """Of a step of the NumPy reference: gather a batch, its gradients, and a plain gradient step.

    On one thread or on those that NumPy takes by itself, whichever is faster.
    """
    weights, biases = ([array.copy() for array in arrays] for arrays in (network.weights, network.biases))
    order = np.random.default_rng(0).permutation(len(X))
    starts, rate = count(0, batch_size), network.dtype.type(RATE)

    def step() -> None:
        start = next(starts) % len(X)
        rows = order[start : start + batch_size]
        Y = y[rows].reshape(len(rows), -1)
        scale = network.dtype.type(1 / len(rows))
        _, dW, db = reference.gradients(
            X[rows], Y, weights, biases, network.activations, network.cost, scale=scale
        )
        for array, gradient in zip((*weights, *biases), (*dW, *db), strict=True):
            array -= rate * gradient

    with threadpool_limits(1):
        alone = median_seconds(step)
    return min(alone, median_seconds(step))
