"""The forward pass alone."""

from fastnn_kernels._jit import kernel
from fastnn_kernels.activations import SOFTMAX, activation_forward, softmax_forward
from fastnn_kernels.affine import affine_forward, affine_forward_csr
from fastnn_kernels.simd import flat_view, matrix_view


@kernel(inline=True)
def activate(Z, code):
    """Z = g(Z) in place, rows of softmax included."""
    if code == SOFTMAX:
        softmax_forward(Z, Z)
    else:
        activation_forward(Z, code, Z)


@kernel(inline=True)
def finish(layers, params, A, first, start, buffer, scratch, out):
    """Carry A, the input of layer `first` for the rows from `start` on, through it and all that follow."""
    last, rows = layers.size - 1, A.shape[0]
    for index in range(first, layers.size):
        layer = layers[index]
        if index == last:
            Z = matrix_view(out, start * layer.n_out, rows, layer.n_out)
        else:
            Z = matrix_view(buffer, buffer.size // 2 * (index % 2), rows, layer.n_out)
        W = matrix_view(params, layer.weights, layer.n_in, layer.n_out)
        affine_forward(A, W, flat_view(params, layer.biases, layer.n_out), Z, scratch)
        activate(Z, layer.activation)
        A = Z


@kernel
def predict(layers, params, X, chunk, buffer, scratch, out):
    """out = the network's output for the rows of X.

    X (n, n_in), out (n, n_out); buffer (2 * chunk * largest hidden width,): `chunk` rows are carried
    through all layers at a time, between the two halves of the buffer.
    """
    for start in range(0, X.shape[0], chunk):
        rows = min(chunk, X.shape[0] - start)
        A = matrix_view(X, start * X.shape[1], rows, X.shape[1])
        finish(layers, params, A, 0, start, buffer, scratch, out)


@kernel
def predict_csr(layers, params, data, indices, indptr, chunk, buffer, scratch, out):
    """out = the network's output for the rows of X in CSR form; the rest as for `predict`."""
    layer = layers[0]
    W = matrix_view(params, layer.weights, layer.n_in, layer.n_out)
    b = flat_view(params, layer.biases, layer.n_out)
    for start in range(0, out.shape[0], chunk):
        rows = min(chunk, out.shape[0] - start)
        if layers.size == 1:
            Z = matrix_view(out, start * layer.n_out, rows, layer.n_out)
        else:
            Z = matrix_view(buffer, 0, rows, layer.n_out)
        affine_forward_csr(data, indices, indptr[start : start + rows + 1], W, b, Z)
        activate(Z, layer.activation)
        finish(layers, params, Z, 1, start, buffer, scratch, out)
