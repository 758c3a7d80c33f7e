"""TabularClassifier and TabularRegressor: from tables as they are to predictions, files and figures."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from fastnn import ModelFileError, Network, TabularClassifier, TabularRegressor
from fastnn.search import FleetSearchCV

QUICK = {"members": 2, "hidden_layer_sizes": (16,), "epochs": 4, "min_steps": 60, "random_state": 0}


def messy(n=200, seed=0):
    """A table of everything, and what depends on it: a number and a class."""
    random = np.random.default_rng(seed)
    size, colour = random.lognormal(size=n), random.choice(["red", "green", None], n)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, n), "D")
    frame = pd.DataFrame({"size": size, "colour": colour, "day": day, "new": random.random(n) > 0.5})
    y = 100 * np.log(size) + 50 * (frame["colour"] == "red") + 20 * frame["new"]
    frame.loc[::11, "size"] = np.nan
    return frame, y.to_numpy(), np.where(y > 30, "dear", "cheap")


def test_a_table_as_it_is():
    frame, y, label = messy()
    model = TabularRegressor(**QUICK).fit(frame, y)
    assert model.predict(frame).shape == (200,) and model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == list(frame.columns)
    classifier = TabularClassifier(**QUICK).fit(frame, label)
    shares = classifier.predict_proba(frame)
    assert classifier.classes_.tolist() == ["cheap", "dear"] and shares.shape == (200, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert set(classifier.predict(frame)) <= {"cheap", "dear"}
    mixed = frame[["new", "day", "size", "colour"]]
    np.testing.assert_array_equal(model.predict(mixed), model.predict(frame))
    model.predict(frame.assign(colour="violet").head(1))


@pytest.mark.parametrize(("load", "least"), [(load_breast_cancer, 0.93), (load_iris, 0.9)])
def test_it_learns_classes(load, least):
    X, y = load(return_X_y=True)
    X, X_held, y, y_held = train_test_split(X, y, random_state=0, stratify=y)
    model = TabularClassifier(preset="fast", random_state=0).fit(X, y)
    assert model.score(X_held, y_held) > least and model.score_ > least


def test_it_learns_numbers():
    X, y = load_diabetes(return_X_y=True)
    X, X_held, y, y_held = train_test_split(X, y, random_state=0)
    model = TabularRegressor(random_state=0).fit(X, y)
    assert model.score(X_held, y_held) > 0.3 and model.score_ > 0.3
    values, spread = model.predict(X_held, return_std=True)
    np.testing.assert_array_equal(values, model.predict(X_held))
    assert spread.shape == values.shape and (spread > 0).all()
    assert 0 < spread.mean() < y.std()
    # Body mass index, blood pressure and a blood serum: what is known of these data.
    assert set(np.argsort(model.feature_importances_)[-2:]) == {2, 8}


def test_waves_and_bins_find_what_a_line_does_not():
    x = np.random.default_rng(0).uniform(-3, 3, 1000)
    y = np.sign(np.sin(4 * x)) + 5e6
    plain = TabularRegressor(preset="fast", bins=0, waves=0, random_state=0).fit(x[:, None], y)
    rich = TabularRegressor(preset="fast", random_state=0).fit(x[:, None], y)
    assert rich.score_ > plain.score_ and rich.score_ > 0.7


def test_arrays_and_sparse_rows_agree():
    X = np.random.default_rng(0).standard_normal((100, 4))
    X[X < 0] = 0
    dense = TabularRegressor(**QUICK).fit(X, X[:, 0])
    thin = TabularRegressor(**QUICK).fit(sparse.csr_array(X), X[:, 0])
    np.testing.assert_array_equal(dense.predict(X), thin.predict(sparse.csr_array(X)))


def test_the_same_for_any_number_of_threads():
    frame, y, _ = messy()
    one = TabularRegressor(**QUICK).fit(frame, y)
    two = TabularRegressor(**QUICK, n_jobs=2).fit(frame, y)
    np.testing.assert_array_equal(one.predict(frame), two.predict(frame))
    assert TabularRegressor(**QUICK, n_jobs=-1).fit(frame, y).history_[0]["cost"] == one.history_[0]["cost"]


@pytest.mark.parametrize("how", ["save", "pickle"])
@pytest.mark.parametrize("labels", ["texts", "numbers", "truth", "objects", None])
def test_files(tmp_path, how, labels):
    frame, y, label = messy()
    model = TabularRegressor(**QUICK) if labels is None else TabularClassifier(**QUICK)
    target = {
        "texts": label, "numbers": np.where(label == "dear", 7, -1), "truth": label == "dear",
        "objects": label.astype(object), None: y,
    }[labels]  # fmt: skip
    model.fit(frame, target)
    if how == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        model.save(tmp_path / "model.safetensors")
        again = type(model).load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    assert again.get_params() == model.get_params()
    for name in ("score_", "remarks_", "history_", "n_features_in_"):
        assert getattr(again, name) == getattr(model, name)
    np.testing.assert_array_equal(again.feature_importances_, model.feature_importances_)
    np.testing.assert_array_equal(again.feature_names_in_, model.feature_names_in_)


def test_other_files_are_refused(tmp_path):
    frame, y, label = messy()
    path = tmp_path / "model.safetensors"
    TabularRegressor(**QUICK).fit(frame, y).save(path)
    with pytest.raises(ModelFileError, match="it is a TabularRegressor: load it with that class"):
        TabularClassifier.load(path)
    Network([2, 1]).save(path)
    with pytest.raises(ModelFileError, match="holds no model of tables"):
        TabularRegressor.load(path)
    with pytest.raises(NotFittedError):
        TabularRegressor().save(path)


def test_columns_that_say_nothing(capsys):
    frame, y, _ = messy()
    frame = frame.assign(constant=1, row=np.arange(200))
    model = TabularRegressor(**QUICK, verbose=True).fit(frame, y)
    shown = capsys.readouterr().out
    assert model.remarks_ == [
        "left out (one value in all rows): 'constant'", "left out (a number of each row): 'row'",
    ]  # fmt: skip
    assert all(remark in shown for remark in model.remarks_) and "network 2: best epoch" in shown
    assert (model.feature_importances_[-2:] == 0).all() and model.feature_importances_[0] > 0
    alone = TabularRegressor(**QUICK).fit(frame[["constant"]], y)
    np.testing.assert_allclose(alone.predict(frame[["constant"]]), y.mean(), atol=0.5 * y.std())


def test_class_weight_and_sample_weight():
    random = np.random.default_rng(0)
    X = random.standard_normal((600, 2))
    y = (X[:, 0] + random.standard_normal(600) > 1.8).astype(int)
    plain = TabularClassifier(**QUICK).fit(X, y)
    balanced = TabularClassifier(**QUICK, class_weight="balanced").fit(X, y)
    assert balanced.predict(X).mean() > 2 * plain.predict(X).mean()
    weights = np.where(y == 1, len(y) / (2 * y.sum()), len(y) / (2 * (1 - y).sum()))
    again = TabularClassifier(**QUICK).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(again.predict_proba(X), balanced.predict_proba(X), atol=1e-5)


def test_time_budget():
    frame, y, _ = messy()
    quick = {**QUICK, "members": None}
    for preset in (None, "fast", "best"):
        little = TabularRegressor(preset, **quick, time_budget=1e-6).fit(frame, y)
        assert len(little.networks_) == len(little.history_) == 1
    assert len(TabularRegressor(**quick, time_budget=1.0).fit(frame, y).networks_) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "threads", "picked"),
    [(1e-6, 1, "best"), (2.0, 1, "default"), (2.0, 8, "best"), (20.0, 8, "default"), (90.0, 8, "fast")],
)
def test_a_time_budget_picks_the_preset(seconds, threads, picked, monkeypatch, capsys):
    """Of 100 seconds, after a quick network that has taken so many."""
    from fastnn.tabular import bag

    def train_member(problem, rows, held, seed, deadline):
        network = Network([problem.X.shape[1], *problem.recipe.hidden_layer_sizes, 1], seed=seed)
        epochs = problem.recipe.epochs_for(len(rows))
        return network, {"cost": [1.0] * epochs, "val_cost": [], "best_epoch": 1, "seconds": seconds}

    monkeypatch.setattr(bag, "train_member", train_member)
    frame, y, _ = messy(2000)
    model = TabularRegressor(time_budget=100.0, n_jobs=threads, random_state=0, verbose=True).fit(frame, y)
    assert f"preset {picked!r}" in capsys.readouterr().out
    assert {network.sizes[1] for network in model.networks_} == {192 if picked == "best" else 128}
    assert model.preset is None and len(model.history_) == len(model.networks_)
    said = TabularRegressor("fast", time_budget=100.0, n_jobs=threads, verbose=True).fit(frame, y)
    assert said.networks_[0].sizes[1] == 128 and "preset" not in capsys.readouterr().out


def test_presets():
    small = {"hidden_layer_sizes": (4,), "epochs": 1, "min_steps": 1, "random_state": 0}
    X = np.random.default_rng(0).standard_normal((100, 2))
    for preset, members in {"fast": 1, "default": 5, "best": 15}.items():
        assert len(TabularRegressor(preset, **small).fit(X, X[:, 0]).networks_) == members
    with pytest.raises(ValueError, match="one network has no spread"):
        TabularRegressor("fast", **small).fit(X, X[:, 0]).predict(X, return_std=True)


@pytest.mark.parametrize("n", [1, 2, 5, 19, 20, 21])
def test_few_rows(n):
    X = np.random.default_rng(0).standard_normal((n, 2))
    model = TabularRegressor(**QUICK).fit(X, X[:, 0])
    assert np.isfinite(model.predict(X)).all()
    assert np.isnan(model.score_) == (n < 20)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_targets_of_any_scale(scale):
    X = np.random.default_rng(0).standard_normal((200, 2))
    one, other = (TabularRegressor(**QUICK).fit(X, factor * (5 + X[:, 0])) for factor in (1.0, scale))
    np.testing.assert_allclose(other.predict(X), scale * one.predict(X), rtol=1e-3)


def test_it_works_with_scikit_learns_tools():
    frame, _, label = messy()
    search = GridSearchCV(TabularClassifier(**QUICK), {"dropout": [0.0, 0.2]}, cv=2).fit(frame, label)
    assert search.best_score_ > 0.5
    pipeline = make_pipeline(FunctionTransformer(lambda x: x), clone(search.best_estimator_))
    assert pipeline.fit(frame, label).score(frame, label) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("within", [False, True], ids=["alone", "in a pipeline"])
def test_searches_agree(within):
    """FleetSearchCV fits bags one by one, and gives what GridSearchCV gives."""
    frame, _, label = messy()
    model, prefix = TabularClassifier(**QUICK), ""
    if within:
        model, prefix = make_pipeline(FunctionTransformer(), model), "tabularclassifier__"
    grid = {f"{prefix}dropout": [0.0, 0.3], f"{prefix}learning_rate": [0.004]}
    wanted = GridSearchCV(model, grid, cv=2).fit(frame, label)
    with pytest.warns(UserWarning, match="fitted one by one"):
        search = FleetSearchCV(model, grid, cv=2).fit(frame, label)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], wanted.cv_results_["mean_test_score"]
    )
    assert search.best_params_ == wanted.best_params_
    np.testing.assert_array_equal(search.predict_proba(frame), wanted.predict_proba(frame))


def test_polars():
    pl = pytest.importorskip("polars")
    frame, y, label = messy()
    frame = frame.assign(code=np.arange(200) % 3 + 10)
    table = pl.from_pandas(frame).with_columns(pl.col("code").cast(pl.String).cast(pl.Categorical))
    model = TabularRegressor(**QUICK).fit(table, y)
    assert model.feature_names_in_.tolist() == table.columns
    kinds = [encoder.kind for encoder in model.preprocessing_.encoders]
    assert kinds == ["numbers", "texts", "dates", "flag", "texts"]
    same = TabularRegressor(**QUICK, categories=["code"]).fit(frame, y)
    np.testing.assert_array_equal(model.predict(table), same.predict(frame))
    np.testing.assert_array_equal(model.predict(table.select(reversed(table.columns))), same.predict(frame))
    with pytest.raises(ValueError, match="the table has no column 'day'"):
        model.predict(table.drop("day"))
    dates = table.with_columns(pl.col("day").cast(pl.Date), pl.col("size").cast(pl.Float32))
    assert np.isfinite(model.predict(dates)).all()
    search = GridSearchCV(TabularClassifier(**QUICK), {"dropout": [0.0, 0.2]}, cv=2).fit(table, label)
    assert search.best_score_ > 0.5
    with pytest.raises(TypeError, match="column 'lists' holds"):
        TabularRegressor(**QUICK).fit(table.with_columns(lists=pl.concat_list("size", "size")), y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "quick"}, "unknown preset 'quick': expected one of fast, default, best"),
        ({"members": 0}, "members=0 must be a whole number of at least 1"),
        ({"dropout": 1.0}, "dropout=1.0 must be a number"),
        ({"activation": "softmax"}, "unknown activation 'softmax'"),
        ({"hidden_layer_sizes": "wide"}, "hidden_layer_sizes='wide'"),
        ({"time_budget": 0}, "time_budget=0 must be a number above 0"),
        ({"n_jobs": 0}, "n_jobs=0 must be a whole number"),
        ({"verbose": "yes"}, "verbose='yes' must be True or False"),
        ({"learning_rate": -1}, "learning_rate=-1 must be a number above 0"),
    ],
)
def test_settings_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        TabularRegressor(**options).fit([[1.0], [2.0]], [1.0, 2.0])


def test_targets_that_cannot_be():
    X = [[1.0], [2.0], [3.0]]
    with pytest.raises(ValueError, match="y holds 1 class, 'a'"):
        TabularClassifier().fit(X, ["a", "a", "a"])
    with pytest.raises(ValueError, match="NaN"):
        TabularRegressor().fit(X, [1.0, np.nan, 2.0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        TabularRegressor().fit(X, [1.0, 2.0])
    with pytest.raises(ValueError, match="sample_weight is zero for all samples|zero"):
        TabularRegressor().fit(X, [1.0, 2.0, 3.0], sample_weight=[0, 0, 0])


def test_callbacks_see_each_epoch_and_may_end_the_training():
    frame, y, _ = messy()
    epochs = []
    TabularRegressor(**QUICK).fit(frame, y, callbacks=[lambda run: epochs.append(run.epoch)])
    assert epochs.count(1) == 2 and len(epochs) == sum(epochs.count(i) for i in range(1, max(epochs) + 1))
    model = TabularRegressor(**{**QUICK, "members": 5})
    model.fit(frame, y, callbacks=[lambda run: len(run.network.sizes) == 3 and run.epoch == 2])
    assert [len(told["cost"]) for told in model.history_] == [2] and np.isfinite(model.predict(frame)).all()
