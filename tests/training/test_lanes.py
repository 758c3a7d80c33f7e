"""What stands in a vector's lanes: the choice, and training with samples in them, which units check."""

import itertools

import numpy as np
import pytest

from cases import DTYPES, PAIRS, generator, normal
from fastnn import SGD, Adam, AdamW, DivergenceError, Network
from fastnn.plan import Plan, Settings
from fastnn.reference import gradients
from fastnn.trainer import Gradient, Trainer
from fastnn_kernels.lines import SAMPLES, UNITS
from guard import EDGES, guarded
from processes import run_apart
from training_cases import assert_agrees, bits, make_data, make_network

both = pytest.mark.parametrize("dtype", DTYPES)
TOLERANCE = {np.float32: 3e-4, np.float64: 1e-10}
MANY = 5003  # rows: 11 blocks and more, the last ragged


@pytest.fixture
def lanes(monkeypatch):
    """Call it to force a layout."""
    return lambda layout: monkeypatch.setattr("fastnn.plan.choose_layout", lambda *shape: layout)


def plan_of(network, batch_size, sparse=False, weighted=False, kept=False, **options):
    settings = Settings(options.pop("optimizer", Adam(0.01)), batch_size, **{"threads": 1, **options})
    shape = network.dtype, network.cost, network.n_out, weighted
    return Plan(network.layers, *shape, 5, settings, sparse, gradient_only=kept)


@both
def test_the_choice(dtype):
    narrow, wide = make_network((4, 16, 1), dtype=dtype), make_network((100, 200, 10), dtype=dtype)
    assert plan_of(narrow, 1000).lanes == SAMPLES
    assert plan_of(narrow, 1000, kept=True).lanes == SAMPLES
    assert plan_of(narrow, 1).lanes == plan_of(wide, 1000).lanes == UNITS
    assert plan_of(narrow, 1000, sparse=True).lanes == UNITS
    assert plan_of(make_network((4, 16, 1), dtype=dtype, dropout=0.1), 1000).lanes == UNITS


