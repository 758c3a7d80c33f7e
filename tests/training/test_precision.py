"""precision='bfloat16': products of rounded numbers, against NumPy's of the same rounded numbers."""

import itertools
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

from cases import ELEMENTWISE, PAIRS, generator, normal
from fastnn import SGD, Adam, AdamW
from fastnn.plan import Plan, Settings
from fastnn.reference_training import bfloat16, gradients, train
from fastnn.trainer import Gradient, Trainer
from fastnn_kernels import lines
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS
from guard import EDGES, guarded
from precision_cases import data_of, network_of
from processes import run_apart
from training_cases import bits, dropout_seed

pytestmark = pytest.mark.filterwarnings("ignore:precision='bfloat16' ")
OPTIMIZERS = SGD(0.05), SGD(0.02, 0.9), SGD(0.02, 0.9, nesterov=True), Adam(0.01), AdamW(0.01)
# Of the norm of float32's gradient: where derivatives are smooth, and where a unit near 0 may change sides.
SMOOTH, BENT = 2**-6, 2**-4


def plan_of(network, batch, sparse=False, weighted=False, n_targets=None, **options):
    kept = options.pop("kept", False)
    settings = Settings(options.pop("optimizer", Adam(0.01)), batch, **{"threads": 1, **options})
    about = network.layers, network.dtype, network.cost, n_targets or network.n_out, weighted, 5, settings
    return Plan(*about, sparse, gradient_only=kept, bfloat16=network.precision == "bfloat16")


class Watched:
    """bfloat16 that notes how near to a tie a computed number has come, in shares of its array's largest.

    What float32 holds exactly was not computed: inputs, first weights, zeros. Tiny numbers do not count.
    """

    nearest = np.inf

    def __call__(self, x):
        result = bfloat16(x)
        largest = abs(x).max()
        computed = (x != x.astype(np.float32)) & (abs(x) > largest / 50)
        half = np.ldexp(0.5, np.frexp(x)[1] - 8)
        distance = (half - abs(x - result)) / max(largest, 1e-300)
        self.nearest = min(self.nearest, distance[computed].min(initial=np.inf))
        return result


def assert_agrees(network, optimizer, batch=6, steps=2, **options):
    """Some steps end where NumPy does, over data in which no rounding hangs on the last bits of a float32."""
    for seed in range(1000):
        X, Y = data_of(network, batch * steps, seed)
        watched = Watched()
        parts = [slice(i * batch, (i + 1) * batch) for i in range(steps)]
        wide = [(X[part].astype(float), Y[part].astype(float), None) for part in parts]
        params, costs = train(
            network.params.astype(float), network.sizes, network.activations, network.cost, wide, optimizer,
            steps_per_epoch=steps, threshold=network.huber_threshold, dropout=network.dropout,
            seed=dropout_seed(network), rounded=watched, **options,
        )  # fmt: skip
        if watched.nearest > 5e-7:
            break
    else:
        raise AssertionError("there are no such data")
    history = network.fit(X, Y, epochs=1, batch_size=batch, optimizer=optimizer, shuffle=False, **options)
    np.testing.assert_allclose(network.params, params, 1e-5, 1e-5)
    np.testing.assert_allclose(history.cost, [np.mean(costs)], 1e-5)


def tried(activation, cost, output, optimizer):
    network = network_of(activation=activation, output=output, cost=cost, huber_threshold=0.7)
    for W in network.weights:
        W /= 2  # exp of exp is large
    assert_agrees(network, optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ELEMENTWISE)
