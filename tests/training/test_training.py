"""The compiled loop against NumPy over the same batches, and its bits against those of other threads."""

import numpy as np
import pytest

from cases import DTYPES, ELEMENTWISE, PAIRS, generator, normal
from fastnn import SGD, Adam, AdamW, cosine, slices, step_decay, warm_up
from fastnn.reference_training import dropout_mask
from fastnn_kernels.lines import SAMPLES, UNITS
from training_cases import assert_agrees, bits, fit_reference, make_data, make_network

OPTIMIZERS = (
    SGD(0.05),
    SGD(0.02, momentum=0.9),
    SGD(0.02, momentum=0.9, nesterov=True),
    Adam(0.01),
    Adam(0.01, beta1=0.5, beta2=0.9, epsilon=1e-3),
    AdamW(0.01, weight_decay=0.1),
    Adam(step_decay(0.01, 0.5, every=5)),
    AdamW(cosine(0.01, epochs=20, final=0.001), weight_decay=0.1),
    SGD(warm_up(3, after=cosine(0.05, epochs=30)), momentum=0.5),
    Adam(lambda steps, per_epoch: 0.01 / (1 + steps / per_epoch)),
)


@pytest.fixture(autouse=True, params=(UNITS, SAMPLES))
def lanes(request, monkeypatch):
    """Either layout in the place of the choice; what samples in lanes cannot do takes units."""
    monkeypatch.setattr("fastnn.plan.choose_layout", lambda *shape: request.param)


@pytest.mark.parametrize("activation", ELEMENTWISE)
@pytest.mark.parametrize("dropout", (0, 0.3))
def test_hidden_activations(activation, dropout):
    network = make_network(activation=activation, dropout=dropout)
    assert_agrees(network, *make_data(network))


@pytest.mark.parametrize("cost, output", PAIRS)
def test_costs_and_outputs(cost, output):
    network = make_network(output=output, cost=cost, huber_threshold=0.7)
    assert_agrees(network, *make_data(network), optimizer=SGD(0.01))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("l2", (0.0, 0.01))
def test_optimizers(optimizer, l2):
    network = make_network()
    assert_agrees(network, *make_data(network), optimizer=optimizer, l2=l2)


@pytest.mark.parametrize(
    "options",
    [
        {"l2": 0.3},
        {"clip_norm": 0.05},
        {"clip_norm": 0.05, "l2": 0.3, "optimizer": SGD(0.1, momentum=0.9)},
        {"clip_norm": 1e9},
        {"shuffle": False},
        {"batch_size": 1, "epochs": 2},
        {"batch_size": 5},
        {"batch_size": 85, "epochs": 100},
        {"batch_size": 84},
    ],
    ids=str,
)
def test_options(options):
    network = make_network()
    assert_agrees(network, *make_data(network), **options)


@pytest.mark.parametrize("sizes", [(7, 1), (7, 3), (1, 1), (7, 5, 1), (5, 9, 3, 8, 1, 6, 2), (40, 65, 33)])
@pytest.mark.parametrize("dropout", (0, 0.5))
def test_shapes(sizes, dropout):
    network = make_network(sizes, dropout=dropout)
    assert_agrees(network, *make_data(network), l2=0.01)


def test_batches_in_several_chunks():
    """Rows pass the layers in chunks of what the cache holds: here 88 and 56 of them."""
    network = make_network((90, 60, 33), dropout=0.2)
    assert_agrees(network, *make_data(network, 435), batch_size=144, given={"threads": 1})


def test_dropout_of_each_layer():
    network = make_network(dropout=[0.0, 0.6], activation=["gelu", "sigmoid"])
    X, Y = make_data(network)
    assert_agrees(network, X, Y)
    assert_agrees(network, X, Y)  # of a second fit the masks are others


def test_label_smoothing():
    for output, indices in (("sigmoid", False), ("softmax", False), ("softmax", True)):
        network = make_network(output=output)
        assert_agrees(network, *make_data(network, indices=indices), label_smoothing=0.2)


def test_weights():
    network = make_network()
    X, Y = make_data(network)
    weights = generator("weights").uniform(0, 3, len(X))
    weights[::3] = 0
    assert_agrees(network, X, Y, weights=weights, given={"sample_weight": weights})


def test_weights_that_are_zero_for_a_batch():
    network = make_network()
    X, Y = make_data(network, 96)
    weights = np.repeat([1.0, 0.0, 2.0], 32)
    kept = weights > 0
    reference = make_network()
    reference.fit(X[kept], Y[kept], shuffle=False, optimizer=SGD(), epochs=1)
    network.fit(X, Y, sample_weight=weights, shuffle=False, optimizer=SGD(), epochs=1)
    np.testing.assert_allclose(network.params, reference.params, 1e-12)


@pytest.mark.parametrize("output, n_out", [("sigmoid", 1), ("softmax", 3)])
def test_class_weights(output, n_out):
    network = make_network((7, 5, n_out), output=output)
    X, Y = make_data(network, indices=True)
    labels = Y[:, 0].astype(int)
    by_class = {0: 0.25, 1: 3}
    weights = np.array([by_class.get(label, 1.0) for label in labels])
    assert_agrees(network, X, Y, weights=weights, given={"class_weight": by_class})
    counts = np.bincount(labels)
    weights = (len(X) / (len(counts) * counts))[labels]
    assert_agrees(network, X, Y, weights=weights, given={"class_weight": "balanced"})
    sample_weight = generator("weights").uniform(0, 3, len(X))
    given = {"class_weight": "balanced", "sample_weight": sample_weight}
    assert_agrees(network, X, Y, weights=weights * sample_weight, given=given)


