"""Mistakes that people make: what is said, and that nothing has changed; numbers at the edge of range."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pandas
import pytest
import scipy.sparse

from fastnn import SGD, Fleet, MLPClassifier, ModelFileError, Network, epochs, functional, tabular
from fastnn.course import deep, planar, xor
from fastnn.course.two_layer import TwoLayerNetwork
from fastnn.search import BaggedMLPClassifier, BaggedMLPRegressor, FleetSearchCV
from processes import network, problem, run_apart
from training_cases import untouched

X, Y = problem(90)


def numbers(**options):
    return Network([5, 4, 1], seed=1, **{"dtype": "float64", **options})


MASKED = np.ma.masked_array(np.ones((4, 4)), np.eye(4) > 0)
PLAIN = np.ones((4, 4))
MASKS = {
    "matmul": lambda: functional.matmul(PLAIN, MASKED),
    "softmax": lambda: functional.softmax_forward(MASKED),
    "weights": lambda: functional.squared_error(PLAIN, PLAIN, MASKED[0]),
    "labels": lambda: functional.softmax_cross_entropy(PLAIN, MASKED[0]),
    "sgd": lambda: functional.sgd(MASKED, PLAIN.copy()),
    "out": lambda: functional.column_sum(MASKED),
    "deep": lambda: deep.linear_forward(PLAIN, MASKED, PLAIN[:, :1]),
    "elements": lambda: deep.sigmoid(MASKED),
    "cost": lambda: deep.compute_cost(PLAIN[:1] / 2, MASKED[:1]),
    "planar": lambda: planar.nn_model(MASKED, PLAIN[:1], 3, 2),
    "xor": lambda: xor.affine(PLAIN, MASKED, PLAIN[:, :1]),
    "two layers": lambda: TwoLayerNetwork(3).fit(MASKED, PLAIN[:, :1], epochs=1),
}


@pytest.mark.parametrize("name", MASKS)
def test_masked_arrays_are_refused(name):
    with pytest.raises(TypeError, match="masked array"):
        MASKS[name]()


def test_sparse_rows_with_data_in_two_dimensions():
    sparse = scipy.sparse.csr_array(np.eye(5, dtype=np.float32))
    sparse.data = sparse.data[:, None]
    net = network()
    for call in (
        lambda: functional.affine_forward(sparse, np.ones((5, 2)), np.ones(2)),
        lambda: functional.affine_backward(sparse, np.ones((5, 2)), np.ones((5, 2))),
        lambda: net.predict(sparse),
        lambda: net.fit(sparse, np.ones(5)),
    ):
        with pytest.raises(ValueError, match=r"data, indices and indptr have the shapes \[\(5, 1\)"):
            call()


def test_a_mapped_file_that_is_cut_ends_the_fit_and_not_the_process(tmp_path):
    np.save(tmp_path / "X.npy", np.repeat(X, 200, axis=0))
    y = np.repeat(Y, 200)
    for dtype in ("float32", "float64"):  # read in place, and converted
        np.save(tmp_path / "X.npy", np.repeat(X, 200, axis=0))
        mapped = np.load(tmp_path / "X.npy", mmap_mode="r")

        def cut(run):
            os.truncate(tmp_path / "X.npy", 4096)

        net = Network([5, 4, 1], output="sigmoid", seed=1, dtype=dtype)
        with pytest.raises(ValueError, match="X.npy' was cut to 4,096 bytes while it was read"):
            net.fit(mapped, y, epochs=5, callbacks=[cut], threads=1)
        assert np.isfinite(net.params).all() and net.epochs_trained == 1


@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_a_batch_of_weights_without_a_reciprocal(dtype):
    tiny = 1e-42 if dtype == "float32" else 1e-310
    weights = np.ones(90)
    weights[32:64] = tiny
    net = Network([5, 4, 1], output="sigmoid", seed=1, dtype=dtype)
    history = net.fit(X, Y, sample_weight=weights, epochs=3, batch_size=32, shuffle=False)
    assert np.isfinite(history.cost).all() and np.isfinite(net.params).all()
    assert np.isfinite(net.evaluate(X, Y, weights)).all()


def test_targets_whose_squares_are_infinite():
    net, huge = numbers(), np.linspace(-1e200, 1e200, 90)
    for call in (net.fit, net.evaluate):
        with pytest.raises(ValueError, match="y holds .* its square is infinite in float64: scale y"):
            call(X, huge)
    untouched(Network([5, 1], seed=1), ValueError, "infinite in float32", X, Y * 1e25)
    for cost in ("absolute_error", "huber"):  # no squares there, and R2 has no unit
        value, score = numbers(cost=cost).evaluate(X, huge)
        assert 1e199 < value < 1e200 and abs(score) < 1e-9


def test_validation_split_holds_no_second_copy():
    rows = np.random.default_rng(0).standard_normal((200_000, 20)).astype(np.float32)
    y = rows[:, 0]
    net = Network([20, 2, 1], seed=1)
    net.fit(rows, y, epochs=1, batch_size=1000, validation_split=0.1, threads=1)
    tracemalloc.start()
    net.fit(rows, y, epochs=1, batch_size=1000, validation_split=0.1, threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * rows.nbytes


def test_the_rows_that_are_left_are_those_of_a_copy():
    held = np.sort(np.random.default_rng([1, 1 << 32]).permutation(90)[:18])
    rest = np.setdiff1d(np.arange(90), held)
    for shuffle in (True, False):
        nets = network(), network()
        options = {"epochs": 3, "batch_size": 16, "shuffle": shuffle, "threads": 1}
        nets[0].fit(X, Y, validation_split=0.2, **options)
        nets[1].fit(X[rest], Y[rest], validation_data=(X[held], Y[held]), **options)
        assert nets[0].params.tobytes() == nets[1].params.tobytes()


OBJECTS = pandas.DataFrame({"age": [1.0, 2.0], "city": ["Oslo", "Rome"], "c": 1, "d": 2, "e": 3})
MESSAGES = (
    ({"X": OBJECTS, "y": [0, 1]}, TypeError, "dtype object.*column 'city' holds 'Oslo' in row 0"),
    ({"X": OBJECTS.to_numpy(), "y": [0, 1]}, TypeError, "dtype object.*column 1 holds 'Oslo' in row 0"),
    ({"y": np.where(Y > 0, "yes", "no")}, TypeError, "MLPClassifier takes classes .*return_inverse"),
    ({"early_stopping": True}, ValueError, r"early_stopping=True; give a patience such as 10"),
    ({"optimizer": "AdamW "}, ValueError, "unknown optimizer 'AdamW ': .*did you mean 'adamw'"),
    ({"optimizer": "sdg"}, ValueError, "did you mean 'sgd'"),
    ({"interrupt": "never"}, ValueError, "interrupt='never' must be 'stop' or 'raise'"),
)


@pytest.mark.parametrize(("given", "error", "match"), MESSAGES, ids=lambda x: str(x)[:40])
def test_what_a_mistake_is_told(given, error, match):
    untouched(network(), error, match, **{"X": X, "y": Y, **given})


@pytest.mark.parametrize(
    ("options", "match"),
    (
        ({"cost": "mse"}, "unknown cost 'mse': .*did you mean 'squared_error'"),
        ({"cost": "crossentropy"}, "unknown cost .*did you mean 'softmax_cross_entropy'"),
        ({"cost": "MAE"}, "did you mean 'absolute_error'"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"output": "logistic"}, "did you mean 'sigmoid'"),
        ({"output": "softmax"}, "softmax over one output is always 1: give output='sigmoid', or two outputs"),
    ),
    ids=str,
)
def test_what_a_mistaken_network_is_told(options, match):
    with pytest.raises(ValueError, match=match):
        Network([5, 4, 1], **options)


def test_large_targets_get_a_hint():
    with pytest.warns(UserWarning, match=r"the targets are around .*e\+05, .*: scale them"):
        Network([5, 4, 1], seed=1).fit(X, 2e5 + 1e4 * X[:, 0], epochs=2)
    Network([5, 4, 1], seed=1).fit(X, X[:, 0], epochs=2)


def test_a_cost_that_explodes_is_remarked():
    with pytest.warns(UserWarning, match="the cost has risen from .* to .*: use a smaller learning rate"):
        numbers(activation="tanh").fit(X, X[:, 0], epochs=4, optimizer=SGD(3.0), threads=1)


def test_pickles_of_unknown_state():
    for state in (None, [], {}, "x", 5, {"about": {}, "params": 5}, {"about": 5, "params": X}):
        with pytest.raises(ModelFileError):
            Network.__new__(Network).__setstate__(state)
    for state in (5, "x", {"_fastnn_version": 5}, {"_fastnn_version": "99.0"}, {"_optimizer": {"x": 1}}):
        with pytest.raises(ModelFileError):
            MLPClassifier().__setstate__(state)
    whole = Fleet(2, [2, 3, 1], seed=0).__getstate__()
    for state in (None, 5, "x", {}, (1, 2, 3), (None, None), ({}, whole[1]), (whole[0], {"fleet": 5})):
        with pytest.raises(ModelFileError, match="holds no fleet"):
            Fleet.__new__(Fleet).__setstate__(state)
    for kind in (FleetSearchCV, BaggedMLPClassifier, BaggedMLPRegressor, tabular.TabularClassifier):
        for state in (None, 5, "x", [1]):
            with pytest.raises(ModelFileError, match=f"the pickled state of {kind.__name__} is not whole"):
                kind.__new__(kind).__setstate__(state)


# Ctrl-C


def press_in_epoch(number):
    def press(run):
        if run.epoch == number:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    return press


def raise_and_stop():
    """A first Ctrl-C ends one fit, with interrupt='raise' by the exception; a second one soon raises."""
    best = network()
    try:
        best.fit(X, Y, epochs=9, callbacks=[press_in_epoch(3)], interrupt="raise", threads=1)
        raise AssertionError("it did not raise")
    except KeyboardInterrupt:
        assert best.epochs_trained == 3
    epochs.Epochs.last_interrupt = -np.inf
    with pytest.warns(UserWarning, match="interrupted after epoch 2"):
        history = network().fit(X, Y, epochs=9, callbacks=[press_in_epoch(2)], threads=1)
    assert len(history) == 2
    try:
        network().fit(X, Y, epochs=9, callbacks=[press_in_epoch(1)], threads=1)
        raise AssertionError("it did not raise")
    except KeyboardInterrupt:
        pass
    epochs.Epochs.last_interrupt -= epochs.AGAIN_SECONDS
    with pytest.warns(UserWarning, match="interrupted after epoch 1"):
        network().fit(X, Y, epochs=9, callbacks=[press_in_epoch(1)], threads=1)


@pytest.mark.slow
def test_a_second_interrupt_soon_raises():
    run_apart(raise_and_stop)


TERMINATED = """
import sys
from processes import network, problem
X, Y = problem(200)
print("begun", flush=True)
say = lambda run: print(run.epoch, flush=True)
network().fit(X, Y, epochs=10**7, checkpoint=sys.argv[1], callbacks=[say])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are other signals there")
def test_an_end_leaves_the_last_checkpoint_and_is_by_the_signal(tmp_path):
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", TERMINATED, str(tmp_path / "a")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=variables) as process:
        while process.stdout.readline().strip() != b"3":
            pass
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(60) == -signal.SIGTERM
    before = Network.load(tmp_path / "a").epochs_trained
    assert before >= 2
    path = tmp_path / "a"
    history = network().fit(*problem(200), epochs=before + 1, resume=path, checkpoint=path)
    assert len(history) == before + 1 and os.listdir(tmp_path) == ["a"]
