"""Data that come in chunks, and files mapped to memory that are larger than it."""

import tracemalloc

import numpy as np
import pandas
import pytest

from cases import DTYPES, generator, normal
from fastnn import SGD
from training_cases import bits, make_data, make_network, untouched

both = pytest.mark.parametrize("dtype", DTYPES)


def chunked(X, Y, *cuts):
    return list(zip(np.split(X, cuts), np.split(Y, cuts), strict=True))


@pytest.mark.parametrize("output", ("identity", "softmax"))
def test_one_chunk_is_the_data(output):
    network, twin = make_network(output=output), make_network(output=output)
    X, Y = make_data(network)
    history = network.fit([(X, Y)], epochs=3)
    assert bits(network, history) == bits(twin, twin.fit(X, Y, epochs=3))


def test_chunks():
    """Each chunk is shuffled and cut into batches by itself; epochs and weights are those of all of them."""
    network, twin = make_network(), make_network()
    X, Y = make_data(network)
    weights = generator("weights").uniform(0, 2, 85)
    rates = (0.02 * 0.9 ** (np.arange(12) // 4)).tolist()

    def schedule(steps, per_epoch):
        return 0.02 * 0.9 ** (steps // (2 * per_epoch))  # the first chunk has two batches

    history = network.fit(
        [(X[:40], Y[:40]), [X[40:50], Y[40:50], weights[40:50]], (X[50:], Y[50:])],
        epochs=2, optimizer=SGD(schedule), shuffle=False,
    )  # fmt: skip
    ones = np.ones(85)
    ones[40:50] = weights[40:50]
    costs = []
    for epoch in range(2):
        total = 0
        for i, (first, last) in enumerate([(0, 32), (32, 40), (40, 50), (50, 82), (82, 85)]):
            rows = slice(first, last)
            rate = rates[5 * epoch + i]
            step = twin.fit(X[rows], Y[rows], sample_weight=ones[rows], epochs=1, optimizer=SGD(rate))
            total += step.cost[0] * (last - first)
        costs.append(total / 85)
    np.testing.assert_allclose(network.params, twin.params, 1e-10)
    np.testing.assert_allclose(history.cost, costs, 1e-12)


def test_each_chunk_has_an_order_of_its_own():
    """default_rng([seed, epochs trained, number of the chunk]) draws it; one batch needs none."""
    network, twin = make_network(), make_network()
    X, Y = make_data(network)
    pieces = chunked(X, Y, 40, 50)
    network.fit(pieces, epochs=2, optimizer=SGD())
    for epoch in range(2):
        for number, (X, Y) in enumerate(pieces):
            order = np.arange(len(X))
            if len(X) > 32:
                np.random.default_rng([network.seed, epoch, number]).shuffle(order)
            twin.fit(X[order], Y[order], epochs=1, shuffle=False, optimizer=SGD())
    np.testing.assert_allclose(network.params, twin.params, 1e-12, 1e-15)  # perhaps in another layout


def test_sources_of_chunks():
    X, Y = make_data(make_network(output="softmax"), indices=True)
    pieces = chunked(X, Y, 30, 60)

    def generate():
        yield from pieces

    class Loader:
        def __iter__(self):
            return iter(pieces)

    def fit(source, epochs=2):
        network = make_network(output="softmax")
        return bits(network, network.fit(source, epochs=epochs, class_weight={0: 2}))

    wanted = fit(pieces)
    for source in (tuple(pieces), generate, Loader(), lambda: iter(pieces)):
        assert fit(source) == wanted
    rows = np.eye(3)[Y[:, 0].astype(int)]
    assert fit(chunked(X, rows, 30, 60)) == wanted
    assert fit(iter(pieces), 1) == fit(generate(), 1) == fit(pieces, 1)


def test_refused_chunks():
    network = make_network()
    X, Y = make_data(network)
    untouched(network, ValueError, "an iterator can be read once, not in 3", iter([(X, Y)]), epochs=3)
    untouched(network, ValueError, "no chunks in epoch 1; give at least one", [])
    untouched(network, ValueError, "chunk 0 is a ndarray, not a tuple .*is it y that is missing", X)
    untouched(network, ValueError, "chunk 0 is a str, .*y that is missing", pandas.DataFrame({"a": [1]}))
    untouched(network, TypeError, "X is a int and y is missing", 5)
    untouched(network, TypeError, "X is a NoneType and y is missing", None)
    untouched(network, ValueError, "batch_size=None must be a number", [(X, Y)], batch_size=None)
    untouched(network, ValueError, "weights in the chunks", [(X, Y)], sample_weight=np.ones(85))
    untouched(network, ValueError, "held-out data as validation_data", [(X, Y)], validation_split=0.1)
    for bad in (X, (X,), (X, Y[:3]), (X[:, 1:], Y), (X * np.nan, Y), (X, Y, -np.ones(85)), "ab", None):
        untouched(network, ValueError, "chunk 1", [(X, Y), bad])
    untouched(network, TypeError, "chunk 1: y has dtype <U1", [(X, Y), (X, ["a"] * 85)])

    def fails():
        yield X, Y
        raise OSError("the disk is gone")

    untouched(network, OSError, "the disk is gone", fails)


# Files mapped to memory


def mapped(path, array):
    np.save(path, array)
    return np.load(path, mmap_mode="r")


@both
@pytest.mark.parametrize("form", ("f4", "f8", ">f8", "f2", "i2", "Fortran"))
def test_mapped_files(form, dtype, tmp_path):
    X = generator("inputs").integers(0, 10, (50, 3)).astype(dtype)
    Y = generator("targets").integers(0, 10, (50, 3)).astype(dtype)
    as_written = np.asfortranarray if form == "Fortran" else lambda x: x.astype(form)
    files = mapped(tmp_path / "X.npy", as_written(X)), mapped(tmp_path / "Y.npy", as_written(Y))
    network, twin = (make_network((3, 4, 3), dtype=dtype, dropout=0.2) for _ in range(2))
    for options in ({"validation_data": files}, {"validation_split": 0.2, "shuffle": False}):
        expected = dict(options)
        if "validation_data" in options:
            expected["validation_data"] = X, Y
        history = network.fit(*files, epochs=2, batch_size=8, **options)
        assert bits(network, history) == bits(twin, twin.fit(X, Y, epochs=2, batch_size=8, **expected))
    np.testing.assert_array_equal(network.predict(files[0]), twin.predict(X))
    assert network.evaluate(*files) == twin.evaluate(X, Y)
    network.fit([files], epochs=1), twin.fit([(X, Y)], epochs=1)
    network.partial_fit(*files), twin.partial_fit(X, Y)
    np.testing.assert_array_equal(network.params, twin.params)


def peak_of(call):
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("form", ("array", "read-only", "file", "file of float64", "big-endian file"))
def test_data_are_not_copied(form, tmp_path, monkeypatch):
    """Beyond X itself, `fit` takes less than a tenth of its memory: parameters, workspace, an order, y."""
    monkeypatch.setattr("fastnn.data.CHECKED_BYTES", 1 << 18)
    monkeypatch.setattr("fastnn.prediction.CONVERTED_BYTES", 1 << 18)
    monkeypatch.setattr("fastnn.trainer.CONVERTED_BYTES", 1 << 18)
    X = normal(np.float32, (50_000, 120))
    y = X[:, 0].copy()
    network = make_network((120, 8, 1), dtype="float32")
    network.fit(X[:100], y[:100], epochs=1)  # compile
    if form == "read-only":
        X.flags.writeable = False
    elif form != "array":
        X = mapped(tmp_path / "X.npy", X.astype({"file": "f4", "file of float64": "f8"}.get(form, ">f4")))
    assert peak_of(lambda: network.fit(X, y, epochs=2, batch_size=256)) < 0.1 * X.nbytes
    assert peak_of(lambda: network.fit([(X, y)], epochs=2, batch_size=256)) < 0.1 * X.nbytes
    assert peak_of(lambda: network.predict(X)) < 0.1 * X.nbytes
