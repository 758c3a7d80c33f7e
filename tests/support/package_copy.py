"""A copy of the kernel package with small kernels added: for tests that edit it or damage its cache."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fastnn_kernels

FORMULA = """
from fastnn_kernels._jit import kernel

SCALE = 2.0


@kernel
def formula(x):
    return SCALE * x + 1.0
"""
TINY = """
from fastnn_kernels._jit import EXACT, kernel
from fastnn_kernels.tiny_formula import formula


@kernel(fastmath=EXACT)
def tiny(x):
    return formula(x) - 0.5
"""
# Prints the result, how many signatures came from the cache, and how many were compiled.
REPORT = """
from fastnn_kernels.tiny import tiny
print((tiny(3.0), sum(tiny.stats.cache_hits.values()), sum(tiny.stats.cache_misses.values())))
"""
COMPILED, CACHED = (6.5, 0, 1), (6.5, 1, 0)
# Root may write anywhere; without its capabilities it is an owner like any other.
AS_A_USER = """
import ctypes, os
if os.geteuid() == 0:
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, none) == 0
"""


class Copy:
    """A copy of the kernel package, its own cache folder, and child processes that use both."""

    def __init__(self, folder):
        self.folder, self.cache = folder, folder / "cache"
        self.package = folder / "source" / "fastnn_kernels"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(fastnn_kernels.__file__).parent, self.package, ignore=ignore)
        self.write("tiny_formula.py", FORMULA)
        self.write("tiny.py", TINY)

    def write(self, name, text):
        (self.package / name).write_text(text)

    def edit(self, name, old, new):
        text = (self.package / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def start(self, code, **environment):
        """`code` in a new process; a variable given as None is not set."""
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(("NUMBA_", "PYTHON", "XDG_"))}
        own = {
            "PYTHONPATH": str(self.package.parent),
            "NUMBA_CACHE_DIR": str(self.cache),
            "HOME": str(self.folder / "home"),
            # Python's own cache knows a file by its size and its time in whole seconds: too coarse for these.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        variables = {n: str(v) for n, v in (inherited | own | environment).items() if v is not None}
        check = f"import fastnn_kernels; assert {variables['PYTHONPATH']!r} in fastnn_kernels.__file__"
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", f"{check}\n{code}"],
            env=variables, cwd=self.folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, code=REPORT, **environment):
        """What `code` prints in a new process, as Python objects; it may say nothing on stderr."""
        return self.finish(self.start(code, **environment))

    def finish(self, child):
        output, errors = child.communicate("\n")
        assert child.returncode == 0 and not errors, errors
        printed = [ast.literal_eval(line) for line in output.splitlines()]
        return printed[0] if len(printed) == 1 else printed

    def entries(self, root=None):
        """Files of the cache and when they were written."""
        return {p: p.stat().st_mtime_ns for p in (root or self.cache).rglob("*") if p.is_file()}

    def many(self, count):
        """A module of `count` kernels that give 7, 8, 9 ...: as many cache entries for one process."""
        functions = [f"\n\n@kernel\ndef f{i}(x):\n    return formula(x) + {i}\n" for i in range(count)]
        head = "from fastnn_kernels._jit import kernel\nfrom fastnn_kernels.tiny_formula import formula\n"
        self.write("tiny_many.py", head + "".join(functions))
        report = f"""
from fastnn_kernels import tiny_many
kernels = [getattr(tiny_many, f"f{{i}}") for i in range({count})]
results = [f(3.0) for f in kernels]
hits = [sum(f.stats.cache_hits.values()) for f in kernels]
assert [sum(f.stats.cache_misses.values()) for f in kernels] == [1 - h for h in hits]
assert [len(f.signatures) for f in kernels] == [1] * len(kernels)
print((results, hits))
"""
        return report, [7.0 + i for i in range(count)]
