"""The asv suite: run it, compare commits with it, publish what it found.

    python asv_benchmarks/suite.py run [-b REGEX]           measure the working tree
    python asv_benchmarks/suite.py compare OLD NEW          measure two commits in turn: is NEW slower?
    python asv_benchmarks/suite.py history N [--peers]      measure N commits, the newest and others before it
    python asv_benchmarks/suite.py publish                  make web pages of all results, in html/
    python asv_benchmarks/suite.py check | smoke            is the suite sound; run each benchmark once

FASTNN_BENCH=large measures more cases. `run` uses this Python; `compare` and `history` build each commit in
an environment of their own, where --peers installs the libraries of the extra "peers", to measure the newest
commit beside them. Results are kept in results/, by machine and commit: of `run`, only if nothing is changed
since the last commit; of `compare`, which exits with 1 if anything got slower, never.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CONFIG = HERE / "asv.conf.json"
# asv takes less for better. What is better when it is more, or not of fastnn, is not compared.
COMPARED = r"^(estimators|course|inference|kernels|memory|peak|quality|ratios|scaling|training)\."
COMPARED += r"(?!.*track_(speedup|gflops|reference_seconds))"
NEWEST_ONLY = r"^versions\.", r"^(peers|versions)\."  # without the peers, and with them
HISTORY = r"^(?!(peers|versions)\.)"
# Slower by less is noise, even between two runs of one commit.
FACTOR = "1.15"


def git_text(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"git {' '.join(arguments)} failed: {done.stderr.splitlines()[0]}")
    return done.stdout


def git(*arguments):
    """The words of git's answer."""
    return git_text(*arguments).split()


def asv(command, *arguments, config=CONFIG):
    """asv's exit status."""
    # Its own process: asv leaves a pool of processes and a changed folder behind.
    return subprocess.run([sys.executable, "-m", "asv", command, "--config", config, *arguments]).returncode


@contextlib.contextmanager
def elsewhere():
    """The configuration for results that are not kept; asv saves its list of benchmarks even in a dry run."""
    with tempfile.TemporaryDirectory() as folder:
        config = json.loads(CONFIG.read_text())
        for name in ("repo", "benchmark_dir", "env_dir"):
            config[name] = str((HERE / config[name]).resolve())
        path = Path(folder, CONFIG.name)
        path.write_text(json.dumps(config))
        yield path


def machine():
    """asv's options that name this machine: after what it is, not as others call it."""
    from asv.machine import Machine, MachineCollection

    about = Machine.get_defaults()
    name = re.sub(r"\W+", "-", f"{about['cpu']} {about['num_cpu']} cpus").strip("-").lower()
    MachineCollection.save(name, {**about, "machine": name, "os": platform.system()})
    return ["--machine", name]


def run(options):
    kept = ["--dry-run"]
    if git("status", "--porcelain", "--", "fastnn", "kernels"):
        print("The working tree has changes that are not committed: the results are shown, not kept.")
    else:
        kept = ["--set-commit-hash", *git("rev-parse", "HEAD")]
    return asv("run", "--environment", "existing:same", *machine(), *kept, *options.bench, "--show-stderr")


def compare(options):
    commits = [git("rev-parse", f"{name}^{{commit}}")[0] for name in (options.old, options.new)]
    bench = options.bench or ["--bench", COMPARED]
    with elsewhere() as config:
        return asv(
            "continuous", *commits, *machine(), *bench, "--factor", FACTOR, "--interleave-rounds",
            "--show-stderr", config=config,
        )  # fmt: skip


def installable(commit):
    """It has networks to measure, and every package that its own pyproject.toml names."""
    files = set(git("ls-tree", "-r", "--name-only", commit))
    folders = {"fastnn_kernels": "kernels/fastnn_kernels"}
    packages = tomllib.loads(git_text("show", f"{commit}:pyproject.toml"))["tool"]["setuptools"]["packages"]
    paths = {folders.get(name, name.replace(".", "/")) + "/__init__.py" for name in packages}
    return paths | {"fastnn/network.py"} <= files


def commits_to_measure(count):
    """The newest commit and others before it, evenly spread over those that changed what is measured."""
    changed = git("log", "--format=%H", "--first-parent", "--", "fastnn", "kernels")
    commits = [x for x in dict.fromkeys(git("rev-parse", "HEAD") + changed) if installable(x)]
    count = min(count, len(commits))
    return [commits[round(i * (len(commits) - 1) / max(count - 1, 1))] for i in range(count)]


def history(options):
    commits = commits_to_measure(options.count)
    common = [*machine(), "--show-stderr", "--attribute", "rounds=1"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        print(*commits, sep="\n", file=file, flush=True)
        status = asv("run", f"HASHFILE:{file.name}", "--bench", HISTORY, "--skip-existing", *common)
    if options.peers:
        install_peers()
    return asv("run", f"{commits[0]}^!", "--bench", NEWEST_ONLY[options.peers], *common) or status


def install_peers():
    """Into the environment in which asv measures commits."""
    from asv.config import Config
    from asv.environment import get_environments

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    os.chdir(HERE)
    for environment in get_environments(Config.load(str(CONFIG)), None):
        environment.create()
        wanted = project["optional-dependencies"]["peers"]
        environment.run_executable("python", ["-m", "pip", "install", *wanted], timeout=3600)


def publish(options):
    status = asv("publish")
    if status == 0:
        sys.path.insert(0, str(HERE))
        from dashboard import publish as pages

        pages.main(HERE / "html", HERE / "results")
    return status


def check(options):
    with elsewhere() as config:
        return asv("check", "--environment", "existing", config=config)


def smoke(options):
    os.environ["FASTNN_BENCH"] = "smoke"
    with elsewhere() as config:
        return asv(
            "run", "--quick", "--dry-run", "--environment", "existing", *machine(), *options.bench,
            "--show-stderr", "--durations", "10", config=config,
        )  # fmt: skip


def positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of commits, at least 1")
    return int(text)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)

    def command(function, *names):
        added = commands.add_parser(function.__name__)
        added.set_defaults(function=function)
        for name in names:
            added.add_argument(name)
        return added

    for added in (command(run), command(compare, "old", "new"), command(smoke)):
        added.add_argument(
            "-b", "--bench", type=lambda text: ("--bench", text), default=(), help="only those that match"
        )
    added = command(history)
    added.add_argument("count", type=positive, metavar="N")
    added.add_argument("--peers", action="store_true")
    command(publish)
    command(check)
    options = parser.parse_args()
    if importlib.util.find_spec("asv") is None:
        raise SystemExit("asv is not installed: pip install -e '.[bench]'")
    if (profile := os.environ.get("FASTNN_BENCH", "regular")) not in ("smoke", "regular", "large"):
        raise SystemExit(f"FASTNN_BENCH={profile!r}: give smoke, regular or large")
    return options.function(options)


if __name__ == "__main__":
    sys.exit(main())
