"""Read from the source: imports run one way."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KERNELS = ROOT / "kernels" / "fastnn_kernels"
# A module may import those of earlier stages. A new module: add it to the earliest stage that it can have.
STAGES = (
    {"__init__", "_numba", "compilation"},
    {"_cache", "glue", "scalars"},
    {"_jit", "machine_code"},
    {"leaves", "pointers", "simd", "vecmath"},
    {"dropout", "emit", "gates", "machine", "modes", "pairs", "panels", "peak", "plumbing", "records"}
    | {"shuffles", "softmax", "tile_unit"},
    {"between", "cross_entropy", "fit_layout", "pair_moves", "pair_tiles", "table_tiles", "tiles"},
    {
        "activations",
        "adam_tiles",
        "column_tiles",
        "fleet_moves",
        "fleet_tiles",
        "line_moves",
        "line_tiles",
        "lines",
        "pair_layout",
        "panel_moves",
        "panel_tiles",
    },
    {"costs", "csr", "fleet_costs", "fleet_updates", "input_stage", "matmul", "optimizers", "phases", "team"},
    {"affine", "epoch", "epoch_fleet", "inference", "layout", "on_arrays"},
    {"backward", "columns", "epoch_lines", "epoch_pairs", "evaluation"},
)
STAGE = {name: stage for stage, names in enumerate(STAGES) for name in names}
OUTSIDE = {"numpy", "numba"} | sys.stdlib_module_names
SPEAK_LLVM = {
    "_cache",
    "_numba",
    "emit",
    "evaluation",
    "fleet_costs",
    "fleet_moves",
    "fleet_tiles",
    "fleet_updates",
    "leaves",
    "machine_code",
    "modes",
    "peak",
    "pointers",
    "simd",
    "tiles",
}
SPEAK_LLVM |= {
    "adam_tiles",
    "column_tiles",
    "csr",
    "evaluation",
    "input_stage",
    "line_moves",
    "line_tiles",
    "pair_moves",
    "pair_tiles",
    "pairs",
    "panel_moves",
    "panel_tiles",
    "shuffles",
    "table_tiles",
    "tile_unit",
}

HOUSE = ROOT / "fastnn"
# The same for the Python above them: modules, and folders whose own modules form no circle.
FLOORS = (
    {"bar", "checks", "html", "precision", "processor", "task", "version"},
    {"arrow", "input_stage"},
    {"call", "curves", "data", "datasets", "files", "memory", "optimizers", "ranks", "reference", "slices"}
    | {"reference_stage", "threads"},
    {"functional", "history", "pair_memory", "plan", "program", "reference_training", "scores", "storage"},
    {
        "compiled",
        "fit_memory",
        "fleet_data",
        "fleet_history",
        "fleet_plan",
        "fleet_rates",
        "orders",
        "pairs_program",
    },
    {"block_memory", "fleet_workspace", "lines_workspace", "prediction", "stage_memory"},
    {"fleet_forward", "pairs_workspace", "workspace"},
    {"fleet_lanes", "trainer"},
    {"epochs", "fleet_members", "model", "rank_engine"},
    {"fleet_trainer"},
    {"callbacks", "checkpoints", "remarks"},
    {"run"},
    {"fleet_run", "rank_run", "training"},
    {"fleet_training", "rank_training"},
    {"network"},
    {"fleet_model"},
    {"fleet"},
    {"exported", "plots"},
    {"_c_network", "_onnx_graph", "course"},
    {"_skl2onnx"},
    {"estimators", "tabular"},
    {"_c_table", "search"},
    {"c_export", "cli"},
    {"pipeline"},
    {"_onnx_tabular"},
    {"onnx"},
    {"__init__"},
    {"__main__"},
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}

house = pytest.mark.parametrize(
    "path", sorted(HOUSE.rglob("*.py")), ids=lambda path: str(path.relative_to(HOUSE))
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


def house_imports(source):
    """The modules of fastnn that one of them imports, whether for types only, in a function, or at once."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "a relative import"
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "fastnn":
                while len(parts) > 1 and not module_file(parts):
                    parts.pop()  # what is imported stands in it
                yield ".".join(parts[1:]) or "__init__"


def module_file(parts):
    """The file of the module with this dotted name; None if there is none."""
    path = HOUSE.joinpath(*parts[1:])
    return next((p for p in (path / "__init__.py", path.with_suffix(".py")) if p.is_file()), None)


def upwards(room, source):
    """The imports that a module of this room of fastnn may not have."""
    for imported in house_imports(source):
        other = imported.partition(".")[0]
        if other != room and (other not in FLOOR or FLOOR[other] >= FLOOR[room]):
            yield imported


@modules
def test_every_module_has_a_stage(path):
    assert path.stem in STAGE, f"add {path.stem!r} to the table STAGES of this file"


@modules
def test_imports_run_one_way(path):
    if path.stem in STAGE:
        assert list(against_the_stream(path.stem, path.read_text())) == []


@house
def test_the_house_has_no_stairs_up(path):
    room = path.relative_to(HOUSE).parts[0].removesuffix(".py")
    assert room in FLOOR, f"add {room!r} to the table FLOORS of this file"
    assert list(upwards(room, path.read_text())) == []


@pytest.mark.parametrize("room", ("cli", "course", "estimators", "search", "tabular"))
def test_a_room_of_several_modules_has_no_circle(room):
    def stem(path):
        return room if path.stem == "__init__" else f"{room}.{path.stem}"

    below = {stem(path): set(house_imports(path.read_text())) for path in (HOUSE / room).glob("*.py")}
    while ready := {name for name, others in below.items() if not others & (below.keys() - {name})}:
        below = {name: others for name, others in below.items() if name not in ready}
    assert not below, f"these import each other: {below}"


@pytest.mark.parametrize(
    "source",
    (
        "from fastnn.network import Network",
        "from fastnn import Network",
        "import fastnn.run",
        "from fastnn import run",
        "from . import run",
        "from fastnn.unheard_of import f",
        "def f():\n    from fastnn.training import prepare",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fastnn.callbacks import Callback",
    ),
)
def test_stairs_up_are_seen(source):
    assert list(upwards("model", source))
    assert not list(upwards("model", "from fastnn import html\nfrom fastnn.data import Rows\nimport numpy"))


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
