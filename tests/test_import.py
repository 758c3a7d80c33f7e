"""`import fastnn`: what it brings, what it leaves for later, and what its types and examples say."""

import doctest
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn

ROOT = Path(__file__).parent.parent
SLOW_TO_IMPORT = "sklearn", "joblib", "tqdm", "pandas", "matplotlib", "onnx", "typer"


def test_nothing_slow_is_imported():
    code = f"import sys, fastnn; print([name for name in {SLOW_TO_IMPORT} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_namespace_is_what_is_exported():
    assert dir(fastnn) == sorted(fastnn.__all__)
    for name in fastnn.__all__:
        assert getattr(fastnn, name) is not None
    with pytest.raises(AttributeError, match="module 'fastnn' has no attribute 'Perceptron'"):
        fastnn.Perceptron  # noqa: B018


def test_its_modules_are_there_without_a_line_for_each():
    names = "functional.matmul", "reference.affine_forward", "search.FleetSearchCV", "plots.decision_boundary"
    code = f"import fastnn; print(fastnn.course.__name__, {', '.join(f'fastnn.{name}' for name in names)})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("fastnn.course <function ")


MODULES = [
    module.name
    for module in pkgutil.walk_packages(fastnn.__path__, "fastnn.")
    if not module.name.endswith(("__main__", "_onnx_graph"))
]


@pytest.mark.parametrize("name", ["fastnn", *MODULES])
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", fastnn.__all__)
def test_every_name_has_an_example(name):
    assert ">>> " in getattr(fastnn, name).__doc__, f"give {name} an example that its docstring runs"


SNIPPETS = {
    "fastnn.Network([2, 1]).fit(X, y, epoch=5)": 'Unexpected keyword argument "epoch"',
    "fastnn.Network([2, 1]).partial_fit(X, y, batch_sise=5)": 'Unexpected keyword argument "batch_sise"',
    'fastnn.Network([2, 1], activaton="relu")': 'Unexpected keyword argument "activaton"',
    "fastnn.Network([2, 1]).sizes = (3, 1)": "Cannot assign to final attribute",
    "fastnn.Network([2, 1]).fit(X, y).cost + 1": "No overload variant",
    "reveal_type(MLPClassifier().fit(X, y))": '"fastnn.estimators.classifier.MLPClassifier"',
    "reveal_type(fastnn.Network([2, 1]).fit(X, y))": '"fastnn.history.History"',
}


@pytest.mark.slow
def test_what_a_type_checker_says(tmp_path, monkeypatch):
    mypy = pytest.importorskip("mypy.api")
    file = tmp_path / "script.py"
    head = "import fastnn\nfrom fastnn import MLPClassifier\nX, y = [[1.0, 2.0]], [0]\n"
    file.write_text(head + "\n".join(SNIPPETS))
    monkeypatch.chdir(ROOT)
    report = mypy.run([str(file), "--config-file", "pyproject.toml", "--no-error-summary"])
    said = {}
    for line in report[0].splitlines():
        said.setdefault(int(line.split(":")[1]), line)
    assert list(said) == list(range(4, 4 + len(SNIPPETS))), report[0]
    for line, expected in zip(said.values(), SNIPPETS.values(), strict=True):
        assert expected in line, report[0]


MISTAKES = {
    "fastnn.Network([2, 1]).fit(X, y, epoch=5)": 'No parameter named "epoch"',
    "fastnn.Network([2, 1]).partial_fit(X, y, batch_sise=5)": 'No parameter named "batch_sise"',
    'fastnn.Network([2, 1], activaton="relu")': 'No parameter named "activaton"',
    "MLPClassifier((3,), alfa=0.1)": 'No parameter named "alfa"',
    "fastnn.Network([2, 1]).sizes = (3, 1)": 'Cannot assign to attribute "sizes"',
}
RIGHT = """import fastnn
from fastnn import MLPClassifier
X, y = [[1.0, 2.0]], [0]
history: fastnn.History = fastnn.Network([2, 1]).fit(X, y, epochs=5, optimizer=fastnn.Adam(0.01))
model: MLPClassifier = MLPClassifier((3,), "tanh", alpha=0.1, class_weight="balanced").fit(X, y)
"""


@pytest.mark.slow
def test_what_pyright_says(tmp_path):
    pytest.importorskip("pyright", reason="pyright is not installed: pip install pyright")
    file = tmp_path / "script.py"
    file.write_text(RIGHT + "\n".join(MISTAKES))
    (tmp_path / "pyrightconfig.json").write_text(
        json.dumps({"extraPaths": [str(ROOT), str(ROOT / "kernels")], "include": [str(file)]})
    )
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(tmp_path)]
    done = subprocess.run([*command, "--pythonpath", sys.executable], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        pytest.skip(f"pyright does not start: {done.stderr[-300:]}")
    errors = json.loads(done.stdout)["generalDiagnostics"]
    first = RIGHT.count("\n")
    said = {error["range"]["start"]["line"] - first: error["message"] for error in errors}
    assert list(said) == list(range(len(MISTAKES))), errors
    for message, expected in zip(said.values(), MISTAKES.values(), strict=True):
        assert expected in message
