"""No kernel reads or writes an element outside of its arrays, whatever their sizes and alignment.

Each family of kernels runs in a child process with all arrays guarded, scratch included; the child names
each case before it runs it, so that a crash can be told from its last words.
"""

import functools
import inspect
import itertools
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from numba import config

import fastnn_kernels.columns as columns
from cases import DTYPES, ELEMENTWISE, PAIRS, cost_arguments, normal, optimizer_arguments
from fastnn_kernels import affine, backward, matmul, on_arrays
from fastnn_kernels.activations import ACTIVATIONS, IDENTITY
from fastnn_kernels.costs import COSTS
from fastnn_kernels.optimizers import OPTIMIZERS
from fastnn_kernels.simd import VECTOR_BYTES
from fastnn_kernels.tiles import TILE_ROWS, TILE_VECTORS
from guard import AVAILABLE, EDGES, guarded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory"),
]


def widths(dtype):
    """Around one vector and within several, the last of them nearly empty or nearly full."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return sorted({1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 3 * lanes + 1})


def triples(dtype):
    return itertools.product(widths(dtype), repeat=3)


@functools.cache
def numbers(dtype, *shape):
    return normal(dtype, shape)


def empty(dtype, *shape):
    return np.full(shape, np.nan, dtype)


def with_margin(array):
    """The same rows with other memory between, but none after the last."""
    rows, cols = array.shape
    return np.pad(array, ((0, 0), (0, 3)))[:, :cols]


# Each family yields (what, kernel, arguments) for one dtype.


def products(dtype):
    size = np.dtype(dtype).itemsize
    block = matmul.BLOCK_TILES * TILE_VECTORS * VECTOR_BYTES // size
    deep = matmul.BLOCK_K + 1
    wide = max(block + 5, matmul.PACK_BYTES // (deep * size) + 1)
    long = matmul.PACK_BYTES // (17 * size) + 1
    packed = [(TILE_ROWS + 3, deep, wide), (1, deep, wide), (3, long, 17), (wide, deep, 1), (block + 5, 9, 7)]
    direct = [(2 * TILE_ROWS - 1, matmul.BLOCK_K + 1, 3), (5, 2 * matmul.BLOCK_K + 7, 1)]
    for m, k, n in (*triples(dtype), *direct, *packed):
        scratch = empty(dtype, matmul.scratch_size(m, k, n, size))
        C = empty(dtype, m, n)
        yield "matmul", matmul.matmul, (numbers(dtype, m, k), numbers(dtype, k, n), C, scratch)
        yield "matmul_at", matmul.matmul_at, (numbers(dtype, k, m), numbers(dtype, k, n), C, scratch)
        yield "matmul_bt", matmul.matmul_bt, (numbers(dtype, m, k), numbers(dtype, n, k), C, scratch)


def strided_products(dtype):
    for m, k, n in itertools.product(widths(dtype)[1:4], repeat=3):
        scratch = empty(dtype, matmul.scratch_size(m, k, n, np.dtype(dtype).itemsize))
        C = with_margin(empty(dtype, m, n))
        A, B, At, Bt = (with_margin(numbers(dtype, *shape)) for shape in ((m, k), (k, n), (k, m), (n, k)))
        yield "matmul", matmul.matmul, (A, B, C, scratch)
        yield "matmul_at", matmul.matmul_at, (At, B, C, scratch)
        yield "matmul_bt", matmul.matmul_bt, (A, Bt, C, scratch)
        yield "transpose", matmul.transpose, (A, with_margin(empty(dtype, k, m)))


def transposes(dtype):
    for m, n in itertools.product((*widths(dtype), 100), repeat=2):
        yield "transpose", matmul.transpose, (numbers(dtype, m, n), empty(dtype, n, m))


def layer(dtype, n_samples, n_in, n_out):
    """X, W, b and dZ, and scratch of exactly the size that was promised to be enough."""
    shapes = (n_samples, n_in), (n_in, n_out), (n_out,), (n_samples, n_out)
    scratch_size = affine.affine_scratch_size(n_samples, n_in, n_out, np.dtype(dtype).itemsize)
    return *(numbers(dtype, *shape) for shape in shapes), empty(dtype, scratch_size)


def layers(dtype):
    for sizes in (*triples(dtype), (193, 2723, 1)):
        X, W, b, dZ, scratch = layer(dtype, *sizes)
        out = empty(dtype, *W.shape), empty(dtype, *b.shape), empty(dtype, *X.shape)
        yield "affine_forward", affine.affine_forward, (X, W, b, empty(dtype, *dZ.shape), scratch)
        yield "affine_backward", affine.affine_backward, (X, W, dZ, *out, scratch)
        yield "affine_backward, no dX", affine.affine_backward, (X, W, dZ, *out[:2], X[:0], scratch)
        yield "column_sum", affine.column_sum, (dZ, out[1])


def sparse_layers(dtype):
    for (n_samples, n_in, n_out), index in itertools.product(triples(dtype), (np.int32, np.int64)):
        _, W, b, dZ, _ = layer(dtype, n_samples, n_in, n_out)
        Z, dW, db = empty(dtype, *dZ.shape), empty(dtype, *W.shape), empty(dtype, n_out)
        for chosen in ([], sorted({0, n_in - 1})):  # in every other row
            filled = np.arange(n_samples) % 2 == 0
            indptr = np.append(0, np.cumsum(len(chosen) * filled)).astype(index)
            indices = np.tile(np.array(chosen, index), filled.sum())
            X = normal(dtype, indices.size), indices, indptr
            yield "affine_forward_csr", affine.affine_forward_csr, (*X, W, b, Z)
            yield "affine_backward_csr", affine.affine_backward_csr, (*X, dZ, dW, db)


def elementwise(dtype):
    for name, rows, n in itertools.product(ELEMENTWISE, (1, 3), widths(dtype)):
        code, out = ACTIVATIONS[name].code, empty(dtype, rows, n)
        dA, Z, A = (numbers(dtype, rows, n) + i for i in range(3))
        yield name, on_arrays.activation_forward, (Z, code, out)
        yield f"{name} in place", on_arrays.activation_forward, (Z, code, Z)
        yield f"{name} backward", on_arrays.activation_backward, (dA, Z, A, code, out)
        yield f"{name} backward in place", on_arrays.activation_backward, (dA, Z, A, code, dA)
    for rows, n in itertools.product(widths(dtype), repeat=2):
        Z, A, out = numbers(dtype, rows, n), np.abs(numbers(dtype, rows, n)), empty(dtype, rows, n)
        yield "softmax", on_arrays.softmax_forward, (Z, out)
        yield "softmax in place", on_arrays.softmax_forward, (Z, Z)
        yield "softmax backward", on_arrays.softmax_backward, (Z, A, out)
        yield "softmax backward in place", on_arrays.softmax_backward, (Z, A, Z)


def all_costs(dtype):
    forms = [(name, False) for name in COSTS] + [("softmax_cross_entropy", True)]
    for rows, n in itertools.product(widths(dtype), repeat=2):
        cost, delta = empty(dtype, rows), empty(dtype, rows, n)
        for (name, indices), weighted in itertools.product(forms, (True, False)):
            Z, *rest = cost_arguments(name, (rows, n), dtype, weighted, indices=indices)
            what = f"{name}, indices={indices}, weighted={weighted}"
            yield what, getattr(on_arrays, name), (Z, *rest, cost, delta)
    scalars = dtype(0.1), dtype(1), dtype(0.5)
    for (name, output), n in itertools.product(PAIRS, widths(dtype)):
        Z, Y, weights, *_ = cost_arguments(name, (3, n), dtype)
        inputs = Z, Z + 1, Y, weights, COSTS[name].code, ACTIVATIONS[output].code, *scalars
        yield f"{name} of {output}", on_arrays.cost_backward, (*inputs, empty(dtype, 3), empty(dtype, 3, n))
        clipped = *inputs[:1], *inputs[2:5], dtype(0.1), 9 + Z[:, 0]
        yield f"clipped {name}", on_arrays.clip_cross_entropy, clipped


def backward_layers(dtype):
    for sizes, name in itertools.product(triples(dtype), ("identity", "gelu", "softmax")):
        X, W, b, dA, scratch = layer(dtype, *sizes)
        dZ, dW, db, dX = (empty(dtype, *x.shape) for x in (dA, W, b, X))
        inputs = dA, X, W, dA + 1, dA + 2, ACTIVATIONS[name].code
        yield name, backward.layer_backward, (*inputs, dZ, dW, db, dX, scratch)
        yield f"{name} in place, no dX", backward.layer_backward, (*inputs, dA, dW, db, X[:0], scratch)


def steps(dtype):
    for name, n in itertools.product(OPTIMIZERS, (*widths(dtype), 1000)):
        yield name, getattr(on_arrays, name), optimizer_arguments(name, n, dtype)


def column_layers(dtype):
    """Layers whose samples are columns: the layouts and the sizes at which other products are taken."""
    lengths = *widths(dtype), columns.COLUMNS + 3
    small = itertools.product((7,), (1, 3, 8, 9), lengths)
    large = (300, 9, columns.COLUMNS + 3), (matmul.PACK_BYTES // 1000, 9, 129)
    for (n_in, n_out, n), transposed in itertools.product((*small, *large), (False, True)):
        sizes = n_in, n_out, n, np.dtype(dtype).itemsize
        A_prev = numbers(dtype, *((n, n_in) if transposed else (n_in, n)))
        W, b, dA = numbers(dtype, n_out, n_in), numbers(dtype, n_out, 1), numbers(dtype, n_out, n)
        Z, A, dZ = (empty(dtype, n_out, n) for _ in range(3))
        scratch = empty(dtype, columns.forward_scratch_size(*sizes))
        forward = A_prev, transposed, W, b
        yield "forward", columns.layer_forward, (*forward, ACTIVATIONS["tanh"].code, Z, A, scratch)
        yield "forward, identity", columns.layer_forward, (*forward, IDENTITY, Z, Z, scratch)
        outputs = empty(dtype, n_out, n_in), empty(dtype, n_out, 1), empty(dtype, n_in, n)
        scratch = empty(dtype, columns.backward_scratch_size(*sizes))
        inputs = dA, dA + 1, ACTIVATIONS["tanh"].code, A_prev, transposed, W, 0.5
        yield "backward", columns.layer_backward, (*inputs, dZ, *outputs, scratch)
    for rows, n in itertools.product((1, 3), widths(dtype)):
        A, Z, out = np.abs(numbers(dtype, rows, n)), numbers(dtype, rows, n), empty(dtype, rows, n)
        yield "cross_entropy", columns.cross_entropy, (A, A)
        yield "cross_entropy_gradient", columns.cross_entropy_gradient, (A, Z, A, out)
        yield "descend", columns.descend, (A, Z, 0.5, out)


FAMILIES = {
    "products": products,
    "strided_products": strided_products,
    "transposes": transposes,
    "layers": layers,
    "sparse_layers": sparse_layers,
    "elementwise": elementwise,
    "costs": all_costs,
    "backward_layers": backward_layers,
    "column_layers": column_layers,
    "steps": steps,
}


def place(arguments, edge):
    """Guarded copies of the arrays among `arguments`; what was one array twice, stays one."""
    copies = {id(x): guarded(x, edge) for x in arguments if isinstance(x, np.ndarray)}
    return [copies.get(id(x), x) for x in arguments]


def run(family):
    """In the child: every case at both edges, which must give the same bits."""
    for dtype in DTYPES:
        for what, kernel, arguments in FAMILIES[family](dtype):
            shapes = " ".join(str(x.shape).replace(" ", "") for x in arguments if isinstance(x, np.ndarray))
            results = []
            for edge in EDGES:
                print(f"{what}, {dtype.__name__}, {edge} of {shapes}", flush=True)
                results.append(place(arguments, edge))
                kernel(*results[-1])
            for name, *values in zip(inspect.signature(kernel.py_func).parameters, *results, strict=True):
                if name != "scratch":
                    np.testing.assert_array_equal(*values, err_msg=name)


def child(*arguments):
    command = [sys.executable, "-X", "faulthandler", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_memory(family):
    result = child(__file__, family)
    last = result.stdout.splitlines()[-1:] or ["nothing"]
    assert result.returncode == 0, f"exit status {result.returncode} after {last[0]}\n{result.stderr[-3000:]}"


PEEK = """
import ctypes, sys
import numpy as np
from guard import guarded

edge, how = sys.argv[1:]
x = guarded(np.arange(1.0, 6.0), edge)
beyond = ctypes.c_double.from_address(x.ctypes.data + (x.nbytes if edge == "end" else -x.itemsize))
wider = (ctypes.c_double * 6).from_address(min(x.ctypes.data, ctypes.addressof(beyond)))
print(x.sum(), flush=True)
if how == "read":
    beyond.value
elif how == "write":
    beyond.value = 1
else:
    from fastnn_kernels.optimizers import squared_norm
    print(squared_norm(x, x.size), flush=True)
    squared_norm(np.ctypeslib.as_array(wider), 6)
print("outside", flush=True)
"""


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("how", ["read", "write", "kernel"])
def test_guard(how, edge):
    """One element past the edge is a crash, and nothing within."""
    result = child("-c", PEEK, edge, how)
    assert result.stdout.split() == ["15.0", "55.0"][: 1 + (how == "kernel")], result.stderr
    assert -result.returncode in (signal.SIGSEGV, signal.SIGBUS)


if __name__ == "__main__":
    run(sys.argv[1])
