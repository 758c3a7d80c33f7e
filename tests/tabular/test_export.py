"""Estimators of tables as ONNX and as C: the same answers; what cannot be said there is refused by name."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from c_files import built, compiled
from fastnn import TabularClassifier, TabularRegressor, to_c, to_onnx

QUICK = {"members": 2, "hidden_layer_sizes": (16,), "epochs": 4, "min_steps": 60, "random_state": 0}
N = 200


def table(seed=0):
    """Numbers with and without gaps, flags, texts of two, of few and of many categories; and two targets."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": random.lognormal(size=N),
            "gaps": random.standard_normal(N),
            "new": random.random(N) > 0.5,
            "two": random.choice([3.0, 8.0, np.nan], N),
            "yes": random.choice(["yes", "no", None], N),
            "colour": random.choice(["red", "green", "blue", None], N),
            "town": random.choice([f"town {i}" for i in range(20)], N),
        }
    )
    frame.loc[::7, "gaps"] = np.nan
    return frame, np.log(frame["size"]).to_numpy() * 30 + 500 * (frame["colour"] == "red").to_numpy()


def given(model, X):
    """What the ONNX runtime answers for a DataFrame, or for an array."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(to_onnx(model).SerializeToString())
    if not isinstance(X, pd.DataFrame):
        return session.run(None, {"X": np.asarray(X, np.float64)})
    feeds = {}
    for entry in session.get_inputs():
        cells = X[entry.name]
        texts = entry.type == "tensor(string)"
        cells = cells.fillna("").to_numpy(object) if texts else cells.to_numpy(np.float64)
        feeds[entry.name] = cells[:, None]
    return session.run(None, feeds)


@pytest.mark.parametrize("members", [1, 3])
def test_onnx_of_numbers(members):
    frame, y = table()
    model = TabularRegressor(**{**QUICK, "members": members}).fit(frame, y)
    new = frame.assign(town="elsewhere", size=frame["size"] * 3)
    for X in (frame, new):
        np.testing.assert_allclose(given(model, X)[0][:, 0], model.predict(X), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("labels", [["cheap", "dear"], ["cheap", "fair", "dear"], [7, -1, 3]])
def test_onnx_of_classes(labels):
    frame, y = table()
    target = np.array(labels)[np.digitize(y, np.quantile(y, np.linspace(0, 1, len(labels) + 1)[1:-1]))]
    model = TabularClassifier(**QUICK).fit(frame, target)
    label, shares = given(model, frame)
    assert label.tolist() == model.predict(frame).tolist()
    np.testing.assert_allclose(shares, model.predict_proba(frame), atol=1e-5)


def test_onnx_of_an_array():
    X = np.random.default_rng(0).standard_normal((N, 3))
    X[::9, 1], X[:, 2] = np.nan, 4.0
    model = TabularRegressor(**QUICK).fit(X, X[:, 0])
    np.testing.assert_allclose(given(model, X)[0][:, 0], model.predict(X), atol=1e-4)
    alone = TabularRegressor(**QUICK).fit(X[:, 2:], X[:, 0])
    np.testing.assert_allclose(given(alone, X[:, 2:])[0][:, 0], alone.predict(X[:, 2:]), atol=1e-6)


def test_what_onnx_cannot_say():
    frame, y = table()
    dated = frame.assign(day=pd.date_range("2024-01-31", periods=N, freq="17h"))
    with pytest.raises(ValueError, match="ONNX cannot read dates, and the model takes the column 'day'"):
        to_onnx(TabularRegressor(**QUICK).fit(dated, y))
    days = frame.assign(day=pd.to_datetime(np.where(y > 0, "2024-01-31", "2024-03-01")))
    with pytest.raises(ValueError, match="the column 'day'"):
        to_onnx(TabularRegressor(**QUICK).fit(days, y))
    with pytest.raises(ValueError, match="column 0 holds texts"):
        to_onnx(TabularRegressor(**QUICK).fit(frame[["town"]].to_numpy(), y))
    with pytest.raises(ValueError, match="an input of ONNX cannot be called 'variable'"):
        to_onnx(TabularRegressor(**QUICK).fit(frame.rename(columns={"size": "variable"}), y))
    with pytest.raises(ValueError, match="give neither dtype= nor sample="):
        to_onnx(TabularRegressor(**QUICK).fit(frame, y), dtype="float64")


def numbers_only(seed=0):
    """A table that C can read, of all kinds of columns of numbers; and what depends on it."""
    frame, _ = table(seed)
    frame = frame[["size", "gaps", "new", "two"]].assign(huge=1e9 + np.arange(N) % 37 / 10, constant=1.0)
    return frame, 1e4 * frame["size"] + 2e4 * frame["new"]


@compiled
@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
@pytest.mark.parametrize("members", [1, 3])
def test_c_of_numbers(members, dtype, tmp_path):
    frame, y = numbers_only()
    model = TabularRegressor(**{**QUICK, "members": members}).fit(frame, y)
    to_c(model, tmp_path / "net.c", dtype=dtype)
    predict = built(tmp_path / "net.c", tmp_path / "net.so", 1)
    gone = frame.assign(size=np.nan, huge=np.nan)
    for X in (frame, gone, frame.assign(size=np.inf, huge=-1e300)):
        np.testing.assert_allclose(predict(X.to_numpy(float))[:, 0], model.predict(X), rtol=1e-5)


@compiled
@pytest.mark.parametrize("n_classes", [2, 4])
def test_c_of_classes(n_classes, tmp_path):
    frame, y = numbers_only()
    target = np.digitize(y, np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1]))
    model = TabularClassifier(**QUICK).fit(frame.to_numpy(float), target)
    to_c(model, tmp_path / "net.c")
    shares = built(tmp_path / "net.c", tmp_path / "net.so", 1 if n_classes == 2 else n_classes)(frame)
    wanted = model.predict_proba(frame.to_numpy(float))
    np.testing.assert_allclose(shares, wanted[:, 1:] if n_classes == 2 else wanted, atol=1e-5)


@compiled
@pytest.mark.parametrize("columns", [["constant"], ["two"], ["size"]])
def test_c_of_one_column(columns, tmp_path):
    frame, y = numbers_only()
    model = TabularRegressor(**QUICK, bins=0, waves=0).fit(frame[columns], y)
    to_c(model, tmp_path / "net.c")
    predict = built(tmp_path / "net.c", tmp_path / "net.so", 1)
    np.testing.assert_allclose(predict(frame[columns])[:, 0], model.predict(frame[columns]), rtol=1e-5)


def test_what_c_cannot_say():
    frame, y = table()
    with pytest.raises(ValueError, match="the column 'yes' holds texts or categories"):
        to_c(TabularRegressor(**QUICK).fit(frame, y))
    dated = frame[["size"]].assign(day=pd.date_range("2024-01-31", periods=N, freq="17h"))
    with pytest.raises(ValueError, match="C cannot read dates, and the model takes the column 'day'"):
        to_c(TabularRegressor(**QUICK).fit(dated, y))
    with pytest.raises(NotFittedError):
        to_c(TabularRegressor())
    with pytest.raises(NotFittedError):
        to_onnx(TabularClassifier())
