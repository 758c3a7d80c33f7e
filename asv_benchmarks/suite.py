"""The asv suite: run it, compare commits with it, publish what it found.

    python asv_benchmarks/suite.py run [-b REGEX]           measure the working tree
    python asv_benchmarks/suite.py figures                  the same for all that is beside peers or the peak
    python asv_benchmarks/suite.py tables [--write]         the results as Markdown; into README.md and docs/
    python asv_benchmarks/suite.py publish                  make web pages of all results, in html/
    python asv_benchmarks/suite.py compare OLD NEW          measure two commits in turn: is NEW slower?
    python asv_benchmarks/suite.py history N [--peers]      measure N commits, the newest and others before it
    python asv_benchmarks/suite.py check | smoke            is the suite sound; run each benchmark once

FASTNN_BENCH=large measures more cases. `run` and `figures` use this Python, say how long they will take, and
print their tables; `compare` and `history` build each commit in an environment of their own, where --peers
installs the libraries of the extra "peers", to measure the newest commit beside them. Results are kept in
results/, by machine and commit: of `run` and `figures`, only if nothing is changed since the last commit; of
`compare`, which exits with 1 if anything got slower, never.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from running import CONFIG, STORE, expected_seconds, keep, machine_name, shown_progress

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# asv takes less for better. Seconds that are of peers too are not compared: ratios are.
COMPARED = (
    r"^(estimators|course|fleets|kernels|memory|precision|prediction|quality|searches|subnormals|training)\."
    r"(?!.*track_seconds)"
)
FIGURES = (
    r"^(training\.(Training|Start|Threads)|precision|prediction|estimators|fleets|searches|kernels\.Products|first"
    r"|subnormals|versions)\b"
)
NEWEST_ONLY = r"^versions\.", r"^(training.Training|prediction|versions)\b"  # without the peers, and with
HISTORY = r"^(?!versions\.)"
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


def asv(command, *arguments, config=CONFIG, log=None):
    """asv's exit status; what it says goes to the file `log`, if one is given."""
    # Its own process: asv leaves a pool of processes and a changed folder behind.
    call = [sys.executable, "-m", "asv", command, "--config", config, *arguments]
    return subprocess.run(call, stdout=log, stderr=log and subprocess.STDOUT).returncode


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
    """asv's options that name this machine."""
    return ["--machine", machine_name()]


def changed_since_commit():
    stores = [f":!asv_benchmarks/{name}" for name in ("results", "tables.json")]
    return git("status", "--porcelain", "--", "fastnn", "kernels", "asv_benchmarks", *stores)


def measure(pattern):
    """Run what matches on the working tree, show its tables, and keep them if they are of a commit."""
    import views
    from dashboard import results

    expected = expected_seconds(pattern)
    dirty = bool(changed_since_commit())
    smoke = os.environ.get("FASTNN_BENCH") == "smoke"
    print(f"This takes about {max(1, round(expected / 60))} minutes.", end=" ")
    print("The working tree has changes that are not committed: the results are shown, not kept." * dirty)
    with elsewhere() as config:
        # Into a folder of its own either way: asv writes lists of what it may find, too.
        with shown_progress(expected), tempfile.TemporaryFile("w+") as log:
            status = asv(
                "run", "--environment", "existing:same", *machine(), "--set-commit-hash",
                *git("rev-parse", "HEAD"), "--bench", pattern, "--show-stderr", config=config, log=log,
            )  # fmt: skip
            log.seek(0)
            said = log.read()
        if status != 0 or re.search(r"\bfailed\b", said):
            print(said)
        folder = config.parent / "results"
        with contextlib.suppress(FileNotFoundError):  # nothing that has a table was measured
            print("\n" + views.text(results.read(folder)))
        if not (dirty or smoke) and (folder / "benchmarks.json").is_file():
            keep(folder)
    return status


def run(options):
    return measure(options.bench[1] if options.bench else ".")


def figures(options):
    return measure(FIGURES)


def tables(options):
    import views
    from dashboard import results

    try:
        reports = results.read(STORE, machine_name())
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from None
    print(views.page(reports))
    if options.write:
        views.write(reports)


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
    tools = tomllib.loads(git_text("show", f"{commit}:pyproject.toml")).get("tool", {})
    packages = tools.get("setuptools", {}).get("packages", ["fastnn", *folders])
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
        from dashboard import publish as pages

        pages.main(HERE / "html", STORE, machine_name())
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
    command(figures)
    command(tables).add_argument(
        "--write", action="store_true", help="into README.md and docs/performance.md"
    )
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
