"""Tables and models that are too large, not whole, or say what cannot be; rows of another run."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from command import FEW, little_measuring, mixed_frame, refuse, run, succeed  # noqa: F401
from fastnn import storage
from fastnn.cli import memory, sources, tables
from fastnn.cli.target import codes_of, learnt_as
from fastnn.tabular.frames import repeated_in

FASTNN = sys.executable, "-m", "fastnn"


class Name(str):
    """A name that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Name.compared += 1
        return str.__eq__(self, other)


def test_names_are_compared_a_few_times_each():
    names = [Name(f"c{i}") for i in range(5000)]
    assert repeated_in(names) == [] and Name.compared < 5000
    names = [Name(f"c{i}") for i in range(5000)] + [Name("c7"), Name("c3"), Name("c3")]
    assert repeated_in(names) == ["c3", "c7"] and Name.compared < 10_000


@pytest.mark.slow
def test_a_table_of_many_columns(tmp_path):
    n = 4000
    header, rows = ",".join([*(f"c{i}" for i in range(n)), "y"]), []
    for i in range(8):
        rows.append(",".join([*(str((i * 7 + j) % 11) for j in range(n)), str(i % 2)]))
    (tmp_path / "d.csv").write_text("\n".join([header, *rows, ""]))
    command = [*FASTNN, "train", "d.csv", "--target", "y", *map(str, FEW), "--out", "m"]
    done = subprocess.run(command, cwd=tmp_path, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*FASTNN, "train", "d.csv"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr) < 500 and "'c7' and 3,993 more" in done.stderr


@pytest.mark.parametrize("type_", ("int64", "Int64", "object"))
def test_whole_numbers_that_one_float_stands_for_are_several_classes(type_, tmp_path):
    big = 2**53
    column = pd.Series([big, big + 1, big + 2] * 10, dtype=type_, name="y")
    assert np.unique(learnt_as(column, "multi-class")[1]).tolist() == [big, big + 1, big + 2]
    task, y = learnt_as(column[column != big + 2], None)
    assert task == "binary" and y.tolist() == [big, big + 1] * 10
    pd.DataFrame({"x": np.arange(30) % 7, "y": column}).to_csv(tmp_path / "d.csv", index=False)
    options = "--target", "y", "--task", "multi-class", "--out", tmp_path / "m"
    succeed("train", tmp_path / "d.csv", *options, *FEW)
    header = succeed("predict", tmp_path / "m", tmp_path / "d.csv", "--proba").splitlines()[0]
    assert header == f"prediction,p({big}),p({big + 1}),p({big + 2})"


def test_one_class_is_one_text_in_whatever_type():
    column = pd.Series([0, 1] * 10, name="y")
    classes = np.unique(learnt_as(column, None)[1])
    for other in (column.astype(float), column.astype("Int64"), column.astype(str)):
        assert codes_of("y", other.to_numpy(object), classes).tolist() == [0, 1] * 10


def test_a_parquet_file_that_would_not_fit_is_refused_with_its_size(tmp_path, monkeypatch):
    pd.DataFrame({"a": np.zeros(3_000_000), "y": np.zeros(3_000_000)}).to_parquet(tmp_path / "zeros")
    pd.DataFrame({"a": ["long " * 2000] * 20_000, "y": 1}).to_parquet(tmp_path / "texts")
    assert all((tmp_path / name).stat().st_size < 1e6 for name in ("zeros", "texts"))
    monkeypatch.setattr(tables, "available_bytes", lambda: 30e6)
    line = refuse("train", tmp_path / "zeros", "--target", "y")
    assert "zeros' takes 0.048 GB of memory or more, and 0.03 GB are free" in line
    assert "texts' takes 0.0" in refuse("train", tmp_path / "texts", "--target", "y")


