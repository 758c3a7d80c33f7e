"""Fleet: each member as the `Network` with its settings; what is told; files; bad input."""

import pickle
import signal

import numpy as np
import pytest

import fastnn
from cases import DTYPES
from fastnn import SGD, Adam, AdamW, EarlyStopping, Fleet, ModelFileError, Network, cosine, fleet_run
from fleet_cases import close

both = pytest.mark.parametrize("dtype", DTYPES)


def samples(n=90, n_in=4, dtype="float32"):
    random = np.random.default_rng(n)
    X = random.standard_normal((n, n_in)).astype(dtype)
    return X, X[:, 0] * X[:, 1] + 0.3 * random.standard_normal(n) > 0


def assert_is(fleet, k, network):
    """Member k has come to where this network has come, and says the same of itself."""
    close(fleet.params[k], network.params)
    assert fleet[k].describe() == network.describe()


@both
def test_members_are_networks(dtype):
    X, y = samples(dtype=dtype)
    rates, l2 = np.geomspace(1e-4, 1e-1, 19), np.linspace(0, 0.1, 19)
    fleet = Fleet(19, [4, 6, 1], output="sigmoid", dtype=dtype, seed=5)
    history = fleet.fit(X, y, epochs=20, optimizer=Adam(rates), l2=l2)
    for k in (0, 15, 18):
        net = Network([4, 6, 1], output="sigmoid", dtype=dtype, seed=5 + k)
        told = net.fit(X, y, epochs=20, optimizer=Adam(rates[k]), l2=l2[k])
        assert_is(fleet, k, net)
        np.testing.assert_allclose(history[k].cost, told.cost, rtol=1e-4)
        np.testing.assert_allclose(fleet.predict(X)[k], net.predict(X), atol=1e-4)
        np.testing.assert_allclose(fleet.evaluate(X, y)[0][k], net.evaluate(X, y)[0], rtol=1e-4)
    assert len(history) == 20 and history.cost.shape == (20, 19) and len(fleet) == 19
    outputs = fleet.predict(X)
    np.testing.assert_allclose(fleet.mean(X), outputs.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(fleet.std(X), outputs.std(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer",
    (
        "sgd",
        SGD(cosine(0.1, epochs=3), momentum=np.array([0.5, 0.9, 0.0])),
        AdamW(0.01, beta1=np.array([0.8, 0.9, 0.7]), weight_decay=np.array([0.1, 0.0, 0.2])),
        AdamW(np.array([0.01, 0.001, 0.1]), epsilon=np.array([1e-8, 1e-2, 1e-6])),
    ),
)
def test_a_members_own_optimizer(optimizer):
    X, y = samples(dtype="float64")
    fleet = Fleet(3, [4, 5, 1], dtype="float64", seed=0)
    fleet.fit(X, y, epochs=3, optimizer=optimizer)
    for k in range(3):
        net = Network([4, 5, 1], dtype="float64", seed=k)
        own = optimizer if isinstance(optimizer, str) or optimizer.n_members is None else optimizer.of(k)
        net.fit(X, y, epochs=3, optimizer=own)
        assert_is(fleet, k, net)


def test_a_members_own_rows_weights_dropout_and_seeds():
    X, y = samples(70, dtype="float64")
    random = np.random.default_rng(3)
    rows = [random.integers(0, 70, n) for n in (64, 65, 33, 7)]
    weights, dropout = random.uniform(0.5, 2, (4, 70)), np.array([[0.0], [0.2], [0.5], [0.1]])
    seeds = [9, 2, 2, 100]
    fleet = Fleet(4, [4, 9, 1], dropout=dropout, dtype="float64", seed=seeds)
    history = fleet.fit(X, y, epochs=4, rows=rows, sample_weight=weights, optimizer=SGD(0.05))
    for k, own in enumerate(rows):
        net = Network([4, 9, 1], dropout=dropout[k], dtype="float64", seed=seeds[k])
        options = {"batch_size": min(32, len(own)), "optimizer": SGD(0.05)}
        told = net.fit(X[own], y[own], epochs=4, sample_weight=weights[k, own], **options)
        assert_is(fleet, k, net)
        np.testing.assert_allclose(history[k].cost, told.cost, rtol=1e-9)
    masks = np.random.default_rng(0).random((4, 70)) < 0.5
    one, other = (Fleet(4, [4, 9, 1], seed=0) for _ in range(2))
    one.fit(X, y, rows=list(masks), epochs=2)
    other.fit(X, y, rows=[np.flatnonzero(mask) for mask in masks], epochs=2)
    np.testing.assert_array_equal(one.params, other.params)


def test_a_data_set_for_each_member():
    sets = [samples(40, dtype="float64") for _ in range(3)]
    X = np.stack([a + k for k, (a, _) in enumerate(sets)])
    y = np.stack([b ^ (k == 1) for k, (_, b) in enumerate(sets)])
    fleet = Fleet(3, [4, 5, 2], output="softmax", dtype="float64", seed=0)
    fleet.fit(X, y, epochs=3, validation_data=(X, y), optimizer=SGD(0.1))
    for k in range(3):
        net = Network([4, 5, 2], output="softmax", dtype="float64", seed=k)
        net.fit(X[k], y[k], epochs=3, optimizer=SGD(0.1))
        assert_is(fleet, k, net)
        np.testing.assert_allclose(fleet.score(X, y)[k], net.evaluate(X[k], y[k])[1])
        np.testing.assert_allclose(fleet.predict(X)[k], net.predict(X[k]), atol=1e-10)
    again = Fleet(3, [4, 5, 2], output="softmax", dtype="float64", seed=0)
    again.fit(X[0], y[..., None], epochs=1)
    net = Network([4, 5, 2], output="softmax", dtype="float64", seed=2)
    net.fit(X[0], y[2], epochs=1)
    assert_is(again, 2, net)


@pytest.mark.parametrize("split", (True, False))
def test_early_stopping_is_each_members_own(split):
    """And the others go on, packed together."""
    X, y = samples(120, dtype="float64")
    rates = np.array([0.03] * 2 + [0.5] * 30)
    options = {"validation_split": 0.25} if split else {"validation_data": (X[:40], y[:40])}
    options |= {"epochs": 40, "early_stopping": EarlyStopping(3)}
    fleet = Fleet(32, [4, 6, 1], output="sigmoid", dtype="float64", seed=0)
    history = fleet.fit(X, y, optimizer=Adam(rates), **options)
    lengths = set()
    for k in (0, 1, 2, 17, 31):
        net = Network([4, 6, 1], output="sigmoid", dtype="float64", seed=k)
        told = net.fit(X, y, optimizer=Adam(rates[k]), **options)
        assert_is(fleet, k, net)
        assert len(history[k]) == len(told) and history[k].stopped == told.stopped
        np.testing.assert_allclose(history[k].val_cost, told.val_cost, rtol=1e-7)
        lengths.add(len(told))
    assert len(lengths) > 1


def test_an_infinite_cost_freezes_a_member_as_it_was():
    X, _ = samples()
    fleet = Fleet(3, [4, 1], output="exp", seed=0)
    fleet.params[1] = 300  # exp of more than float32 holds
    before = fleet.params.copy()
    with pytest.warns(UserWarning, match="1 of 3 members diverged .*: 1; use smaller"):
        fleet.fit(10 * np.abs(X), np.ones(len(X)), epochs=3, optimizer=SGD(1e-9))
    assert fleet.diverged.tolist() == [False, True, False]
    np.testing.assert_array_equal(fleet.params[1], before[1])
    assert (fleet.params[[0, 2]] != before[[0, 2]]).any(axis=1).all()


@pytest.mark.parametrize("sizes", ([4, 6, 1], [4, 300, 100, 1]), ids=("lanes", "members"))
@pytest.mark.parametrize(
    "own", (False, pytest.param(True, marks=pytest.mark.slow)), ids=("rows of all", "own rows")
)
def test_blocks_of_members_have_the_bits_of_all_at_once(sizes, own, monkeypatch):
    """A fleet whose orders take much memory is trained in blocks."""
    X, y = samples()
    rows = [np.arange(90)[: 90 - k] for k in range(37)] if own else None
    rates, found = Adam(np.geomspace(1e-4, 1e-1, 37)), []
    for most in fleet_run.MOST_BYTES, 1:
        monkeypatch.setattr(fleet_run, "MOST_BYTES", most)
        fleet = Fleet(37, sizes, output="sigmoid", seed=0)
        options = {"validation_data": (X, y), "early_stopping": 2} if own else {}
        history = fleet.fit(X, y, epochs=6, optimizer=rates, rows=rows, threads=1, **options)
        found.append((fleet.params.tobytes(), history.cost.tobytes(), fleet.epochs_trained.tobytes()))
    assert found[0] == found[1]


def test_who_diverges_stops_alone_and_is_told():
    X, y = samples()
    fleet = Fleet(5, [4, 6, 1], seed=0)
    with pytest.warns(UserWarning, match="1 of 5 members diverged .*: 3; use smaller"):
        history = fleet.fit(X, y, epochs=30, optimizer=SGD(np.array([0.01, 0.01, 0.01, 1e6, 0.01])))
    assert fleet.diverged.tolist() == [False, False, False, True, False]
    assert np.isfinite(fleet.params).all() and "diverged" in history[3].stopped
    others = Fleet(5, [4, 6, 1], seed=0)
    others.fit(X, y, epochs=30, optimizer=SGD(0.01))
    np.testing.assert_array_equal(fleet.params[[0, 1, 2, 4]], others.params[[0, 1, 2, 4]])
    assert np.isfinite(history.cost[:, 0]).all()


def test_a_second_fit_goes_on_with_new_orders():
    X, y = samples(dtype="float64")
    fleet, net = Fleet(2, [4, 5, 1], dtype="float64", seed=0), Network([4, 5, 1], dtype="float64", seed=1)
    for _ in range(2):
        fleet.fit(X, y, epochs=2, batch_size=None if _ else 32, shuffle=not _)
        net.fit(X, y, epochs=2, batch_size=None if _ else 32, shuffle=not _)
    assert_is(fleet, 1, net)
    assert fleet.epochs_trained.tolist() == [4, 4]


def test_files_pickles_and_networks(tmp_path):
    X, y = samples()
    fleet = Fleet(3, [4, 5, 1], dropout=0.1, output="sigmoid", seed=[3, 1, 2])
    fleet.fit(X, y, epochs=2)
    fleet.save(tmp_path / "fleet")
    for again in (Fleet.load(tmp_path / "fleet"), pickle.loads(pickle.dumps(fleet)), Fleet.of(list(fleet))):
        np.testing.assert_array_equal(again.params, fleet.params)
        assert [net.describe() for net in again] == [net.describe() for net in fleet]
        assert repr(again) == repr(fleet)
    assert repr(fleet).startswith("Fleet of 3 x Network([4, 5, 1]")
    fleet[0].params[:] = 0
    assert fleet.params.any(axis=1).all()
    fleet[1].save(tmp_path / "network")
    for wrong in (tmp_path / "network", fastnn.__file__):
        with pytest.raises(ModelFileError):
            Fleet.load(wrong)
    with pytest.raises(ModelFileError):
        Network.load(tmp_path / "fleet")
    with pytest.raises(ValueError, match=r"network 1 .*sizes: \[4, 6, 1\], not \[4, 5, 1\]"):
        Fleet.of([fleet[0], Network([4, 6, 1])])
    with pytest.raises(ValueError, match="at least one Network"):
        Fleet.of([])


def test_what_is_wrong_is_said_before_any_work():
    X, y = samples()
    fleet = Fleet(3, [4, 5, 1], seed=0)
    before = fleet.params.copy()
    weights = np.ones((2, 90))
    for error, match, arguments, options in (
        (
            ValueError,
            "numbers for 2 members; the fleet has 3",
            (X, y),
            {"optimizer": Adam(np.array([0.1, 0.2]))},
        ),
        (ValueError, "l2 has shape", (X, y), {"l2": [0.1]}),
        (ValueError, "l2=-1.0", (X, y), {"l2": [0.1, -1.0, 0]}),
        (ValueError, "rows must be a list of 3", (X, y), {"rows": [[0], [1]]}),
        (ValueError, r"rows\[1\] runs from 0 to 90", (X, y), {"rows": [[0], [0, 90], [0]]}),
        (ValueError, r"rows\[2\] must be", (X, y), {"rows": [[0], [0], []]}),
        (ValueError, "sample_weight has shape", (X, y), {"sample_weight": weights}),
        (ValueError, r"X has shape \(2, 45, 4\)", (X.reshape(2, 45, 4), y.reshape(2, 45)), {}),
        (ValueError, "NaN", (X * np.nan, y), {}),
        (ValueError, "epochs", (X, y), {"epochs": -1}),
        (ValueError, "validation_data: X has 3 columns", (X, y), {"validation_data": (X[:, :3], y)}),
        (ValueError, "label_smoothing", (X, y), {"label_smoothing": 0.1}),
        (ValueError, "leaves no rows", (X, y), {"validation_split": 0.5, "rows": [[0], [0, 1], [0]]}),
    ):
        with pytest.raises(error, match=match):
            fleet.fit(*arguments, **options)
    np.testing.assert_array_equal(fleet.params, before)
    for error, match, options in (
        (ValueError, "n_members=0", {"n_members": 0}),
        (ValueError, "seed has shape", {"seed": [1, 2]}),
        (ValueError, "dropout has shape", {"dropout": np.zeros((2, 1))}),
        (ValueError, "below 1", {"dropout": np.full((3, 1), 1.5)}),
        (ValueError, "unknown activation", {"activation": "rely"}),
    ):
        with pytest.raises(error, match=match):
            Fleet(**{"n_members": 3, "sizes": [4, 5, 1]} | options)
    with pytest.raises(IndexError, match="no member 3"):
        fleet[3]
    with pytest.raises(TypeError, match="number"):
        fleet["a"]
    with pytest.raises(ValueError, match="members of a Fleet"):
        Network([4, 5, 1]).fit(X, y, optimizer=Adam(np.array([0.1, 0.2])))
    with pytest.raises(ValueError, match="differ in length"):
        fleet.fit(X, y, optimizer=Adam(np.array([0.1, 0.2, 0.3]), beta1=np.array([0.1])))
    with pytest.raises(ValueError, match="params has shape"):
        fleet.params = before[0]


def test_progress_and_interrupts(capsys, monkeypatch):
    X, y = samples()
    fleet = Fleet(3, [4, 5, 1], seed=0)
    fleet.fit(X, y, epochs=2, progress=True)
    assert "epoch 2/2" in capsys.readouterr().err
    from fastnn.fleet_lanes import LanesTrainer

    plain, calls = LanesTrainer.train, []

    def interrupted(*arguments):
        calls.append(plain(*arguments))
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return calls[-1]

    monkeypatch.setattr(LanesTrainer, "train", interrupted)
    with pytest.warns(UserWarning, match="interrupted in epoch 2; the parameters of the last"):
        history = fleet.fit(X, y, epochs=9, validation_data=(X, y))
    assert len(history) == 1 and history.stopped == "interrupted in epoch 2"
    assert fleet.epochs_trained.tolist() == [4, 4, 4]
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        fleet.fit(X, y, epochs=9, validation_data=(X, y), interrupt="raise")


def test_numbers_of_any_type():
    X, y = samples(300)
    fleets = [Fleet(2, [4, 3, 1], seed=0) for _ in range(2)]
    for fleet, epochs in zip(fleets, (3, np.int8(3)), strict=True):
        fleet.fit(X, y, epochs=epochs)
    np.testing.assert_array_equal(fleets[0].params, fleets[1].params)
