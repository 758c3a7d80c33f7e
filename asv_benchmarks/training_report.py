"""Measure whole training steps against the peers on this machine; print a table or write it into README.md.

    python asv_benchmarks/training_report.py [--readme] [--rounds N]

Every row runs in a child process that is bound to as many CPUs as it may use threads. In it fastnn and all
peers that are installed take turns; a ratio is the median over the rounds of peer time / fastnn time. The
share of the FMA peak is measured in turn, too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from peers import PEERS, Case, fastnn

ASKED = {  # scikit-learn, PyTorch, JAX, NumPy reference; share of the peak
    Case((2, 4, 1), 32, 4000, "relu", 1): (80, 120, 8, 20, None),
    Case((30, 128, 1), 32, 4000, "relu", 1): (36, 48, 4, 11, None),
    Case((64, 64, 64, 1), 32, 4000, "relu", 1): (24, 35, 3, 8, 0.5),
    Case((784, 128, 10), 64, 10000, "relu", 2): (8, 7, 1.6, 2.8, None),
    Case((784, 512, 256, 10), 128, 10000, "relu", 2): (6, 5.5, 1.4, 3, 0.7),
    Case((4, 32, 16, 4), 10000, 10000, "tanh", 2): (None, 9, 4.5, 15, 0.35),
}


def seconds(run, epochs):
    """Per epoch; after a pause, in which threads that others left spinning go to sleep, and a run-up."""
    time.sleep(0.1)
    run(max(2, epochs // 5))
    start = time.perf_counter()
    run(epochs)
    return (time.perf_counter() - start) / epochs


def enough(run, at_least=0.25):
    """Epochs that take about `at_least` seconds."""
    run(2)  # compiles
    return max(2, int(at_least / seconds(run, max(2, int(0.02 / seconds(run, 2))))))


def measure(case, rounds):
    """Medians for one case, as a dictionary; called in a child process."""
    import numpy as np

    from kernels_report import peak_run

    peak_of, flops = peak_run(np.float32)
    runs = {"fastnn": fastnn(case)}
    for name, peer in PEERS.items():
        try:
            runs[name] = peer(case)
        except ImportError:
            pass
    epochs = {name: enough(run) for name, run in runs.items()}
    samples = []
    for _ in range(rounds):
        samples.append({name: seconds(run, epochs[name]) / case.steps for name, run in runs.items()})
        samples[-1]["peak"] = flops * case.threads / seconds(peak_of, 200)
    return {
        "microseconds": statistics.median(s["fastnn"] for s in samples) * 1e6,
        "share": statistics.median(case.flops / s["fastnn"] / s["peak"] for s in samples),
        "ratios": {
            name: statistics.median(s[name] / s["fastnn"] for s in samples)
            for name in runs
            if name != "fastnn"
        },
    }


def in_child(number, threads, rounds):
    """`measure` in a process bound to `threads` CPUs."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    call = [sys.executable, __file__, "--row", str(number), "--rounds", str(rounds)]
    done = subprocess.run(
        call, env={**os.environ, **limits}, stdout=subprocess.PIPE, check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    )  # fmt: skip
    return json.loads(done.stdout)


def mark(value, asked, text):
    if value is None:
        return "not installed"
    suffix = "" if asked is None else f" (asked {asked:g})" if value >= asked else f" (missed {asked:g})"
    return text + suffix


def report(rounds):
    lines = [
        "| network, batch, threads | fastnn, a step | share of the FMA peak | " + " | ".join(PEERS) + " |",
        "|---|---|---|" + "---|" * len(PEERS),
    ]
    for number, (case, asked) in enumerate(ASKED.items()):
        found = in_child(number, case.threads, rounds)
        cells = [f"{found['microseconds']:.3g} us", mark(found["share"], asked[4], f"{found['share']:.0%}")]
        for name, wanted in zip(PEERS, asked, strict=False):
            ratio = found["ratios"].get(name)
            cells.append(mark(ratio, wanted, f"{ratio:.3g}x" if ratio else ""))
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row is not None:
        case = list(ASKED)[options.row]
        print(json.dumps(measure(case, options.rounds)))
        return
    from readme import machine, write_readme

    table = f"{machine()}\n\n{report(options.rounds)}"
    print(table)
    if options.readme:
        write_readme("training", table)


if __name__ == "__main__":
    main()
