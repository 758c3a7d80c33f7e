"""Leaves on the disk: whose entries are trusted, what is a miss, and that nothing is half done."""

import os
import textwrap

import pytest

pytestmark = pytest.mark.slow
posix = pytest.mark.skipif(os.name == "nt", reason="needs the permissions and signals of POSIX")
LEAF = """
from fastnn_kernels.leaves import leaf


@leaf("total")
def tiny_total(T):
    def tiny_total(values, n):
        result = 0.5
        for i in range(n):
            result += values[i]
        return result

    return tiny_total
"""
# Prints the result, and the names of what was compiled.
REPORT = """
import numpy as np
from fastnn_kernels import compilation
from fastnn_kernels.tiny_leaf import tiny_total

compiled = []
compilation.listen(lambda name, seconds: compiled.append(name))
x = np.array([1.0, 2.0])
print((tiny_total(x, 2), compiled))
"""
MADE, LOADED = (3.5, ["tiny_leaf.tiny_total.float64"]), (3.5, [])


@pytest.fixture
def copy(copy):
    copy.write("tiny_leaf.py", LEAF)
    return copy


def entry(copy):
    (path,) = copy.cache.rglob("tiny_leaf.*.nbc")
    return path


def test_a_second_process_loads(copy):
    assert copy.run(REPORT) == MADE
    before = copy.entries()
    assert copy.run(REPORT) == LOADED and copy.entries() == before
    copy.edit("tiny_formula.py", "+ 1.0", "+ 2.0")  # any file of the package
    assert copy.run(REPORT) == MADE


def test_each_target_and_each_compiler_has_its_own(copy):
    assert copy.run(REPORT) == MADE
    assert copy.run(REPORT, NUMBA_CPU_NAME="haswell") == MADE
    other = "import numba\nnumba.__version__ = '0.0.1'\n"  # as another environment on the same home has it
    assert copy.run(other + REPORT) == MADE
    for code, environment in ((REPORT, {}), (REPORT, {"NUMBA_CPU_NAME": "haswell"}), (other + REPORT, {})):
        assert copy.run(code, **environment) == LOADED


@posix
@pytest.mark.parametrize("mode", (0o664, 0o646))
def test_what_others_can_write_is_not_run(copy, mode):
    assert copy.run(REPORT) == MADE
    entry(copy).chmod(mode)
    assert copy.run(REPORT) == MADE
    assert copy.run(REPORT) == LOADED  # it was replaced by one's own


@posix
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_not_run(copy):
    assert copy.run(REPORT) == MADE
    os.chown(entry(copy), 12345, -1)
    assert copy.run(REPORT) == MADE


@posix
def test_a_fifo_is_a_miss_and_does_not_block(copy):
    assert copy.run(REPORT) == MADE
    path = entry(copy)
    path.unlink()
    os.mkfifo(path)
    assert copy.run(REPORT) == MADE


def test_damage_and_foreign_pickles_are_misses(copy):
    """One process imports the package afresh after each damage, as a new one would."""
    assert copy.run(REPORT) == MADE
    code = f"""
import hashlib, os, pickle, sys

path = {str(entry(copy))!r}
with open(path, "rb") as file:
    blob = file.read()
body = pickle.dumps(object)
foreign = hashlib.sha256(body).digest() + body
for damage in (b"", blob[:-1], blob[:40], bytes(len(blob)), blob[::-1], foreign):
    with open(path, "wb") as file:
        file.write(damage)
    for name in [name for name in sys.modules if name.startswith("fastnn_kernels")]:
        del sys.modules[name]
{textwrap.indent(REPORT, "    ")}
"""
    assert copy.run(code) == [MADE] * 6


@posix
def test_entries_are_written_for_their_owner_alone(copy):
    assert copy.run("import os; os.umask(0)\n" + REPORT) == MADE
    assert {oct(path.stat().st_mode & 0o777) for path in copy.entries()} == {"0o644"}
    assert copy.run(REPORT) == LOADED


def test_cold_processes_at_once(copy):
    wait = "import fastnn_kernels.tiny_leaf\nprint(0, flush=True)\ninput()\n"
    children = [copy.start(wait + REPORT) for _ in range(6)]
    for child in children:
        assert child.stdout.readline() == "0\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    assert {copy.finish(child)[0] for child in children} == {3.5}
    assert copy.run(REPORT) == LOADED
    assert {path.suffix for path in copy.entries()} == {".nbc"}


@posix
def test_a_home_that_cannot_be_written(copy):
    (copy.package / "__pycache__").write_text("a file, not a folder")
    (copy.folder / "file").touch()
    nowhere = {"NUMBA_CACHE_DIR": copy.folder / "file" / "cache", "HOME": copy.folder / "file" / "home"}
    for _ in range(2):
        assert copy.run(REPORT, **nowhere) == MADE


