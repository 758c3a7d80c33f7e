"""The one registry of cases: element types, shapes and random arguments of every kernel.

Tests and benchmarks both draw from it. `<kernel>_arguments` gives the inputs in the order in which the
kernel and its NumPy twin take them; the kernel wants its outputs after them.
"""

import re

import numpy as np

from fastnn_kernels._numba import assembly
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS
from fastnn_kernels.optimizers import OPTIMIZERS

DTYPES = (np.float32, np.float64)
# Around the vector lengths (4, 8 and 16 elements), primes, and some hundreds.
DIMENSIONS = (1, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 300)
SHAPES = (
    *((1, n) for n in DIMENSIONS),
    *((n, 1) for n in DIMENSIONS[1:]),
    *zip(DIMENSIONS[1:], DIMENSIONS[:0:-1], strict=True),
    (13, 10),
    (300, 2),
    (129, 257),
)
# (n_samples, n_in, n_out) of a layer
LAYERS = (
    *((n, 7, 13) for n in DIMENSIONS),
    *((13, n, 7) for n in DIMENSIONS),
    *((7, 13, n) for n in DIMENSIONS),
    (1, 1, 1),
    (31, 300, 1),
    (33, 129, 257),
)

ELEMENTWISE = tuple(name for name in ACTIVATIONS if name != "softmax")
PAIRS = tuple((cost.name, output) for cost in COSTS.values() for output in cost.outputs)


def generator(*key):
    """Random numbers that depend on nothing but `key`, a few numbers and strings."""
    return np.random.default_rng(list(repr(key).encode()))


def normal(dtype, shape, *key):
    return generator(shape, *key).standard_normal(shape).astype(dtype)


def activation_arguments(name, shape, dtype):
    """dA and Z."""
    return normal(dtype, shape, name, "dA"), 3 * normal(dtype, shape, name, "Z")


def targets(name, shape, dtype, indices=False):
    """Y for the cost `name`: labels, distributions or class indices, counts, or any numbers."""
    random = generator(name, shape, indices)
    if name == "binary_cross_entropy":
        Y = random.integers(0, 2, shape)
    elif name == "softmax_cross_entropy" and indices:
        Y = random.integers(0, shape[1], (shape[0], 1))
    elif name == "softmax_cross_entropy":
        Y = random.dirichlet(np.ones(shape[1]), shape[0])
    elif name == "poisson":
        Y = random.poisson(2.0, shape)
    else:
        Y = random.standard_normal(shape)
    if COSTS[name].targets == "quantiles":
        Y = np.hstack([Y, random.uniform(0.05, 0.95, shape)])
    return Y.astype(dtype)


def cost_arguments(name, shape, dtype, weighted=True, smoothing=0.1, indices=False):
    """Z or A, Y, weights (empty if not `weighted`), and the scalars that this cost takes."""
    weights = generator(name, shape, "weights").uniform(0.5, 2, shape[0] if weighted else 0).astype(dtype)
    threshold, scale = dtype(0.8), dtype(1 / shape[0])
    scalars = {
        "binary_cross_entropy": (dtype(smoothing), scale),
        "softmax_cross_entropy": (dtype(smoothing), scale),
        "huber": (threshold, scale),
    }.get(name, (scale,))
    Z = 2 * normal(dtype, shape, name, "Z")
    return Z, targets(name, shape, dtype, indices), weights, *scalars


def optimizer_arguments(name, size, dtype, clip=0.9, l2=0.01):
    """All arguments; the last `n_moments` + 1, the moments and the parameters, are overwritten."""
    grads, params = normal(dtype, size, name, "grads"), normal(dtype, size, name, "params")
    moments = [0.1 * normal(dtype, size, name, i) for i in range(OPTIMIZERS[name].n_moments)]
    scalars = [0.02, clip, l2]
    if name == "adam":
        scalars = [0.02, 0.9, 0.999, 1e-8, clip, l2, 0.001]
        moments[1] = moments[0] ** 2 + moments[1] ** 2
    elif moments:
        scalars.insert(1, 0.9)
    return grads, *map(dtype, scalars), *moments, params


def layer_arguments(shape, dtype):
    """X, W, b and dA of a layer of `shape` (n_samples, n_in, n_out)."""
    n_samples, n_in, n_out = shape
    X, W = normal(dtype, (n_samples, n_in), "X"), normal(dtype, (n_in, n_out), "W") / dtype(n_in**0.5)
    return X, W, normal(dtype, n_out, "b"), normal(dtype, (n_samples, n_out), "dA")


def widen(arguments):
    """The same numbers in float64; an empty array of weights becomes None, as the NumPy twins want it."""
    return [None if np.size(x) == 0 else np.float64(x) for x in arguments]


def assert_close(actual, expected, ulps=32, label=""):
    """Equal but for `ulps` roundings, in actual's own precision, of numbers of order one or larger."""
    assert actual.dtype in DTYPES and actual.shape == np.shape(expected), label
    tolerance = ulps * np.finfo(actual.dtype).eps
    np.testing.assert_allclose(actual, expected, tolerance, tolerance, err_msg=str(label))


def machine_code(leaf):
    """Assembly of a leaf for float32, compiled anew: a cached one cannot be read."""
    code = assembly(leaf.compile(np.float32)).partition("_ZN7cpython")[0]
    return re.split(r"\n\S*cfunc\._ZN\S*:", code)[0]  # what follows says what to do with exceptions


def assert_float32_vectors(code, calls=()):
    """x86 code computes on vectors, turns no vector to double precision, and calls nothing but `calls`.

    A call in a loop over elements makes it scalar. Memory functions, this package's functions of whole arrays
    and what is named in `calls` are no such calls. Scalar options are handed over as doubles.
    """
    assert not re.search(r"cvt(ps2pd|pd2ps)", code)
    assert re.search(r"mulps|fn?m(add|sub)\d+ps", code)
    harmless = ("NRT_", "mem", "_ZN14fastnn_kernels", *calls)
    called = re.findall(r"(?:\$|call\w*\s+)([A-Za-z_]\w*)", code)
    own = [name for name in called if "vecmath" in name and not any(part in name for part in calls)]
    assert not own + [name for name in called if not any(part in name for part in harmless)]
