"""The trainer by itself: steps over any spans of rows, CSR rows, gradients alone, and going back."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

from cases import DTYPES, generator
from fastnn import SGD, Adam, DivergenceError, Network, slices, step_decay
from fastnn.plan import Plan, Settings
from fastnn.reference import gradients
from fastnn.trainer import Gradient, Trainer
from guard import EDGES, guarded
from processes import run_apart
from training_cases import bits, make_data, make_network

SIZES, N_ROWS, BATCH = (70, 9, 8, 2), 150, 32
TOLERANCE = {np.float32: 2e-4, np.float64: 1e-10}


def problem(dtype, empty_rows=True):
    """A network, sparse rows with their dense twin, and labels."""
    random = generator("engine")
    X = random.standard_normal((N_ROWS, SIZES[0])) * (random.random((N_ROWS, SIZES[0])) < 0.1)
    X[:: 7 if empty_rows else N_ROWS] = 0
    Y = random.integers(0, 2, (N_ROWS, SIZES[-1]))
    network = Network(
        SIZES, activation=["tanh", "gelu"], output="sigmoid", dtype=dtype, dropout=[0.0, 0.1], seed=1
    )
    return network, X.astype(dtype), Y.astype(dtype), random.random(N_ROWS).astype(dtype)


def plan_of(network, sparse=False, weighted=False, batch_size=BATCH, optimizer=None, kept=False, **options):
    settings = Settings(optimizer or Adam(), batch_size, **{"threads": 1, **options})
    shape = network.dtype, network.cost, network.n_out, weighted
    return Plan(network.layers, *shape, 5, settings, sparse, gradient_only=kept)


def trainer_of(network, *shape, params=None, **options):
    return Trainer(plan_of(network, *shape, **options), network.params if params is None else params)


def steps(trainer, X, Y, weights=None, epochs=3):
    """Shuffled epochs in one call, of the same order for the same shape."""
    n = len(Y)
    order = np.concatenate([generator(epoch).permutation(n) for epoch in range(epochs)])
    starts = np.concatenate([np.arange(0, n, BATCH) + epoch * n for epoch in range(epochs)])
    ends = np.minimum(starts + BATCH, (starts // n + 1) * n)
    rates = trainer.settings.optimizer.corrected(np.arange(len(starts)), 5)
    weights = np.empty(0, Y.dtype) if weights is None else weights
    return trainer.train(X, Y, weights, order, np.stack([starts, ends], axis=1), rates)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", ({}, {"l2": 0.1, "l2_by_batch": True}, {"l2": 0.01, "clip_norm": 0.1}))
def test_csr_rows_train_as_dense_ones(dtype, options):
    results = {}
    for sparse, weighted, threads in itertools.product((False, True), (False, True), (1, 3)):
        network, X, Y, weights = problem(dtype)
        trainer = trainer_of(network, sparse, weighted, threads=threads, **options)
        given = scipy.sparse.csr_array(X) if sparse else X
        costs = steps(trainer, given, Y, weights if weighted else None)
        results[sparse, weighted, threads] = costs, network.params
    for weighted in (False, True):
        for index in range(2):
            dense, csr, shared = (
                results[key][index] for key in ((0, weighted, 1), (1, weighted, 1), (1, weighted, 3))
            )
            np.testing.assert_allclose(csr, dense, TOLERANCE[dtype], TOLERANCE[dtype])
            np.testing.assert_array_equal(shared, csr)


@pytest.mark.parametrize("index", (np.int32, np.int64))
def test_csr_of_any_order_with_repeats(index):
    network, X, Y, _ = problem(np.float64)
    tidy = scipy.sparse.csr_array(X)
    halves = [np.repeat(part, 2) for part in (tidy.data / 2, tidy.indices)]
    backwards = SimpleNamespace(
        data=np.concatenate([halves[0][2 * a : 2 * b][::-1] for a, b in itertools.pairwise(tidy.indptr)]),
        indices=np.concatenate(
            [halves[1][2 * a : 2 * b][::-1] for a, b in itertools.pairwise(tidy.indptr)]
        ).astype(index),
        indptr=(2 * tidy.indptr).astype(index),
    )
    for part in vars(backwards).values():
        part.flags.writeable = False
    wanted = steps(trainer_of(network, sparse=True), tidy, Y), network.params
    network = problem(np.float64)[0]
    found = steps(trainer_of(network, sparse=True), backwards, Y), network.params
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, 1e-10, 1e-12)


@pytest.mark.parametrize("sparse", (False, True))
@pytest.mark.parametrize("threads", (1, 3))
@pytest.mark.parametrize("n_rows", (N_ROWS, 10 * N_ROWS))
def test_cost_and_gradient(sparse, threads, n_rows):
    network, X, Y, weights = problem(np.float64)
    network = Network(SIZES, activation="tanh", output="sigmoid", dtype="float64", seed=1)
    X, Y, weights = (np.resize(a, (n_rows, *a.shape[1:])) for a in (X, Y, weights))
    before = network.params.copy()
    options = {"batch_size": n_rows, "l2": 0.3, "l2_by_batch": True, "threads": threads}
    gradient_of = Gradient(plan_of(network, sparse, True, kept=True, **options), network.params)
    given = scipy.sparse.csr_array(X) if sparse else X
    for _ in range(2):
        cost, penalty, gradient = gradient_of(given, Y, weights)
    costs, dW, db = gradients(
        X,
        Y,
        network.weights,
        network.biases,
        network.activations,
        network.cost,
        weights,
        scale=1 / weights.sum(),
    )
    parts = [part for layer, pair in enumerate(zip(dW, db, strict=True)) for part in
             (pair[0] + 0.3 / weights.sum() * network.weights[layer], pair[1])]  # fmt: skip
    np.testing.assert_allclose(gradient, np.concatenate([part.ravel() for part in parts]), 1e-9, 1e-12)
    np.testing.assert_allclose(cost, np.sum(costs) / weights.sum(), 1e-12)
    squares = sum((W**2).sum() for W in network.weights)
    np.testing.assert_allclose(penalty, 0.15 * squares / weights.sum(), 1e-12)
    np.testing.assert_array_equal(network.params, before)
    network.params[:] = np.nan
    assert not np.isfinite(gradient_of(given, Y, weights)[0])


def test_going_back_and_on_again():
    network, X, Y, _ = problem(np.float32)
    trainer = trainer_of(network)
    steps(trainer, X, Y)
    state = trainer.snapshot()
    ends = []
    for _ in range(2):
        steps(trainer, X, Y)
        ends.append((network.params.tobytes(), trainer.moments.tobytes(), trainer.steps_done))
        trainer.restore(state)
    assert ends[0] == ends[1] and trainer.steps_done == state[2] < ends[0][2]


@pytest.mark.parametrize("shuffle", (True, False))
@pytest.mark.parametrize("batch_size", (8, None))
def test_epochs_that_share_a_slice(monkeypatch, shuffle, batch_size):
    """Nothing but the time shows how many epochs a compiled call has."""
    options = {"epochs": 30, "batch_size": batch_size, "shuffle": shuffle, "l2": 0.1, "optimizer": Adam(0.01)}
    counts = []

    def fitted(**more):
        network = make_network(dropout=0.2)
        history = network.fit(*make_data(network, 40), **options, **more)
        assert network.epochs_trained == 30
        return bits(network, history)

    train = Trainer.train
    monkeypatch.setattr(Trainer, "train", lambda t, *call: counts.append(len(call[4])) or train(t, *call))
    together, calls = fitted(), len(counts)
    alone = fitted(callbacks=[lambda run: False])
    assert together == alone and calls < len(counts) - calls == 30
    monkeypatch.setattr(slices, "SLICE_SECONDS", 1e-9)
    assert fitted() == alone


def test_divergence_among_epochs_that_share_a_slice():
    outcomes = []
    for more in ({}, {"callbacks": [lambda run: False]}):
        network = make_network(activation="identity", output="identity")
        X, Y = make_data(network)
        with pytest.raises(DivergenceError) as caught:
            network.fit(X, Y, epochs=500, batch_size=16, optimizer=SGD(step_decay(1e-3, 2, 3)), **more)
        assert 10 < network.epochs_trained < 500
        outcomes.append((str(caught.value), network.params.tobytes(), network.epochs_trained))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("n_layers", (1, 3))
@pytest.mark.parametrize("dtype", DTYPES)
def test_predictions_for_csr_rows(n_layers, dtype):
    network, X, *_ = problem(dtype)
    network = Network(SIZES[: n_layers + 1], output="softmax", dtype=dtype, seed=1)
    np.testing.assert_allclose(
        network.predict(scipy.sparse.csr_array(X)), network.predict(X), TOLERANCE[dtype], TOLERANCE[dtype]
    )


def at_the_edges_of_memory():
    """All that a caller gives ends, or begins, at a page that may not be touched."""
    for sparse, threads in itertools.product((False, True), (1, 2)):
        at_both_edges(sparse, threads)


def at_both_edges(sparse, threads):
    results = []
    for edge in EDGES:
        network, X, Y, weights = problem(np.float64)
        csr = scipy.sparse.csr_array(X)
        X = guarded(X, edge)
        if sparse:
            X = SimpleNamespace(data=guarded(csr.data, edge), indices=guarded(csr.indices, edge),
                                indptr=guarded(csr.indptr.astype(np.int64), edge))  # fmt: skip
        params = guarded(network.params, edge)
        trainer = trainer_of(network, sparse, True, params=params, threads=threads, l2=0.1)
        order, spans = np.arange(N_ROWS), np.array([[0, 32], [32, 64], [148, 150], [0, 1], [149, 150]])
        rates = Adam().corrected(np.arange(5), 5)
        given = (guarded(a, edge) for a in (Y, weights, order, spans, rates))
        results.append((trainer.train(X, *given), params))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_the_edges_of_memory():
    run_apart(at_the_edges_of_memory)
