"""What more processes give, measured on one and two, and what 64 machines would: the tables of the guide.

    python asv_benchmarks/clusters.py network [--quick] [--write]   one network on ranks of MPI
    python asv_benchmarks/clusters.py search [--quick] [--write]    a search's fleets on workers of dask

--write puts the table between its marks on its page. Each process has one core, so two cores are to be idle.

network: a step of one process, of two ranks here, and the sum of the gradient over them. For machines that a
network joins the step is that of one process over its share of the rows, and the sum takes

    2 (n - 1) / n * bytes / bandwidth + 2 log2(n) * latency

which is what summing in a ring moves, and the rounds of a tree.

search: the seconds of a search on one process are a line in its candidates; those on workers are the line at
their share, and what a second worker costs here: two workers' seconds less the line's at half.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from functools import partial

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402  (after the numbers of threads)

from benchmarks.cases import RATE, Case  # noqa: E402
from benchmarks.measure import call_seconds  # noqa: E402
from dashboard.text import quantity  # noqa: E402
from fastnn.processor import processor  # noqa: E402
from views import ROOT, write_marked  # noqa: E402

# That of the environment, where mpich is installed by pip.
MPIEXEC = shutil.which("mpiexec", path=os.path.dirname(sys.executable)) or "mpiexec"
NETWORKS = ((30, 128, 1), (784, 128, 10), (784, 512, 256, 10), (784, 2048, 2048, 10))
BATCHES = 256, 2048, 16_384  # rows of a step, of all machines together
LINKS = {"10 Gbit/s": (1.25e9, 30e-6), "100 Gbit/s": (12.5e9, 3e-6)}  # bytes and seconds
MACHINES = 4, 16
MOST_FLOPS = 1e11  # of a step that is measured
SEARCHED, WORKERS = (64, 512, 4096), (8, 64)
QUICK = False


def rounds(timer, times):
    """The median of a few samples, the first of which, which may compile, does not count."""
    timer(1)
    return statistics.median(timer(times) for _ in range(2 if QUICK else 3))


def step_seconds(sizes, batch, comm=None):
    """Of a step of so many rows, which are shared out over the ranks."""
    from fastnn import Adam

    case = Case(sizes, batch, max(1, 4096 // batch))
    rank, n_ranks = (comm.Get_rank(), comm.Get_size()) if comm else (0, 1)
    (X, y), net = case.data, case.network()
    X, y = X[rank::n_ranks].copy(), y[rank::n_ranks].copy()
    options = {"batch_size": batch, "optimizer": Adam(RATE), "shuffle": False, "threads": 1, "comm": comm}
    epochs = 2 if QUICK else max(1, round(0.2 / (case.flops * case.steps / 40e9)))  # 0.2 s or so
    run = partial(call_seconds, lambda: net.fit(X, y, epochs=epochs, **options))
    return rounds(run, 1) / case.steps / epochs


def reduce_seconds(n_parameters, comm):
    """Of one sum over the ranks of a vector of so many parameters."""
    from mpi4py import MPI

    vector = np.zeros(n_parameters, np.float32)
    call = partial(call_seconds, lambda: comm.Allreduce(MPI.IN_PLACE, vector))
    return rounds(call, 20 if QUICK else max(20, 20_000_000 // n_parameters))


def on_ranks():
    """What `mpiexec -n 2` runs: rank 0 prints what steps and sums take."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    found = {
        str(sizes): [
            reduce_seconds(n_parameters(sizes), comm),
            *(step_seconds(sizes, batch, comm) for batch in batches(sizes)),
        ]
        for sizes in NETWORKS
    }
    if comm.Get_rank() == 0:
        print(json.dumps(found))


def n_parameters(sizes):
    return sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))


def batches(sizes):
    """Those whose steps do not take too long."""
    return [batch for batch in BATCHES if Case(sizes, batch, 1).flops <= MOST_FLOPS]


def summed(n_bytes, machines, bandwidth, latency):
    return 2 * (machines - 1) / machines * n_bytes / bandwidth + 2 * np.log2(machines) * latency


