"""Two sigmoid layers in plain NumPy, with the interface of the course."""

import numpy as np


def affine(W, X, B):
    return np.dot(W, X) + B


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def binary_cross_entropy(Y, YHat):
    return -np.mean(Y * np.log(YHat) + (1 - Y) * np.log(1 - YHat))


def init_parameters(num_hidden_units=2):
    np.random.seed(42)
    shapes = (num_hidden_units, 2), (num_hidden_units, 1), (1, num_hidden_units), (1, 1)
    return [np.random.randn(*shape) for shape in shapes]


def forward_loss(X, Y, _params):
    W1, B1, W2, B2 = _params
    Z1 = affine(W1, X, B1)
    H = sigmoid(Z1)
    Z2 = affine(W2, H, B2)
    YHat = sigmoid(Z2)
    return Z1, H, Z2, YHat, binary_cross_entropy(Y, YHat)


def get_gradients(X, Y, _params):
    _, H, _, YHat, loss = forward_loss(X, Y, _params)
    dZ2 = (YHat - Y) / YHat.shape[1]
    dZ1 = np.dot(np.transpose(_params[2]), dZ2) * H * (1 - H)
    sums = [dZ.sum(axis=1, keepdims=True) for dZ in (dZ1, dZ2)]
    return [np.dot(dZ1, np.transpose(X)), sums[0], np.dot(dZ2, H.T), sums[1]], loss


def optimize(X, Y, _params, learning_rate=0.1, iteration=1000):
    params, loss_trace = [np.array(value, dtype=float) for value in _params], []
    for i in range(iteration):
        grads, loss = get_gradients(X, Y, params)
        if i % 100 == 0:
            loss_trace.append(loss)
        params = [value - learning_rate * grad for value, grad in zip(params, grads, strict=True)]
    return params, loss_trace, forward_loss(X, Y, params)[3]
