"""Read from the source: imports run one way, files are short, kernels never validate, allocate or print."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KERNELS = ROOT / "kernels" / "fastnn_kernels"
# A module may import those of earlier stages. A new module: add it to the earliest stage that it can have.
STAGES = (
    {"__init__", "_jit"},
    {"simd", "vecmath"},
    {"tiles", "peak"},
    {"matmul"},
    {"affine", "activations", "dropout"},
    {"columns", "costs"},
    {"backward", "optimizers"},
    {"layout"},
    {"descent", "inference", "team"},
    {"compiled", "phases"},
    {"epoch"},
)
STAGE = {name: stage for stage, names in enumerate(STAGES) for name in names}
OUTSIDE = {"numpy", "numba"} | sys.stdlib_module_names
SPEAK_LLVM = {"_jit", "simd", "tiles", "peak"}
MAKE_ARRAYS = re.compile(
    r"(?:np|numpy)\.(?:\w*(?:empty|zeros|ones|full|copy|stack)\w*|array|arange|concatenate)"
)

modules = pytest.mark.parametrize("path", sorted(KERNELS.glob("*.py")), ids=lambda path: path.stem)


def name_of(node):
    """What a name, an attribute or an imported thing is called."""
    return getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None)


def imports(tree):
    """Every module that is named in an import, at any depth of the code, as its full dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.level or node.module == "fastnn_kernels"):
            package = "fastnn_kernels" + (f".{node.module}" if node.level and node.module else "")
            yield from (f"{package}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
        elif name_of(node) in {"__import__", "import_module"}:
            yield "a module by a name that cannot be read here"


def against_the_stream(name, source):
    """The imports that module `name` of the kernels may not have."""
    for imported in imports(ast.parse(source)):
        top, _, rest = imported.partition(".")
        if top == "fastnn_kernels":
            other = rest.partition(".")[0]
            if other not in STAGE or STAGE[other] >= STAGE[name]:
                yield imported
        elif top not in OUTSIDE and not (top == "llvmlite" and name in SPEAK_LLVM):
            yield imported


def kernels(tree):
    """The functions under our decorator."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            if any(re.match(r"kernel\b|_jit\.kernel\b", ast.unparse(d)) for d in node.decorator_list):
                yield node


def liberties(source):
    """What kernels do that is their caller's: (kernel, line, what)."""
    for function in kernels(ast.parse(source)):
        for node in ast.walk(function):
            if isinstance(node, ast.Raise | ast.Assert | ast.Try):
                yield function.name, node.lineno, "validates"
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called == "print":
                    yield function.name, node.lineno, "prints"
                elif MAKE_ARRAYS.fullmatch(called) or called.endswith(".copy"):
                    yield function.name, node.lineno, "allocates"
                elif re.match(r"(?:np|numpy)\.random\b|random\b", called):
                    yield function.name, node.lineno, "draws random numbers"


@modules
def test_every_module_has_a_stage(path):
    assert path.stem in STAGE, f"add {path.stem!r} to the table STAGES of this file"


@modules
def test_imports_run_one_way(path):
    if path.stem in STAGE:
        assert list(against_the_stream(path.stem, path.read_text())) == []


@modules
def test_kernels_trust_their_caller(path):
    assert list(liberties(path.read_text())) == []


@modules
def test_one_decorator_compiles_all_kernels(path):
    """`compiled` builds functions for the user's code, which allocate and are not kernels."""
    if path.stem not in {"_jit", "compiled"}:
        names = {name_of(node) for node in ast.walk(ast.parse(path.read_text()))}
        assert not names & {"jit", "njit", "generated_jit", "vectorize", "guvectorize", "cfunc"}


@modules
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 300


def test_the_repository_stands_alone():
    elsewhere = re.compile(r"(?:\.\.|/work)/" + "shared")
    texts = [path for path in ROOT.iterdir() if path.suffix in {".md", ".toml", ".yaml", ".yml", ".cfg"}]
    for folder in ("fastnn", "kernels", "tests", "examples", "asv_benchmarks", ".ci", ".github"):
        texts += [
            p for p in (ROOT / folder).rglob("*") if p.suffix in {".py", ".md", ".sh", ".yml", ".json", ""}
        ]
    guilty = [path for path in texts if path.is_file() and elsewhere.search(path.read_text(errors="ignore"))]
    assert guilty == []


@pytest.mark.parametrize(
    "source",
    (
        "import fastnn",
        "from fastnn.network import Network",
        "import scipy.special",
        "import llvmlite",
        "from fastnn_kernels import affine",
        "from fastnn_kernels.matmul import matmul",
        "import fastnn_kernels.epoch",
        "from . import epoch",
        "from .costs import poisson",
        "from fastnn_kernels.unheard_of import f",
        "def f():\n    from fastnn_kernels.backward import layer_backward",
        "import importlib\nimportlib.import_module('fastnn')",
    ),
)
def test_an_import_against_the_stream_is_seen(source):
    assert list(against_the_stream("matmul", source))


@pytest.mark.parametrize(
    "source",
    (
        "import os, numba.core, numpy as np",
        "from fastnn_kernels.simd import address",
        "from fastnn_kernels import simd",
        "from ._jit import kernel",
        "import fastnn_kernels.tiles",
    ),
)
def test_an_import_with_the_stream_is_not(source):
    assert not list(against_the_stream("matmul", source))


@pytest.mark.parametrize(
    "statement", ("raise ValueError", "assert x", "print(x)", "y = np.zeros_like(x)", "x.copy()")
)
@pytest.mark.parametrize("decorator", ("kernel", "kernel(fastmath=EXACT)", "_jit.kernel"))
def test_a_kernel_that_takes_liberties_is_seen(decorator, statement):
    assert list(liberties(f"@{decorator}\ndef f(x):\n    if x:\n        {statement}"))
    assert not list(liberties(f"def f(x):\n    {statement}"))
