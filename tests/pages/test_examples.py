"""Every example runs, at a small size, and leaves the files it says it writes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path for path in FOLDER.iterdir() if path.suffix in (".py", ".sh", ".ipynb"))
pytestmark = pytest.mark.slow
FEW = "2"  # epochs or iterations


def cells_of(notebook):
    """The code of a notebook, cell by cell; what it has shown is not kept in the repository."""
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            yield "".join(cell["source"])


def test_notebooks_have_the_format_of_notebooks():
    nbformat = pytest.importorskip("nbformat")
    for path in EXAMPLES:
        if path.suffix == ".ipynb":
            nbformat.validate(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(path, tmp_path, tmp_path_factory):
    program = path
    if path.suffix == ".ipynb":
        program = tmp_path_factory.mktemp("notebook") / "cells.py"
        program.write_text("\n".join(cells_of(path)))
    command = ["sh"] if path.suffix == ".sh" else [sys.executable]
    # A few epochs do not converge, and scikit-learn's estimators warn of that.
    warnings = "error,ignore:Stochastic Optimizer"
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONWARNINGS": warnings, "MPLBACKEND": "Agg", "PATH": folders}
    run = subprocess.run(
        [*command, program, FEW],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout and "Warning" not in run.stderr
    written = {file.name for file in tmp_path.iterdir()}
    assert written == set(re.findall(r"\w+\.(?:png|onnx|safetensors|csv|c)\b", path.read_text()))
    assert all(file.stat().st_size > 100 for file in tmp_path.iterdir())
