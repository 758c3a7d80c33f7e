"""The same training run, dense float32 with shuffled batches, in fastnn and in what people use today.

Each function takes a `Case` and returns `run(epochs)`, or raises ImportError where its library is absent.
All use Adam but the NumPy reference, which takes plain gradient steps.
"""

import warnings
from dataclasses import dataclass

import numpy as np

RATE = 1e-3


@dataclass(frozen=True)
class Case:
    """Widths, rows of a batch, rows in all, hidden activation, threads, and whether outputs are classes."""

    sizes: tuple[int, ...]
    batch: int
    rows: int
    activation: str
    threads: int

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


def fastnn(case):
    from fastnn import Adam, Network

    X, y = case.data()
    output = "softmax" if case.softmax else "sigmoid"
    net = Network(case.sizes, activation=case.activation, output=output, seed=0)
    return lambda epochs: net.fit(
        X, y, epochs=epochs, batch_size=case.batch, optimizer=Adam(RATE), threads=case.threads
    )


def scikit_learn(case):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    X, y = case.data()
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y

    def run(epochs):
        model = MLPClassifier(
            case.sizes[1:-1], activation=case.activation, alpha=0, batch_size=case.batch, max_iter=epochs,
            tol=0, n_iter_no_change=10**9, random_state=0,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)

    return run


def pytorch(case):
    import torch

    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    X, y = map(torch.from_numpy, case.data())
    layers = []
    for n_in, n_out in zip(case.sizes, case.sizes[1:], strict=False):
        layers += [
            torch.nn.Linear(n_in, n_out),
            torch.nn.Tanh() if case.activation == "tanh" else torch.nn.ReLU(),
        ]
    model = torch.nn.Sequential(*layers[:-1])
    loss = torch.nn.CrossEntropyLoss() if case.softmax else torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), RATE)

    def run(epochs):
        for _ in range(epochs):
            for rows in torch.randperm(case.rows).split(case.batch):
                optimizer.zero_grad()
                loss(model(X[rows]), y[rows]).backward()
                optimizer.step()

    return run


def jax(case):
    import jax
    from jax import numpy as jnp

    X, y = map(jnp.asarray, case.data())
    random = np.random.default_rng(0)
    params = [
        (random.standard_normal((a, b), dtype=np.float32) / np.float32(a**0.5), np.zeros(b, np.float32))
        for a, b in zip(case.sizes, case.sizes[1:], strict=False)
    ]
    activate = jnp.tanh if case.activation == "tanh" else jax.nn.relu

    def cost(params, X, y):
        for W, b in params[:-1]:
            X = activate(X @ W + b)
        Z = X @ params[-1][0] + params[-1][1]
        if case.softmax:
            return -jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], 1).mean()
        return (jnp.maximum(Z, 0) - Z * y + jnp.log1p(jnp.exp(-jnp.abs(Z)))).sum(1).mean()

    def step(state, rows):
        params, means, squares, t = state
        grads = jax.grad(cost)(params, X[rows], y[rows])
        t = t + 1
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, grads)
        squares = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, squares, grads)
        rate = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        params = jax.tree.map(lambda p, m, s: p - rate * m / (jnp.sqrt(s) + 1e-8), params, means, squares)
        return (params, means, squares, t), None

    @jax.jit
    def epoch(state, key):
        rows = jax.random.permutation(key, case.rows)[: case.rows // case.batch * case.batch]
        return jax.lax.scan(step, state, rows.reshape(-1, case.batch))[0]

    zeros = jax.tree.map(jnp.zeros_like, params)
    keep = {"state": (params, zeros, zeros, jnp.float32(0)), "key": jax.random.key(0)}

    def run(epochs):
        for _ in range(epochs):
            keep["key"], key = jax.random.split(keep["key"])
            keep["state"] = epoch(keep["state"], key)
        jax.block_until_ready(keep["state"])

    return run


def numpy(case):
    from fastnn import reference

    X, y = case.data()
    Y = y[:, None].astype(np.float32) if y.ndim == 1 else y
    random = np.random.default_rng(0)
    pairs = list(zip(case.sizes, case.sizes[1:], strict=False))
    weights = [random.standard_normal(p, dtype=np.float32) / np.float32(p[0] ** 0.5) for p in pairs]
    biases = [np.zeros(b, np.float32) for _, b in pairs]
    names = [case.activation] * (len(pairs) - 1) + ["softmax" if case.softmax else "sigmoid"]
    cost = "softmax_cross_entropy" if case.softmax else "binary_cross_entropy"

    def run(epochs):
        for _ in range(epochs):
            order = random.permutation(case.rows)
            for first in range(0, case.rows, case.batch):
                rows = order[first : first + case.batch]
                _, dW, db = reference.gradients(
                    X[rows], Y[rows], weights, biases, names, cost, scale=np.float32(1 / len(rows))
                )
                for layer in range(len(pairs)):
                    weights[layer] -= np.float32(RATE) * dW[layer]
                    biases[layer] -= np.float32(RATE) * db[layer]

    return run


PEERS = {"scikit-learn": scikit_learn, "PyTorch": pytorch, "JAX": jax, "NumPy reference": numpy}