def test_all_at_once():
    network = make_network(output="softmax", dropout=0.2, activation=["silu", "relu"])
    X, Y = make_data(network)
    weights = generator("weights").uniform(0, 3, len(X))
    options = {"l2": 0.01, "clip_norm": 0.2, "label_smoothing": 0.1, "optimizer": AdamW(warm_up(2, 0.01))}
    assert_agrees(network, X, Y, weights=weights, given={"sample_weight": weights}, **options)


def test_float32_stays_close():
    network = make_network(dtype="float32", output="softmax", dropout=0.2)
    X, Y = make_data(network)
    double = make_network(output="softmax", dropout=0.2)
    double.params[:] = network.params
    params, costs = fit_reference(double, X.astype(float), Y.astype(float), epochs=10)
    history = network.fit(X, Y, epochs=10)
    assert network.params.dtype == network.predict(X).dtype == np.float32
    np.testing.assert_allclose(network.params, params, 1e-4, 1e-5)
    np.testing.assert_allclose(history.cost, costs, 1e-5)


def test_adam_is_that_of_its_paper():
    """The loop folds the bias corrections into rate and epsilon; here they stand as they were published."""
    network = make_network((7, 1))
    X, Y = make_data(network, 32)
    rows = np.c_[X, np.ones(32)]
    p, m, v = network.params.copy(), np.zeros(8), np.zeros(8)
    for t in range(1, 101):
        g = rows.T @ (rows @ p - Y[:, 0]) / 32
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        p = p - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-3)
    network.fit(X, Y, epochs=100, optimizer=Adam(0.01, epsilon=1e-3))
    np.testing.assert_allclose(network.params, p, 1e-10)


def test_dropout_leaves_out_the_right_share_and_keeps_the_mean():
    """Through a hidden layer of ones whose outputs are summed: each row's target shows its survivors."""
    network = make_network((1, 1000, 1), activation="identity", dropout=0.3)
    network.params[:] = 0
    network.biases[0][:] = 1
    Y = np.zeros((64, 1))
    network.weights[1][:] = 1e-3
    history = network.fit(np.zeros((64, 1)), Y, epochs=1, optimizer=SGD(0), batch_size=64)
    # Outputs are means of 1000 numbers that are 1 / 0.7 or 0: their mean is 1, their variance 0.3 / 700.
    assert history.cost[0] == pytest.approx(0.5 * (1 + 0.3 / 700), rel=5 * np.sqrt(4 * 0.3 / 700 / 64))


def test_dropout_masks_look_independent():
    shape, rate = (256, 512), 0.3
    alive = np.array([
        dropout_mask(shape, rate, seed, step, layer) > 0
        for seed, step, layer in ((77, 0, 0), (10**9, 0, 0), (77, 1, 0), (77, 0, 1), (77, 2**32, 0))
    ])  # fmt: skip
    variance = rate * (1 - rate)
    for axis, n in ((1, 256), (2, 512), ((1, 2), 256 * 512)):
        assert np.abs(alive.mean(axis=axis) - (1 - rate)).max() < 5 * np.sqrt(variance / n)
    centred = (alive - (1 - rate)) / np.sqrt(variance)
    pairs = [(a * b).mean() for i, a in enumerate(centred) for b in centred[:i]]
    pairs += [(centred[0, 1:] * centred[0, :-1]).mean(), (centred[0, :, 1:] * centred[0, :, :-1]).mean()]
    assert np.abs(pairs).max() < 5 / np.sqrt(256 * 512)


# Bits


CONFIGURATIONS = {
    "plain": ({}, {}),
    "uneven": ({"sizes": (70, 33, 9, 2)}, {"batch_size": 41, "optimizer": SGD(0.01, 0.9, nesterov=True)}),
    "one output": ({"sizes": (200, 1), "output": "sigmoid"}, {"l2": 0.1, "batch_size": 100}),
    "dropout, clipping": ({"dropout": 0.4, "activation": "gelu"}, {"clip_norm": 0.1, "l2": 0.01}),
    "classes": (
        {"sizes": (20, 40, 5), "output": "softmax", "activation": "relu"},
        {"class_weight": "balanced", "label_smoothing": 0.1, "validation_split": 0.3, "optimizer": AdamW()},
    ),
    "small batches": ({"sizes": (3, 4, 2)}, {"batch_size": 3, "clip_norm": 0.5}),
}


def trained(dtype, name, **more):
    options, fit = CONFIGURATIONS[name]
    network = make_network(**{"dtype": dtype, **options})
    X, Y = make_data(network, 150, indices=True)
    if name == "plain":
        more["sample_weight"] = np.arange(len(X)) % 5
        more["validation_data"] = normal(dtype, (20, network.n_in)), Y[:20]
    return bits(network, network.fit(X, Y, epochs=4, **fit, **more))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_threads_give_the_same_bits(name, dtype, monkeypatch):
    expected = trained(dtype, name, threads=1)
    for threads in (2, 3, 4, "auto"):
        assert trained(dtype, name, threads=threads) == expected
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0)  # each step a slice of its own
    for threads in (1, 2):
        assert trained(dtype, name, threads=threads) == expected
