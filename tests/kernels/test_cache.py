"""The cache's policy, shown by child processes that run a copy of the package."""

import os
import zipfile

import pytest

from package_copy import AS_A_USER, CACHED, COMPILED, REPORT, TINY

pytestmark = pytest.mark.slow
posix = pytest.mark.skipif(os.name == "nt", reason="needs the permissions and limits of POSIX")


def test_a_second_process_loads_and_writes_nothing(copy):
    assert copy.run() == COMPILED
    before = copy.entries()
    assert before and all(path.suffix == ".nbc" for path in before)
    assert copy.run() == CACHED
    assert copy.entries() == before
    assert copy.run(REPORT + "tiny.recompile()") == CACHED
    assert copy.entries() != before


def test_an_edited_file_is_never_served_stale(copy):
    edits = (
        ("tiny.py", "- 0.5", "- 1.5", 5.5),
        ("tiny_formula.py", "SCALE = 2.0", "SCALE = 4.0", 11.5),
        ("tiny_formula.py", "+ 1.0", "* 1.0", 10.5),
    )
    assert copy.run() == COMPILED
    for name, old, new, result in edits:
        copy.edit(name, old, new)
        assert copy.run() == (result, 0, 1)
    assert copy.run() == (result, 1, 0)
    for name, old, new, _ in edits:
        copy.edit(name, new, old)
    assert copy.run() == COMPILED


def test_any_change_to_any_file_invalidates(copy):
    """One process imports the package afresh after each edit."""
    printed = copy.run("""
import sys
from pathlib import Path

def misses():
    for name in [name for name in sys.modules if name.startswith("fastnn_kernels")]:
        del sys.modules[name]
    from fastnn_kernels.tiny import tiny
    assert tiny(3.0) == 6.5
    return sum(tiny.stats.cache_misses.values())

assert (misses(), misses()) == (1, 0)
package = Path(fastnn_kernels.__file__).parent
for path in sorted(package.glob("*.py")):
    path.write_text(path.read_text() + "# edited\\n")
    print((path.name, misses(), misses()))
extra = package / "extra.py"
for change in (extra.touch, lambda: extra.rename(package / "other.py"), (package / "other.py").unlink):
    change()
    print(("extra.py", misses(), misses()))
""")
    assert len(printed) > 10
    assert [line for line in printed if line[1:] != (1, 0)] == []


def test_a_kernel_outside_the_package_is_known_by_its_own_file_too(copy):
    (copy.package.parent / "elsewhere.py").write_text(TINY)
    report = REPORT.replace("fastnn_kernels.tiny", "elsewhere")
    assert copy.run(report) == COMPILED
    (copy.package.parent / "elsewhere.py").write_text(TINY.replace("0.5", "1.5"))
    assert copy.run(report)[0] == 5.5
    copy.edit("tiny_formula.py", "SCALE = 2.0", "SCALE = 4.0")
    assert copy.run(report)[0] == 11.5


def test_an_archive_is_never_served_stale(copy):
    """A package imported from a zip file has no files that could be listed."""
    archive = copy.folder / "archive.zip"

    def run():
        with zipfile.ZipFile(archive, "w") as file:
            for path in copy.package.glob("*.py"):
                file.write(path, f"fastnn_kernels/{path.name}")
        return copy.run(PYTHONPATH=archive, NUMBA_CACHE_DIR=None)

    assert run()[0] == 6.5
    copy.edit("tiny_formula.py", "SCALE = 2.0", "SCALE = 4.0")
    assert run()[0] == 12.5


def test_each_target_has_its_own_entries(copy):
    """Vectors are narrower under the name of another processor, unless its features are given too."""
    *report, features = copy.run(f"""{REPORT}
from numba.core.registry import cpu_target
print(repr(cpu_target.target_context.codegen().magic_tuple()[2]))
""")
    assert report == [COMPILED]
    assert copy.run(NUMBA_CPU_NAME="haswell") == COMPILED
    assert copy.run(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=features) == COMPILED
    assert copy.run() == CACHED


