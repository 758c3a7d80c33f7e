"""Each kernel and its NumPy twin as calls without arguments, on the tests' random cases.

The kernels are called from Python, as a user of `fastnn_kernels` may: of that, 0.3 us is numba's dispatch.
"""

import numpy as np

from benchmarks.common import aligned

PRODUCTS = ("matmul", "matmul_at", "matmul_bt")
LAYERS = ("affine_forward", "affine_backward", "layer_backward")
ACTIVATIONS = (
    "identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "exp", "softmax",
)  # fmt: skip
COSTS = (
    "binary_cross_entropy",
    "softmax_cross_entropy",
    "poisson",
    "squared_error",
    "absolute_error",
    "huber",
)
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam")


def product(name, m, k, n, dtype):
    """C (m, n) of an inner length k."""
    from cases import normal
    from fastnn_kernels import matmul

    shapes = {"matmul": ((m, k), (k, n)), "matmul_at": ((k, m), (k, n)), "matmul_bt": ((m, k), (n, k))}
    A, B = (aligned(normal(dtype, shape, name)) for shape in shapes[name])
    C, D = aligned(np.empty((m, n), dtype)), aligned(np.empty((m, n), dtype))
    scratch = np.empty(matmul.scratch_size(m, k, n, C.itemsize), dtype)
    kernel = getattr(matmul, name)
    left, right = A.T if name == "matmul_at" else A, B.T if name == "matmul_bt" else B

    def ours():
        kernel(A, B, C, scratch)
        return (C,)

    return ours, lambda: (np.dot(left, right, D),)


def layer(name, batch, n_in, n_out, dtype):
    from cases import layer_arguments
    from fastnn import reference
    from fastnn_kernels import activations, affine, backward

    X, W, b, dA = map(aligned, layer_arguments((batch, n_in, n_out), dtype))
    Z, dX, dZ, dW, db = map(aligned, (dA, X, dA, W, b))
    scratch = np.empty(affine.affine_scratch_size(batch, n_in, n_out, X.itemsize), dtype)
    if name == "affine_forward":
        arguments, outputs, more = (X, W, b), (Z,), ()
        kernel = affine.affine_forward
    elif name == "affine_backward":
        arguments, outputs, more = (X, W, dA), (dW, db, dX), ()
        kernel = affine.affine_backward
    else:
        Z[:] = reference.affine_forward(X, W, b)
        arguments, outputs = (dA, X, W, Z, aligned(reference.relu(Z))), (dZ, dW, db, dX)
        kernel, more = backward.layer_backward, (activations.ACTIVATIONS["relu"].code,)
    twin, options = getattr(reference, name), ("relu",) if more else ()

    def ours():
        kernel(*arguments, *more, *outputs, scratch)
        return outputs

    def numpys():
        result = twin(*arguments, *options)
        return result if isinstance(result, tuple) else (result,)

    return ours, numpys


def activation(name, forward, shape, dtype):
    from cases import activation_arguments
    from fastnn import reference
    from fastnn_kernels import activations

    dA, Z = map(aligned, activation_arguments(name, shape, dtype))
    A, result = aligned(reference.activation_forward(Z, name)), aligned(Z)
    code = activations.ACTIVATIONS[name].code
    if name == "softmax":
        kernel = activations.softmax_forward if forward else activations.softmax_backward
        arguments = (Z,) if forward else (dA, A)
    else:
        kernel = activations.activation_forward if forward else activations.activation_backward
        arguments = (Z, code) if forward else (dA, Z, A, code)
    twin = reference.activation_forward if forward else reference.activation_backward
    twins_arguments = (Z, name) if forward else (dA, Z, A, name)

    def ours():
        kernel(*arguments, result)
        return (result,)

    return ours, lambda: (twin(*twins_arguments),)


def cost(name, shape, dtype):
    from cases import cost_arguments
    from fastnn import reference
    from fastnn_kernels import costs

    Z, Y, weights, *scalars = cost_arguments(name, shape, dtype, weighted=False)
    Z, Y = aligned(Z), aligned(Y)
    outputs = aligned(np.empty(shape[0], dtype)), aligned(Z)
    kernel, twin = getattr(costs, name), getattr(reference, name)

    def ours():
        kernel(Z, Y, weights, *scalars, *outputs)
        return outputs

    return ours, lambda: twin(Z, Y, None, *scalars)


def optimizer(name, size, dtype):
    """Ours goes on from step to step, so that only the first results are those of its twin."""
    from cases import optimizer_arguments
    from fastnn import reference
    from fastnn_kernels import optimizers

    arguments, twins_arguments = (
        [aligned(x) if np.ndim(x) else x for x in optimizer_arguments(name, size, dtype)] for _ in range(2)
    )
    kernel, twin = getattr(optimizers, name), getattr(reference, name)
    overwritten = arguments[-1 - optimizers.OPTIMIZERS[name].n_moments :]

    def ours():
        kernel(*arguments)
        return overwritten

    def numpys():
        result = twin(*twins_arguments)
        return result if isinstance(result, tuple) else (result,)

    return ours, numpys


def call_of(name, batch, width, dtype):
    """(fastnn's, NumPy's) call of a kernel by its name, for a batch and a square layer of this width.

    An activation is named with its pass, as in "relu forward".
    """
    dtype = np.dtype(dtype).type
    first, _, direction = name.partition(" ")
    if name in PRODUCTS:
        return product(name, batch, width, width, dtype)
    if name in LAYERS:
        return layer(name, batch, width, width, dtype)
    if name in COSTS:
        return cost(name, (batch, width), dtype)
    if name in OPTIMIZERS:
        return optimizer(name, (width + 1) * width, dtype)
    return activation(first, direction == "forward", (batch, width), dtype)
