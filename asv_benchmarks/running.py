"""A run on this machine: what it is called, how long it will take, how far it is, and where results go."""

import contextlib
import importlib
import inspect
import json
import math
import os
import pkgutil
import platform
import re
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "kernels")]  # this tree's fastnn, whichever is installed
CONFIG, STORE = HERE / "asv.conf.json", HERE / "results"


def machine_name():
    """After its processor, kind included, not as others call it; asv learns it too."""
    from asv.machine import Machine, MachineCollection

    from fastnn.processor import processor

    about = {**Machine.get_defaults(), "cpu": processor()}
    name = re.sub(r"\W+", "-", f"{about['cpu']} {about['num_cpu']} cpus").strip("-").lower()
    MachineCollection.save(name, {**about, "machine": name, "os": platform.system()})
    return name


def expected_seconds(pattern):
    """About what the benchmarks that match will take, by what their classes say of a case."""
    import benchmarks

    total = 0.0
    for module in pkgutil.iter_modules(benchmarks.__path__):
        for name, found in vars(importlib.import_module(f"benchmarks.{module.name}")).items():
            own = isinstance(found, type) and found.__module__ == f"benchmarks.{module.name}"
            if own and hasattr(found, "seconds") and not inspect.isabstract(found):
                functions = [x for x in dir(found) if x.startswith("track_")]
                if any(re.search(pattern, f"{module.name}.{name}.{x}") for x in functions):
                    looked_up = len(functions) * math.prod(map(len, found.params))
                    total += found.seconds * len(list(found.cases(found))) + 0.2 * looked_up
    return total


@contextlib.contextmanager
def shown_progress(expected):
    """The lines that the benchmarks' processes write, each with the time since the start."""
    start, done = time.monotonic(), threading.Event()

    def clock(seconds):
        return f"{int(seconds) // 60}:{int(seconds) % 60:02}"

    def follow(file):
        while not done.wait(0.5):
            for line in file:
                spent = clock(time.monotonic() - start)
                print(f"[{spent} of about {clock(expected)}] {line}", end="", flush=True)

    with tempfile.NamedTemporaryFile("r", suffix=".progress") as file:
        os.environ["FASTNN_PROGRESS"] = file.name
        thread = threading.Thread(target=follow, args=(file,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            del os.environ["FASTNN_PROGRESS"]


def keep(folder):
    """Move results of this Python from a folder to the store, beside what it has of the same commit.

    They are named after Python's version, where asv would name a path; of other versions than the
    configuration's git ignores them.
    """
    from benchmarks import LIMITS

    version = platform.python_version().rpartition(".")[0]
    kind = "python" if version in json.loads(CONFIG.read_text())["pythons"] else "other-python"
    name = f"{kind}{version}"
    for path in sorted(folder.glob("*/*.json")):
        target = STORE / path.parent.name / path.name
        if path.name != "machine.json":
            found = json.loads(path.read_text())
            limits = {key: "1" for key in found["env_vars"]} or dict.fromkeys(LIMITS, "1")
            found |= {"env_name": name, "python": version, "env_vars": limits}
            found["params"]["python"] = version
            target = target.with_name(f"{found['commit_hash'][:8]}-{name}.json")
            if target.is_file():
                before = json.loads(target.read_text())
                for part in ("results", "durations"):
                    found[part] = before[part] | found[part]
            path.write_text(json.dumps(found))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    listed = STORE / "benchmarks.json"  # older results are of benchmarks that are no more
    known = json.loads(listed.read_text()) if listed.is_file() else {}
    listed.write_text(json.dumps(known | json.loads((folder / "benchmarks.json").read_text()), indent=4))
