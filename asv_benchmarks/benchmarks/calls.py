"""Kernels and their NumPy twins on the tests' cases: leaves in a compiled loop, the others from Python."""

import time
from functools import cache, partial

import numpy as np

from benchmarks.cases import aligned
from benchmarks.measure import call_seconds

# Names, not what fastnn_kernels has: asv imports this for each figure that it looks up, numba takes a second.
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "exp",
               "softmax", "selu", "mish")  # fmt: skip
LAYERS = ("matmul", "affine_forward", "affine_backward", "layer_backward")
COSTS = ("binary_cross_entropy", "softmax_cross_entropy", "poisson", "squared_error", "absolute_error",
         "huber", "quantile")  # fmt: skip
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam")


@cache
def _loop(family):
    """Compiled: calls the leaf at an address so many times, `source` copied over `target` before each."""
    import numba

    from fastnn_kernels.leaves import caller

    call = caller(family)

    @numba.njit
    def loop(times, address, source, target, arguments):
        for _ in range(times):
            for i in range(source.size):
                target[i] = source[i]
            call(address, *arguments)

    return loop


def leaf_timer(leaf, dtype, *arguments, source=None, target=None):
    """Of a leaf on arrays and numbers; it works on `target`, if given, which holds `source` each time."""
    nothing = np.empty(0, dtype)
    source, target = (nothing, nothing) if source is None else (source.ravel(), target.ravel())
    given = tuple(x.ctypes.data if isinstance(x, np.ndarray) else x for x in arguments)
    loop, address = _loop(leaf.family), leaf.address(dtype)

    def timer(times, alive=arguments):
        start = time.perf_counter()
        loop(times, address, source, target, given)
        return (time.perf_counter() - start) / times

    return timer


