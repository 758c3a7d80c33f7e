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

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "asv_benchmarks"
THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
MODULES = """course estimators first fleets kernels memory precision prediction quality searches subnormals
training versions""".split()
DISCOVER = (
    "import sys; from asv_runner.discovery import list_benchmarks; list_benchmarks(sys.argv[1], sys.stdout)"
)

with pytest.MonkeyPatch.context() as patch:  # the suite sets threads and paths for its own processes
    for variable in THREADS:
        patch.setenv(variable, os.environ.get(variable, "1"))
    patch.syspath_prepend(str(FOLDER))
    import planted
    import running
    import suite
    from benchmarks import calls, cases, common, course, kernels, measure, peers, training

CONFIG = json.loads(suite.CONFIG.read_text())


@pytest.fixture(scope="module", params=measure.PROFILES)
def listed(request):
    """(profile, all benchmarks as asv finds them)."""
    environment = {**os.environ, "FASTNN_BENCH": request.param}
    call = [sys.executable, "-c", DISCOVER, str(FOLDER / "benchmarks")]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
    return request.param, json.loads(done.stdout)


def count(benchmark):
    return int(np.prod([len(values) for values in benchmark["params"]], dtype=int))


@pytest.mark.slow
def test_all_parts_are_found_in_every_profile(listed):
    profile, benchmarks = listed
    assert sorted({benchmark["name"].split(".")[0] for benchmark in benchmarks}) == MODULES
    assert all(count(benchmark) > 0 for benchmark in benchmarks)
    # Each case is a process, though most only look up.
    if profile != "large":
        assert sum(map(count, benchmarks)) <= {"smoke": 95, "regular": 700}[profile]


def test_what_commits_are_compared_by(listed):
    """Ratios of what was measured in turn, and figures of fastnn alone; never the seconds of a peer."""
    never_worse = [regex for regex, first in CONFIG["regressions_first_commits"].items() if first is None]
    for benchmark in listed[1]:
        name = benchmark["name"]
        unwatched = re.search(r"track_(seconds|version|gflops)$", name) is not None
        assert any(re.match(regex, name) for regex in never_worse) == unwatched, name
        assert not (unwatched and re.search(suite.COMPARED, name)), name
        if "against" in benchmark["param_names"]:
            assert re.search(r"track_(ratio|seconds)$", name) and benchmark["params"][0][0] == "'fastnn'"


def test_figures_are_said_to_take_less_than_fifteen_minutes():
    environment = {**os.environ, "FASTNN_BENCH": "regular"}
    code = "import suite; print(suite.expected_seconds(suite.FIGURES))"
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, env=environment, cwd=FOLDER, capture_output=True, text=True, check=True)
    assert 60 < float(done.stdout) < 900


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


def test_every_kernel_is_measured():
    assert set(calls.ACTIVATIONS) == set(ACTIVATIONS)
    assert calls.COSTS == tuple(COSTS)
    assert calls.OPTIMIZERS == tuple(OPTIMIZERS)
    assert {name.partition(" ")[0] for name in kernels.ALL} == {
        *calls.LAYERS,
        *ACTIVATIONS,
        *COSTS,
        *OPTIMIZERS,
    }
    assert set(kernels.SHOWN) <= set(kernels.ALL)


@pytest.mark.parametrize("name", kernels.ALL)
def test_both_sides_of_a_kernel_agree(name):
    _, ours, theirs = calls.call_of(name, 5, 16, "float32")
    measure.assert_agree(ours(), theirs(), 1e-4)


@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("shape", ((5, 7, 9), (32, 30, 128), (3, 4, 97)))
def test_both_sides_of_a_product_agree(shape, dtype):
    _, ours, theirs = calls.product(*shape, np.dtype(dtype).type)
    measure.assert_agree(ours(), theirs(), 1e-5)


