"""fastnn train, evaluate and predict: from tables to a model's file and back."""

import io
import os
import signal

import numpy as np
import pandas as pd
import pytest

from command import little_measuring, mixed_frame, refuse, run, succeed  # noqa: F401
from fastnn import Network, datasets
from fastnn.cli.model import Model
from fastnn.cli.progress import Progress
from fastnn.cli.tables import read_table
from fastnn.storage import read

FEW = "--epochs", 3


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
    shown = cells(succeed("train", name, "--epochs", 60, "--lr", 0.01))
    score = "R2" if name == "diabetes" else "accuracy"
    assert float(shown[score]) > (0.3 if name == "diabetes" else 0.8)
    assert shown["trained"].startswith("60 epochs on ") and shown["scored on"].endswith(" held-out rows")
    assert "times as long (measured on a few steps)" in shown["time in NumPy"]


@pytest.mark.parametrize("target", ("sold", "price"))
@pytest.mark.parametrize("kind", ("csv", "parquet"))
def test_a_table_with_all_kinds_of_columns(target, kind, tmp_path):
    data, model, out = (tmp_path / name for name in (f"data.{kind}", "model", f"predictions.{kind}"))
    frame = mixed_frame()
    frame.loc[::11, target] = None
    frame.to_csv(data, index=False) if kind == "csv" else frame.to_parquet(data)
    shown = cells(succeed("train", data, "--target", target, "--out", model, "--lr", 0.01, "--threads", 1))
    assert float(shown["accuracy" if target == "sold" else "R2"]) > 0.8
    assert shown["trained"] == "100 epochs on 145 rows" and shown["scored on"] == "36 held-out rows"
    assert int(cells(succeed("evaluate", model, data))["rows"]) == 181
    assert "200 predictions are in" in run("predict", model, data, "--out", out).stderr
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
    expected = table_of(succeed("predict", tmp_path / "m", houses))
    frame = mixed_frame()
    other = frame.drop(columns=["code", "sold", "country"])[
        ["price", "built", "city", "size", "rooms", "new"]
    ]
    other.assign(extra=[[1]] * 200).to_parquet(tmp_path / "other.parquet")
    pd.testing.assert_frame_equal(
        table_of(succeed("predict", tmp_path / "m", tmp_path / "other.parquet")), expected
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
    every = table_of(succeed("predict", tmp_path / "m", houses))
    mixed_frame().iloc[[7]].to_csv(tmp_path / "one.csv", index=False)
    one = table_of(succeed("predict", tmp_path / "m", tmp_path / "one.csv"))
    assert one["prediction"][0] == every["prediction"][7]
    np.testing.assert_allclose(one["p(yes)"], every["p(yes)"][7:8], rtol=1e-5)


def test_the_file_is_a_network_and_runs_no_code(houses, tmp_path):
    options = "--hidden", "7,5", "--activation", "tanh", "--dropout", 0.1, "--seed", 3
    succeed("train", houses, "--target", "sold", "--out", tmp_path / "m", *options, *FEW)
    network, (arrays, about) = Network.load(tmp_path / "m"), read(tmp_path / "m")
    assert network.sizes[1:] == (7, 5, 1) and network.activations == ("tanh", "tanh", "sigmoid")
    assert (network.dropout, network.seed, network.epochs_trained) == ((0.1, 0.1), 3, 3)
    X = Model.load(tmp_path / "m").reader.features(read_table(str(houses)).frame, print)
    predictions = table_of(succeed("predict", tmp_path / "m", houses))
    np.testing.assert_allclose(network.predict(X)[:, 0], predictions["p(yes)"], rtol=1e-6)
    assert set(arrays) == {"params", "moments"} and set(about) == {"network", "run", "table"}


def test_the_seed_decides_everything(houses, tmp_path):
    def params(name, *options):
        succeed(
            "train", houses, "--target", "sold", "--out", tmp_path / name, "--dropout", 0.2, *FEW, *options
        )
        return read(tmp_path / name)[0]["params"].tobytes()

    assert params("a") == params("b", "--seed", 0) == params("c", "--threads", 2) != params("d", "--seed", 1)


@pytest.mark.parametrize("stopping", ((), ("--early-stopping", 50)), ids=str)
def test_a_resumed_run_goes_on_as_if_nothing_had_happened(stopping, tmp_path):
    half, whole, resumed = (tmp_path / name for name in ("half", "whole", "resumed"))
    succeed("train", "wine", "--out", half, "--epochs", 4, "--dropout", 0.1, "--hidden", 8, *stopping)
    succeed("train", "wine", "--out", whole, "--epochs", 9, "--dropout", 0.1, "--hidden", 8, *stopping)
    shown = cells(succeed("train", "wine", "--out", resumed, "--epochs", 9, "--resume", half, *stopping))
    assert shown["trained"] == "5 epochs on 142 rows"
    (a, about_a), (b, about_b) = read(whole), read(resumed)
    assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
    for about in (about_a, about_b):
        del about["run"]["history"]["seconds"]
    assert about_a == about_b
    assert "is trained for 9 epochs already" in refuse("train", "wine", "--epochs", 9, "--resume", resumed)


OTHER = {"--hidden": "9", "--activation": "tanh", "--dropout": 0.3, "--seed": 5, "--task": "regression"}


@pytest.mark.parametrize(("option", "value"), OTHER.items())
def test_a_run_is_not_resumed_with_another_network(option, value, tmp_path):
    succeed("train", "wine", "--out", tmp_path / "m", "--hidden", 8, *FEW)
    same = "--hidden", 8, "--activation", "relu", "--dropout", 0, "--seed", 0, "--target", "cultivar"
    succeed("train", "wine", "--resume", tmp_path / "m", "--epochs", 4, *same)
    assert f"{option} {value}: the model of --resume has" in refuse(
        "train", "wine", "--resume", tmp_path / "m", "--epochs", 4, option, value
    )
    assert "no column 'cultivar'" in refuse("train", "iris", "--resume", tmp_path / "m", "--epochs", 4)


def test_early_stopping_keeps_the_best_epoch(tmp_path):
    options = "--early-stopping", 3, "--lr", 0.05, "--out", tmp_path / "m"
    shown = cells(succeed("train", "wine", *options))
    assert shown["stopped"] == "no better cost in 3 epochs" and shown["kept"].startswith("epoch ")
    best = int(shown["kept"].split()[1])
    assert f"{best + 3} epochs" in shown["trained"]
    _, before = read(tmp_path / "m")
    assert Network.load(tmp_path / "m").epochs_trained == best
    again = cells(succeed("train", "wine", *options, "--resume", tmp_path / "m"))
    assert again["kept"] == shown["kept"] and again["cost"] == shown["cost"]
    assert read(tmp_path / "m")[1] == before  # no better epoch came


def interrupt_in_epoch(number, monkeypatch):
    def press(progress, run):
        if run.epoch == number:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "__call__", press)


