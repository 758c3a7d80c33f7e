"""What a class of the suite says of itself, so that pages need not repeat it."""

import ast
from pathlib import Path

SUITE = Path(__file__).parents[1] / "benchmarks"


def note_of(group):
    """The first paragraph of the docstring of "module.Class", or "" where there is none."""
    module, _, name = group.partition(".")
    path = SUITE / f"{module}.py"
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    found = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    docstring = next(map(ast.get_docstring, found), None) or ""
    return " ".join(docstring.split("\n\n")[0].split())
