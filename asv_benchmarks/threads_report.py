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
from kernels_report import machine, write_readme
from training_report import enough, seconds

CASES = [
    ((2, 4, 1), 32),
    ((30, 128, 1), 32),
    ((64, 64, 64, 1), 32),
    ((64, 64, 64, 1), 128),
    ((100, 100, 100, 1), 200),
    ((784, 128, 10), 64),
    ((784, 512, 256, 10), 128),
    ((30, 100, 1), 2000),
]


def runs_of(sizes, batch, choices):
    random = np.random.default_rng(0)
    X = random.standard_normal((max(4000, batch), sizes[0]), dtype=np.float32)
    y = random.integers(0, 2, (len(X), sizes[-1])).astype(np.float32)

    def run_with(threads):
        net = Network(sizes, output="sigmoid", seed=0)
        return lambda epochs: net.fit(X, y, epochs=epochs, batch_size=batch, threads=threads)

    return {threads: run_with(threads) for threads in choices}, -(-len(X) // batch)


def report(rounds):
    available = available_threads()
    choices = (1, available)
    lines = [
        f'| network, batch | 1 thread, a step | {available} threads | threads="auto" takes |',
        "|---|---|---|---|",
    ]
    for sizes, batch in CASES:
        runs, steps = runs_of(sizes, batch, choices)
        epochs = {threads: enough(run) for threads, run in runs.items()}
        samples = [{k: seconds(run, epochs[k]) / steps for k, run in runs.items()} for _ in range(rounds)]
        medians = {k: statistics.median(s[k] for s in samples) * 1e6 for k in runs}
        auto = worthwhile_threads(Network(sizes)._layers, batch, available)
        slower = statistics.median(s.get(auto, s[1]) / s[1] for s in samples) > 1.05
        name = "-".join(map(str, sizes))
        cells = [f"{medians[k]:.3g} us" for k in choices]
        lines.append(f"| {name}, {batch} | {' | '.join(cells)} | {auto}{' (slower)' if slower else ''} |")
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
