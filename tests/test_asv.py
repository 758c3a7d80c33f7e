"""The asv suite by itself: its grids, its ratios, and what the comparison of two commits calls slower."""

import gc
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("asv", reason="asv is not installed: pip install 'fastnn[bench]'")

from asv.commands.compare import Compare  # noqa: E402
from asv.config import Config  # noqa: E402
from asv_runner.statistics import compute_stats  # noqa: E402

from fastnn_kernels.activations import ACTIVATIONS  # noqa: E402
from fastnn_kernels.costs import COSTS  # noqa: E402
from fastnn_kernels.optimizers import OPTIMIZERS  # noqa: E402

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "asv_benchmarks"
THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
MODULES = ("course estimators inference kernels memory peak peers quality ratios scaling startup training "
           "versions").split()  # fmt: skip
DISCOVER = (
    "import sys; from asv_runner.discovery import list_benchmarks; list_benchmarks(sys.argv[1], sys.stdout)"
)

with pytest.MonkeyPatch.context() as patch:  # the suite sets threads and paths for its own processes
    for variable in THREADS:
        patch.setenv(variable, os.environ.get(variable, "1"))
    patch.syspath_prepend(str(FOLDER))
    import planted
    import suite
    from benchmarks import calls, common, models

CONFIG = json.loads(suite.CONFIG.read_text())


@pytest.fixture(scope="module", params=common.PROFILES)
def listed(request):
    """(profile, all benchmarks as asv finds them)."""
    environment = {**os.environ, "FASTNN_BENCH": request.param}
    call = [sys.executable, "-c", DISCOVER, str(FOLDER / "benchmarks")]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
    return request.param, json.loads(done.stdout)


def cases(benchmark):
    return int(np.prod([len(values) for values in benchmark["params"]], dtype=int))


def test_all_parts_are_found_in_every_profile(listed):
    profile, benchmarks = listed
    assert sorted({benchmark["name"].split(".")[0] for benchmark in benchmarks}) == MODULES
    assert all(cases(benchmark) > 0 and benchmark["version"] == "1" for benchmark in benchmarks)
    # Each case is a process, though most only look up: six commits should take less than half an hour.
    if profile != "large":
        assert sum(map(cases, benchmarks)) <= {"smoke": 90, "regular": 350}[profile]


def test_better_is_less_where_commits_are_compared(listed):
    never_worse = [regex for regex, first in CONFIG["regressions_first_commits"].items() if first is None]
    for name in (benchmark["name"] for benchmark in listed[1]):
        more_is_better = re.search(r"track_(speedup|gflops)$", name) is not None
        of_others = re.search(r"track_(reference_seconds|version)$", name) is not None
        assert any(re.match(regex, name) for regex in never_worse) == (more_is_better or of_others), name
        if more_is_better or of_others:
            assert not re.search(suite.COMPARED, name), name


def test_configuration_has_only_keys_that_asv_knows():
    """asv ignores the others, and so a misspelt one, without a word."""
    assert CONFIG.keys() <= Config().__dict__.keys() | {"version", "build_cache_size"}
    assert set(CONFIG["matrix"]["env_nobuild"]) == set(THREADS)
    assert (FOLDER / CONFIG["repo"]).resolve() == ROOT


