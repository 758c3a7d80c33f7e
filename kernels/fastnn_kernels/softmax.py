"""Softmax: the one activation that looks at whole rows."""

from fastnn_kernels.leaves import leaf
from fastnn_kernels.vecmath import exp


@leaf("activation_forward")
def row_maximum_subtracted(T):
    """a[i, j] -= max_k a[i, k]."""

    def row_maximum_subtracted(a, rows, n):
        for i in range(rows):
            largest = a[i * n]
            for j in range(n):
                largest = a[i * n + j] if a[i * n + j] > largest else largest
            for j in range(n):
                a[i * n + j] -= largest

    return row_maximum_subtracted


@leaf("activation_forward")
def softmax_rows(T):
    """a[i, j] = exp(z[i, j] - m) / sum_k exp(z[i, k] - m), m the maximum of row i."""
    zero, one = T(0), T(1)

    def softmax_rows(a, rows, n):
        row_maximum_subtracted(a, rows, n)
        for i in range(rows * n):  # one flat loop: rows are often shorter than a vector
            a[i] = exp(a[i])
        for i in range(rows):
            total = zero
            for j in range(n):
                total += a[i * n + j]
            factor = one / total
            for j in range(n):
                a[i * n + j] *= factor

    return softmax_rows


@leaf("activation_backward")
def softmax_rows_backward(T):
    """dz[i, j] = a[i, j] (da[i, j] - sum_k da[i, k] a[i, k])."""
    zero = T(0)

    def softmax_rows_backward(d, a, rows, n):
        for i in range(rows):
            mean = zero
            for j in range(n):
                mean += d[i * n + j] * a[i * n + j]
            for j in range(n):
                d[i * n + j] = a[i * n + j] * (d[i * n + j] - mean)

    return softmax_rows_backward
