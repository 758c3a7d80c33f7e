"""Gradient descent on the cross-entropy of a sigmoid, whose samples are columns: see columns.py.

A network of a few units has too few outputs to fill a vector with those of one sample; with samples in
columns it does: at 2-4-1 with 400 samples in float64 a step takes a third of its time in epoch.py.

layers, params, grads: see layout.py, but each W stands as (n_out, n_in); X (n_in, n_samples), Y (n_out,
n_samples); activations, deltas: vectors of the activations' layout, for n_samples rows at least. Hidden
activations are such as `activation_backward` takes from A.
"""

from fastnn_kernels._jit import kernel
from fastnn_kernels.activations import IDENTITY, SIGMOID, activation_backward, activation_forward
from fastnn_kernels.columns import bias_gradient, input_gradient, layer_forward, weight_gradient
from fastnn_kernels.costs import binary_cross_entropy
from fastnn_kernels.layout import input_start, output_start
from fastnn_kernels.optimizers import sgd
from fastnn_kernels.simd import flat_view, matrix_view


@kernel
def forward(layers, params, X, activations, scratch):
    """The outputs of all layers into `activations`, but of the last one its Z."""
    n_samples = X.shape[1]
    A = matrix_view(X, 0, X.shape[0], n_samples)
    for index in range(layers.size):
        layer = layers[index]
        W = matrix_view(params, layer.weights, layer.n_out, layer.n_in)
        b = matrix_view(params, layer.biases, layer.n_out, 1)
        Z = matrix_view(activations, output_start(layer, n_samples, 0), layer.n_out, n_samples)
        code = IDENTITY if index == layers.size - 1 else layer.activation
        layer_forward(A, False, W, b, code, Z, Z, scratch)
        A = Z


@kernel
def mean_cost(layers, Y, activations, deltas, scratch):
    """The mean over samples of the cost, after `forward`; overwrites the last layer's part of `deltas`."""
    (n_out, n_samples), T = Y.shape, deltas.dtype.type
    end = output_start(layers[layers.size - 1], n_samples, 0)
    Z, dZ = matrix_view(activations, end, n_out, n_samples), matrix_view(deltas, end, n_out, n_samples)
    costs, total = flat_view(scratch, 0, n_out), 0.0
    binary_cross_entropy(Z, Y, flat_view(scratch, 0, 0), T(0), T(1), costs, dZ)
    for i in range(n_out):
        total += costs[i]
    return total / n_samples


@kernel
def accuracy(layers, Y, activations):
    """The share of outputs on the side of 0.5 that Y is on, after `forward`."""
    Z = flat_view(activations, output_start(layers[layers.size - 1], Y.shape[1], 0), Y.size)
    hits = 0
    for i in range(Y.size):
        hits += (Z[i] > 0) == (Y.flat[i] > 0.5)
    return hits / Y.size


@kernel
def update(layers, params, X, Y, rate, activations, deltas, grads, scratch):
    """One step, after `forward`."""
    T, n_samples, top = params.dtype.type, X.shape[1], layers.size - 1
    end = output_start(layers[top], n_samples, 0)
    dZ = matrix_view(deltas, end, Y.shape[0], n_samples)
    activation_forward(matrix_view(activations, end, Y.shape[0], n_samples), SIGMOID, dZ)
    for i in range(dZ.size):
        dZ.flat[i] -= Y.flat[i]
    for index in range(top, -1, -1):
        layer = layers[index]
        start = input_start(layer, n_samples, 0)
        A = matrix_view(X, 0, X.shape[0], n_samples)
        if index > 0:
            A = matrix_view(activations, start, layer.n_in, n_samples)
        dW = matrix_view(grads, layer.weights, layer.n_out, layer.n_in)
        weight_gradient(dZ, A, False, 1 / n_samples, dW, scratch)
        bias_gradient(dZ, 1 / n_samples, matrix_view(grads, layer.biases, layer.n_out, 1))
        if index > 0:
            dA = matrix_view(deltas, start, layer.n_in, n_samples)
            input_gradient(matrix_view(params, layer.weights, layer.n_out, layer.n_in), dZ, dA, scratch)
            activation_backward(dA, A, A, layers[index - 1].activation, dA)
            dZ = dA
    sgd(grads, T(rate), T(1), T(0), params)


@kernel
def descend(layers, params, X, Y, rate, first, last, every, activations, deltas, grads, scratch, costs):
    """Steps number first .. last over all samples; costs[i] is the mean cost before step i * every."""
    for step in range(first, last):
        forward(layers, params, X, activations, scratch)
        if step % every == 0:
            costs[step // every] = mean_cost(layers, Y, activations, deltas, scratch)
        update(layers, params, X, Y, rate, activations, deltas, grads, scratch)


@kernel
def descend_epochs(
    layers, params, X, Y, orders, batch_size, rate, X_test, Y_test, batch,
    activations, deltas, grads, scratch, curves,
):  # fmt: skip
    """An epoch for each row of `orders` (n_epochs, n_samples), in batches of so many samples in that order.

    curves (n_epochs, 4): mean cost and accuracy over X, and over X_test if it is not empty, after each epoch;
    batch: room for the features and labels of a batch.
    """
    (n_in, n_samples), n_out = X.shape, Y.shape[0]
    for epoch in range(orders.shape[0]):
        for start in range(0, n_samples, batch_size):
            width = min(batch_size, n_samples - start)
            features = matrix_view(batch, 0, n_in, width)
            labels = matrix_view(batch, n_in * width, n_out, width)
            for i in range(n_in):
                for j in range(width):
                    features[i, j] = X[i, orders[epoch, start + j]]
            for i in range(n_out):
                for j in range(width):
                    labels[i, j] = Y[i, orders[epoch, start + j]]
            forward(layers, params, features, activations, scratch)
            update(layers, params, features, labels, rate, activations, deltas, grads, scratch)
        forward(layers, params, X, activations, scratch)
        curves[epoch, 0] = mean_cost(layers, Y, activations, deltas, scratch)
        curves[epoch, 1] = accuracy(layers, Y, activations)
        if Y_test.size > 0:
            forward(layers, params, X_test, activations, scratch)
            curves[epoch, 2] = mean_cost(layers, Y_test, activations, deltas, scratch)
            curves[epoch, 3] = accuracy(layers, Y_test, activations)