def test_the_runner_is_the_pinned_one():
    """asv_runner 0.3 calls a benchmark with a setup once a sample: 140 ns for what takes 47."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (runner,) = CONFIG["matrix"]["req"]["pip+asv_runner"]
    assert f"asv_runner{runner}" in extras["bench"] and runner == "==0.2.5"


def test_every_kernel_is_in_the_large_profile():
    assert calls.ACTIVATIONS == tuple(ACTIVATIONS)
    assert calls.COSTS == tuple(COSTS)
    assert calls.OPTIMIZERS == tuple(OPTIMIZERS)


@pytest.mark.parametrize(
    "name",
    (
        *calls.PRODUCTS,
        *calls.LAYERS,
        *(f"{name} {way}" for name in calls.ACTIVATIONS for way in ("forward", "backward")),
        *calls.COSTS,
        *calls.OPTIMIZERS,
    ),
)
def test_both_sides_of_a_kernel_agree(name):
    ours, theirs = calls.call_of(name, 5, 9, "float32")
    common.assert_agree(ours(), theirs(), 1e-4)


def test_both_sides_of_a_training_agree():
    for dtype in ("float32", "float64"):
        ours, theirs = (call() for call in models.trainings((3, 5, 1), 8, 80, dtype=dtype))
        common.assert_agree(ours, theirs, 1e-4)
        assert ours[0].dtype == theirs[0].dtype == dtype


def test_ratios_are_of_calls_in_turn_without_collections():
    order = []

    def side(name):
        def call():
            order.append((name, gc.isenabled()))
            return (np.ones(3),)

        return call

    found = common.paired(side("f"), side("g"), 1e-6, pairs=4, at_least=0)
    assert found.shape == (4, 2) and (found > 0).all()
    assert [name for name, _ in order[-8:]] == list("fggffggf")
    assert not any(collecting for _, collecting in order[-8:]) and gc.isenabled()


def test_what_disagrees_is_not_timed():
    for wrong in (np.full(3, 1.01), np.full(3, np.nan), np.ones(4)):
        with pytest.raises(AssertionError):
            common.paired(lambda: (np.ones(3),), lambda wrong=wrong: (wrong,), 1e-3)
    with pytest.raises(ValueError):
        common.paired(lambda: (np.ones(3),), lambda: (np.ones(3), np.ones(3)), 1e-3)


def test_only_older_commits_may_lack_something(monkeypatch):
    def lack():
        with common.or_skip():
            raise AttributeError("no such kernel")

    monkeypatch.delenv("ASV_COMMIT", raising=False)
    with pytest.raises(AttributeError):
        lack()
    monkeypatch.setenv("ASV_COMMIT", "0" * 40)
    with pytest.raises(NotImplementedError, match="no such kernel"):
        lack()


def results(median, spread):
    """What asv has of one benchmark after two rounds, as `Compare` takes it."""
    samples = [median * (1 + spread * x) for x in np.linspace(-1, 1, 20)]
    value, stats = compute_stats(samples, 1)
    yield "kernels.f", [], [value], [stats], [samples], "1", "bench", "environment"


@pytest.mark.parametrize(
    "median, spread, slower",
    ((1.0, 0.02, False), (1.1, 0.02, False), (1.3, 0.02, True), (1.3, 1.0, False), (0.5, 0.02, False)),
)
def test_a_slowdown_is_one_that_is_large_and_no_noise(tmp_path, median, spread, slower):
    config = Config()
    config.results_dir = str(tmp_path)
    (tmp_path / "benchmarks.json").write_text(json.dumps({"version": 2}))
    worse, _ = Compare.print_table(
        config, "a" * 40, "b" * 40, factor=float(suite.FACTOR), split=False,
        resultset_1=results(1.0, spread), resultset_2=results(median, spread),
    )  # fmt: skip
    assert worse == slower


def test_what_planted_edits_is_there():
    text = (ROOT / planted.KERNEL).read_text()
    assert text.count(planted.RELU) == text.count(planted.COMMENTED[0]) == 1


def test_history_takes_what_can_be_installed(tmp_path, monkeypatch):
    project = '[tool.setuptools]\npackages = ["fastnn", "fastnn.later", "fastnn_kernels"]\n'
    files = ["fastnn/__init__.py", "fastnn/network.py", "fastnn/later/__init__.py",
             "kernels/fastnn_kernels/__init__.py", "README.md"]  # fmt: skip
    (tmp_path / "pyproject.toml").write_text(project)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        planted.commit(tmp_path, name)
    assert suite.commits_to_measure(3) == suite.git("log", "--format=%H", "-2")
    assert suite.commits_to_measure(1) == suite.git("rev-parse", "HEAD")
