"""A small git repository with made-up results of asv, for tests of the pages about speed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from asv.benchmarks import Benchmarks
from asv.machine import Machine
from asv.results import Results
from asv.util import write_json

sys.path.append(str(Path(__file__).parents[2] / "asv_benchmarks"))

MACHINE = {"machine": "bench", "cpu": "Made-up CPU <8>", "num_cpu": "2", "ram": "4000000000", "os": "Linux 6",
           "arch": "x86_64"}  # fmt: skip
NETWORKS = ["'2-4-1, batch 32'", "'784-128-10, batch 64'"]
BESIDE = ["against", "network"], [["'fastnn'", "'NumPy'", "'PyTorch'", "'JAX'", "'FMA peak'"], NETWORKS]
THREADS = ["threads", "network"], [["1", "2"], NETWORKS[:1]]
# name: (unit, names of the parameters, their values, the medians of all cases at the first commit)
BENCHMARKS = {
    "training.Training.track_ratio": (
        "of the other's time",
        *BESIDE,
        [1.0, 1.0, 0.05, 2.0, 1 / 90, None, 1.0, 1 / 1.3, 50.0, 1.25],
    ),
    "training.Training.track_seconds": (
        "seconds",
        *BESIDE,
        [2e-6, 3e-4, 4e-5, 1.5e-4, 1.8e-4, None, 2e-6, 3.9e-4, 4e-8, 2.4e-4],
    ),
    "training.Width.track_step": (
        "seconds",
        ["library", "width"],
        [["'fastnn'", "'NumPy'"], ["8", "64", "512"]],
        [1e-6, 1e-5, 3e-4, 2e-5, 6e-5, 9e-4],
    ),
    "training.Threads.track_seconds": ("seconds", *THREADS, [2e-6, 1e-6]),
    "training.Threads.track_ratio": ("of one thread's time", *THREADS, [1.0, 0.5]),
    "first.FirstRun.track_cpu_seconds": (
        "seconds",
        ["run", "cache"],
        [["'fit'"], ["'empty'", "'warm'"]],
        [2.5, 0.2],
    ),
    "versions.Versions.track_version": ("version", ["library"], [["'numba'"]], [6801]),
    "quality.Gradient.track_error": ("relative error", [], [], [3e-13]),
    "memory.peakmem_fit": ("bytes", [], [], [9e7]),
}


def run(*call, cwd, **environment):
    """A command that must succeed."""
    done = subprocess.run(call, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, f"{call}: {done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def commit(folder, day):
    date = f"2026-11-{day:02}T12:00:00+0000"
    name = {f"GIT_{who}_{what}": "someone" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    (folder / "text").write_text(str(day))
    run("git", "add", ".", cwd=folder)
    run("git", "-c", "commit.gpgsign=false", "commit", "-m", f"day {day}", cwd=folder, **name,
        GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)  # fmt: skip
    return run("git", "rev-parse", "HEAD", cwd=folder)


def samples_around(median):
    """Five, with quartiles at 0.95 and 1.05 times the median."""
    return [median * factor for factor in (0.9, 0.95, 1, 1.05, 1.1)]


def add(results, name, medians):
    unit, names, values, _ = BENCHMARKS[name]
    measured = SimpleNamespace(
        result=[None if x is None else 1.0 for x in medians],
        samples=[None if x is None else samples_around(x) for x in medians],
        number=[None if x is None else 1 for x in medians],
        stderr="", errcode=0, profile=None,
    )  # fmt: skip
    results.add_result({"name": name, "params": values, "version": "1"}, measured)


def make_project(folder, commits=3):
    """asv's configuration, a repository and results in `folder`; each commit is 2% faster than the last."""
    source, results_dir = folder / "source", folder / "results"
    source.mkdir(parents=True)
    run("git", "init", "--initial-branch=main", cwd=source)
    configuration = {"version": 1, "project": "fastnn", "project_url": "#", "repo": "source", "dvcs": "git",
                     "branches": ["HEAD"], "benchmark_dir": "benchmarks"}  # fmt: skip
    (folder / "asv.conf.json").write_text(json.dumps(configuration))
    listed = {
        name: {"name": name, "unit": unit, "param_names": names, "params": values, "version": "1", "code": "",
               "type": "track"}
        for name, (unit, names, values, _) in BENCHMARKS.items()
    }  # fmt: skip
    (results_dir / "bench").mkdir(parents=True)
    write_json(str(results_dir / "benchmarks.json"), listed, Benchmarks.api_version)
    write_json(str(results_dir / "bench" / "machine.json"), MACHINE, Machine.api_version)
    for day in range(1, commits + 1):
        threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        where = {"machine": "bench", "python": "3.11"}
        results = Results(where, {}, commit(source, day), day * 86_400_000, "3.11", "py3.11", threads)
        for name, (unit, _, _, medians) in BENCHMARKS.items():
            drift = {"of the other's time": 1 / 1.02, "seconds": 0.98}.get(unit, 1) ** (day - 1)
            add(results, name, [None if x is None else x * drift for x in medians])
        results.save(str(results_dir))
    return folder


def publish(folder):
    """What `asv publish` writes."""
    run(sys.executable, "-m", "asv", "publish", "--no-pull", cwd=folder)
    return folder / "html"
