"""Show that `suite.py compare` sees a slowdown: plant one in a copy of the repository, some minutes.

    python asv_benchmarks/planted.py

The copy has three commits: the working tree, the same with a word changed in a comment, and the same with
ReLU's derivative taking two needless passes over its array. The first pair must compare as equal, the
second must not.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNEL = "kernels/fastnn_kernels/activations.py"
RELU = """            for i in range(rows * n):  # a NaN in A is neither <= 0 nor > 0
"""
NEEDLESS = """            for i in range(rows * n):
                d[i] = -d[i]
"""
COMMENTED = "LEAKY_RELU_SLOPE = 0.01", "# Below zero.\nLEAKY_RELU_SLOPE = 0.01"
BENCH = r"^kernels\.Kernels\.track_ratio"  # taken in turn with NumPy's: a busy machine slows both


def run(*command, folder, **options):
    return subprocess.run(command, cwd=folder, **options)


def commit(folder, message, edit=None):
    """All that is in the folder, after an edit of the kernel: (old, new)."""
    if edit is not None:
        path = Path(folder, KERNEL)
        text = path.read_text()
        assert text.count(edit[0]) == 1, f"{KERNEL} has changed: adapt what is planted"
        path.write_text(text.replace(*edit))
    identity = ["-c", "user.name=planted", "-c", "user.email=planted@localhost"]
    run("git", "add", "--all", folder=folder, check=True)
    run("git", *identity, "commit", "--quiet", "--message", message, folder=folder, check=True)
    return run(
        "git", "rev-parse", "HEAD", folder=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def copy_to(folder):
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"]
    for name in run(*listed, folder=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            to = Path(folder, name)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes((ROOT / name).read_bytes())
    run("git", "init", "--quiet", folder=folder, check=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        copy_to(folder)
        before = commit(folder, "As it is")
        same = commit(folder, "Nothing that matters", COMMENTED)
        slower = commit(folder, "Two needless passes", (RELU, 2 * NEEDLESS + RELU))
        compare = [sys.executable, "asv_benchmarks/suite.py", "compare", "--bench", BENCH]
        seen = [run(*compare, before, new, folder=folder).returncode for new in (same, slower)]
    print(f"compare exited with {seen[0]} where nothing had changed, and {seen[1]} for the planted slowdown")
    return 0 if seen == [0, 1] else 1


if __name__ == "__main__":
    sys.exit(main())
