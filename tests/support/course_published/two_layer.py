"""A layer of relu and a sigmoid in plain NumPy, with the interface of the course; samples are rows."""

import numpy as np


def relu(X):
    return np.maximum(X, 0)


def relu_backward(Z, dA):
    return np.where(Z > 0, dA, 0)


def sigmoid(X):
    return 1 / (1 + np.exp(-X))


def sigmoid_backward(Z, dA):
    return dA * sigmoid(Z) * (1 - sigmoid(Z))


def predict(AL):
    return np.where(AL > 0.5, 1, 0)


def caculate_accuracy(AL, Y):
    return np.mean(predict(AL) == Y)


class TwoLayerNetwork:
    def __init__(self, hidden_dim=128):
        self.hidden_dim = hidden_dim
        self.parameters, self.caches, self.grads = {}, {}, {}

    def initialize_weight(self, X):
        n, h = X.shape[1], self.hidden_dim
        for name, shape in {"W1": (n, h), "W2": (h, 1), "b1": (1, h), "b2": (1, 1)}.items():
            self.parameters[name] = 0.01 * np.random.randn(*shape)

    def forward(self, X):
        p = self.parameters
        Z1 = X @ p["W1"] + p["b1"]
        A1 = relu(Z1)
        Z2 = A1 @ p["W2"] + p["b2"]
        self.caches = {"A0": X, "Z1": Z1, "A1": A1, "Z2": Z2, "A2": sigmoid(Z2)}
        return self.caches["A2"]

    def compute_cost(self, AL, Y):
        return -np.mean(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))

    def backward(self, AL, Y):
        c, m = self.caches, len(Y)
        dZ2 = sigmoid_backward(c["Z2"], -Y / AL + (1 - Y) / (1 - AL))
        dZ1 = relu_backward(c["Z1"], dZ2 @ self.parameters["W2"].T)
        self.grads = {"dW2": c["A1"].T @ dZ2 / m, "db2": dZ2.mean(axis=0, keepdims=True)}
        self.grads |= {"dW1": c["A0"].T @ dZ1 / m, "db1": dZ1.mean(axis=0, keepdims=True)}

    def update_parameter(self, learning_rate=0.01):
        for name in self.parameters:
            self.parameters[name] = self.parameters[name] - learning_rate * self.grads["d" + name]

    def train(self, X, Y, learning_rate=0.01):
        AL = self.forward(X)
        cost = self.compute_cost(AL, Y)
        self.backward(AL, Y)
        self.update_parameter(learning_rate)
        return cost
