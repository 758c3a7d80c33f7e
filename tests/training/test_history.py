"""What a run records, and how that is shown."""

import json
import sys

import matplotlib
import pytest

from fastnn import History
from training_cases import fitted


def test_history():
    network, history = fitted(epochs=4, validation_split=0.2)
    lists = history.cost, history.val_cost, history.val_score, history.lr, history.seconds
    assert all(len(values) == len(history) == 4 for values in lists)
    assert all(isinstance(value, float) for values in lists for value in values)
    assert history.stopped is None and network.epochs_trained == 4
    assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history
    history.to_dict()["cost"].clear()
    assert len(history) == 4
    frame = history.to_frame()
    assert list(frame.columns) == ["cost", "val_cost", "val_score", "lr", "seconds"] and len(frame) == 4
    assert list(fitted()[1].to_frame().columns) == ["cost", "lr", "seconds"]


def test_history_draws_itself(monkeypatch):
    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes = fitted(validation_split=0.2)[1].plot()
    assert [line.get_label() for line in axes.lines] == ["training cost", "validation cost"]
    assert all(len(line.get_xdata()) == 3 for line in axes.lines)
    assert len(fitted()[1].plot(ax=pyplot.subplots()[1]).lines) == 1
    pyplot.close("all")
    monkeypatch.delitem(sys.modules, "fastnn.curves")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    for method, library in (("plot", "matplotlib"), ("to_frame", "pandas")):
        with pytest.raises(ImportError, match=f"History.{method} needs {library}: pip install"):
            getattr(History(), method)()
