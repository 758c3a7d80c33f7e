"""Files and pickles that say what cannot be, under a digest that is right: ModelFileError, always."""

import json

import numpy as np
import pytest

from fastnn import ModelFileError, Network, storage
from processes import network, problem

X, Y = problem(200)
HUGE, NAN = 10**30, float("nan")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A whole checkpoint of two epochs with validation data: its arrays and its description."""
    path = tmp_path_factory.mktemp("lies") / "a"
    network().fit(X, Y, epochs=2, validation_split=0.2, early_stopping=5, checkpoint=path, threads=1)
    return storage.read(path)


def told(checkpoint, path, change):
    """The file at `path`, whose run is as `change` leaves it."""
    arrays, about = checkpoint[0], json.loads(json.dumps(checkpoint[1]))
    change(about["run"])
    storage.write(path, arrays, about)
    return path


def refused(path):
    net = network()
    before, about = net.params.copy(), net.describe()
    with pytest.raises(ModelFileError, match="is not a whole checkpoint: .{5}"):
        net.fit(X, Y, epochs=4, resume=path, threads=1)
    assert np.array_equal(net.params, before) and net.describe() == about


NUMBERS = {
    "epoch": (HUGE, 0, 1, 3, -1, 2.5, "2", True, None, NAN, [2], {}),
    "steps": (HUGE, 0, 1, -1, 2.0**60, "8", True, None, NAN, [8]),
    "best_epoch": (HUGE, 3, -1, "1", True, None, NAN),
    "best_cost": (NAN, "0.5", True, None, [0.5], HUGE**20),
    "seed": (-1, 0.5, "1", True, None, NAN, [1]),
    "optimizer": (5, None, ["Adam"], {}),
}
ENTRIES = (5, None, "xy", {}, [1.0], [1.0] * 3, ["1", "2"], [1.0, None], [[1.0], [2.0]], [True, False])
ENTRIES = (*ENTRIES, [1.0, HUGE**20])


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in NUMBERS.items() for v in values], ids=ascii
)
def test_a_number_of_a_run_that_cannot_be(name, value, checkpoint, tmp_path):
    refused(told(checkpoint, tmp_path / "a", lambda run: run.update({name: value})))


@pytest.mark.parametrize("name", ("cost", "val_cost", "val_score", "lr", "seconds"))
@pytest.mark.parametrize("value", ENTRIES, ids=ascii)
def test_a_history_that_cannot_be(name, value, checkpoint, tmp_path):
    refused(told(checkpoint, tmp_path / "a", lambda run: run["history"].update({name: value})))


@pytest.mark.parametrize("history", ({"cost": 5}, {}, [], None, "x", 5, {"cost": [1.0, 2.0]}), ids=ascii)
def test_a_history_of_another_kind(history, checkpoint, tmp_path):
    refused(told(checkpoint, tmp_path / "a", lambda run: run.update(history=history)))


@pytest.mark.parametrize("run", ([], "x", 5, {}, [["epoch", 2]]), ids=ascii)
def test_a_run_of_another_kind(run, checkpoint, tmp_path):
    arrays, about = checkpoint
    storage.write(tmp_path / "a", arrays, {**about, "run": run})
    refused(tmp_path / "a")


def test_what_is_true_is_believed(checkpoint, tmp_path):
    """Infinity is the best cost before there is one, and validation data may have come late."""
    net = network()
    path = told(checkpoint, tmp_path / "a", lambda run: run.update(best_cost=np.inf, best_epoch=0))
    assert len(net.fit(X, Y, epochs=4, resume=path, threads=1)) == 4
    net = network()
    net.fit(X, Y, epochs=2, checkpoint=tmp_path / "b", threads=1)
    options = {
        "validation_data": (X, Y),
        "checkpoint": tmp_path / "b",
        "resume": tmp_path / "b",
        "threads": 1,
    }
    history = network().fit(X, Y, epochs=3, **options)
    assert len(history) == 3 and len(history.val_cost) == 1
    assert len(network().fit(X, Y, epochs=4, **options)) == 4


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path, monkeypatch):
    """It is read and not mapped: a mapped one would end the process."""
    network().save(tmp_path / "a")
    load = storage.load

    def shrink(contents):
        (tmp_path / "a").write_bytes(b"")
        return load(contents)

    monkeypatch.setattr(storage, "load", shrink)
    Network.load(tmp_path / "a")
    with pytest.raises(ModelFileError):
        Network.load(tmp_path / "a")
