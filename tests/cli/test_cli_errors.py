"""What the command line is given wrong: one line, exit code 2, no traceback, nothing half-written."""

import gzip
import io
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from command import FEW, little_measuring, mixed_frame, refuse, run, succeed  # noqa: F401
from fastnn import Network, TabularClassifier, cli, storage

Y = "--target", "y"


def packed(files):
    """The bytes of a zip file."""
    contents = io.BytesIO()
    with zipfile.ZipFile(contents, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return contents.getvalue()


FILES = {
    "empty": (b"", "'data' is empty"),
    "blank lines": (b"\n\n\n", "cannot be read: .*Empty CSV file"),
    "header only": (b"a,b,y\n", "has a header, but no rows"),
    "garbage": (bytes(range(256)) * 9, "is no text, nor a Parquet or an Excel file"),
    "cut gzip": (gzip.compress(b"a,y\n1,2\n" * 99)[:-9], "cannot be unpacked: "),
    "old Excel": (b"\xd0\xcf\x11\xe0" + bytes(99), "a file of an old Excel: save it as .xlsx"),
    "same names": (b"a,a,y\n1,2,0\n3,4,1\n", "more than one column 'a'"),
    "short row": (b"a,b,y\n1,2\n", "cannot be read: .*Expected 3 columns, got 2"),
    "long row": (b"a,b,y\n1,2,3,4\n1,2,3\n", "cannot be read: .*Expected 3 columns, got 4"),
    "open quote": (b'a,y\n"1,2\n3,4\n', "cannot be read: "),
    "no such target": (b"a,b\n1,2\n3,4\n", "there is no column 'y'; the table has 'a', 'b'"),
    "only the target": (b"y\n1\n2\n3\n4\n5\n", "no column to learn from: only the target"),
    "no targets": (b"a,y\n1,\n2,\n", "the target 'y' is missing in all 2 rows"),
    "one class": (b"a,y\n1,x\n2,x\n3,x\n", "has one class, 'x'"),
    "one number": (b"a,y\n1,2.5\n2,2.5\n", "has one value in all rows"),
    "all text": (b"a,y\nann,1\nbob,0\ncyd,1\ndot,0\neve,1\nfay,0\n", "text that differs in most rows"),
    "one row": (b"a,y\n1,2.5\n", "has one value in all rows"),
    "too few rows": (b"a,y\n1,2.5\n3,4.5\n", "leaves no rows on one side"),
    "infinity": (
        b"a,y\n" + b"".join(b"%d,%d.5\n" % (i, i) for i in range(9)) + b"3,inf\n",
        "the target 'y' holds 'inf'",
    ),
    "dates": (b"a,y\n1,2024-01-01\n2,2024-01-02\n", "the target 'y' holds dates"),
    "zip": (b"PK\x03\x04" + bytes(99), "cannot be read: "),
    "no Excel": (packed({"a.txt": "x"}), "is a zip file, and no Excel file: unpack it"),
    "spoilt Excel": (packed({"xl/workbook.xml": "<x"}), "cannot be read: "),
    "parquet magic": (b"PAR1" + b"x" * 99, "cannot be read: Parquet"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_tables(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    contents, message = FILES[name]
    (tmp_path / "data").write_bytes(contents)
    assert re.search(message, refuse("train", "data", *Y, "--out", "m", "--plot", "m.png"))
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.slow
def test_a_parquet_file_cut_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mixed_frame(40).to_parquet("whole.parquet")
    with open("whole.parquet", "rb") as file:
        whole = file.read()
    for size in (*range(0, 12), *range(12, len(whole), len(whole) // 20), len(whole) - 1):
        with open("cut.parquet", "wb") as file:
            file.write(whole[:size])
        assert "'cut.parquet'" in refuse("train", "cut.parquet", "--target", "sold")


OPTIONS = (
    (("--hidden", "128;64"), "--hidden '128;64': give widths such as 128,64"),
    (("--hidden", "8,,8"), "give widths"),
    (("--hidden", "0"), "give widths"),
    (("--hidden", "1e3"), "give widths"),
    (("--hidden", ""), "give widths"),
    (("--hidden", "\u0663"), "give widths"),
    (("--hidden", "999999999,999999999"), "Unable to allocate"),
    (("--preset", "quick"), "--preset"),
    (("--time-budget", 0), "time_budget=0.0 must be a number above 0"),
    (("--l2", -1), "weight_decay=-1.0 must be a number"),
    (("--class-weight", "even"), "--class-weight 'even': give balanced, or weights such as setosa=5"),
    (("--class-weight", "setosa=-1"), "--class-weight 'setosa=-1'"),
    (("--features", "x"), "--features: there is no column 'x'"),
    (("--drop", "x"), "--drop: there is no column 'x'"),
    (("--drop", "species"), "--drop 'species' is the target"),
    (("--types", "x"), "--types 'x': give such as zip=texts; there are numbers, texts, dates"),
    (("--types", "x=texts"), "--types: there is no column 'x'"),
    (("--decimal", ";"), "--decimal"),
    (("--sep", ";;"), "--sep ';;': give one character"),
    (("--resume", "m"), "--resume 'm': no epoch is left to go on from"),
    (("--activation", "rellu"), "unknown activation 'rellu': expected one of identity, sigmoid"),
    (("--activation", ""), "unknown activation ''"),
    (("--epochs", 0), "--epochs"),
    (("--epochs", "many"), "--epochs"),
    (("--batch-size", 0), "--batch-size"),
    (("--lr", -1), "learning_rate=-1.0 must be a number"),
    (("--lr", "nan"), "learning_rate=nan must be a number"),
    (("--lr", 1e30), "smaller learning rate"),
    (("--dropout", 1), "dropout=1.0 must be a number"),
    (("--val", 1.5), "--val=1.5 must be a number of at least 0 and below 1"),
    (("--val", "nan"), "--val=nan"),
    (("--val", 0.999), "leaves no rows on one side"),
    (("--early-stopping", 9), "keeps its best epoch by itself; leave it out"),
    (("--seed", -1), "--seed"),
    (("--threads", 0), "--threads"),
    (("--task", "guess"), "--task"),
    (("--task", "regression"), "a regression takes finite numbers there"),
    (("--task", "binary"), "has 3 classes; --task binary takes 2"),
    (("--target", "colour"), "there is no column 'colour'; the table has 'sepal length (cm)'"),
    (("--out", "."), "--out '.' is a folder"),
    (("--out", "no/m"), "--out 'no/m': there is no folder 'no'"),
    (("--plot", "no/m.png"), "--plot 'no/m.png': there is no folder 'no'"),
    (("--plot", "m.xyz"), "the name is to end in one of"),
    (("--plot", "curves"), "the name is to end in one of"),
    (("--out", "m.png", "--plot", "m.png"), "would overwrite"),
    (("--bogus",), "No such option: --bogus"),
)


@pytest.mark.parametrize(("options", "message"), OPTIONS, ids=str)
def test_options_that_make_no_sense(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ("--out", "m") if "--out" not in options else ()
    assert message in refuse("train", "iris", *given, *options)
    assert os.listdir(tmp_path) == []


def test_what_is_not_there(tmp_path):
    for command in (("train",), ("evaluate", "m"), ("predict", "m")):
        assert "Missing argument 'DATA...'" in refuse(*command)
    assert "No such command 'tarin'" in refuse("tarin")
    assert "'iris' is built-in data: give it alone" in refuse("train", "iris", "wine")
    assert "no file is called as 'no*.csv' says" in refuse("train", "no*.csv")
    line = refuse("train", tmp_path / "nowhere.csv")
    assert "there is no file" in line and "the built-in data are breast-cancer, digits" in line
    assert "is a folder, not a file" in refuse("train", tmp_path)
    (tmp_path / "d.csv").write_text("a,b\n1,2\n")
    assert "--target is missing; the columns are 'a', 'b'" in refuse("train", tmp_path / "d.csv")


def test_no_file_that_is_read_is_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mixed_frame(40).to_csv("d.csv")
    succeed("train", "d.csv", "--target", "sold", "--out", "m", *FEW)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    for command in (
        ("train", "d.csv", "--target", "sold", "--out", "d.csv"),
        ("train", "d.csv", "--target", "sold", "--out", tmp_path / "d.csv"),
        ("predict", "m", "d.csv", "--out", "m"),
        ("predict", "m", "d.csv", "--out", "./d.csv"),
    ):
        assert "would overwrite" in refuse(*command)
    assert before == {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}


@pytest.mark.parametrize("failing", ("os.replace", "os.fsync"))
def test_a_disk_that_fills_up_leaves_the_old_files(failing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    succeed("train", "iris", "--out", "m", *FEW)
    succeed("predict", "m", "iris", "--out", "p.csv")
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(failing, full)
        assert "No space left" in refuse("train", "iris", "--out", "m", *FEW)
        assert "No space left" in refuse("predict", "m", "iris", "--out", "p.csv")
    assert before == {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}


def test_files_that_are_no_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    succeed("train", "iris", "--out", "m", *FEW)
    whole = (tmp_path / "m").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-1])
    (tmp_path / "text").write_text("a,b\n1,2\n")
    (tmp_path / "empty").write_bytes(b"")
    Network([4, 3], output="softmax").save("network")
    for name in ("cut", "text", "empty"):
        for command in ("predict", "evaluate", "explain"):
            assert f"'{name}' is not a whole fastnn file" in refuse(command, name, "iris")
    assert "holds a network, but not how to read tables" in refuse("predict", "network", "iris")
    TabularClassifier("fast", epochs=1, min_steps=0).fit(pd.DataFrame({"a": range(9)}), [0, 1, 2] * 3).save(
        "t"
    )
    assert "does not say what column it predicts: train with fastnn train" in refuse("predict", "t", "iris")
    arrays, about = storage.read("network")
    storage.write("old", arrays, {**about, "table": {"columns": []}})
    assert "is a model of an older fastnn train: train it again" in refuse("predict", "old", "iris")
    assert "there is no file 'nowhere'" in refuse("predict", "nowhere", "iris")
    assert "is a folder" in refuse("predict", tmp_path, "iris")
    assert "no column 'sepal length (cm)'" in refuse("predict", "m", "wine")


TABLES = (
    None,
    {},
    {"target": "species"},
    {"target": 3, "habits": {}, "na": [], "shares": []},
    [[]],
    "columns",
)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_model_whose_description_makes_no_sense(table, tmp_path):
    succeed("train", "iris", "--out", tmp_path / "m", *FEW)
    arrays, about = storage.read(tmp_path / "m")
    storage.write(tmp_path / "m", arrays, {**about, "table": table})
    assert "is not a whole model" in refuse("predict", tmp_path / "m", "iris")


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name in ("typer", "pyarrow") else name)
    with pytest.raises(SystemExit) as exit:
        cli.main()
    assert exit.value.code == 2
    assert capsys.readouterr().err == (
        "fastnn: the command line needs typer, pyarrow: pip install 'fastnn[cli]'\n"
    )


def test_without_matplotlib_the_plot_is_refused_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    assert "--plot needs matplotlib: pip install 'fastnn[plot]'" in refuse("train", "iris", "--plot", "m.png")


def test_without_openpyxl_an_excel_file_is_refused(tmp_path, monkeypatch):
    pd.DataFrame({"a": range(9), "y": range(9)}).to_excel(tmp_path / "d.xlsx", index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "needs openpyxl: pip install openpyxl" in refuse("train", tmp_path / "d.xlsx", *Y)


def test_a_bug_is_not_taken_for_bad_input(monkeypatch):
    def fail(*_):
        raise KeyError("a bug")

    monkeypatch.setattr("fastnn.cli.train.read_table", fail)
    with pytest.raises(KeyError):
        run("train", "iris")


@pytest.mark.slow
def test_a_pipe_that_is_closed_early(tmp_path):
    pd.DataFrame({"a": np.arange(200_000) % 999, "y": np.arange(200_000) % 2}).to_csv(
        tmp_path / "d.csv", index=False
    )
    succeed(
        "train",
        tmp_path / "d.csv",
        *Y,
        "--preset",
        "fast",
        "--hidden",
        4,
        "--epochs",
        1,
        "--batch-size",
        1000,
        "--out",
        tmp_path / "m",
    )
    command = [sys.executable, "-m", "fastnn", "predict", str(tmp_path / "m"), str(tmp_path / "d.csv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"prediction\n"
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait(60) == 1
