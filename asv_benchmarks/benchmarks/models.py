"""Whole networks: fastnn's training of them, and the same training in plain NumPy."""

import numpy as np

from benchmarks.common import aligned

RATE = 1e-3


def sizes_of(name):
    """(30, 128, 1) of "30-128-1"."""
    return tuple(map(int, name.split("-")))


def flops_of_step(sizes, batch):
    """The products forward and back, without the first layer's dX."""
    products = sum(a * b for a, b in zip(sizes, sizes[1:], strict=False))
    return batch * (6 * products - 2 * sizes[0] * sizes[1])


def data(sizes, rows, dtype="float32"):
    """X (rows, n_in), and classes where there are ten outputs, else zeros and ones."""
    random = np.random.default_rng(0)
    X = aligned(random.standard_normal((rows, sizes[0])).astype(dtype))
    if sizes[-1] == 10:
        return X, random.integers(0, 10, rows)
    return X, random.integers(0, 2, (rows, sizes[-1])).astype(dtype)


def network(sizes, dtype="float32", activation="relu"):
    from fastnn import Network

    output = "softmax" if sizes[-1] == 10 else "sigmoid"
    return Network(sizes, activation=activation, output=output, dtype=dtype, seed=0)


def trainings(sizes, batch, rows, threads=1, dtype="float32"):
    """One epoch of Adam from the same weights over the same batches: fastnn's call, and NumPy's.

    Both give the parameters in which they end.
    """
    from fastnn import Adam, reference
    from fastnn.reference_training import views

    net = network(sizes, dtype)
    start, (X, y) = net.params.copy(), data(sizes, rows, dtype)
    Y = y[:, None].astype(dtype) if y.ndim == 1 else y
    optimizer, T = Adam(RATE), net.dtype.type

    def ours():
        net.params[:], net.epochs_trained = start, 0
        net.fit(X, y, epochs=1, batch_size=batch, optimizer=optimizer, threads=threads)
        return (net.params,)

    def batches():
        order = np.arange(rows)
        if rows > batch:
            np.random.default_rng([0, 0, 0]).shuffle(order)
        return [order[first : first + batch] for first in range(0, rows, batch)]

    def numpys():
        params = start.copy()
        weights, biases = views(params, sizes)
        mean, square = np.zeros_like(params), np.zeros_like(params)
        for step, chosen in enumerate(batches()):
            _, dW, db = reference.gradients(
                X[chosen], Y[chosen], weights, biases, net.activations, net.cost, scale=T(1 / chosen.size)
            )
            grads = np.concatenate([x.ravel() for layer in zip(dW, db, strict=True) for x in layer])
            root = np.sqrt(1 - optimizer.beta2 ** (step + 1))
            scalars = (
                RATE * root / (1 - optimizer.beta1 ** (step + 1)), optimizer.beta1, optimizer.beta2,
                optimizer.epsilon * root, 1, 0, 0,
            )  # fmt: skip
            mean, square, params[:] = reference.adam(grads, *map(T, scalars), mean, square, params)
        assert mean.dtype == X.dtype, "the reference has changed to another type than fastnn's"
        return (params,)

    return ours, numpys


def predictions(sizes, rows):
    """Predictions for some rows: fastnn's call, and NumPy's."""
    from fastnn import reference

    net, X = network(sizes), data(sizes, rows)[0]
    return (
        lambda: (net.predict(X),),
        lambda: (reference.forward(X, net.weights, net.biases, net.activations)[1][-1],),
    )