@pytest.mark.parametrize("name", ("NumPy", "scikit-learn"))
@pytest.mark.parametrize(
    "case",
    (
        cases.Case((3, 5, 1), 8, 10),
        cases.Case((6, 5, 12), 8, 10, "tanh"),
        cases.Case((4, 6, 3), 8, 10, dtype="float64"),
    ),
    ids=lambda case: case.name,
)
def test_peers_learn_the_same(name, case):
    X, start = case.data[0], case.network().predict(case.data[0])
    sides = peers.all_installed(("fastnn", name), case, shuffle=False)
    peers.learn_the_same(sides, start, X)
    assert X.dtype == sides["fastnn"].outputs(X).dtype == case.dtype
    sides[name] = peers.Side(lambda epochs: None, lambda X: 9 * X[:, :1])
    with pytest.raises(AssertionError, match=f"{name}: .* from ours"):
        peers.learn_the_same(sides, start, X)


def test_what_is_not_installed_is_left_out_with_a_line(capsys):
    def absent(case):
        raise ImportError("no module named torch")

    sides = peers.all_installed(
        ("fastnn", "PyTorch"), None, among={"fastnn": lambda case: 1, "PyTorch": absent}
    )
    assert sides == {"fastnn": 1} and "PyTorch is left out" in capsys.readouterr().err


@pytest.mark.slow
def test_a_course_run_is_that_of_the_published_code():
    for name in course.HELPERS:
        ours, theirs = course.helper(name, 4, 9)
        measure.assert_agree([course.numbers(ours())], [course.numbers(theirs())], 1e-6)


def test_sides_take_turns_without_collections():
    order = []

    def side(name):
        def timer(times):
            order.append((name, gc.isenabled()))
            return 1e-3 * times

        return timer

    found = measure.take_turns({name: side(name) for name in "fgh"}, rounds=3, at_least=0)
    assert [len(samples) for samples in found.values()] == [3, 3, 3]
    assert [name for name, _ in order[-9:]] == list("fghhgffgh")
    assert not any(collecting for _, collecting in order[-9:]) and gc.isenabled()


def test_the_start_of_a_run_is_apart():
    """A run that takes 20 ms before its first epoch, and 1 ms an epoch."""
    clock = [0.0]

    def run(epochs):
        clock[0] += 0.02 + 0.001 * epochs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure.time, "perf_counter", lambda: clock[0])
        assert measure.epoch_seconds(run, 10) == pytest.approx(0.001)


def test_what_disagrees_is_not_timed():
    for wrong in (np.full(3, 1.01), np.full(3, np.nan), np.ones(4)):
        with pytest.raises(AssertionError):
            measure.assert_agree((np.ones(3),), (wrong,), 1e-3)
    with pytest.raises(ValueError):
        measure.assert_agree((np.ones(3),), (np.ones(3), np.ones(3)), 1e-3)


def test_a_child_has_its_cpus_and_threads():
    assert measure.in_child(measure.cpus) == measure.cpus()[:1]
    with pytest.raises(NotImplementedError, match="CPUs"):
        measure.in_child(measure.cpus, threads=10_000)
    with pytest.raises(RuntimeError, match="no such"):
        measure.in_child(training.beside, "no such network", [])


def test_results_are_kept_by_commit_and_version(tmp_path, monkeypatch):
    version = ".".join(map(str, sys.version_info[:2]))
    measured, store = tmp_path / "measured", tmp_path / "store"
    path = measured / "bench" / "12345678-existing-py_path.json"
    path.parent.mkdir(parents=True)
    store.mkdir()
    (measured / "benchmarks.json").write_text("{}")
    monkeypatch.setattr(running, "STORE", store)
    about = {"commit_hash": "12345678" * 5, "env_name": "existing", "python": "/a/path", "env_vars": {},
             "params": {"python": "/a/path"}, "durations": {}}  # fmt: skip
    for name in ("a", "b"):
        path.write_text(json.dumps(about | {"results": {name: [1]}}))
        running.keep(measured)
    (kept,) = (store / "bench").iterdir()
    assert kept.name.startswith("12345678-") and kept.name.endswith(f"python{version}.json")
    assert ("other" in kept.name) == (version not in CONFIG["pythons"])
    assert json.loads(kept.read_text())["results"] == {"a": [1], "b": [1]}
    assert "path" not in kept.read_text()


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
