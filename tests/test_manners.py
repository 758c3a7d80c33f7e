"""Read from the source: files are short, kernels never validate, allocate or print."""

import ast
import random
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import check_random_state

import fastnn
from luck import seeded

ROOT = Path(__file__).parent.parent
KERNELS = ROOT / "kernels" / "fastnn_kernels"
MAKE_ARRAYS = re.compile(
    r"(?:np|numpy)\.(?:\w*(?:empty|zeros|ones|full|copy|stack)\w*|array|arange|concatenate)"
)

modules = pytest.mark.parametrize("path", sorted(KERNELS.glob("*.py")), ids=lambda path: path.stem)


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
def test_kernels_trust_their_caller(path):
    assert list(liberties(path.read_text())) == []


@modules
def test_one_decorator_compiles_all_kernels(path):
    if path.stem != "_jit":
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {getattr(node, kind, None) for node in nodes for kind in ("id", "attr", "name")}
        assert not names & {"jit", "njit", "generated_jit", "vectorize", "guvectorize", "cfunc"}


@pytest.mark.parametrize("folder", ("fastnn", "kernels", "tests", "asv_benchmarks", "examples", "docs"))
def test_files_are_short(folder):
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 300} == {}


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
    "statement", ("raise ValueError", "assert x", "print(x)", "y = np.zeros_like(x)", "x.copy()")
)
@pytest.mark.parametrize("decorator", ("kernel", "kernel(fastmath=EXACT)", "_jit.kernel"))
def test_a_kernel_that_takes_liberties_is_seen(decorator, statement):
    assert list(liberties(f"@{decorator}\ndef f(x):\n    if x:\n        {statement}"))
    assert not list(liberties(f"def f(x):\n    {statement}"))


def test_nothing_is_drawn_by_luck():
    """What draws without a seed: Python, NumPy's old and new generators, networks, estimators."""

    def drawn():
        old, new = np.random.rand(3), np.random.default_rng().random(3)
        return random.random(), *old, *new, fastnn.Network([2, 1]).seed, *check_random_state(None).rand(3)

    seeded("one")
    first, second = drawn(), drawn()
    assert not set(first) & set(second)
    seeded("one")
    assert drawn() == first
    seeded("another")
    assert not set(first) & set(drawn())
