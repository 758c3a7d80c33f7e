"""`fit` and `partial_fit`: who may stop a run, where it goes on, and what it refuses."""

import re
import weakref

import numpy as np
import pandas
import pytest
import scipy.sparse

from cases import generator, normal
from fastnn import SGD, Adam, AdamW, DivergenceError, EarlyStopping, cosine, step_decay
from training_cases import assert_agrees, bits, fit_reference, fitted, make_data, make_network


def test_validation_costs_are_those_of_evaluate():
    network = make_network(output="softmax")
    X, Y = make_data(network)
    held, weights = make_data(network, 20), np.arange(20)
    seen = []
    callbacks = [lambda run: seen.append(run.network.evaluate(*held, weights))]
    history = network.fit(X, Y, epochs=3, validation_data=(*held, weights), callbacks=callbacks)
    assert list(zip(history.val_cost, history.val_score, strict=True)) == seen
    assert seen[0] != network.evaluate(*held)


def test_validation_split_holds_rows_out():
    """Rows with wild targets that are held out change nothing but the validation cost."""
    network = make_network()
    X, Y = make_data(network, 50)
    order = np.random.default_rng([network.seed, 1 << 32]).permutation(50)
    held, rest = np.sort(order[:10]), np.sort(order[10:])
    wild = Y.copy()
    wild[held] += 1e6
    history = network.fit(X, wild, epochs=3, validation_split=0.2)
    other = make_network()
    expected = other.fit(X[rest], Y[rest], epochs=3, validation_data=(X[held], wild[held]))
    assert bits(network, history) == bits(other, expected)
    assert min(history.val_cost) > 1e9


# Stopping


def test_early_stopping_restores_the_best():
    rule = EarlyStopping(patience=3, min_delta=0.01)
    network = make_network()
    X, Y = make_data(network)
    held = make_data(network, 20)
    seen = []
    options = {"validation_data": held, "optimizer": SGD(0.3), "epochs": 200}
    history = network.fit(X, Y, early_stopping=rule, **options,
                          callbacks=[lambda run: seen.append(run.network.params.copy())])  # fmt: skip
    best = 0
    for epoch, cost in enumerate(history.val_cost):
        best = epoch if cost < history.val_cost[best] - 0.01 else best
    assert len(history) == best + 4 < 200
    assert history.stopped == "no better cost in 3 epochs"
    np.testing.assert_array_equal(network.params, seen[best])
    assert network.evaluate(*held)[0] == history.val_cost[best]
    kept = make_network()
    again = kept.fit(X, Y, early_stopping=EarlyStopping(3, 0.01, restore=False), **options)
    np.testing.assert_array_equal(kept.params, seen[-1])
    assert again.val_cost == history.val_cost


def test_early_stopping_wants_a_least_gain():
    network, history = fitted(epochs=50, early_stopping=EarlyStopping(4, min_delta=1e9))
    assert len(history) == 5 and history.cost[4] < history.cost[0]
    np.testing.assert_array_equal(network.params, fitted(epochs=1)[0].params)


def test_early_stopping_watches_the_training_cost_without_validation_data():
    network, history = fitted(epochs=500, early_stopping=2, optimizer=SGD(2.0, momentum=0.5), clip_norm=3)
    best = int(np.argmin(history.cost))
    assert history.stopped and len(history) == best + 3
    unbeaten, history = fitted(epochs=20, early_stopping=5, optimizer=SGD(1e-3))
    assert history.stopped is None and len(history) == 20


def test_callbacks():
    seen = []

    def callback(run):
        assert run.network is network and run.epochs == 10 and run.threads >= 1
        assert len(run.history) == run.epoch == network.epochs_trained
        seen.append(run.history.cost[-1])
        return run.epoch == 4

    network = make_network()
    _, history = fitted(network, epochs=10, callbacks=(callback, lambda run: None))
    assert seen == history.cost and len(seen) == 4
    assert history.stopped == "a callback stopped it after epoch 4"


def test_a_callback_that_raises_ends_the_run():
    network = make_network()
    with pytest.raises(ZeroDivisionError):
        fitted(network, callbacks=[lambda run: 1 / 0])
    assert network.epochs_trained == 1