def panels_of(B):
    """B (k, n) as the panels of a fit (panels, k, width), with zeros where it has no column; and the leaf."""
    from fastnn_kernels.panel_tiles import FORWARD_PANELS, PANEL_VECTORS
    from fastnn_kernels.simd import VECTOR_BYTES

    lanes = VECTOR_BYTES // B.itemsize
    vectors = min(PANEL_VECTORS, -(-B.shape[1] // lanes))
    count = -(-B.shape[1] // (vectors * lanes))
    P = np.zeros((count, B.shape[0], vectors * lanes), B.dtype)
    for panel, columns in zip(P, np.array_split(np.arange(count * P.shape[2]), count), strict=True):
        columns = columns[columns < B.shape[1]]
        panel[:, : columns.size] = B[:, columns]
    return aligned(P), FORWARD_PANELS[vectors]


def product(m, k, n, dtype):
    """C = A B by the tiles of a fit: (timer, ours, NumPy's)."""
    import numba

    from cases import normal
    from fastnn_kernels.leaves import caller

    A, B = (aligned(normal(dtype, shape, "product")) for shape in ((m, k), (k, n)))
    P, leaf = panels_of(B)
    width, D = P.shape[2], aligned(np.empty((m, n), dtype))
    C, start = aligned(np.zeros((m, len(P) * width), dtype)), aligned(np.zeros(width, dtype))
    rows, size = A.ctypes.data + np.arange(m, dtype=np.int64) * A.strides[0], A.itemsize
    call, address = caller(leaf.family), leaf.address(dtype)
    places = rows.ctypes.data, P.ctypes.data, start.ctypes.data, C.ctypes.data

    @numba.njit
    def loop(times, address, places, panels, m, k, width, size):
        rows, b, start, c = places
        for _ in range(times):
            for i in range(panels):
                at = i * width * size
                call(address, rows, m, k, b + i * k * width * size, start, c + at, panels * width, 1.0)

    def timer(times, alive=(A, P, start, C, rows)):
        begin = time.perf_counter()
        loop(times, address, places, len(P), m, k, width, size)
        return (time.perf_counter() - begin) / times

    def ours():
        timer(1)
        return (C[:, :n],)

    return timer, ours, lambda: (np.dot(A, B, D),)


def layer(name, batch, n_in, n_out, dtype):
    from cases import layer_arguments
    from fastnn import reference
    from fastnn_kernels import activations, affine, backward, matmul

    X, W, b, dA = map(aligned, layer_arguments((batch, n_in, n_out), dtype))
    Z, dX, dZ, dW, db = map(aligned, (dA, X, dA, W, b))
    scratch = np.empty(affine.affine_scratch_size(batch, n_in, n_out, X.itemsize), dtype)
    more, options = (), ()
    if name == "matmul":
        kernel, arguments, outputs = matmul.matmul, (X, W), (Z,)
        return _from_python(lambda: kernel(X, W, Z, scratch), outputs, lambda: (np.dot(X, W),))
    if name == "affine_forward":
        kernel, arguments, outputs = affine.affine_forward, (X, W, b), (Z,)
    elif name == "affine_backward":
        kernel, arguments, outputs = affine.affine_backward, (X, W, dA), (dW, db, dX)
    else:
        Z[:] = reference.affine_forward(X, W, b)
        kernel, arguments, outputs = backward.layer_backward, (dA, X, W, Z, aligned(reference.relu(Z))), (
            dZ, dW, db, dX,
        )  # fmt: skip
        more, options = (activations.ACTIVATIONS["relu"].code,), ("relu",)
    twin = partial(getattr(reference, name), *arguments, *options)
    return _from_python(lambda: kernel(*arguments, *more, *outputs, scratch), outputs, lambda: _tuple(twin()))


def _tuple(result):
    return result if isinstance(result, tuple) else (result,)


def _from_python(call, outputs, numpys):
    def ours():
        call()
        return outputs

    return partial(call_seconds, call), ours, numpys


def activation(name, forward, shape, dtype):
    from cases import activation_arguments
    from fastnn import reference
    from fastnn_kernels.activations import ACTIVATIONS

    dA, Z = map(aligned, activation_arguments(name, shape, dtype))
    A, entry = aligned(reference.activation_forward(Z, name)), ACTIVATIONS[name]
    given = aligned(Z if forward else dA)
    kept, sizes = given.copy(), (shape[0], shape[1])
    arguments = (given, *sizes) if forward else (given, Z if entry.needs_z else A, *sizes)
    leaf = entry.forward if forward else entry.backward
    if leaf is None:  # the identity does nothing
        timer = partial(call_seconds, lambda: None)
    else:
        timer = leaf_timer(leaf, dtype, *arguments, source=kept, target=given)
    twin = reference.activation_forward if forward else reference.activation_backward

    def ours():
        timer(1)
        return (given,)

    return timer, ours, lambda: (twin(*((Z, name) if forward else (dA, Z, A, name))),)


def cost(name, shape, dtype):
    from cases import cost_arguments
    from fastnn import reference
    from fastnn_kernels.costs import COSTS

    Z, Y, weights, *scalars = cost_arguments(name, shape, dtype, weighted=False)
    Z, Y = aligned(Z), aligned(Y)
    costs, delta = aligned(np.empty(shape[0], dtype)), aligned(Z)
    smoothing = float(scalars[0]) if name.endswith("entropy") else 0.0
    threshold = float(scalars[0]) if name == "huber" else 0.0
    timer = leaf_timer(
        COSTS[name].rows, dtype, Z, Y, weights, False, *shape, Y.shape[1], smoothing, threshold,
        float(scalars[-1]), True, costs, delta,
    )  # fmt: skip

    def ours():
        timer(1)
        return costs, delta

    return timer, ours, lambda: getattr(reference, name)(Z, Y, None, *scalars)


def optimizer(name, size, dtype):
    """Ours goes on from step to step, so that only the first results are those of its twin."""
    from cases import optimizer_arguments
    from fastnn import reference
    from fastnn_kernels.leaves import LEAVES
    from fastnn_kernels.optimizers import OPTIMIZERS

    n_moments = OPTIMIZERS[name].n_moments
    grads, *scalars = (
        aligned(x) if np.ndim(x) else x for x in optimizer_arguments(name, size, dtype, clip=1, l2=0)
    )
    twins = [x.copy() if np.ndim(x) else x for x in (grads, *scalars)]
    *scalars, params = scalars
    moments = scalars[len(scalars) - n_moments :] + [params] * (2 - n_moments)
    numbers = [float(x) for x in scalars[: len(scalars) - n_moments]]
    if name == "adam":
        rate, beta1, beta2, epsilon, _, _, decay = numbers
        rates, fixed = (rate, epsilon, decay), (beta1, beta2)
    else:
        rates, fixed = (numbers[0], 0, 0), (numbers[1] if n_moments else 0, 0)
    # As in a fit, decay is for AdamW alone; `plain` means neither it nor l2.
    plain = not rates[2]
    timer = leaf_timer(
        LEAVES[f"{name}_update"], dtype, np.array(fixed, float), np.array(rates, float), 1.0, 0.0, plain,
        grads, *moments, params, size,
    )  # fmt: skip
    overwritten = (*moments[:n_moments], params)

    def ours():
        timer(1)
        return overwritten

    return timer, ours, lambda: _tuple(getattr(reference, name)(*twins))


def call_of(name, batch, width, dtype):
    """(timer, ours, NumPy's) of a kernel by its name, for a batch and a square layer of this width.

    Ours and NumPy's give their results as tuples of arrays. An activation is named with its pass, as in
    "relu forward".
    """
    dtype = np.dtype(dtype).type
    first, _, direction = name.partition(" ")
    if name in LAYERS:
        return layer(name, batch, width, width, dtype)
    if name in COSTS:
        return cost(name, (batch, width), dtype)
    if name in OPTIMIZERS:
        return optimizer(name, batch * width, dtype)
    return activation(first, direction == "forward", (batch, width), dtype)
