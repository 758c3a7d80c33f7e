"""Check the cost model behind threads="auto": time of a step with one thread, two, and what it picks.

    python asv_benchmarks/threads_report.py [--readme] [--rounds N]

The choices take turns; figures are medians, and a row where the choice is more than 5% slower than one thread
is marked.
"""

import argparse
import os
import statistics

os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))  # else one, as for the kernels

import numpy as np  # noqa: E402

from fastnn import Network
from fastnn.engine import available_threads, worthwhile_threads
from readme import machine, write_readme
from training_report import enough, seconds

CASES = [
    ((2, 4, 1), 32, "float32"),
    ((30, 128, 1), 32, "float32"),
    ((64, 64, 64, 1), 32, "float32"),
    ((64, 64, 64, 1), 128, "float32"),
    ((100, 100, 100, 1), 200, "float32"),
    ((784, 128, 10), 64, "float32"),
    ((784, 512, 256, 10), 128, "float32"),
    ((30, 100, 1), 2000, "float32"),
    ((30, 100, 1), 200, "float64"),
    ((64, 100, 10), 200, "float64"),
    ((50, 100, 100, 1), 200, "float64"),
]


def runs_of(sizes, batch, dtype, choices):
    random = np.random.default_rng(0)
    X = random.standard_normal((max(4000, batch), sizes[0])).astype(dtype)
    y = random.integers(0, 2, (len(X), sizes[-1])).astype(dtype)

    def run_with(threads):
        net = Network(sizes, output="sigmoid", dtype=dtype, seed=0)
        return lambda epochs: net.fit(X, y, epochs=epochs, batch_size=batch, threads=threads)

    return {threads: run_with(threads) for threads in choices}, -(-len(X) // batch)


def report(rounds):
    available = available_threads()
    choices = (1, available)
    lines = [
        f'| network, batch, type | 1 thread, a step | {available} threads | threads="auto" takes |',
        "|---|---|---|---|",
    ]
    for sizes, batch, dtype in CASES:
        runs, steps = runs_of(sizes, batch, dtype, choices)
        epochs = {threads: enough(run) for threads, run in runs.items()}
        samples = [{k: seconds(run, epochs[k]) / steps for k, run in runs.items()} for _ in range(rounds)]
        medians = {k: statistics.median(s[k] for s in samples) * 1e6 for k in runs}
        auto = worthwhile_threads(Network(sizes)._layers, batch, available, np.dtype(dtype).itemsize)
        slower = statistics.median(s.get(auto, s[1]) / s[1] for s in samples) > 1.05
        name = "-".join(map(str, sizes))
        cells = [f"{medians[k]:.3g} us" for k in choices]
        lines.append(
            f"| {name}, {batch}, {dtype} | {' | '.join(cells)} | {auto}{' (slower)' if slower else ''} |"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    table = f"{machine()}\n\n{report(options.rounds)}"
    print(table)
    if options.readme:
        write_readme("threads", table)


if __name__ == "__main__":
    main()
