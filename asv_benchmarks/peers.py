"""The same training run, dense float32 from the same weights, in fastnn and in what people use today.

Each function takes a `Case` and returns a `Training`, or raises ImportError where its library is absent.
All use Adam but the NumPy reference, which takes plain gradient steps.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

RATE = 1e-3


@dataclass(frozen=True)
class Case:
    """Widths, rows of a batch, rows in all, hidden activation, threads, and whether rows are shuffled."""

    sizes: tuple[int, ...]
    batch: int
    rows: int
    activation: str
    threads: int
    shuffle: bool = True

    @property
    def name(self):
        return f"{'-'.join(map(str, self.sizes))}, {self.batch}, {self.threads}"

    @property
    def steps(self):
        return -(-self.rows // self.batch)

    @property
    def softmax(self):
        return self.sizes[-1] == 10

    @property
    def flops(self):
        """Of one step: the products forward and back, without the first layer's dX."""
        products = sum(a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        return self.batch * (6 * products - 2 * self.sizes[0] * self.sizes[1])

    def data(self):
        random = np.random.default_rng(0)
        X = random.standard_normal((self.rows, self.sizes[0]), dtype=np.float32)
        if self.softmax:
            return X, random.integers(0, 10, self.rows)
        return X, random.integers(0, 2, (self.rows, self.sizes[-1])).astype(np.float32)

    def network(self):
        from fastnn import Network

        output = "softmax" if self.softmax else "sigmoid"
        return Network(self.sizes, activation=self.activation, output=output, seed=0)

    def start(self):
        """The weights and biases that all begin with, as lists of arrays to be overwritten."""
        net = self.network()
        return [W.copy() for W in net.weights], [b.copy() for b in net.biases]


class Training(NamedTuple):
    """`run(epochs)` trains on; `outputs(X)` are the network's, (n_samples, n_out)."""

    run: Callable
    outputs: Callable

    def __call__(self, epochs):
        self.run(epochs)


def fastnn(case):
    from fastnn import Adam

    X, y = case.data()
    net = case.network()

    def run(epochs):
        net.fit(
            X, y, epochs=epochs, batch_size=case.batch, optimizer=Adam(RATE), threads=case.threads,
            shuffle=case.shuffle,
        )  # fmt: skip

    return Training(run, net.predict)


def scikit_learn(case):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    X, y = case.data()
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y

    model = MLPClassifier(
        case.sizes[1:-1], activation=case.activation, alpha=0, batch_size=case.batch, shuffle=case.shuffle,
        tol=0, n_iter_no_change=10**9, random_state=0, warm_start=True,
    )  # fmt: skip

    def run(epochs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(max_iter=epochs).fit(X, y)

    def outputs(X):
        found = model.predict_proba(X)
        return found[:, 1:] if case.sizes[-1] == 1 else found

    run(1)  # makes the attributes; the optimizer begins anew with each fit
    model.coefs_, model.intercepts_ = case.start()
    return Training(run, outputs)


def pytorch(case):
    import torch

    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    X, y = map(torch.from_numpy, case.data())
    layers = []
    for W, b in zip(*case.start(), strict=True):
        linear = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.Tanh() if case.activation == "tanh" else torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    loss = torch.nn.CrossEntropyLoss() if case.softmax else torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), RATE)

    def run(epochs):
        for _ in range(epochs):
            order = torch.randperm(case.rows) if case.shuffle else torch.arange(case.rows)
            for rows in order.split(case.batch):
                optimizer.zero_grad()
                loss(model(X[rows]), y[rows]).backward()
                optimizer.step()

    def outputs(X):
        with torch.no_grad():
            Z = model(torch.from_numpy(X))
            return (Z.softmax(1) if case.softmax else Z.sigmoid()).numpy()

    return Training(run, outputs)


def jax(case):
    import jax
    from jax import numpy as jnp

    X, y = map(jnp.asarray, case.data())
    params = [tuple(map(jnp.asarray, layer)) for layer in zip(*case.start(), strict=True)]
    activate = jnp.tanh if case.activation == "tanh" else jax.nn.relu

    def logits(params, X):
        for W, b in params[:-1]:
            X = activate(X @ W + b)
        return X @ params[-1][0] + params[-1][1]

    def cost(params, X, y):
        Z = logits(params, X)
        if case.softmax:
            return -jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], 1).mean()
        return (jnp.maximum(Z, 0) - Z * y + jnp.log1p(jnp.exp(-jnp.abs(Z)))).sum(1).mean()

    def step(state, rows):
        params, means, squares, t = state
        grads = jax.grad(cost)(params, X[rows], y[rows])
        t = t + 1
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, grads)
        squares = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, squares, grads)
        root = jnp.sqrt(1 - 0.999**t)
        rate, epsilon = RATE * root / (1 - 0.9**t), 1e-8 * root
        params = jax.tree.map(lambda p, m, s: p - rate * m / (jnp.sqrt(s) + epsilon), params, means, squares)
        return (params, means, squares, t), None

    @jax.jit
    def epoch(state, key):
        rows = jax.random.permutation(key, case.rows) if case.shuffle else jnp.arange(case.rows)
        rows = rows[: case.rows // case.batch * case.batch]
        return jax.lax.scan(step, state, rows.reshape(-1, case.batch))[0]

    zeros = jax.tree.map(jnp.zeros_like, params)
    keep = {"state": (params, zeros, zeros, jnp.float32(0)), "key": jax.random.key(0)}

    def run(epochs):
        for _ in range(epochs):
            keep["key"], key = jax.random.split(keep["key"])
            keep["state"] = epoch(keep["state"], key)
        jax.block_until_ready(keep["state"])

    def outputs(X):
        Z = logits(keep["state"][0], X)
        return np.asarray(jax.nn.softmax(Z) if case.softmax else jax.nn.sigmoid(Z))

    return Training(run, outputs)


def numpy(case):
    from fastnn import reference

    X, y = case.data()
    Y = y[:, None].astype(np.float32) if y.ndim == 1 else y
    random = np.random.default_rng(0)
    weights, biases = case.start()
    names = [case.activation] * (len(weights) - 1) + ["softmax" if case.softmax else "sigmoid"]
    cost = "softmax_cross_entropy" if case.softmax else "binary_cross_entropy"

    def run(epochs):
        for _ in range(epochs):
            order = random.permutation(case.rows) if case.shuffle else np.arange(case.rows)
            for first in range(0, case.rows, case.batch):
                rows = order[first : first + case.batch]
                _, dW, db = reference.gradients(
                    X[rows], Y[rows], weights, biases, names, cost, scale=np.float32(1 / len(rows))
                )
                for layer in range(len(weights)):
                    weights[layer] -= np.float32(RATE) * dW[layer]
                    biases[layer] -= np.float32(RATE) * db[layer]

    return Training(run, lambda X: reference.forward(X, weights, biases, names)[1][-1])


PEERS = {"scikit-learn": scikit_learn, "PyTorch": pytorch, "JAX": jax, "NumPy reference": numpy}
