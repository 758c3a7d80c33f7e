"""A bag of networks: what is known of rows out of it, columns by the thousand, a Ctrl-C, odd input."""

import os
import signal
import sys
import threading

import numpy as np
import pytest

from fastnn import Network, TabularClassifier, TabularRegressor
from fastnn.tabular import bag
from fastnn.tabular.encoders import Detail
from fastnn.tabular.preprocessing import Preprocessing
from fastnn.threads import listen_to
from processes import run_apart

QUICK = {"members": 5, "hidden_layer_sizes": (8,), "epochs": 2, "min_steps": 0, "random_state": 0}
random = np.random.default_rng(0)
X = random.standard_normal((60, 3))
y = X[:, 0] + X[:, 1] ** 2


def test_rows_out_of_bag():
    model = TabularRegressor(**QUICK).fit(X, y)
    off = y - model.oob_prediction_
    assert model.score_ == pytest.approx(1 - (off**2).sum() / ((y - y.mean()) ** 2).sum(), abs=1e-5)
    model = TabularClassifier(**QUICK).fit(X, y > 0)
    shares = model.oob_decision_function_
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert model.score_ == pytest.approx(np.mean(shares.argmax(axis=1) == (y > 0)))
    # One network has not seen a fifth of the rows; few rows are all trained on.
    one = TabularClassifier(**{**QUICK, "members": 1}).fit(X, y > 0).oob_decision_function_
    assert np.isnan(one).all(axis=1).sum() == 48
    assert np.isnan(TabularRegressor(**QUICK).fit(X[:15], y[:15]).oob_prediction_).all()


def test_columns_beyond_so_many_are_shuffled_in_groups(monkeypatch):
    each = TabularRegressor(**QUICK).fit(X, y).feature_importances_
    monkeypatch.setattr(bag, "MOST_SHUFFLES", 2)
    grouped = TabularRegressor(**QUICK).fit(X, y).feature_importances_
    assert len(set(each)) == 3 and grouped[0] == grouped[1] != grouped[2] and (grouped != 0).all()


class Counted:
    """A table of 500 columns that counts how often all their names are asked for."""

    names, asked = [f"c{i}" for i in range(500)], 0
    dtypes = [np.dtype(np.float64)] * 500

    @property
    def columns(self):
        Counted.asked += 1
        return self.names

    def __getitem__(self, name):
        return np.sin(np.arange(20) + int(name[1:]))


def test_names_of_columns_are_read_a_few_times():
    learnt, _ = Preprocessing.learn(Counted(), Detail(4, 2, 0.1), np.random.default_rng(0))
    assert len(learnt.encoders) == 500 and Counted.asked < 20


def test_what_is_masked_is_missing():
    masked = np.ma.masked_array(X, mask=X > 1)
    model = TabularRegressor(**QUICK).fit(masked, y)
    same = TabularRegressor(**QUICK).fit(np.where(X > 1, np.nan, X), y)
    np.testing.assert_array_equal(model.predict(masked), same.predict(np.where(X > 1, np.nan, X)))
    cells = np.array([["a", 1], ["b", 2]] * 30, object)
    masked = np.ma.masked_array(cells, mask=[[False, True], [False, False]] * 30)
    model = TabularClassifier(**QUICK).fit(masked, y > 0)
    assert any(encoder.name == "column 0" for encoder in model.preprocessing_.encoders)
    for wrong in ((X, np.ma.masked_array(y, mask=y > 1)), (X, y, np.ma.masked_array(y**2, mask=y > 1))):
        with pytest.raises(TypeError, match="is a masked array; fill what is masked, or drop it"):
            TabularRegressor(**QUICK).fit(*wrong)


def test_a_training_ends_when_another_thread_says_so():
    found, given_up = [], threading.Event()

    def train():
        listen_to(given_up)
        network = Network([3, 8, 1], seed=0)
        try:
            network.fit(X, y, epochs=10**9, callbacks=[lambda run: given_up.set()], interrupt="raise")
        except KeyboardInterrupt:
            found.append(network)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    # An epoch of one slice each: the second is the first that hears of it.
    assert found[0].epochs_trained == 1 and np.isfinite(found[0].params).all()
    Network([3, 8, 1], seed=0).fit(X, y, epochs=2)  # other threads are not concerned


def interrupt_two_members():
    """A Ctrl-C while two threads train networks that would take for ever."""
    pressed = threading.Event()
    train = bag.train_member

    def pressing(*member):
        if not pressed.is_set():
            pressed.set()
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        return train(*member)

    bag.train_member = pressing
    model = TabularRegressor(**{**QUICK, "epochs": 10**9}, n_jobs=2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "networks_")
    assert len(TabularRegressor(**QUICK, n_jobs=2).fit(X, y).networks_) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself a Ctrl-C there")
def test_a_ctrl_c_ends_all_members():
    run_apart(interrupt_two_members)
