"""Measure the drop-ins against scikit-learn's own classes, and print a table or write it into README.

    python asv_benchmarks/estimators_report.py [--readme] [--rounds N]

Each case runs in processes of their own, bound to one and to two CPUs, which both sides may use. They take
turns; figures are medians over the rounds, and a ratio is the median of the rounds' ratios. Before they are
timed, their results are compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass

import numpy as np

THREADS = (1, 2)


@dataclass(frozen=True)
class Case:
    """`make` gives X and y; `options` besides the default ones; `rows` of a prediction, if it is one."""

    name: str
    make: str
    asked: float
    options: tuple = ()
    rows: int = 0

    def data(self):
        return DATA[self.make]()

    def models(self):
        """scikit-learn's classifier and ours."""
        import sklearn.neural_network

        import fastnn

        options = {"random_state": 0, **dict(self.options)}
        return sklearn.neural_network.MLPClassifier(**options), fastnn.MLPClassifier(**options)

    def runs(self):
        """What is timed, scikit-learn's and ours; fitted and compared."""
        X, y = self.data()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs, ours = (model.fit(X, y) for model in self.models())
        if theirs.n_iter_ != ours.n_iter_:
            raise AssertionError(f"{self.name}: {ours.n_iter_} epochs, scikit-learn has {theirs.n_iter_}")
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
        some = X[:1000]
        np.testing.assert_allclose(ours.predict_proba(some), theirs.predict_proba(some), atol=1e-6)
        if not self.rows:
            return tuple(lambda model=model: model.fit(X, y) for model in (theirs, ours))
        many = np.ascontiguousarray(np.resize(X, (self.rows, X.shape[1])))
        return tuple(lambda model=model: model.predict_proba(many) for model in (theirs, ours))


def digits():
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


def breast_cancer():
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def synthetic():
    from sklearn.datasets import make_classification

    return make_classification(20_000, 50, n_informative=20, random_state=0)


def text():
    """Rows like those of texts: 50 words of 5,000, the first ones far more often than the last."""
    from scipy import sparse

    random = np.random.RandomState(0)
    n_rows, n_columns, n_words = 20_000, 5_000, 50
    edges = (n_columns * np.linspace(0, 1, n_words + 1) ** 2).astype(int)  # one word between each two
    columns = edges[:-1] + (random.uniform(size=(n_rows, n_words)) * np.diff(edges)).astype(int)
    values = random.uniform(0.05, 0.5, columns.size)
    indptr = np.arange(0, columns.size + 1, n_words)
    X = sparse.csr_matrix((values, columns.ravel(), indptr), shape=(n_rows, n_columns))
    return X, np.asarray(X @ random.standard_normal(n_columns) > 0)


DATA = {make.__name__: make for make in (digits, breast_cancer, synthetic, text)}
CASES = (
    Case("fit, digits, defaults", "digits", 10),
    Case("fit, breast cancer, defaults", "breast_cancer", 15),
    Case("fit, 20,000 x 50, (100, 100), 10 epochs", "synthetic", 8,
         (("hidden_layer_sizes", (100, 100)), ("max_iter", 10))),
    Case("fit, CSR 20,000 x 5,000 with 50 a row, (64,), 3 epochs", "text", 6,
         (("hidden_layer_sizes", (64,)), ("max_iter", 3))),
    Case("predict_proba, breast cancer, 1 row", "breast_cancer", 2, rows=1),
    Case("predict_proba, breast cancer, 100,000 rows", "breast_cancer", 3, rows=100_000),
)  # fmt: skip


def seconds(run, times):
    """Of one run, the mean; after a pause, in which threads that the other left spinning go to sleep."""
    time.sleep(0.1)
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def measure(case, rounds):
    """Seconds of ours, and how many times as long scikit-learn takes: medians."""
    runs = case.runs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = [max(1, int(0.05 / seconds(run, 1))) for run in runs]
        samples = [[seconds(run, n) for run, n in zip(runs, times, strict=True)] for _ in range(rounds)]
    return {
        "seconds": statistics.median(ours for _, ours in samples),
        "ratio": statistics.median(theirs / ours for theirs, ours in samples),
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


def duration(value):
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def report(rounds):
    lines = [
        "| float64 | " + " | ".join(f"fastnn, {n} CPU{'s' * (n > 1)} | scikit-learn" for n in THREADS) + " |",
        "|---|" + "---|---|" * len(THREADS),
    ]
    for number, case in enumerate(CASES):
        cells = []
        for threads in THREADS:
            found = in_child(number, threads, rounds)
            mark = "asked" if found["ratio"] >= case.asked else "missed"
            cells += [duration(found["seconds"]), f"{found['ratio']:.3g}x as long ({mark} {case.asked:g})"]
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row is not None:
        print(json.dumps(measure(CASES[options.row], options.rounds)))
        return
    from readme import machine, write_readme

    table = f"{machine()}\n\n{report(options.rounds)}"
    print(table)
    if options.readme:
        write_readme("estimators", table)


if __name__ == "__main__":
    main()
