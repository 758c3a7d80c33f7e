"""The affine transform Z = X W + b, dense and for CSR rows, with its gradients.

X (n_samples, n_in), W (n_in, n_out), b (n_out,), Z and dZ (n_samples, n_out): contiguous rows, outputs
overlap no input. `scratch` is 1-D, see `affine_scratch_size`. A CSR matrix is given by its three arrays:
row i holds the values data[p] in the columns indices[p], for indptr[i] <= p < indptr[i + 1].
"""

from numba.extending import register_jitable

from fastnn_kernels._jit import EXACT, kernel
from fastnn_kernels.matmul import dot_rows, matmul_at, matmul_bt, product, row_stride, scratch_size
from fastnn_kernels.simd import address, advance, lanes_of
from fastnn_kernels.tiles import TILE_VECTORS, sum_tile


@register_jitable
def affine_scratch_size(n_samples, n_in, n_out, itemsize):
    """Elements of scratch that the forward and the backward pass of a layer may use."""
    return max(
        scratch_size(n_samples, n_in, n_out, itemsize),
        scratch_size(n_in, n_samples, n_out, itemsize),
        scratch_size(n_samples, n_out, n_in, itemsize),
    )


@kernel(inline=True)
def affine_forward(X, W, b, Z, scratch):
    """Z = X W + b: the sums start from the bias, which costs nothing."""
    (m, k), n = X.shape, W.shape[1]
    x, w, bias, z = address(X, 0), address(W, 0), address(b, 0), address(Z, 0)
    if n == 1 and row_stride(W) == 1 and row_stride(Z) == 1:
        dot_rows(x, row_stride(X), w, m, k, z)
        for i in range(m):
            Z[i, 0] += b[0]
    else:
        workspace = address(scratch, 0)
        product(bias, 0, True, x, row_stride(X), 1, w, row_stride(W), 1, m, k, n, workspace, z, row_stride(Z))


@kernel(fastmath=EXACT)
def column_sum(dZ, db):
    """db = sum over the rows of dZ, in their order;  dZ (n_samples, n_out), db (n_out,)."""
    z, b, row = address(dZ, 0), address(db, 0), row_stride(dZ)
    width = TILE_VECTORS * lanes_of(z)
    for j in range(0, db.size, width):
        sum_tile(advance(z, j), row, dZ.shape[0], min(width, db.size - j), advance(b, j))


@kernel(inline=True)
def affine_backward(X, W, dZ, dW, db, dX, scratch):
    """dW = X' dZ, db = sum of dZ over rows, dX = dZ W'; an empty dX is not computed.

    dW (n_in, n_out), db (n_out,), dX (n_samples, n_in) or of size 0.
    """
    matmul_at(X, dZ, dW, scratch)
    column_sum(dZ, db)
    if dX.size > 0:
        matmul_bt(dZ, W, dX, scratch)


@kernel
def csr_row_forward(data, indices, start, end, W, row):
    """row += x W for one CSR row x, the entries start .. end."""
    for p in range(start, end):
        value = data[p]
        weights = W[indices[p]]
        for j in range(row.size):
            row[j] += value * weights[j]


@kernel
def csr_row_backward(data, indices, start, end, row, first, last, dW):
    """dW[first:last] += x' row for one CSR row x, the entries start .. end; the rest of dW stays."""
    for p in range(start, end):
        column = indices[p]
        if first <= column < last:
            value = data[p]
            weights = dW[column]
            for j in range(row.size):
                weights[j] += value * row[j]


@kernel
def affine_forward_csr(data, indices, indptr, W, b, Z):
    """Z = X W + b for X in CSR form."""
    for i in range(Z.shape[0]):
        row = Z[i]
        for j in range(row.size):
            row[j] = b[j]
        csr_row_forward(data, indices, indptr[i], indptr[i + 1], W, row)


@kernel
def affine_backward_csr(data, indices, indptr, dZ, dW, db):
    """dW = X' dZ, db = sum of dZ over rows, for X in CSR form (its dX is never wanted)."""
    for k in range(dW.shape[0]):
        weights = dW[k]
        for j in range(weights.size):
            weights[j] = 0
    for i in range(dZ.shape[0]):
        csr_row_backward(data, indices, indptr[i], indptr[i + 1], dZ[i], 0, dW.shape[0], dW)
    column_sum(dZ, db)