def test_two_processes_may_warm_an_empty_cache_at_once(copy):
    report, results = copy.many(6)
    wait = "import fastnn_kernels.tiny_many\nprint(0, flush=True)\ninput()\n"
    children = [copy.start(wait + report) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "0\n"
    for child in children:  # both have imported and compiled nothing: go
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        assert copy.finish(child)[0] == results
    assert copy.run(report) == (results, [1] * 6)
    assert {path.suffix for path in copy.entries()} == {".nbc"}


def test_damaged_entries_are_compiled_again_in_silence(copy):
    damages = (
        lambda blob: b"",
        lambda blob: blob[:1],
        lambda blob: blob[:31],
        lambda blob: blob[:32],
        lambda blob: blob[:33],
        lambda blob: blob[: len(blob) // 2],
        lambda blob: blob[:-1],
        lambda blob: blob + b"\0",
        lambda blob: bytes(len(blob)),
        lambda blob: bytes([blob[0] ^ 1]) + blob[1:],
        lambda blob: blob[:40] + bytes([blob[40] ^ 128]) + blob[41:],
        lambda blob: blob[:-40] + bytes([blob[-40] ^ 16]) + blob[-39:],
        lambda blob: b"not an entry\n" * 100,
    )
    count = len(damages) + 2
    report, results = copy.many(count)
    assert copy.run(report) == (results, [0] * count)
    paths = [next(copy.cache.rglob(f"tiny_many.f{i}-*.nbc")) for i in range(count)]
    *damaged, foreign, folder = paths
    foreign.write_bytes(paths[0].read_bytes())  # the sound entry of another kernel
    for path, damage in zip(damaged, damages, strict=True):
        path.write_bytes(damage(path.read_bytes()))
    folder.unlink()
    folder.mkdir()
    assert copy.run(report) == (results, [0] * count)
    assert copy.run(report) == (results, [1] * (count - 1) + [0])
    assert {path.suffix for path in copy.entries()} == {".nbc"}


def test_what_cannot_be_saved_is_still_right(copy):
    report, results = copy.many(3)
    code = f"""
import errno, os, shutil
from unittest import mock
import fastnn_kernels.tiny_many as tiny_many

folder = tiny_many.f0._cache.cache_path
full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
with mock.patch("os.replace", side_effect=full):
    assert tiny_many.f0(3.0) == 7.0
if os.name != "nt":
    import resource
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    assert tiny_many.f1(3.0) == 8.0
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
assert os.listdir(folder) == [], "left something behind"
shutil.rmtree(folder)
open(folder, "w").close()
{report}
"""
    assert copy.run(code) == (results, [0] * 3)


def test_no_place_for_a_cache_at_all(copy):
    (copy.package / "__pycache__").write_text("a file, not a folder")
    (copy.folder / "file").touch()
    nowhere = {"NUMBA_CACHE_DIR": copy.folder / "file" / "cache", "HOME": copy.folder / "file" / "home"}
    before = copy.entries(copy.folder)
    assert copy.run(**nowhere) == COMPILED
    assert copy.entries(copy.folder) == before


@pytest.mark.parametrize("obstacle", ("the cache folder", "__pycache__"))
def test_the_next_place_is_taken_where_one_is_barred(copy, obstacle):
    if obstacle == "__pycache__":
        (copy.package / "__pycache__").touch()
        environment = {"NUMBA_CACHE_DIR": None}
    else:
        copy.cache.touch()
        environment = {}
    assert copy.run(**environment) == COMPILED
    assert copy.run(**environment) == CACHED


@posix
@pytest.mark.parametrize("home", ("writable", "read-only"))
def test_a_readonly_install(copy, home):
    """As root installs it for others: no user can write in the package, some not even at home."""
    (copy.package / "__pycache__").mkdir()
    (copy.folder / "home").mkdir()
    folders = [copy.package, copy.package / "__pycache__"]
    folders += [copy.folder / "home"] if home == "read-only" else []
    for folder in folders:
        folder.chmod(0o555)
    try:
        before = copy.entries(copy.package)
        assert copy.run(AS_A_USER + REPORT, NUMBA_CACHE_DIR=None) == COMPILED
        again = copy.run(AS_A_USER + REPORT, NUMBA_CACHE_DIR=None)
        assert again == (CACHED if home == "writable" else COMPILED)
        assert copy.entries(copy.package) == before
    finally:
        for folder in folders:
            folder.chmod(0o755)


@posix
def test_the_cache_becomes_readonly_behind_a_running_process(copy):
    code = (
        AS_A_USER
        + "import fastnn_kernels.tiny as module, os\nos.chmod(module.tiny._cache.cache_path, 0o555)\n"
    )
    try:
        assert copy.run(code + REPORT) == COMPILED
        assert copy.entries() == {}
    finally:
        for folder in copy.cache.iterdir():
            folder.chmod(0o755)


@posix
def test_entries_are_as_readable_as_other_files(copy):
    """What root warms, users load."""
    assert copy.run("import os; os.umask(0o022)\n" + REPORT) == COMPILED
    assert {oct(path.stat().st_mode & 0o777) for path in copy.entries()} == {"0o644"}