@posix
def test_a_ctrl_c_while_it_compiles_is_heard_and_leaves_nothing(copy):
    """Between the bytecodes of a compilation as in its callbacks; the next call compiles again."""
    code = """
import os, signal, threading
import numpy as np
from fastnn_kernels import compilation
from fastnn_kernels.tiny_leaf import tiny_total

x, kind = np.array([1.0, 2.0]), type(tiny_total)
compile_leaf, pressed = kind.compile, []


def press(leaf, dtype):
    pressed.append(os.kill(os.getpid(), signal.SIGINT))
    return compile_leaf(leaf, dtype)


kind.compile = press
try:
    tiny_total(x, 2)
except KeyboardInterrupt:
    print("heard")
kind.compile = compile_leaf
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, tiny_total(x, 2), len(pressed))
"""
    child = copy.start(code)
    output, errors = child.communicate()
    assert (output, errors, child.returncode) == ("heard\nTrue 3.5 1\n", "", 0)


@posix
def test_a_ctrl_c_ends_the_compilation_of_a_loop_at_its_next_function(copy):
    copy.write(
        "tiny_loop.py",
        """
from numba import types
from fastnn_kernels.glue import glue
from fastnn_kernels.leaves import leaf


@glue(types.float64)
def doubled(x):
    return 2 * x


@glue(types.float64)
def shifted(x):
    return doubled(x) + 1


@leaf("total")
def tiny_loop(T):
    def tiny_loop(values, n):
        return doubled(values[0]) + shifted(values[1])

    return tiny_loop
""",
    )
    code = """
import os, signal
import numpy as np
import fastnn_kernels.glue as glue
from fastnn_kernels.tiny_loop import tiny_loop

x, compile_into, seen = np.array([1.0, 2.0]), glue.compile_into, []


def press(context, function, *rest, **options):
    seen.append(function.__name__)
    found = compile_into(context, function, *rest, **options)
    os.kill(os.getpid(), signal.SIGINT)
    return found


glue.compile_into = press
try:
    tiny_loop(x, 2)
except KeyboardInterrupt:
    print(seen)
glue.compile_into = compile_into
print((signal.getsignal(signal.SIGINT) is signal.default_int_handler, tiny_loop(x, 2)))
"""
    assert copy.run(code) == [["doubled"], (True, 7.0)]


def test_what_is_said_and_to_whom(copy):
    """A logger carries it; on a terminal, a line on stderr; to a pipe, nothing."""
    code = """
import logging, sys
from fastnn_kernels import compilation, leaves
from fastnn_kernels.tiny_leaf import tiny_total

messages = []
handler = logging.Handler()
handler.emit = lambda record: messages.append(record.getMessage())
logging.getLogger("fastnn").addHandler(handler)
logging.getLogger("fastnn").setLevel(logging.INFO)
tiny_total.seconds = 3.2
leaves.prepare([(tiny_total, "float64")])
print(messages)
written = []
sys.stderr = type("Terminal", (), {"isatty": lambda s: True, "write": lambda s, t: written.append(t),
                                   "flush": lambda s: None})()
sys.ps1 = ">>> "
compilation.announce(3, 2.6)
compilation.announce(1, 0.2)
print(["".join(written)])
"""
    logged, shown = copy.run(code)
    assert logged == ["compiling 1 kernels for this machine, once: about 3 s"]
    assert shown == ["fastnn: compiling 3 kernels for this machine, once: about 3 s\n"]


def test_private_names_of_numba_are_there():
    """A new numba that moves one of them fails here, by its name."""
    from fastnn_kernels import _numba

    assert [name for name in _numba.__all__ if not hasattr(_numba, name)] == []
    triple, processor, features = _numba.target()
    assert triple and processor and isinstance(features, str)
    for kind in vars(_numba).values():  # what is overridden here must still be called there
        if isinstance(kind, type) and kind.__module__ == _numba.__name__:
            own = [name for name, x in vars(kind).items() if callable(x) or hasattr(x, "func")]
            assert [name for name in own if not hasattr(kind.__base__, name)] == [], kind


def test_a_leaf_is_compiled_without_the_libraries_of_numba(copy):
    """They take half a second to load."""
    code = """
import sys
from fastnn_kernels.tiny_leaf import tiny_total

tiny_total.compile("float64")
print([name for name in ("scipy.linalg", "numba.np.arraymath", "numba.np.linalg") if name in sys.modules])
"""
    assert copy.run(code) == []
