"""Attack every public function with what an enemy, a bug or a broken disk would give it.

    python tests/attack.py 60                        a minute, all attacks
    python tests/attack.py 3600 --seed 7             an hour, with other dice
    python tests/attack.py 60 --only files,saves     some of them
    python tests/attack.py 60 --kernels FOLDER       the package fastnn_kernels that is in FOLDER

Each attack runs in processes of its own. A trial is refused by an error of value or type that changes
nothing, or done; anything else is found: a crash, a hang, another exception, a changed input, a wrong
result. The dice follow from the seed and the number of the trial, which are reported. The exit status is 1 if
something was found. See docs/attack.md.
"""

import argparse
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent / "support"
ROOT = SUPPORT.parent.parent
# A trial may have to compile its kernels first; one that takes longer is a hang.
HANG_SECONDS = 300
WORDS = 4096
COUNTS = 64


class Words:
    """What a process has counted and said last, in memory that outlives it."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), COUNTS + WORDS)

    def say(self, text):
        data = text.encode("utf-8", "backslashreplace")[:WORDS]
        self._memory[COUNTS : COUNTS + WORDS] = data.ljust(WORDS, b"\0")

    def count(self, number, done, refused):
        self._memory[:COUNTS] = f"{number} {done} {refused}".encode().ljust(COUNTS, b"\0")

    def read(self):
        """(number of the trial under way, done, refused), and the last words."""
        counts, said = self._memory[:COUNTS], self._memory[COUNTS:]
        numbers = [int(x) for x in counts.rstrip(b"\0").split()] or [0, 0, 0]
        return numbers, said.rstrip(b"\0").decode(errors="replace")


def child(name, path, seed, first, seconds):
    """Trials of one attack until the time is over; what is found goes to standard output, a line each."""
    import numpy as np

    from attacks import ATTACKS

    words, counts, number, seen = Words(path), {"done": 0, "refused": 0}, first, []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        words.count(number, counts["done"], counts["refused"])
        try:
            counts[ATTACKS[name](np.random.default_rng([seed, number]), words.say)] += 1
        except Exception as error:
            trace = traceback.format_exc(limit=-3)
            where = [(x.filename, x.lineno) for x in traceback.extract_tb(error.__traceback__)[-3:]]
            if where not in seen:  # the same thing is said once
                seen.append(where)
                print(json.dumps([number, words.read()[1], repr(error), trace]), flush=True)
        number += 1
    words.count(number, counts["done"], counts["refused"])


def attack(name, seed, seconds, kernels, most):
    """(done, refused, at most so many findings) of one attack; one that crashes is followed by another."""
    first, done, refused, findings = 0, 0, 0, []
    deadline = time.monotonic() + seconds
    folders = [kernels, str(SUPPORT), str(ROOT), str(ROOT / "kernels")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder, "words"), Path(folder, "log")
        while (left := deadline - time.monotonic()) > 0 and len(findings) < most:
            path.write_bytes(bytes(COUNTS + WORDS))
            Words(path).count(first, 0, 0)
            arguments = map(str, (name, path, seed, first, left))
            command = [sys.executable, "-X", "faulthandler", __file__, "--child", *arguments]
            with open(log, "w+b") as errors:
                process = subprocess.Popen(
                    command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True
                )
                try:
                    output, _ = process.communicate(timeout=left + HANG_SECONDS)
                    end = process.returncode
                except subprocess.TimeoutExpired:
                    process.kill()
                    output, end = process.communicate()[0], "a hang"
                errors.seek(0)
                said = errors.read().decode(errors="replace")[-1500:]
            findings += [dict(zip(("number", "what", "error", "trace"), json.loads(x), strict=True))
                         for x in output.splitlines()]  # fmt: skip
            (number, more, other), last = Words(path).read()
            done, refused, first = done + more, refused + other, number + 1
            if end != 0:
                how = signal.Signals(-end).name if isinstance(end, int) and end < 0 else end
                findings.append({"number": number, "what": last, "error": f"ended by {how}", "trace": said})
    return done, refused, findings[:most]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names of attacks, with commas")
    parser.add_argument("--kernels", default="", help="folder with another fastnn_kernels")
    parser.add_argument("--most", type=int, default=10, help="findings of one attack, then it ends")
    given = parser.parse_args()
    sys.path[:0] = [given.kernels, str(SUPPORT), str(ROOT), str(ROOT / "kernels")]
    from attacks import ATTACKS

    names = given.only.split(",") if given.only else list(ATTACKS)
    unknown = [name for name in names if name not in ATTACKS]
    if unknown:
        parser.error(f"unknown attack {unknown[0]!r}: expected some of {', '.join(ATTACKS)}")
    total = 0
    for name in names:
        started = time.monotonic()
        done, refused, findings = attack(
            name, given.seed, given.seconds / len(names), given.kernels, given.most
        )
        print(f"{name}: {done:,} done, {refused:,} refused, {len(findings)} found "
              f"in {time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
        for found in findings:
            print(
                f"  seed {given.seed}, trial {found['number']}: {found['what'][:600]}\n    {found['error']}"
            )
            print("".join(f"    {line}\n" for line in found["trace"].splitlines()), end="", flush=True)
        total += len(findings)
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        name, path, seed, first, seconds = sys.argv[2:]
        child(name, path, int(seed), int(first), float(seconds))
    else:
        main()
