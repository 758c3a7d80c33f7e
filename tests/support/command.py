"""The command line within the tests' own process, and tables for it."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fastnn.cli import measure
from fastnn.cli.app import app

# Of a training that is over at once.
FEW = "--preset", "fast", "--epochs", 2, "--hidden", 4


def run(*arguments):
    """The result of a command: exit_code, stdout, stderr."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def succeed(*arguments):
    """Standard output of a command that does what it is asked."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refuse(*arguments):
    """The one line that a command which cannot do what it is asked says."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    *notes, line = result.stderr.splitlines()
    assert result.stdout == "" and line.startswith("fastnn: ") and len(line) > 20, result.output
    assert all(note.startswith("fastnn: ") for note in notes), notes
    return line


@pytest.fixture(autouse=True)
def little_measuring(monkeypatch):
    monkeypatch.setattr(measure, "ENOUGH_SECONDS", 0)


def mixed_frame(n=200, seed=0):
    """A table as people have them, with a column of each kind; `sold` depends on three of them."""
    random = np.random.default_rng(seed)
    size, city, new = (
        random.standard_normal(n),
        random.choice(["Oslo", "Rome", "Lima"], n),
        random.random(n) < 0.4,
    )
    frame = pd.DataFrame(
        {
            "code": [f"u{i}" for i in range(n)],
            "size": 30 + 5 * size,
            "rooms": random.integers(1, 6, n),
            "city": city.astype(object),
            "new": new.astype(object),
            "built": pd.date_range("2001-02-03", periods=n, freq="3D").strftime("%Y-%m-%d"),
            "country": "Norge",
        }
    )
    frame["price"] = 1e5 * (3 + size + (city == "Rome"))
    frame["sold"] = np.where(size + (city == "Rome") + new > 0.5, "yes", "no")
    frame.loc[::7, "size"] = np.nan
    frame.loc[::5, "city"] = None
    frame.loc[::9, "new"] = None
    return frame
