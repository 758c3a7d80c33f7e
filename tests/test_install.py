"""The wheel and the editable install, in environments of their own that hold the core dependencies alone."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling is not installed: pip install 'fastnn[test]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no links there without special rights"),
]
ROOT = Path(__file__).parent.parent
CORE = "numpy", "numba", "scipy", "scikit-learn", "tqdm", "safetensors"
USE = """
import os, fastnn, fastnn.cli, fastnn.course.xor, fastnn.estimators, fastnn_kernels
net = fastnn.Network([2, 1])
assert fastnn.MLPClassifier().max_iter == 200 and net.predict([[1.0, 2.0]]).shape == (1, 1)
print(os.path.dirname(fastnn.__file__), os.path.dirname(fastnn_kernels.__file__), fastnn.__version__)
"""


def required(names):
    """These distributions and all that they need."""
    found, names = {}, list(names)
    while names:
        name = names.pop()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # of another system, or optional
        needed = [text for text in found[name].requires or () if "extra ==" not in text]
        names += [re.match(r"[\w.-]+", text)[0] for text in needed]
    return found.values()


def environment(folder):
    """A virtual environment with links to the core dependencies that this one has; its Python."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-c", show], text=True).strip())
    for package in required(CORE):
        for top in {file.parts[0] for file in package.files or () if file.parts[0] != ".."}:
            source, link = Path(package.locate_file(top)), site / top
            if source.exists() and not link.exists() and top != "__pycache__":
                link.symlink_to(source)
    return python


def pip(python, *arguments):
    """pip of this environment, at work in that of `python`; it asks nobody, and builds with what is here."""
    options = "--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"
    command = [sys.executable, "-m", "pip", "--python", python, *arguments, *options]
    path = {"PYTHONPATH": sysconfig.get_path("purelib")}  # the build runs in the other environment
    subprocess.run(command, check=True, env={**clean(), **path})


def clean():
    """The variables of this process, but for those that say where modules are."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def paths_seen_by(python, folder):
    shown = subprocess.check_output([python, "-c", USE], cwd=folder, text=True, env=clean())
    *paths, version = shown.split()
    assert version == distribution_version()
    return [Path(path) for path in paths]


def distribution_version():
    return re.search('"(.+)"', (ROOT / "fastnn" / "version.py").read_text().partition("__version__")[2])[1]


@pytest.fixture
def clone(tmp_path):
    """A copy of what is installed, in a folder that is called fastnn as a clone's is."""
    folder = tmp_path / "parent" / "fastnn"
    folder.mkdir(parents=True)
    for name in ("fastnn", "kernels", "pyproject.toml", "README.md", "LICENSE", "tests"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_an_editable_install(clone, tmp_path):
    python = environment(tmp_path / "env")
    pip(python, "install", "-e", clone)
    for folder in (clone.parent, clone, tmp_path):
        package, kernels = paths_seen_by(python, folder)
        assert package.samefile(ROOT / "fastnn") and kernels.samefile(ROOT / "kernels" / "fastnn_kernels")
    count = "import sys; print(len(sys.meta_path))"
    hooks = subprocess.check_output([python, "-c", count], text=True)
    assert hooks == subprocess.check_output([sys.executable, "-I", "-S", "-c", count], text=True)
    mypy = pytest.importorskip("mypy.api")
    script = tmp_path / "script.py"
    script.write_text("import fastnn\nreveal_type(fastnn.Network([2, 1]).dtype)\n")
    options = "--python-executable", str(python), "--ignore-missing-imports", "--config-file", os.devnull
    assert 'Revealed type is "numpy.dtype[' in mypy.run([str(script), *options])[0]


def test_a_wheel(clone, tmp_path):
    pip(sys.executable, "wheel", ROOT, "-w", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"fastnn/py.typed", "fastnn_kernels/py.typed", "fastnn/cli/app.py"} <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert tops == {"fastnn", "fastnn_kernels", wheel.name.rsplit("-py3", 1)[0] + ".dist-info"}
    python = environment(tmp_path / "env")
    pip(python, "install", wheel)
    for path in paths_seen_by(python, clone.parent):
        assert path.is_relative_to(tmp_path / "env")
