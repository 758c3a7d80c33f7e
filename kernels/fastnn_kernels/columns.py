"""Layers whose samples are columns, as courses write them: Z = W A + b, A = g(Z), and back.

A_prev, dA_prev (n_in, n_samples), W, dW (n_out, n_in), b, db (n_out, 1), Z, A, dZ, dA (n_out, n_samples):
C-contiguous; outputs overlap no input. `transposed` says that A_prev is given as its transpose, which
leaves data in the order of their file where they are. `scratch` is 1-D, see `forward_scratch_size` and
`backward_scratch_size`.
"""

import numpy as np
from numba.extending import register_jitable

from fastnn_kernels._jit import EXACT, kernel
from fastnn_kernels.activations import IDENTITY
from fastnn_kernels.matmul import dot_rows, product, scratch_size
from fastnn_kernels.on_arrays import activation_backward, activation_forward
from fastnn_kernels.simd import address, advance, flat_view
from fastnn_kernels.vecmath import log, sigmoid

# So many columns are carried through the product and the activation at a time, to stay in cache.
COLUMNS = 512
# Elements of an activation that are computed again where a derivative is taken from it.
ELEMENTS = 1024
# With fewer inputs the rows of Z are sums of a few rows; register tiles would hold them for nothing.
FEW = 4
# dW with fewer rows or columns is a few dot products over the samples; else it fills register tiles.
DOT_PRODUCTS = 8


@register_jitable
def forward_scratch_size(n_in, n_out, n_samples, itemsize):
    """Elements of scratch that `layer_forward` may use."""
    return scratch_size(n_out, n_in, min(n_samples, COLUMNS), itemsize)


@register_jitable
def backward_scratch_size(n_in, n_out, n_samples, itemsize):
    """Elements of scratch that `layer_backward`, or a part of it, may use; at least n_out."""
    products = scratch_size(n_in, n_out, min(n_samples, COLUMNS), itemsize)
    return max(ELEMENTS, n_out, products, scratch_size(n_out, n_samples, n_in, itemsize))


@kernel
def add_product(x, B, start, row, c):
    """c += x B, where row p of B begins at B's element start + p * row;  x (k,), B (k, n), c (n,).

    One row fills no register tile, but streams through the vectors, four rows of B at a time.
    """
    k, n = x.size, c.size
    for p in range(0, k - 3, 4):
        at = start + p * row
        x0, x1, x2, x3 = x[p], x[p + 1], x[p + 2], x[p + 3]
        b0, b1 = flat_view(B, at, n), flat_view(B, at + row, n)
        b2, b3 = flat_view(B, at + 2 * row, n), flat_view(B, at + 3 * row, n)
        for j in range(n):
            c[j] += (x0 * b0[j] + x1 * b1[j]) + (x2 * b2[j] + x3 * b3[j])
    for p in range(k - k % 4, k):
        x0, b0 = x[p], flat_view(B, start + p * row, n)
        for j in range(n):
            c[j] += x0 * b0[j]


@kernel
def layer_forward(A_prev, transposed, W, b, code, Z, A, scratch):
    """Z = W A_prev + b and A = g(Z); A is not touched, and may be Z, where g is the identity."""
    (n_out, n_in), n_samples = W.shape, Z.shape[1]
    row, col = (1, n_in) if transposed else (n_samples, 1)
    w, workspace = address(W, 0), address(scratch, 0)
    for start in range(0, n_samples, COLUMNS):
        width = min(COLUMNS, n_samples - start)
        for i in range(n_out):
            line, bias = flat_view(Z, i * n_samples + start, width), b[i, 0]
            for j in range(width):
                line[j] = bias
        a, z = advance(address(A_prev, 0), start * col), advance(address(Z, 0), start)
        if transposed and n_out == 1:
            dot_rows(a, n_in, w, width, n_in, z)
            for j in range(width):
                Z[0, start + j] += b[0, 0]
        elif n_out == 1 or (n_in < FEW and not transposed):
            for i in range(n_out):
                line = flat_view(Z, i * n_samples + start, width)
                add_product(flat_view(W, i * n_in, n_in), A_prev, start, row, line)
        else:
            product(z, n_samples, True, w, n_in, 1, a, row, col, n_out, n_in, width, workspace, z, n_samples)
        if code != IDENTITY and width < n_samples:
            for i in range(n_out):
                at = i * n_samples + start
                activation_forward(flat_view(Z, at, width), code, flat_view(A, at, width))
    if code != IDENTITY and n_samples <= COLUMNS:
        activation_forward(flat_view(Z, 0, Z.size), code, flat_view(A, 0, Z.size))


@kernel
def activation_gradient(dA, Z, code, dZ, scratch):
    """dZ = dA * g'(Z), with g(Z) computed anew; any one shape."""
    for start in range(0, dZ.size, ELEMENTS):
        size = min(ELEMENTS, dZ.size - start)
        z, a = flat_view(Z, start, size), flat_view(scratch, 0, size)
        activation_forward(z, code, a)
        activation_backward(flat_view(dA, start, size), z, a, code, flat_view(dZ, start, size))