@both
def test_blocks_and_groups_follow_from_sizes_alone(lanes, dtype):
    lanes(SAMPLES)
    network = make_network((4, 16, 1), dtype=dtype)
    for batch in (1, 7, 480, 481, MANY, 100_000):
        plans = [plan_of(network, batch, threads=threads) for threads in (1, 2, 5)]
        shapes = {(plan.chunk, plan.segments, plan.layout.rows) for plan in plans}
        ((chunk, segments, rows),) = shapes
        assert chunk % rows == 0 and (segments - 1) * chunk < batch <= segments * chunk
        assert segments >= min(-(-batch // rows), 9)


@both
@pytest.mark.parametrize("layout", (UNITS, SAMPLES))
@pytest.mark.parametrize("threads, n", ((1, 1), (1, 37), (2, 700), (3, 2000)))
def test_steps_over_the_same_rows_may_be_told_so_and_ask_for_few_costs(lanes, dtype, layout, threads, n):
    """The same parameters and costs, in one block a worker and in many, over slices that go on."""
    lanes(layout)
    found = []
    for options in ({}, {"told_every": 3, "same_rows": True}):
        network = make_network((3, 5, 2), dtype=dtype, output="sigmoid")
        X, Y = normal(dtype, (n, 3)), (normal(dtype, (n, 2)) > 0).astype(dtype)
        params, order = network.params.copy(), generator(n).permutation(n)
        trainer = Trainer(plan_of(network, n, optimizer=SGD(0.1), threads=threads, **options), params)
        rows, spans, rates = (X, Y, np.empty(0, dtype), order), np.tile([[0, n]], (6, 1)), np.zeros((6, 3))
        rates[:, 0] = 0.1
        costs = [trainer.train(*rows, spans, rates)[::3] for _ in range(2)]
        found.append((params.tobytes(), np.concatenate(costs).tobytes()))
    assert found[0] == found[1]


@both
@pytest.mark.parametrize(
    "options",
    (
        {},
        {"batch_size": MANY, "optimizer": SGD(0.1, 0.9, nesterov=True)},
        {"batch_size": 1501, "l2": 0.1, "optimizer": SGD(0.1, 0.9)},
        {"batch_size": 1000, "l2": 0.01, "clip_norm": 0.05, "optimizer": AdamW(0.01, weight_decay=0.1)},
        {"batch_size": 481, "sample_weight": np.arange(MANY) % 5, "label_smoothing": 0.1},
        {"batch_size": 37, "shuffle": False, "validation_split": 0.2},
    ),
)
@pytest.mark.parametrize("sizes", ((3, 7, 5, 1), (5, 9, 3)))
def test_either_layout_gives_the_same_training(lanes, dtype, options, sizes):
    found = []
    for layout in (UNITS, SAMPLES):
        lanes(layout)
        network = make_network(
            sizes, dtype=dtype, output="sigmoid", activation=["relu", "tanh"][: len(sizes) - 2]
        )
        assert plan_of(network, 100).lanes == layout
        history = network.fit(*make_data(network, MANY, indices=True), epochs=3, **options)
        found.append((network.params, np.array(history.cost)))
    tolerance = TOLERANCE[dtype]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance)


@pytest.mark.parametrize("cost, output", PAIRS)
@pytest.mark.parametrize("n_out", (1, 3, 11))
def test_costs_and_outputs_over_several_blocks(lanes, cost, output, n_out):
    lanes(SAMPLES)
    if output == "softmax" and n_out == 1:
        n_out = 2
    network = make_network((3, 5, n_out), output=output, cost=cost, activation="gelu", huber_threshold=0.7)
    options = {"optimizer": SGD(0.01), "epochs": 2, "batch_size": 1100}
    assert_agrees(network, *make_data(network, 1207), **options)


@both
@pytest.mark.parametrize("options", ({"l2": 0.1}, {"clip_norm": 0.1, "sample_weight": np.arange(MANY) % 3}))
def test_threads_give_the_same_bits(lanes, dtype, options):
    lanes(SAMPLES)

    def trained(threads):
        network = make_network((4, 8, 5, 2), dtype=dtype, output="softmax")
        X, Y = make_data(network, MANY, indices=True)
        return bits(network, network.fit(X, Y, epochs=4, batch_size=3001, threads=threads, **options))

    expected = trained(1)
    for threads in (2, 3, 4, "auto"):
        assert trained(threads) == expected


@both
def test_cost_and_gradient(dtype):
    network = make_network((5, 6, 2), dtype=dtype, output="sigmoid")
    X, Y = make_data(network, MANY)
    weights = generator("weights").random(MANY).astype(dtype)
    costs, dW, db = gradients(
        *(a.astype(float) for a in (X, Y)), [W.astype(float) for W in network.weights],
        [b.astype(float) for b in network.biases], network.activations, network.cost,
        weights.astype(float), scale=1 / weights.sum(dtype=float),
    )  # fmt: skip
    expected = np.concatenate([part.ravel() for pair in zip(dW, db, strict=True) for part in pair])
    before = network.params.copy()
    for threads in (1, 3):
        plan = plan_of(network, MANY, weighted=True, kept=True, threads=threads)
        assert plan.lanes == SAMPLES
        gradient_of = Gradient(plan, network.params)
        for _ in range(2):
            cost, penalty, gradient = gradient_of(X, Y, weights)
        tolerance = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(gradient, expected, tolerance, tolerance)
        np.testing.assert_allclose(cost, np.sum(costs) / weights.sum(dtype=float), tolerance)
        assert penalty == 0
    np.testing.assert_array_equal(network.params, before)


def test_the_sum_over_millions_of_equal_rows_keeps_its_digits(lanes):
    lanes(SAMPLES)
    network = make_network((3, 4, 1), dtype="float32")
    row, found = make_data(network, 1), []
    for n in (1, 2_000_003):
        X, Y = (np.broadcast_to(a, (n, a.shape[1])).copy() for a in row)
        gradient_of = Gradient(plan_of(network, n, kept=True), network.params)
        found.append(gradient_of(X, Y, np.empty(0, np.float32))[2])
    np.testing.assert_allclose(found[1], found[0], 4e-6)


@both
def test_rows_that_fill_a_vector_up_are_as_finite_as_the_rows(lanes, dtype):
    """exp of a large bias is infinite; no row, and nothing beside the rows, is to see it."""
    lanes(SAMPLES)
    network = make_network((1, 1, 1), activation="exp", dtype=dtype)
    network.params[:] = -1000, 1000, 0.5, 0
    X, Y = np.ones((5, 1), dtype), np.ones((5, 1), dtype)
    history = network.fit(X, Y, epochs=2, batch_size=4, optimizer=SGD(1e-3))
    assert np.isfinite(history.cost).all() and np.isfinite(network.params).all()


def test_divergence_leaves_the_steps_before_it(lanes):
    found = []
    for layout in (UNITS, SAMPLES):
        lanes(layout)
        network = make_network((7, 9, 3), activation="identity", output="identity")
        with pytest.raises(DivergenceError) as caught:
            network.fit(*make_data(network), epochs=500, batch_size=16, optimizer=SGD(0.5))
        assert np.isfinite(network.params).all()
        found.append(str(caught.value))
    assert found[0] == found[1]


@both
def test_a_run_goes_on_from_its_checkpoint(dtype, tmp_path):
    def network():
        return make_network((4, 8, 1), dtype=dtype, output="sigmoid")

    options = {"batch_size": 500, "optimizer": Adam(0.01), "l2": 0.01, "clip_norm": 1.0}
    assert plan_of(network(), 500).lanes == SAMPLES
    X, Y = make_data(network(), 1203)
    whole = network()
    whole.fit(X, Y, epochs=6, **options)
    path, part = tmp_path / "run.npz", network()
    part.fit(X, Y, epochs=3, checkpoint=path, **options)
    again = network()
    again.fit(X, Y, epochs=6, checkpoint=path, resume=path, **options)
    np.testing.assert_array_equal(again.params, whole.params)
    steps, twin = network(), network()
    for start in range(0, 1203, 401):
        steps.partial_fit(X[start : start + 401], Y[start : start + 401], batch_size=401)
        twin.partial_fit(X[start : start + 401], Y[start : start + 401], batch_size=401, threads=2)
    np.testing.assert_array_equal(steps.params, twin.params)


def at_the_edges_of_memory():
    """All that a caller gives ends, or begins, at a page that may not be touched."""
    for n_out, threads in itertools.product((1, 3), (1, 2)):
        at_both_edges(n_out, threads)


def at_both_edges(n_out, threads):
    results = []
    for edge in EDGES:
        network = Network((3, 5, n_out), output="sigmoid", dtype="float64", seed=1)
        n = 1003
        given = normal(np.float64, (n, 3), "X"), generator("labels").integers(0, 2, (n, n_out)).astype(float)
        given = *given, generator("weights").random(n)
        X, Y, weights = (guarded(a, edge) for a in given)
        params = guarded(network.params, edge)
        plan = plan_of(network, 997, weighted=True, threads=threads, l2=0.1)
        assert plan.lanes == SAMPLES
        spans = np.array([[0, 997], [900, 1003], [148, 150], [0, 1], [1002, 1003]])
        rest = (guarded(a, edge) for a in (np.arange(n), spans, Adam().corrected(np.arange(5), 5)))
        results.append((Trainer(plan, params).train(X, Y, weights, *rest), params))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_the_edges_of_memory():
    run_apart(at_the_edges_of_memory)