def test_categories_in_several_batches_are_still_one_column(tmp_path):
    texts = pd.Categorical(np.array(["a", "b", "c"])[np.arange(20_000) // 7000])
    frame = pd.DataFrame({"t": texts, "i": pd.array(range(20_000), "Int64"), "f": np.arange(2e4)})
    frame.loc[5, "i"] = None
    frame.to_parquet(tmp_path / "d.parquet")
    read = tables.read_table([str(tmp_path / "d.parquet")], tables.Text(), str).frame
    assert list(read["t"].astype(str)) == list(frame["t"].astype(str)) and read["f"].equals(frame["f"])
    assert read["i"].isna().sum() == 1 and read["i"].iloc[-1] == 19_999


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="this system has no such device")
def test_a_file_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(sources, "available_bytes", lambda: 100e6)
    assert "'/dev/zero' takes 0." in refuse("train", "/dev/zero", "--target", "y")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes of that kind")
def test_a_table_may_come_through_a_pipe(tmp_path):
    mixed_frame(60).to_csv(tmp_path / "d.csv")
    with open(tmp_path / "d.csv", "rb") as file:
        command = [*FASTNN, "train", "/dev/stdin", "--target", "sold", *map(str, FEW)]
        done = subprocess.run(["sh", "-c", f"cat | {' '.join(command)}"], stdin=file, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_how_much_memory_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.available_bytes() == float("inf")
    (tmp_path / "meminfo").write_text("MemTotal:  9 kB\nMemAvailable:    1000 kB\n")
    assert memory.available_bytes() == 1_024_000
    for most, used, left in (("max", "5", 1_024_000), ("5000", "2000", 3000), ("5", "9", 0)):
        (tmp_path / "memory.max").write_text(most + "\n")
        (tmp_path / "memory.current").write_text(used + "\n")
        assert memory.available_bytes() == left


# What stands in a file of a column of numbers and two classes: under "table", of its column, of the rest.
LIES = (
    *({"target": x} for x in ({}, None, 5, "\ud800")),
    *({"habits": x} for x in (None, 5, ["a"], {"a": "guess"}, {"a": {}}, {"\ud800": "."})),
    *({"na": x} for x in (None, 5, [5], [{}], ["\ud800"])),
    *(
        {"shares": x}
        for x in (None, 5, [], [1.0], [1.5, -0.5], ["x", "y"], [float("nan"), 1.0], [10**400, 0])
    ),
)
COLUMNS = (
    *({"name": x} for x in ({}, None, "\ud800")),
    *({"median": x} for x in ([0.0], 10**400, "0", None, float("nan"))),
    *({"spread": x} for x in (0.0, -1.0, float("nan"), "1", None)),
    *({"kind": x} for x in ({}, "x", None)),
    *({"edges": x} for x in ([1.0], [2.0, 1.0], ["0", "1"], 5, None)),
    *({"rates": x} for x in ([1.0], "x", None)),
    *({"missing": x} for x in ("x", None, [])),
    {"more": 1},
)
ESTIMATOR = (
    *({"kind": x} for x in ("TabularRegressor", {}, None)),
    *({"classes": x} for x in (None, {}, {"dtype": "<U1", "values": ["a", "a"]})),
    *({"classes": {"dtype": x, "values": [0, 1]}} for x in ("V9", "<f4,(", "9" * 999, None)),
    *({"attributes": x} for x in (None, {}, {"score_": 1.0}, {"x_": 1})),
    *({"networks": x} for x in (None, [], [{}], 5)),
    *({"parameters": x} for x in (None, {"x": 1}, [1])),
    {"feature_names": 5},
)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A whole model of one column of numbers: its arrays and its description, and a table for it."""
    folder = tmp_path_factory.mktemp("lies")
    frame = pd.DataFrame({"a": np.arange(40) % 7 * 1.5, "y": np.arange(40) % 2})
    frame.to_csv(folder / "d.csv", index=False)
    succeed("train", folder / "d.csv", "--target", "y", "--out", folder / "m", *FEW)
    return folder, storage.read(folder / "m")


def lied_to(told, **sections):
    """What the commands say of the file with these sections."""
    folder, (arrays, about) = told
    storage.write(folder / "lie", arrays, {**about, **sections})
    for command in ("predict", "evaluate"):
        line = refuse(command, folder / "lie", folder / "d.csv")
        assert re.search("is not a whole model|holds no (whole model of tables|fastnn network)", line), line


@pytest.mark.parametrize("lie", LIES, ids=ascii)
def test_a_model_that_lies_of_its_table(lie, told):
    lied_to(told, table={**told[1][1]["table"], **lie})


@pytest.mark.parametrize("lie", COLUMNS, ids=ascii)
def test_a_model_that_lies_of_a_column(lie, told):
    about = told[1][1]["tabular"]
    (column,) = about["preprocessing"]["encoders"]
    preprocessing = {**about["preprocessing"], "encoders": [{**column, **lie}]}
    lied_to(told, tabular={**about, "preprocessing": preprocessing})


@pytest.mark.parametrize("lie", ESTIMATOR, ids=ascii)
def test_a_model_that_lies_of_its_estimator(lie, told):
    lied_to(told, tabular={**told[1][1]["tabular"], **lie})


def test_no_device_is_written_over(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    succeed("train", "iris", "--out", tmp_path / "m", *FEW)
    for command in (("train", "iris"), ("predict", tmp_path / "m", "iris")):
        assert "pipe' is a device, a pipe or a socket" in refuse(*command, "--out", tmp_path / "pipe")
