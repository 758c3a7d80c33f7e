"""fastnn and its peers: the same training from the same weights, in the same type, with Adam.

Each function takes a `Case`, and whether rows are shuffled, and gives a `Side`, or raises ImportError where
its library is absent. A process has the CPUs that a side may use and no more: not every library can be told.
"""

import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.cases import RATE


class Side(NamedTuple):
    """`run(epochs)` trains on; `outputs(X)` are the network's, (n_samples, n_out)."""

    run: Callable
    outputs: Callable


def fastnn(case, shuffle=True, threads=1, precision=None):
    from fastnn import Adam

    (X, y), net = case.data, case.network(precision=precision)
    options = {"batch_size": case.batch, "optimizer": Adam(RATE), "threads": threads, "shuffle": shuffle}
    return Side(lambda epochs: net.fit(X, y, epochs=epochs, **options), net.predict)


def scikit_learn(case, shuffle=True):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    X, y = case.data
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    model = MLPClassifier(
        case.sizes[1:-1], activation=case.activation, alpha=0, batch_size=case.batch, shuffle=shuffle,
        learning_rate_init=RATE, tol=0, n_iter_no_change=10**9, random_state=0, warm_start=True,
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
    return Side(run, outputs)


def pytorch(case, shuffle=True, precision=None, fused=None):
    """precision: 'bfloat16' for products under autocast; fused: the optimizer, None for PyTorch's choice."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    X, y = map(torch.from_numpy, case.data)
    layers = []
    for W, b in zip(*case.start(), strict=True):
        linear = torch.nn.Linear(*W.shape, dtype=X.dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.Tanh() if case.activation == "tanh" else torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    loss = torch.nn.CrossEntropyLoss() if case.softmax else torch.nn.BCEWithLogitsLoss()
    # BCE is a mean over the outputs too, where ours is their sum: Adam does not see a factor.
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=fused)
    cast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def run(epochs):
        for _ in range(epochs):
            order = torch.randperm(case.rows) if shuffle else torch.arange(case.rows)
            for rows in order.split(case.batch):
                optimizer.zero_grad()
                with cast():
                    cost = loss(model(X[rows]), y[rows])
                cost.backward()
                optimizer.step()

    def outputs(X):
        with torch.no_grad(), cast():
            Z = model(torch.from_numpy(X)).to(torch.from_numpy(X).dtype)
            return (Z.softmax(1) if case.softmax else Z.sigmoid()).numpy()

    return Side(run, outputs)


def jax(case, shuffle=True, members=None):
    """One network; or so many at once by vmap, with the seeds of a fleet and an order of rows for each."""
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", case.dtype == "float64")
    X, y = map(jnp.asarray, case.data)
    if members:
        # (weights, biases) of each member, in stacks of (members, n_in, n_out) and (members, n_out)
        starts = zip(*(case.start(seed) for seed in range(members)), strict=True)
        start = [[np.stack(layer) for layer in zip(*each, strict=True)] for each in starts]
    else:
        start = case.start()
    layers = [tuple(map(jnp.asarray, layer)) for layer in zip(*start, strict=True)]
    many = jax.vmap if members else lambda function, *_: function
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

    def one_epoch(state, key):
        rows = jax.random.permutation(key, case.rows) if shuffle else jnp.arange(case.rows)
        return jax.lax.scan(step, state, rows.reshape(-1, case.batch))[0]

    def activated(params, X):
        Z = logits(params, X)
        return jax.nn.softmax(Z) if case.softmax else jax.nn.sigmoid(Z)

    epoch, outputs = jax.jit(many(one_epoch)), jax.jit(many(activated, (0, None)))
    zeros, steps = jax.tree.map(jnp.zeros_like, layers), jnp.zeros(members or (), case.dtype)
    keep = {"state": (layers, zeros, zeros, steps), "key": jax.random.key(0)}

    def run(epochs):
        for _ in range(epochs):
            keep["key"], key = jax.random.split(keep["key"])
            keep["state"] = epoch(keep["state"], jax.random.split(key, members) if members else key)
        jax.block_until_ready(keep["state"])

    return Side(run, lambda X: np.asarray(outputs(keep["state"][0], X)))


def fleet(case, shuffle=True, members=1, threads=1):
    """`outputs` are (members, n_samples, n_out)."""
    from fastnn import Adam, Fleet

    (X, y), many = case.data, Fleet(members, case.sizes, output=case.output, seed=0)
    options = {"batch_size": case.batch, "optimizer": Adam(RATE), "threads": threads, "shuffle": shuffle}
    return Side(lambda epochs: many.fit(X, y, epochs=epochs, **options), many.predict)


def one_by_one(peer, case, shuffle=True, members=1):
    """The same network so many times, one after another; `outputs` are the first's, (1, n_samples, n_out)."""
    sides = [PEERS[peer](case, shuffle) for _ in range(members)]

    def run(epochs):
        for side in sides:
            side.run(epochs)

    return Side(run, lambda X: sides[0].outputs(X)[None])


def numpy(case, shuffle=True):
    """fastnn.reference, over the batches that fastnn takes."""
    from fastnn import reference
    from fastnn.reference_training import views

    (X, y), net = case.data, case.network()
    Y = y[:, None].astype(case.dtype) if y.ndim == 1 else y
    params, T = net.params.copy(), net.dtype.type
    weights, biases = views(params, case.sizes)
    random = np.random.default_rng([0, 0, 0])

    def run(epochs):
        mean, square, step = np.zeros_like(params), np.zeros_like(params), 0
        for _ in range(epochs):
            order = np.arange(case.rows)
            if shuffle:
                random.shuffle(order)
            for rows in order.reshape(-1, case.batch):
                _, dW, db = reference.gradients(
                    X[rows], Y[rows], weights, biases, net.activations, net.cost, scale=T(1 / case.batch)
                )
                grads = np.concatenate([x.ravel() for layer in zip(dW, db, strict=True) for x in layer])
                step += 1
                root = np.sqrt(1 - 0.999**step)
                scalars = RATE * root / (1 - 0.9**step), 0.9, 0.999, 1e-8 * root, 1, 0, 0
                mean, square, params[:] = reference.adam(grads, *map(T, scalars), mean, square, params)
        assert mean.dtype == X.dtype, "the reference has changed to another type than fastnn's"

    return Side(run, lambda X: reference.forward(X, weights, biases, net.activations)[1][-1])


def onnx_runtime(case, shuffle=True):
    """Predictions only."""
    import onnxruntime

    from fastnn import to_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = to_onnx(case.network()).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    return Side(None, lambda X: session.run(["outputs"], {"X": X})[0])


PEERS = {
    "fastnn": fastnn,
    "JAX": jax,
    "PyTorch": pytorch,
    "scikit-learn": scikit_learn,
    "NumPy": numpy,
    "ONNX Runtime": onnx_runtime,
}


def all_installed(names, *arguments, among=PEERS, **options):
    """{name: side} of those whose library is there; a line for each other one."""
    sides = {}
    for name in names:
        if name in among:
            try:
                sides[name] = among[name](*arguments, **options)
            except ImportError as error:
                print(f"{name} is left out, as it is not installed: {error}", file=sys.stderr)
    return sides


def learn_the_same(sides, start, X):
    """Of {name: side} in ten steps from `start`, but for a quarter of the way: their epsilons differ."""
    for side in sides.values():
        side.run(1)
    ours, *others = (side.outputs(X) for side in sides.values())
    way = np.abs(ours - start).max()
    for name, theirs in zip(list(sides)[1:], others, strict=True):
        apart = np.abs(ours[: len(theirs)] - theirs).max()
        if apart > 0.25 * way:
            raise AssertionError(f"{name}: {apart:.2g} from ours after a way of {way:.2g}")