def network():
    """A row a network and batch."""
    command = [MPIEXEC, "-n", "2", sys.executable, __file__, "ranks", *["--quick"] * QUICK]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    together = json.loads(told.splitlines()[-1])
    heads = ["network", "batch", "step", "sum over 2 ranks", "2 ranks"]
    heads += [f"{n} machines, {link}" for link in LINKS for n in MACHINES]
    rows = []
    for sizes in NETWORKS:
        n_bytes = 4 * n_parameters(sizes)
        summing, *steps = together[str(sizes)]
        for batch, two in zip(batches(sizes), steps, strict=True):
            alone = step_seconds(sizes, batch)
            shares = {n: step_seconds(sizes, batch // n) for n in MACHINES}
            sums = [(n, summed(n_bytes, n, *link)) for link in LINKS.values() for n in MACHINES]
            times = [alone / two, *(alone / (shares[n] + seconds) for n, seconds in sums)]
            cells = [quantity(alone, "seconds"), quantity(summing, "seconds"), *(f"{x:.2g}x" for x in times)]
            rows.append(["-".join(map(str, sizes)), f"{batch:,}", *cells])
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    return heads, rows, f"{processor()}, one core a process."


def search_seconds(n_candidates, client=None):
    """Of one search of so many candidates, each on 5 folds, without the fit of the best one."""
    import joblib
    from sklearn.datasets import make_classification

    from fastnn import MLPClassifier
    from fastnn.search import FleetSearchCV

    X, y = make_classification(2000, 20, n_informative=10, random_state=0)
    model = MLPClassifier(32, max_iter=10 if QUICK else 50, random_state=0)
    rates = {"learning_rate_init": np.geomspace(1e-4, 1e-1, n_candidates)}
    search = FleetSearchCV(model, rates, cv=5, refit=False, n_jobs=1 if client is None else -1)
    started = time.perf_counter()
    with joblib.parallel_config("loky" if client is None else "dask"):
        search.fit(X.astype(np.float32), y)
    return time.perf_counter() - started


def search():
    """A row a number of candidates."""
    from dask.distributed import Client, LocalCluster

    few, many = (32, 128) if QUICK else (64, 512)
    search_seconds(few)  # compiles
    points = {n: statistics.median(search_seconds(n) for _ in range(3)) for n in (few, many)}
    slope = (points[many] - points[few]) / (many - few)
    start = max(0.0, points[few] - slope * few)
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.run(lambda: __import__("warnings").simplefilter("ignore"))
        search_seconds(few, client)
        two = statistics.median(search_seconds(many, client) for _ in range(3))
    cost = max(0.0, two - start - slope * many / 2)
    said = (
        f"{processor()}, one core a process. {many} candidates: {points[many]:.2f} s on one process, "
        f"{two:.2f} s on two workers ({points[many] / two:.2f}x); {1e3 * slope:.1f} ms a candidate, "
        f"{start:.2f} s for none, and {cost:.2f} s for the second worker."
    )
    rows = []
    for n in SEARCHED:
        alone = start + slope * n
        # A fleet of fewer members than a vector has lanes takes as long as one of so many.
        shares = [start + slope * max(n / w, 16 / 5) + cost for w in WORKERS]
        cells = [f"{seconds:.3g} s ({alone / seconds:.2g}x)" for seconds in shares]
        rows.append([f"{n:,}", f"{alone:.3g} s", *cells])
    return ["candidates", "one process", *(f"{w} machines" for w in WORKERS)], rows, said


def main():
    global QUICK
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("network", "search", "ranks"))
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--write", action="store_true", help="into the page")
    given = parser.parse_args()
    QUICK = given.quick
    warnings.simplefilter("ignore")
    if given.what == "ranks":
        return on_ranks()
    heads, rows, said = {"network": network, "search": search}[given.what]()
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    table = "\n".join([said, "", *lines, *(f"| {' | '.join(row)} |" for row in rows)])
    print(table)
    if given.write:
        page = {"network": "ranks", "search": "clusters"}[given.what]
        write_marked(ROOT / "docs" / "guide" / f"{page}.md", given.what, f"\n{table}\n")


if __name__ == "__main__":
    main()
