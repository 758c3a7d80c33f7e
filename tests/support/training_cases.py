"""What the tests of training share: networks, data, and a fit in NumPy over the same batches."""

import numpy as np
import pandas
import pytest

from cases import normal, targets
from fastnn import Adam, Network
from fastnn.reference_training import train

SEED = 3
SIZES = (7, 9, 8, 3)


def make_network(sizes=SIZES, **options):
    return Network(sizes, **{"activation": "tanh", "dtype": "float64", "seed": SEED, **options})


def make_data(network, n_samples=85, indices=False):
    """X and Y for the network's cost."""
    shape = n_samples, network.n_out
    X = normal(network.dtype.type, (n_samples, network.n_in), "training")
    return X, targets(network.cost, shape, network.dtype.type, indices)


def fitted(network=None, **options):
    """A network, and the history of its three epochs."""
    network = network or make_network()
    return network, network.fit(*make_data(network), **{"epochs": 3, **options})


def batches(network, X, Y, weights=None, epochs=1, batch_size=32, shuffle=True):
    """The batches of `fit`, in its order: a shuffle that follows from the seed and the epochs trained."""
    for epoch in range(network.epochs_trained, network.epochs_trained + epochs):
        order = np.arange(len(X))
        if shuffle:
            np.random.default_rng([network.seed, epoch, 0]).shuffle(order)
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            yield X[rows], Y[rows], None if weights is None else weights[rows]


def dropout_seed(network):
    """Seed of the masks of a run that begins now."""
    return int(np.random.SeedSequence([network.seed, network.epochs_trained]).generate_state(1)[0])


def fit_reference(
    network, X, Y, weights=None, epochs=1, batch_size=32, optimizer=None, shuffle=True, l2=0.0,
    clip_norm=None, label_smoothing=0.0, input_stage=None,
):  # fmt: skip
    """The parameters and each epoch's cost after `fit` with the same options; leaves the network alone."""
    n_steps = -(-len(X) // batch_size)
    params, costs = train(
        network.params.copy(),
        network.sizes,
        network.activations,
        network.cost,
        batches(network, X, Y, weights, epochs, batch_size, shuffle),
        optimizer or Adam(),
        steps_per_epoch=n_steps,
        l2=l2,
        clip_norm=clip_norm,
        smoothing=label_smoothing,
        threshold=network.huber_threshold,
        dropout=network.dropout,
        seed=dropout_seed(network),
        input_stage=input_stage,
    )
    rows = [min(batch_size, len(X) - start) for start in range(0, len(X), batch_size)]
    return params, np.reshape(costs, (epochs, n_steps)) @ rows / len(X)


def assert_agrees(network, X, Y, y=None, weights=None, given=None, epochs=34, **options):
    """`fit` ends where NumPy does: 1e-10 relative after some 100 steps.

    y: Y as `fit` is given it, if in another form; weights: each row's for NumPy, that `fit` is to
    find from what is `given` to it alone.
    """
    params, costs = fit_reference(network, X, Y, weights, epochs, **options)
    history = network.fit(X, Y if y is None else y, epochs=epochs, **options, **(given or {}))
    np.testing.assert_allclose(network.params, params, 1e-10, 1e-13)
    np.testing.assert_allclose(history.cost, costs, 1e-10)


def bits(network, history):
    """What must be the same for any number of threads and any slices."""
    record = history.to_dict()
    del record["seconds"]
    return network.params.tobytes(), record


def untouched(network, error, match, X, y=None, **options):
    """The fit raises and leaves the network as it was."""
    before = network.params.copy(), network.describe()
    with pytest.raises(error, match=match):
        network.fit(X, y, **options)
    np.testing.assert_array_equal(network.params, before[0])
    assert network.describe() == before[1]


class Subclass(np.ndarray):
    pass


def inputs_like(X):
    """The same numbers, as users have them."""
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    frozen = X.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape)
    wide = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)
    return {
        "Fortran": np.asfortranarray(X),
        "read-only": frozen,
        "strided": wide[::2, ::3],
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
        "unaligned": unaligned,
        "big-endian": X.astype(X.dtype.newbyteorder(">")),
        "float32": X.astype(np.float32),
        "float64": X.astype(np.float64),
        "float16": X.astype(np.float16),
        "long double": X.astype(np.longdouble),
        "int64": X.astype(np.int64),
        "uint8": X.astype(np.uint8),
        "list": X.tolist(),
        "tuples": tuple(map(tuple, X.tolist())),
        "subclass": X.view(Subclass),
        "DataFrame": frame,
        "DataFrame of several types": frame.astype({"x0": int, "x1": "float32", "x2": "Int64"}),
        "DataFrame of objects": frame.astype(object),
    }