def test_progress(capsys):
    fitted(progress=True)
    out, err = capsys.readouterr()
    last = err.rsplit("\r", 1)[-1]
    assert out == "" and re.match(r"epoch 3/3: 100%\|.*\| cost=[\d.e-]+ ETA 00:00", last), err
    fitted(progress=True, validation_split=0.2)
    assert re.search(r"epoch 3/3: 100%\|.*\| cost=\S+ val_score=\S+ ETA", capsys.readouterr().err)
    network = make_network()
    X, Y = make_data(network)
    network.fit([(X, Y), (X, Y), (X[:5], Y[:5])], epochs=2, progress=True)
    assert "epoch 2/2: 100%" in capsys.readouterr().err
    fitted(progress=True, callbacks=[lambda run: run.epoch == 2])
    assert "epoch 3/3:  67%" in capsys.readouterr().err
    fitted()
    assert capsys.readouterr() == ("", "")


# Going on


def test_the_same_seed_gives_the_same_bits():
    options = {"validation_split": 0.2, "optimizer": "sgd"}
    assert bits(*fitted(make_network(dropout=0.3), **options)) == bits(
        *fitted(make_network(dropout=0.3), **options)
    )
    other = make_network(dropout=0.3, seed=4)
    other.params[:] = make_network().params  # its order and its masks are others
    assert bits(*fitted(other, **options)) != bits(*fitted(make_network(dropout=0.3), **options))


def test_fit_goes_on_from_the_current_parameters():
    network, _ = fitted(optimizer=SGD())
    fitted(network, optimizer=SGD())
    whole, _ = fitted(epochs=6, optimizer=SGD())
    np.testing.assert_array_equal(network.params, whole.params)
    assert network.epochs_trained == 6
    assert_agrees(network, *make_data(network))  # Adam begins anew, the order of rows goes on
    before = network.params.copy()
    assert len(fitted(network, epochs=0)[1]) == 0
    np.testing.assert_array_equal(network.params, before)


@pytest.mark.parametrize("optimizer", [SGD(0.01, 0.9), Adam(cosine(0.01, 5)), AdamW()], ids=repr)
def test_partial_fit_is_one_pass_with_living_moments(optimizer):
    network = make_network(dropout=0.3, output="softmax")
    X, Y = make_data(network)
    twin = make_network(dropout=0.3, output="softmax")
    options = {"l2": 0.01, "clip_norm": 1.0, "optimizer": optimizer}
    for _ in range(4):
        history = network.partial_fit(X, Y, **options)
    assert bits(network, history) == bits(twin, twin.fit(X, Y, epochs=4, **options))
    network.partial_fit(X, Y, l2=0.01, clip_norm=1.0)  # the optimizer is kept
    twin = make_network(dropout=0.3, output="softmax")
    assert bits(network, history) == bits(twin, twin.fit(X, Y, epochs=5, **options))


def test_partial_fit_moments_outlive_another_rate():
    network, twin = make_network(dropout=0.3), make_network(dropout=0.3)
    X, Y = make_data(network)
    for rate in (0.01, 0.001):
        network.partial_fit(X, Y, optimizer=SGD(rate, 0.9))
    twin.fit(X, Y, epochs=2, optimizer=SGD(step_decay(0.01, 0.1, every=1), 0.9))
    np.testing.assert_allclose(network.params, twin.params, 1e-12)


def test_partial_fit_moments_outlive_any_chunk():
    """Chunks of any size, weighted or not, indices or rows, and another rate: the moments live on."""
    network = make_network(output="softmax")
    X, Y = make_data(network, indices=True)
    rows, weights = np.eye(3)[Y[:, 0].astype(int)], generator("weights").uniform(1, 2, 85)
    passes = [
        (X[:40], Y[:40, 0], {}),
        (X[40:], rows[40:], {}),
        (X[:5], Y[:5], {"sample_weight": weights[:5]}),
        (X, rows, {"class_weight": {0: 2, 1: 1, 2: 1}}),
    ]
    seen = []
    for chunk, y, options in passes:
        history = network.partial_fit(chunk, y, optimizer=SGD(0.01, 0.9), **options, callbacks=[seen.append])
    assert len(history) == network.epochs_trained == 4 and seen[-1].trainer.steps_done == 2 + 2 + 1 + 3
    history = network.partial_fit(X, rows, optimizer=SGD(0.001, 0.9), callbacks=[seen.append])
    assert seen[-1].trainer.steps_done == 11 and len(history) == 5
    history = network.partial_fit(scipy.sparse.csr_array(X), rows, callbacks=[seen.append])
    assert seen[-1].trainer.steps_done == 14 and len(history) == 6
    history = network.partial_fit(X, rows, optimizer=Adam(), callbacks=[seen.append])
    assert seen[-1].trainer.steps_done == 3 and len(history) == 1