@kernel
def add_dot_products(dZ, A_prev, dW, scratch):
    """dW += dZ A_prev', in blocks of four rows of A_prev and the columns that stay in cache."""
    (n_out, n_in), n_samples = dW.shape, dZ.shape[1]
    dz, a = address(dZ, 0), address(A_prev, 0)
    for start in range(0, n_samples, COLUMNS):
        width = min(COLUMNS, n_samples - start)
        for first in range(0, n_in, 4):
            rows, block = min(4, n_in - first), advance(a, first * n_samples + start)
            for i in range(n_out):
                dot_rows(
                    block, n_samples, advance(dz, i * n_samples + start), rows, width, address(scratch, 0)
                )
                for r in range(rows):
                    dW[i, first + r] += scratch[r]


@kernel
def weight_gradient(dZ, A_prev, transposed, scale, dW, scratch):
    """dW = scale * dZ A_prev'."""
    (n_out, n_in), n_samples = dW.shape, dZ.shape[1]
    dz, a, dw, workspace = address(dZ, 0), address(A_prev, 0), address(dW, 0), address(scratch, 0)
    if transposed and n_out > 1:
        product(dw, 0, False, dz, n_samples, 1, a, n_in, 1, n_out, n_samples, n_in, workspace, dw, n_in)
    elif not transposed and min(n_out, n_in) >= DOT_PRODUCTS:
        product(dw, 0, False, dz, n_samples, 1, a, 1, n_samples, n_out, n_samples, n_in, workspace, dw, n_in)
    else:
        for i in range(dW.size):
            dW.flat[i] = 0
        if transposed:
            add_product(flat_view(dZ, 0, n_samples), A_prev, 0, n_in, flat_view(dW, 0, n_in))
        else:
            add_dot_products(dZ, A_prev, dW, scratch)
    factor = dW.dtype.type(scale)
    for i in range(dW.size):
        dW.flat[i] *= factor


@kernel
def bias_gradient(dZ, scale, db):
    """db[i] = scale * sum over the samples j of dZ[i, j]."""
    T, n_samples = db.dtype.type, dZ.shape[1]
    for i in range(dZ.shape[0]):
        line, total = flat_view(dZ, i * n_samples, n_samples), T(0)
        for j in range(n_samples):
            total += line[j]
        db[i, 0] = T(scale) * total


@kernel
def input_gradient(W, dZ, dA_prev, scratch):
    """dA_prev = W' dZ."""
    (n_out, n_in), n_samples = W.shape, dZ.shape[1]
    w, workspace = address(W, 0), address(scratch, 0)
    if n_out == 1:
        for i in range(n_in):
            weight, line = W[0, i], flat_view(dA_prev, i * n_samples, n_samples)
            for j in range(n_samples):
                line[j] = weight * dZ[0, j]
        return
    for start in range(0, n_samples, COLUMNS):
        width = min(COLUMNS, n_samples - start)
        dz, da = advance(address(dZ, 0), start), advance(address(dA_prev, 0), start)
        product(da, 0, False, w, 1, n_in, dz, n_samples, 1, n_in, n_out, width, workspace, da, n_samples)


@kernel
def layer_backward(dA, Z, code, A_prev, transposed, W, scale, dZ, dW, db, dA_prev, scratch):
    """dZ, dW, db and dA_prev of a layer; where g is the identity dZ is to be dA, and Z is not read."""
    if code != IDENTITY:
        activation_gradient(dA, Z, code, dZ, scratch)
    weight_gradient(dZ, A_prev, transposed, scale, dW, scratch)
    bias_gradient(dZ, scale, db)
    if dA_prev.size > 0:
        input_gradient(W, dZ, dA_prev, scratch)


@kernel
def cross_entropy(A, Y):
    """- sum of y log(a) + (1 - y) log(1 - a), with a and 1 - a at least eps; any one shape."""
    T = A.dtype.type
    one, eps, total = T(1), T(np.finfo(A.dtype).eps), 0.0
    for i in range(A.size):
        a, y = A.flat[i], Y.flat[i]
        b = one - a
        total += y * log(eps if a < eps else a) + (one - y) * log(eps if b < eps else b)
    return -total


@kernel(fastmath=EXACT)
def cross_entropy_gradient(A, Z, Y, dZ):
    """dZ = a - y where a is the sigmoid of z, so that nothing is divided by zero; any one shape.

    Elsewhere it is the derivative by a times the sigmoid's derivative at z.
    """
    T = A.dtype.type
    one, eps = T(1), T(np.finfo(A.dtype).eps)
    for i in range(A.size):
        a, y, s = A.flat[i], Y.flat[i], sigmoid(Z.flat[i])
        slope = a * (one - a)
        other = (a - y) / (slope if slope > eps else eps) * (s * (one - s))
        dZ.flat[i] = a - y if abs(a - s) <= T(8) * eps else other


@kernel
def descend(params, grads, rate, new):
    """new = params - rate * grads; any one shape."""
    factor = new.dtype.type(rate)
    for i in range(new.size):
        new.flat[i] = params.flat[i] - factor * grads.flat[i]
