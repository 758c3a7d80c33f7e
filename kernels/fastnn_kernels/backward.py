"""The backward pass of one layer: through its activation, then through its affine transform."""

from fastnn_kernels._jit import kernel
from fastnn_kernels.affine import affine_backward
from fastnn_kernels.on_arrays import activation_backward


@kernel
def layer_backward(dA, X, W, Z, A, code, dZ, dW, db, dX, scratch):
    """dZ = dA * g'(Z), dW = X' dZ, db = sum of dZ over rows, dX = dZ W'.

    dA, Z, A, dZ: (n_samples, n_out); X, dX: (n_samples, n_in), an empty dX is not computed;
    W, dW: (n_in, n_out); db: (n_out,). dZ may be dA. To start from dZ itself, give IDENTITY as `code`.
    """
    activation_backward(dA, Z, A, code, dZ)
    affine_backward(X, W, dZ, dW, db, dX, scratch)