def test_partial_fit_lets_the_data_go():
    network = make_network()
    X, Y = make_data(network)
    gone = weakref.ref(X)
    network.partial_fit(X, Y, validation_data=(X, Y))
    del X
    assert gone() is None


def test_partial_fit_goes_on_after_a_stop():
    network = make_network()
    X, Y = make_data(network)
    assert network.partial_fit(X, Y, callbacks=[lambda run: True]).stopped
    history = network.partial_fit(X, Y)
    assert len(history) == network.epochs_trained == 2 and history.stopped is None
    with pytest.raises(ValueError, match="X has 6 columns"):
        network.partial_fit(X[:, 1:], Y)
    assert len(network.partial_fit(X, Y)) == 3


# Divergence


@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("optimizer", [SGD(1e60), SGD(1e80, 0.9), Adam(1e80)], ids=repr)
def test_divergence(dtype, optimizer):
    network = make_network(dtype=dtype, activation="relu")
    X, Y = make_data(network)
    good = network.fit(X, Y, epochs=2)
    assert np.isfinite(good.cost).all()
    before = network.params.copy()
    for method in (network.fit, network.partial_fit):
        with pytest.raises(DivergenceError, match="epoch 1: the .* not? .*smaller learning rate"):
            method(X, Y, optimizer=optimizer)
        np.testing.assert_array_equal(network.params, before)
    history = network.partial_fit(X, Y, optimizer=SGD(1e-3, 0.9))  # nothing of it is left
    assert np.isfinite(history.cost).all() and np.isfinite(network.params).all()


def test_divergence_in_the_last_step():
    """Its cost is still finite."""
    network = make_network(dtype="float32")
    before = network.params.copy()
    with pytest.raises(DivergenceError, match="epoch 1: the parameters are no longer finite: use a smaller"):
        fitted(network, optimizer=SGD(1e60), batch_size=85, epochs=1)
    np.testing.assert_array_equal(network.params, before)
    assert network.epochs_trained == 0


def test_divergence_keeps_the_last_good_epoch():
    network = make_network()
    X, Y = make_data(network)

    def schedule(steps, per_epoch):
        return np.where(steps // per_epoch < 3, 0.01, 1e200)

    with pytest.raises(DivergenceError, match="epoch 4: .*; the parameters are those before it"):
        network.fit(X, Y, epochs=10, optimizer=SGD(schedule))
    params, _ = fit_reference(make_network(), X, Y, epochs=3, optimizer=SGD(0.01))
    np.testing.assert_allclose(network.params, params, 1e-10)
    assert network.epochs_trained == 3


def test_pandas_columns_and_series():
    network, twin = make_network((3, 4, 1), output="sigmoid"), make_network((3, 4, 1), output="sigmoid")
    X = normal(np.float64, (40, 3))
    frame = pandas.DataFrame(X, columns=list("abc")).assign(label=X[:, 0] > 0, weight=np.arange(40) % 3)
    frame = frame.sort_values("b")  # its index is not 0, 1, 2
    held = frame[:10]
    history = network.fit(frame[list("abc")], frame.label, sample_weight=frame.weight, epochs=3,
                          validation_data=(held[list("abc")], held.label))  # fmt: skip
    X, y, w = frame[list("abc")].to_numpy(), frame.label.to_numpy(float), frame.weight.to_numpy(float)
    expected = twin.fit(X, y, sample_weight=w, epochs=3, validation_data=(X[:10], y[:10]))
    assert bits(network, history) == bits(twin, expected)
