"""The course helpers in plain NumPy, as notebooks have them but for the bugs: what ours are timed against.

Same names, arguments and results; samples are columns. No checks, no conversions.
"""

import numpy as np


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def relu(Z):
    return np.maximum(0, Z), Z


def sigmoid_backward(dA, Z):
    s = 1 / (1 + np.exp(-Z))
    return dA * s * (1 - s)


def relu_backward(dA, Z):
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ


def linear_forward(A, W, b):
    return np.dot(W, A) + b, (A, W, b)


def linear_activation_forward(A_prev, W, b, activation):
    Z, cache = linear_forward(A_prev, W, b)
    return (relu(Z)[0] if activation == "relu" else sigmoid(Z)), (cache, Z)


def compute_cost(AL, Y):
    m = Y.shape[1]
    return np.squeeze(-np.sum(Y * np.log(AL) + (1 - Y) * np.log(1 - AL)) / m)


def compute_dZ(dA, Z, activation):
    return (relu_backward if activation == "relu" else sigmoid_backward)(dA, Z)


def compute_dW(dZ, A_prev):
    return np.dot(dZ, A_prev.T) / dZ.shape[1]


def compute_db(dZ):
    return np.sum(dZ, axis=1, keepdims=True) / dZ.shape[1]


def compute_dA_prev(W, dZ):
    return np.dot(W.T, dZ)


def linear_backward(dZ, cache):
    A_prev, W, _ = cache
    return compute_dA_prev(W, dZ), compute_dW(dZ, A_prev), compute_db(dZ)


def linear_activation_backward(dA, cache, activation):
    linear_cache, Z = cache
    return linear_backward(compute_dZ(dA, Z, activation), linear_cache)


def update_parameters(parameters, grads, learning_rate):
    return {name: value - learning_rate * grads["d" + name] for name, value in parameters.items()}


def L_model_forward(X, parameters):
    A, caches, depth = X, [], len(parameters) // 2
    for layer in range(1, depth + 1):
        W, b = parameters[f"W{layer}"], parameters[f"b{layer}"]
        A, cache = linear_activation_forward(A, W, b, "relu" if layer < depth else "sigmoid")
        caches.append(cache)
    return A, caches


def L_model_backward(AL, Y, caches):
    grads, dA = {}, -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
    for layer in range(len(caches), 0, -1):
        activation = "sigmoid" if layer == len(caches) else "relu"
        dA, dW, db = linear_activation_backward(dA, caches[layer - 1], activation)
        grads[f"dA{layer - 1}"], grads[f"dW{layer}"], grads[f"db{layer}"] = dA, dW, db
    return grads


def L_layer_model(X, Y, parameters, learning_rate, num_iterations):
    """From given parameters, not drawn ones."""
    for _ in range(num_iterations):
        AL, caches = L_model_forward(X, parameters)
        compute_cost(AL, Y)
        parameters = update_parameters(parameters, L_model_backward(AL, Y, caches), learning_rate)
    return parameters


# One hidden layer of tanh units.


def forward_propagation(X, parameters):
    Z1 = np.dot(parameters["W1"], X) + parameters["b1"]
    A1 = np.tanh(Z1)
    Z2 = np.dot(parameters["W2"], A1) + parameters["b2"]
    A2 = sigmoid(Z2)
    return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}


def backward_propagation(parameters, cache, X, Y):
    A1, m = cache["A1"], X.shape[1]
    dZ2 = cache["A2"] - Y
    dZ1 = np.dot(parameters["W2"].T, dZ2) * (1 - np.power(A1, 2))
    return {
        "dW1": np.dot(dZ1, X.T) / m,
        "db1": np.sum(dZ1, axis=1, keepdims=True) / m,
        "dW2": np.dot(dZ2, A1.T) / m,
        "db2": np.sum(dZ2, axis=1, keepdims=True) / m,
    }


def nn_model(X, Y, parameters, num_iterations, learning_rate):
    """From given parameters, not drawn ones."""
    for _ in range(num_iterations):
        A2, cache = forward_propagation(X, parameters)
        compute_cost(A2, Y)
        grads = backward_propagation(parameters, cache, X, Y)
        parameters = update_parameters(parameters, grads, learning_rate)
    return parameters


# XOR: two layers of sigmoids, parameters in a list.


def affine(W, X, B):
    return np.dot(W, X) + B


def binary_cross_entropy(Y, YHat):
    return -np.mean(Y * np.log(YHat) + (1 - Y) * np.log(1 - YHat))


def forward_loss(X, Y, params):
    W1, B1, W2, B2 = params
    Z1 = affine(W1, X, B1)
    H = sigmoid(Z1)
    Z2 = affine(W2, H, B2)
    YHat = sigmoid(Z2)
    return Z1, H, Z2, YHat, binary_cross_entropy(Y, YHat)


def get_gradients(X, Y, params):
    _, H, _, YHat, loss = forward_loss(X, Y, params)
    m = X.shape[1]
    dZ2 = (YHat - Y) / m
    dZ1 = np.dot(params[2].T, dZ2) * H * (1 - H)
    dB2, dB1 = (np.sum(dZ, axis=1, keepdims=True) for dZ in (dZ2, dZ1))
    return [np.dot(dZ1, X.T), dB1, np.dot(dZ2, H.T), dB2], loss


def optimize(X, Y, params, learning_rate, iteration):
    trace = []
    for i in range(iteration):
        grads, loss = get_gradients(X, Y, params)
        if i % 100 == 0:
            trace.append(loss)
        params = [value - learning_rate * grad for value, grad in zip(params, grads, strict=True)]
    return params, trace, forward_loss(X, Y, params)[3]


# Mini-batches; samples are rows here, and so W is (n_in, n_out).


def rows_forward(X, parameters):
    Z1 = np.dot(X, parameters["W1"]) + parameters["b1"]
    A1, _ = relu(Z1)
    Z2 = np.dot(A1, parameters["W2"]) + parameters["b2"]
    return Z1, A1, Z2, sigmoid(Z2)


def rows_step(X, Y, parameters, learning_rate):
    """The cost of a batch, and the parameters after a step."""
    Z1, A1, _, A2 = rows_forward(X, parameters)
    m = len(X)
    cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
    dZ2 = (A2 - Y) / m
    dZ1 = np.dot(dZ2, parameters["W2"].T) * (Z1 > 0)
    grads = {
        "dW1": np.dot(X.T, dZ1),
        "db1": np.sum(dZ1, axis=0, keepdims=True),
        "dW2": np.dot(A1.T, dZ2),
        "db2": np.sum(dZ2, axis=0, keepdims=True),
    }
    return cost, update_parameters(parameters, grads, learning_rate)


def rows_scores(X, Y, parameters):
    """Cost and accuracy."""
    A2 = np.clip(rows_forward(X, parameters)[3], 1e-16, 1 - 1e-16)
    cost = -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))
    return cost, np.mean((A2 > 0.5) == Y)
