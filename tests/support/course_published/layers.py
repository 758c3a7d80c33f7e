"""L layers in plain NumPy, with the interface of the course: what a notebook imports before the swap."""

import numpy as np


def initialize_parameters(layer_dims):
    np.random.seed(1)
    parameters = {}
    for i in range(1, len(layer_dims)):
        parameters[f"W{i}"] = 0.01 * np.random.randn(layer_dims[i], layer_dims[i - 1])
        parameters[f"b{i}"] = np.zeros((layer_dims[i], 1))
    return parameters


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z)), Z


def relu(Z):
    return np.maximum(Z, 0), Z


def sigmoid_backward(dA, Z):
    A = sigmoid(Z)[0]
    return dA * A * (1 - A)


def relu_backward(dA, Z):
    return np.where(Z > 0, dA, 0)


def linear_forward(A, W, b):
    return W @ A + b, (A, W, b)


def linear_activation_forward(A_prev, W, b, activation):
    Z, linear_cache = linear_forward(A_prev, W, b)
    return {"sigmoid": sigmoid, "relu": relu}[activation](Z)[0], (linear_cache, Z)


def L_Model_Forward(X, parameters):
    A, caches, depth = X, [], len(parameters) // 2
    for i in range(1, depth + 1):
        activation = "sigmoid" if i == depth else "relu"
        A, cache = linear_activation_forward(A, parameters[f"W{i}"], parameters[f"b{i}"], activation)
        caches.append(cache)
    return A, caches


def compute_cost(AL, Y):
    return -np.mean(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))


def linear_backward(dZ, cache):
    A_prev, W, _ = cache
    m = A_prev.shape[1]
    return W.T @ dZ, dZ @ A_prev.T / m, dZ.sum(axis=1, keepdims=True) / m


def linear_activation_backward(dA, cache, activation):
    linear_cache, Z = cache
    backward = {"sigmoid": sigmoid_backward, "relu": relu_backward}[activation]
    return linear_backward(backward(dA, Z), linear_cache)


def L_model_backward(AL, Y, caches):
    grads, dA = {}, -Y / AL + (1 - Y) / (1 - AL)
    for i in range(len(caches), 0, -1):
        activation = "sigmoid" if i == len(caches) else "relu"
        dA, grads[f"dW{i}"], grads[f"db{i}"] = linear_activation_backward(dA, caches[i - 1], activation)
        grads[f"dA{i - 1}"] = dA
    return grads


def update_parameters(parameters, grads, learning_rate):
    for name in parameters:
        parameters[name] = parameters[name] - learning_rate * grads["d" + name]
    return parameters
