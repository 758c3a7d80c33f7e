"""Every example runs, at a small size, and leaves the files it says it writes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted(path for path in (Path(__file__).parent.parent / "examples").iterdir() if path.is_file())
FEW = "2"  # epochs or iterations


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(path, tmp_path):
    command = ["sh"] if path.suffix == ".sh" else [sys.executable]
    # A few epochs do not converge, and scikit-learn's estimators warn of that.
    warnings = "error,ignore:Stochastic Optimizer"
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONWARNINGS": warnings, "MPLBACKEND": "Agg", "PATH": folders}
    run = subprocess.run(
        [*command, path, FEW],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout and "Warning" not in run.stderr
    written = {file.name for file in tmp_path.iterdir()}
    assert written == set(re.findall(r"\w+\.(?:png|onnx|safetensors|csv)", path.read_text()))
    assert all(file.stat().st_size > 100 for file in tmp_path.iterdir())