def test_a_ctrl_c_keeps_what_was_reached(tmp_path, monkeypatch):
    succeed("train", "wine", "--out", tmp_path / "straight", "--epochs", 5)
    interrupt_in_epoch(5, monkeypatch)
    result = run("train", "wine", "--out", tmp_path / "m", "--plot", tmp_path / "m.png")
    assert (
        result.exit_code == 130 and "interrupted after epoch 5: the epochs before are kept" in result.stderr
    )
    assert cells(result.stdout)["trained"].startswith("5 epochs")
    straight, reached = read(tmp_path / "straight")[0], read(tmp_path / "m")[0]
    assert all(np.array_equal(straight[name], reached[name]) for name in straight)
    assert (tmp_path / "m.png").exists()


@pytest.mark.parametrize(
    "place", ("fastnn.cli.train.read_table", "fastnn.cli.train.warm_up", "fastnn.storage.save")
)
def test_a_ctrl_c_at_another_time_leaves_no_file(place, tmp_path, monkeypatch):
    def press(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, press)
    result = run("train", "iris", "--out", tmp_path / "m", *FEW)
    assert result.exit_code == 130 and result.stderr == "fastnn: interrupted\n"
    assert not list(tmp_path.iterdir())


def test_learning_curves_are_drawn(tmp_path):
    for name, start in (("a.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("c.PDF", b"%PDF")):
        succeed("train", "iris", "--plot", tmp_path / name, *FEW)
        assert (tmp_path / name).read_bytes().startswith(start)


def test_all_rows_are_trained_on_if_none_is_held_out():
    shown = cells(succeed("train", "iris", "--val", 0, *FEW))
    assert shown["trained"] == "3 epochs on 150 rows" and shown["scored on"] == "the rows it was trained on"


def test_each_class_has_its_share_of_the_held_out_rows(tmp_path):
    frame = pd.DataFrame({"x": range(100), "y": ["a"] * 80 + ["b"] * 20})
    frame.to_csv(tmp_path / "d.csv", index=False)
    from fastnn.cli.target import Target
    from fastnn.cli.train import _held_out

    held = _held_out(Target.learn(frame["y"]), frame["y"], 0.25, seed=0)
    assert frame["y"][held].value_counts().to_dict() == {"a": 20, "b": 5}
    assert not np.array_equal(held, _held_out(Target.learn(frame["y"]), frame["y"], 0.25, seed=1))


CSV = "size,city,sold\n" + "".join(
    f"{i},{'Oslo' if i % 2 else 'Rome'},{'no' if i < 9 else 'yes'}\n" for i in range(18)
)
DIALECTS = (
    CSV,
    CSV.replace(",", ";"),
    CSV.replace(",", "\t").replace("\n", "\r\n"),
    CSV.replace("Oslo", '"Oslo"'),
    "\ufeff" + CSV,
    CSV.rstrip(),
)


@pytest.mark.parametrize("number", range(len(DIALECTS)))
def test_dialects_of_csv(number, tmp_path):
    (tmp_path / "d").write_bytes(DIALECTS[number].encode())
    succeed("train", tmp_path / "d", "--target", "sold", "--out", tmp_path / "m", *FEW)
    (tmp_path / "plain.csv").write_text(CSV)
    succeed("train", tmp_path / "plain.csv", "--target", "sold", "--out", tmp_path / "plain", *FEW)
    assert read(tmp_path / "m")[0]["params"].tobytes() == read(tmp_path / "plain")[0]["params"].tobytes()


def test_row_numbers_in_a_parquet_file_are_no_column(tmp_path):
    mixed_frame().query("rooms > 2").to_parquet(tmp_path / "d")
    mixed_frame().query("rooms > 2").set_index("code").to_parquet(tmp_path / "e")
    assert list(read_table(str(tmp_path / "d")).frame) == list(mixed_frame())
    assert sorted(read_table(str(tmp_path / "e")).frame) == sorted(mixed_frame())


def test_types_are_read_from_all_rows(tmp_path):
    rows = [f"{i},{i % 7}\n" for i in range(200_000)]
    (tmp_path / "d.csv").write_text("x,y\n" + "".join(rows) + "0.5,late\n")
    frame = read_table(str(tmp_path / "d.csv")).frame
    assert frame["x"].dtype == np.float64 and frame["y"].iloc[-1] == "late"
