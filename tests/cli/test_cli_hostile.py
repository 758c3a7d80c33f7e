"""Tables and models whose names and labels are a terminal's or a spreadsheet's commands; closed outputs."""

import os
import pty
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from command import FEW, little_measuring, mixed_frame, refuse, run, succeed  # noqa: F401
from fastnn.cli.tables import no_formulas
from fastnn.cli.terminal import shown

FASTNN = sys.executable, "-m", "fastnn"
CLEAR, CLIPBOARD, TURNED = "\x1b[2J\x1b[H", "\x1b]52;c;cm0gLXJm\x07", "\u202etxt.exe"
EVIL = CLEAR, CLIPBOARD, TURNED, "\x9b31m", "\x7f", "a\rb"


@pytest.fixture
def evil(tmp_path):
    """A table whose names, categories and labels are all a terminal's commands."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            f"x{CLEAR}": random.standard_normal(60),
            f"text{CLIPBOARD}": random.choice(EVIL[:3], 60),
            f"constant{TURNED}": 1,
            f"y{CLIPBOARD}": np.array([f"no{CLEAR}", f"yes{CLIPBOARD}", f"may{TURNED}"])[np.arange(60) % 3],
        }
    )
    frame.to_parquet(tmp_path / f"d{CLEAR}.parquet")
    return tmp_path / f"d{CLEAR}.parquet", frame


def harmless(text):
    return all(c.isprintable() or c == "\n" for c in text)


def test_what_is_shown_can_be_seen():
    for text in EVIL:
        assert harmless(shown(text)) and shown(text) != text
    for text in ("caf\u00e9", "\u6f22\u5b57", "a b", "\U0001f642", "c:\\x"):
        assert shown(text) == text
    assert shown("\x1b[2J") == r"\x1b[2J" and shown("\u202e") == r"\u202e" and shown("\udcff") == r"\udcff"


@pytest.mark.slow
def test_no_command_of_a_terminal_is_printed(evil, tmp_path):
    data, frame = evil
    model, target, other = tmp_path / f"m{CLEAR}", f"y{CLIPBOARD}", tmp_path / f"other{CLEAR}.csv"
    frame.assign(**{f"text{CLIPBOARD}": f"new{CLEAR}"}).to_csv(other, index=False)
    frame.drop(columns=target).rename(columns={f"x{CLEAR}": f"z{CLEAR}"}).to_parquet(tmp_path / "less")
    for command in (
        ("train", data, "--target", target, "--out", model, *FEW),
        ("evaluate", model, data),
        ("evaluate", model, other),
        ("evaluate", model, tmp_path / "less"),
        ("explain", model, data),
        ("explain", model, data, "--plot", tmp_path / f"e{CLEAR}.png"),
        ("predict", model, other, "--proba", "--out", tmp_path / f"p{CLEAR}.csv"),
        ("predict", model, other, "--keep", CLEAR),
        ("train", data, "--target", target, "--types", f"{CLEAR}=x"),
        ("train", data, "--target", target, "--class-weight", f"{CLEAR}=1"),
        ("train", data, "--target", target, "--encoding", CLEAR),
        ("train", f"{CLEAR}*"),
        ("predict", model, tmp_path / "less"),
        ("predict", model, tmp_path / f"nowhere{CLEAR}"),
        ("train", data),
        ("train", data, "--target", f"z{CLEAR}"),
        ("train", data, "--target", target, "--out", f"{model}/no{CLEAR}"),
        ("train", data, "--target", target, "--activation", CLEAR),
        ("train", data, "--target", target, "--hidden", CLEAR),
        ("train", data, f"--bogus{CLEAR}"),
        (f"bogus{CLEAR}",),
    ):
        result = run(*command)
        assert harmless(result.output), command


@pytest.mark.slow
def test_predictions_are_data_in_a_pipe_and_harmless_on_a_terminal(evil, tmp_path):
    data, frame = evil
    succeed("train", data, "--target", f"y{CLIPBOARD}", "--out", tmp_path / "m", *FEW)
    piped = succeed("predict", tmp_path / "m", data, "--proba")
    assert f"no{CLEAR}" in piped and piped.startswith(f"prediction,p(may{TURNED})")
    leader, follower = pty.openpty()
    command = [*FASTNN, "predict", str(tmp_path / "m"), str(data), "--proba"]
    process = subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE)
    os.close(follower)
    seen = b""
    while True:
        try:
            seen += os.read(leader, 1 << 16)
        except OSError:  # the other end is closed
            break
    os.close(leader)
    assert process.wait(60) == 0 and process.stderr.read() == b""
    process.stderr.close()
    lines = seen.decode().splitlines()
    assert len(lines) == 61 and all(line.isprintable() for line in lines) and r"no\x1b[2J" in seen.decode()


LABELS = "=cmd|'/c calc'!A1", "+1+2", "-1+2", "@SUM(A1)", "\t=1", "-1", "+1e-3", "1.5", "a=b", "\uff1d1", "-"


def test_predictions_for_a_spreadsheet(tmp_path):
    expected = ["'" + label for label in LABELS[:5]] + [*LABELS[5:9], "'" + LABELS[9], "'-"]
    frame = pd.DataFrame({"prediction": LABELS, "p(=1)": -np.arange(11.0)})
    treated = no_formulas(frame)
    assert list(treated["prediction"]) == expected and treated["p(=1)"].equals(frame["p(=1)"])
    labels = np.array(["=cmd()", "-5"])[np.arange(60) % 2]
    pd.DataFrame({"x": np.arange(60) % 2, "y": labels}).to_csv(tmp_path / "d.csv", index=False)
    succeed(
        "train",
        tmp_path / "d.csv",
        "--target",
        "y",
        "--out",
        tmp_path / "m",
        "--preset",
        "fast",
        "--epochs",
        30,
    )
    plain = succeed("predict", tmp_path / "m", tmp_path / "d.csv")
    for out in ((), ("--out", tmp_path / "p.csv")):
        treated = succeed("predict", tmp_path / "m", tmp_path / "d.csv", "--spreadsheet", *out)
        treated = (tmp_path / "p.csv").read_text() if out else treated
        assert treated == re.sub("^=", "'=", plain, flags=re.MULTILINE) and "\n'=cmd()\n" in treated


def shell(command, **options):
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, **options)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is another shell there")
def test_a_closed_or_full_standard_output_is_no_success(tmp_path):
    succeed("train", "iris", "--out", tmp_path / "m", *FEW)
    fastnn = f"{sys.executable} -m fastnn"
    for command in (f"predict {tmp_path}/m iris", f"evaluate {tmp_path}/m iris", "info", "train iris"):
        done = shell(f"{fastnn} {command} >&-")
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done
        assert "standard output is closed, and the result goes there" in done.stderr
    done = shell(f"{fastnn} predict {tmp_path}/m iris --out {tmp_path}/p.csv >&- 2>&-")
    assert done.returncode == 0 and len(pd.read_csv(tmp_path / "p.csv")) == 150
    if os.path.exists("/dev/full"):
        for command in (f"predict {tmp_path}/m iris", "info"):
            done = shell(f"{fastnn} {command} >/dev/full")
            assert done.returncode == 2 and "No space left" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("unbuffered", ("", "1"))
@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_success(unbuffered, tmp_path):
    frame = pd.DataFrame({"a": np.arange(50_000) % 999, "y": np.arange(50_000) % 2})
    frame.to_csv(tmp_path / "d.csv", index=False)
    options = "--target", "y", "--preset", "fast", "--hidden", 4, "--epochs", 1, "--batch-size", 1000
    succeed("train", tmp_path / "d.csv", *options, "--out", tmp_path / "m")
    command = [*FASTNN, "predict", str(tmp_path / "m"), str(tmp_path / "d.csv")]
    variables = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables) as process:
        assert process.stdout.readline() == b"prediction\n"
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait(60) == 1
