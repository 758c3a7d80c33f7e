"""Training with an input stage: equal to its NumPy twin, for any threads; the network ends as any other."""

import warnings
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
import scipy.sparse

from cases import DTYPES
from fastnn import SGD, AdamW, Checkpoint, InputStage, Network, rank_training
from fastnn_kernels.leaves import Leaf
from processes import run_apart
from training_cases import bits, fit_reference, make_data, make_network, untouched

STAGES = {
    "scales": InputStage(scale_rate=6),
    "codes": InputStage(scale_rate=0, categories=[(0, 7)], width=3, embedding_rate=2),
    "both": InputStage(categories=[(1, 4), (5, 9), (14, 2)], width=3),
}
OPTIONS = (
    {"optimizer": AdamW(0.01, beta2=0.95, weight_decay=0.1)},
    {"optimizer": SGD(0.05)},
    {"optimizer": SGD(0.02, momentum=0.9, nesterov=True), "clip_norm": 0.1},
)
N_IN, TOLERANCE = 19, {np.float32: 2e-3, np.float64: 1e-9}
staged = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)


@contextmanager
def leaves_wanted():
    """The names of the leaves whose addresses are asked for."""
    names, address = [], Leaf.address

    def noted(leaf, dtype=np.float32):
        names.append(leaf.__name__)
        return address(leaf, dtype)

    with patch.object(Leaf, "address", noted):
        yield names


@staged
@pytest.mark.parametrize("options", OPTIONS, ids=("adamw", "sgd", "clipped"))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_units", (2, 9, 33))
def test_it_agrees_with_numpy(stage, options, dtype, n_units):
    network = make_network((N_IN, n_units, 5, 3), dtype=np.dtype(dtype).name)
    data = make_data(network, 70)
    options = {"epochs": 8, "batch_size": 32, "input_stage": stage, **options}
    params, costs = fit_reference(network, *data, **options)
    history = network.fit(*data, **options)
    scale = abs(params).max()
    np.testing.assert_allclose(network.params, params, 0, TOLERANCE[dtype] * scale)
    np.testing.assert_allclose(history.cost, costs, TOLERANCE[dtype])


@pytest.mark.parametrize("batch_size", (16, 200))  # 200: gradients of chunks are summed
@pytest.mark.parametrize("sparse", (False, True))
@pytest.mark.parametrize("dropout", (0.0, 0.2))
def test_rows_of_all_kinds(batch_size, sparse, dropout):
    stage, results = STAGES["both"], []
    for threads in (1, 2, 3):
        network = make_network((N_IN, 33, 3), dropout=dropout)
        X, Y = make_data(network, 400)
        X[:, ::2] = 0
        options = {"epochs": 3, "batch_size": batch_size, "input_stage": stage}
        params, _ = fit_reference(network, X, Y, **options)
        given = scipy.sparse.csr_array(X) if sparse else X
        history = network.fit(given, Y, threads=threads, **options)
        np.testing.assert_allclose(network.params, params, 1e-8, 1e-11)
        results.append(bits(network, history))
    assert results[0] == results[1] == results[2]


def test_a_scale_at_rest_is_no_scale():
    plain, staged = (make_network((N_IN, 9, 3)) for _ in range(2))
    X, Y = make_data(plain)
    plain.fit(X, Y, epochs=4)
    staged.fit(X, Y, epochs=4, input_stage=InputStage(scale_rate=0))
    np.testing.assert_allclose(staged.params, plain.params, 1e-12, 1e-15)


def test_slices_and_epochs_do_not_show():
    results = []
    for callbacks in ([], [lambda run: None]):
        network = make_network((N_IN, 9, 3))
        history = network.fit(*make_data(network), epochs=6, input_stage=STAGES["both"], callbacks=callbacks)
        results.append(bits(network, history))
    assert results[0] == results[1]


def test_what_it_learns_is_an_ordinary_network(tmp_path):
    network = make_network((N_IN, 9, 3))
    X, Y = make_data(network)
    network.fit(X, Y, epochs=5, early_stopping=2, validation_split=0.2, input_stage=STAGES["both"])
    network.save(tmp_path / "a.safetensors")
    same = Network.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(same.predict(X), network.predict(X))
    assert np.linalg.matrix_rank(network.weights[0][5:14]) == 3
    before = network.evaluate(X, Y)[0]
    network.fit(X, Y, epochs=5, input_stage=STAGES["both"])  # from there on
    assert network.evaluate(X, Y)[0] < before


def test_a_divergence_leaves_what_was_before():
    network = make_network((N_IN, 9, 3), cost="squared_error", activation="relu")
    X, Y = make_data(network)
    untouched(
        network, ArithmeticError, "no longer finite|not finite", 1e150 * X, Y, epochs=3,
        optimizer=SGD(1e9), input_stage=STAGES["both"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "match"),
    (
        ({"checkpoint": "a.safetensors"}, "checkpoint"),
        ({"callbacks": [Checkpoint("a.safetensors")]}, "checkpoint"),
        ({"resume": "a.safetensors"}, "resume"),
        ({"comm": object()}, "comm"),
        ({"l2": 0.1}, "weight_decay"),
        ({"input_stage": InputStage(categories=[(10, 10)])}, "columns 10 to 19; X has 19"),
        ({"callbacks": [lambda run: run.save("a.safetensors")]}, "no checkpoints"),
    ),
    ids=lambda value: None if isinstance(value, str) else next(iter(value)),
)
def test_what_it_does_not_go_with(options, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rank_training, "Ranks", lambda comm: SimpleNamespace(size=1))
    network = make_network((N_IN, 9, 3))
    given = {"input_stage": STAGES["both"], "epochs": 1, **options}
    with pytest.raises(ValueError, match=match):
        network.fit(*make_data(network), **given)


def test_networks_that_it_does_not_go_with():
    linear = make_network((N_IN, 1))
    untouched(linear, ValueError, "one unit", *make_data(linear), input_stage=InputStage())
    untouched(linear, TypeError, "must be an InputStage", *make_data(linear), input_stage="scales")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether it is worth anything on this processor
        rounded = Network([N_IN, 9, 3], precision="bfloat16", seed=0)
    untouched(rounded, ValueError, "bfloat16", *make_data(rounded), input_stage=InputStage())


def ordinary_fit():
    X = np.ones((20, 3))
    with leaves_wanted() as wanted:
        Network([3, 4, 1], seed=0, dropout=0.1).fit(X, X[:, 0], epochs=1)
    assert "train" in wanted and not any("stage" in name for name in wanted)


def test_ordinary_fits_do_not_compile_it():
    run_apart(ordinary_fit)
