"""The other commands, the built-in data, and the command line in a process and on a terminal of its own."""

import os
import re
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from command import FEW, little_measuring, refuse, run, succeed  # noqa: F401
from fastnn import __version__, datasets, processor
from fastnn.cli import bench, info
from fastnn.cli.measure import reference_step_seconds
from fastnn.cli.report import duration
from fastnn.network import Network

COMMANDS = "train", "predict", "evaluate", "explain", "bench", "info", "warmup"
FASTNN = sys.executable, "-m", "fastnn"


def test_help_and_version():
    assert all(name in succeed() and "Usage" in succeed(name, "--help") for name in COMMANDS)
    assert "Usage" in succeed()
    assert succeed("--version") == f"fastnn {__version__}\n"
    assert "Ctrl-C" in succeed("train", "--help")


def test_info_says_what_was_found():
    shown = succeed("info")
    for expected in (
        "processor",
        "vectors",
        " bits",
        "threads",
        "cache",
        "numba",
        __version__,
        np.__version__,
    ):
        assert expected in shown


@pytest.mark.parametrize("model, kind, expected", [
    ("AMD EPYC", "znver3", "AMD EPYC (Zen 3)"),
    ("Intel(R) Xeon(R) Processor @ 2.80GHz", "icelake-server", "Intel Xeon 2.80GHz (Ice Lake)"),
    ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", "skylake", "Intel Core i7-8700K 3.70GHz (Skylake)"),
    ("AMD Ryzen 9 5950X 16-Core Processor", "znver99", "AMD Ryzen 9 5950X 16-Core (znver99)"),
])  # fmt: skip
def test_a_processor_is_named_by_its_maker_and_its_kind(model, kind, expected):
    assert processor.words(model, kind) == expected


def test_info_where_nothing_can_be_cached(monkeypatch):
    monkeypatch.setattr(info, "cache_folder", lambda: None)
    assert "compiled in each process" in succeed("info")


@pytest.mark.slow
def test_warmup_compiles_both_types():
    shown = succeed("warmup")
    assert all(re.search(rf"kernels for {name} +(\d|all)", shown) for name in ("float32", "float64"))


@pytest.mark.slow
def test_bench_compares_with_numpy(monkeypatch):
    monkeypatch.setattr(bench, "PRODUCTS", ((8, 5, 3),))
    monkeypatch.setattr(bench, "N_BATCHES", 2)
    shown = succeed("bench")
    for row in ("product 8x5x3", "tanh of 65,536", "step of 30-128-1, batch 32"):
        assert re.search(rf"{row} +[\d.]+ \w+ +[\d.]+ \w+ +[\d.]+x", shown)


DURATIONS = {1234: "20.6 min", 1.5: "1.5 s", 0.0123: "12.3 ms", 4.56e-6: "4.56 us", 7e-9: "7 ns", 0: "0 ns"}


@pytest.mark.parametrize(("seconds", "text"), DURATIONS.items())
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_the_reference_is_timed_without_a_trace():
    network = Network([3, 4, 2], output="softmax", seed=0)
    before = network.params.copy()
    X, y = np.ones((10, 3), np.float32), np.zeros(10, np.float32)
    assert reference_step_seconds(network, X, y, 4) > 0 and np.array_equal(network.params, before)


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_built_in_data(name):
    data = datasets.load(name)
    assert data.X.shape == (len(data.y), len(data.feature_names)) and np.isfinite(data.X).all()
    assert not data.class_names or set(data.y) == set(range(len(data.class_names)))
    assert np.array_equal(data.X, datasets.load(name).X)
    with pytest.raises(ValueError, match="unknown data set 'x': expected one of breast-cancer"):
        datasets.load("x")


def test_drawn_data_are_not_to_be_split_by_a_line():
    for data in (datasets.xor(), datasets.planar()):
        centred = np.column_stack([data.X, np.ones(len(data.X))])
        line = np.linalg.lstsq(centred, 2.0 * data.y - 1, rcond=None)[0]
        assert ((centred @ line > 0) == data.y).mean() < 0.7
    assert not np.array_equal(datasets.xor().X, datasets.xor(seed=1).X) and len(datasets.planar(90).y) == 90


def test_a_file_may_have_the_name_of_built_in_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iris").write_text("")
    succeed("train", "iris", *FEW)
    assert "'./iris' is empty" in refuse("train", "./iris")


@pytest.mark.slow
def test_in_a_process_of_its_own(tmp_path):
    def call(*arguments, **options):
        return subprocess.run([*FASTNN, *arguments], cwd=tmp_path, capture_output=True, text=True, **options)

    assert call("train", "iris", *map(str, FEW), "--out", "m").returncode == 0
    done = call("predict", "m", "iris")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 151 and done.stderr == ""
    wrong = call("predict", "m", "nowhere")
    assert (wrong.returncode, wrong.stdout) == (2, "") and wrong.stderr.count("\n") == 1
    assert call("--bogus").returncode == 2


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no terminals of that kind")
@pytest.mark.slow
def test_on_a_terminal_a_bar_is_shown_and_a_ctrl_c_heard(tmp_path):
    leader, follower = os.openpty()
    command = [*FASTNN, "train", "digits", "--time-budget", "1000", "--out", str(tmp_path / "m")]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=follower, env={**os.environ, "TERM": "xterm"}
    )
    os.close(follower)
    shown, pressed, deadline = b"", False, time.monotonic() + 120
    try:
        while time.monotonic() < deadline and select.select([leader], [], [], 60)[0]:
            try:
                shown += os.read(leader, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not pressed and b"held-out accuracy" in shown:
                process.send_signal(signal.SIGINT)
                pressed = True
        assert process.wait(60) == 130, shown
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    assert (
        b"network 1, epoch 1" in shown
        and b"the networks so far are kept" in shown
        and (tmp_path / "m").exists()
    )