@pytest.mark.parametrize("cost", COSTS)
def test_every_activation_cost_and_optimizer(activation, cost):
    for optimizer in OPTIMIZERS:
        tried(activation, cost, COSTS[cost].outputs[0], optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("cost, output", PAIRS)
def test_every_output(cost, output):
    tried("tanh", cost, output, Adam(0.01))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("activation", ("relu", "tanh", "gelu"))
def test_steps_agree_with_numpy(activation, optimizer):
    assert_agrees(network_of(activation=activation), optimizer)


@pytest.mark.parametrize("sizes", ((7, 1), (1, 1), (1, 4, 1), (7, 5, 1), (5, 3, 1, 4, 2)))
def test_layers_of_one_unit(sizes):
    assert_agrees(network_of(sizes), SGD(0.05), l2=0.01)


def test_dropout_and_clipping():
    network = network_of(dropout=[0.0, 0.4], activation=["gelu", "relu"])
    assert_agrees(network, Adam(0.01), clip_norm=0.1)


def gradient_of(network, X, Y, weights=None, threads=1):
    weighted = weights is not None
    options = {"weighted": weighted, "n_targets": Y.shape[1], "threads": threads, "kept": True}
    plan = plan_of(network, X.shape[0], scipy.sparse.issparse(X), **options)
    weights = np.empty(0, np.float32) if weights is None else weights
    return Gradient(plan, network.params)(X, Y, weights)[2]


@pytest.mark.parametrize("sizes", ((30, 65, 33), (30, 1), (40, 20, 1)))
def test_a_first_layer_over_sparse_rows_is_in_float32(sizes):
    network = network_of(sizes)
    X, Y = data_of(network, 100)
    expected = in_numpy(network, X, Y, rounded=bfloat16, exact_first=True)
    for threads in (1, 2):
        error = np.linalg.norm(gradient_of(network, scipy.sparse.csr_array(X), Y, threads=threads) - expected)
        assert error < 1e-4 * np.linalg.norm(expected)


def in_numpy(network, X, Y, **how):
    wide = X.astype(float), Y.astype(float), None
    masks = [1.0] * (len(network.sizes) - 2)
    about = network.params.astype(float), network.sizes, network.activations, network.cost
    return gradients(*about, wide, masks, 0.0, 1.0, **how)[1]


@pytest.mark.parametrize("rows", (1, 31, 150, 700))
@pytest.mark.parametrize("sizes", ((40, 65, 33), (200, 120, 1), (3, 300, 4), (90, 1)))
def test_all_ways_through_a_batch(sizes, rows):
    """Strips, segments, chunks and panels of all widths: a rounding or two of thousands falls otherwise."""
    network = network_of(sizes)
    X, Y = data_of(network, rows)
    expected = in_numpy(network, X, Y, rounded=bfloat16)
    for threads in (1, 3):
        error = np.linalg.norm(gradient_of(network, X, Y, threads=threads) - expected)
        assert error < 1e-4 * np.linalg.norm(expected) + 1e-12


@pytest.mark.parametrize("activation", [name for name in ELEMENTWISE if name != "exp"])
@pytest.mark.parametrize("output", ("identity", "sigmoid", "softmax"))
def test_gradients_stay_near_those_of_float32(activation, output):
    network = network_of((64, 100, 50, 10), activation=activation, output=output)
    X, Y = data_of(network, 64)
    exact = in_numpy(network, X, Y)
    error = np.linalg.norm(gradient_of(network, X, Y) - exact) / np.linalg.norm(exact)
    bent = ACTIVATIONS[activation].rectifies or activation == "selu"
    assert 2**-12 < error < (BENT if bent else SMOOTH)


# Bits


@pytest.mark.parametrize(
    "sizes, options, fit",
    (
        ((30, 65, 33, 2), {}, {}),
        ((30, 65, 1), {"output": "sigmoid"}, {"batch_size": 400, "l2": 0.1}),
        ((30, 40, 17, 5), {"output": "softmax", "dropout": 0.3}, {"batch_size": 41, "clip_norm": 0.1}),
        ((30, 1), {}, {"batch_size": 100}),
    ),
)
@pytest.mark.parametrize("sparse", (False, True))
def test_threads_give_the_same_bits(sizes, options, fit, sparse):
    found = set()
    for threads in (1, 2, 3):
        network = network_of(sizes, **options)
        X, Y = data_of(network, 410)
        X = scipy.sparse.csr_array(X) if sparse else X
        record = bits(network, network.fit(X, Y, epochs=1, threads=threads, **fit))
        found.add((record[0], str(record[1])))
    assert len(found) == 1


def test_sparse_rows_and_files_of_another_type_give_the_same(tmp_path):
    X = normal(np.float32, (150, 20))
    X[generator("zeros").random(X.shape) < 0.7] = 0
    wide = np.memmap(tmp_path / "X", np.float64, "w+", shape=X.shape)
    wide[:] = X
    found = []
    for rows in (X, scipy.sparse.csr_array(X), wide):
        network = network_of((20, 33, 2))
        network.fit(rows, data_of(network, 150)[1], epochs=2)
        found.append((network.params, network.predict(rows)))
    for params, outputs in found[1:]:  # CSR rows are multiplied in float32
        assert abs(params - found[0][0]).max() < 1e-2 and abs(outputs - found[0][1]).max() < 2e-2
    np.testing.assert_array_equal(found[2][0], found[0][0])


def at_the_edges_of_memory(sparse):
    """All that a caller gives ends, or begins, at a page that may not be touched."""
    warnings.simplefilter("ignore")
    results = []
    for edge, threads in itertools.product(EDGES, (1, 2)):
        network = network_of((33, 17, 1, 2), output="sigmoid")
        X, Y = data_of(network, 150)
        csr = scipy.sparse.csr_array(X)
        X = guarded(X, edge)
        if sparse:
            X = SimpleNamespace(data=guarded(csr.data, edge), indices=guarded(csr.indices, edge),
                                indptr=guarded(csr.indptr.astype(np.int64), edge))  # fmt: skip
        params = guarded(network.params, edge)
        trainer = Trainer(plan_of(network, 32, sparse, weighted=True, threads=threads, l2=0.1), params)
        order, spans = np.arange(150), np.array([[0, 32], [32, 64], [148, 150], [0, 1], [149, 150]])
        rates, weights = Adam().corrected(np.arange(5), 5), np.ones(150, np.float32)
        given = (guarded(a, edge) for a in (Y, weights, order, spans, rates))
        results.append((trainer.train(X, *given), params))
        if not sparse:
            network.params = params
            results[-1] += network.predict(X), network.predict(X[:3]), network.predict(X[147:])
    for found in zip(*results, strict=True):
        for array in found[1:]:
            np.testing.assert_array_equal(array, found[0])


@pytest.mark.slow
@pytest.mark.parametrize("sparse", (False, True))
def test_the_edges_of_memory(sparse):
    run_apart(at_the_edges_of_memory, sparse)


# Prediction


def test_samples_never_stand_in_lanes():
    assert plan_of(network_of((4, 16, 1)), 1000).lanes == lines.PAIRS
