"""Measure the course helpers and whole runs against plain NumPy; print a table or write it into README.md.

    python asv_benchmarks/course_report.py [--readme] [--quick]

float64, one thread. Both sides get the same arguments and take turns; their results are compared in the same
run. A ratio is the median over the rounds of NumPy's time / fastnn's.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402

import course_numpy  # noqa: E402
from fastnn.course import deep, planar, xor  # noqa: E402
from fastnn.course.two_layer import TwoLayerNetwork, breast_cancer_data  # noqa: E402
from kernels_report import alternating  # noqa: E402
from readme import machine, write_readme  # noqa: E402

# (units of both layers, samples), from XOR to the largest that courses have; the ratios asked for.
SIZES = ((2, 4), (4, 200), (4, 10000), (16, 1000), (64, 1000), (128, 200), (128, 10000))
ASKED = {size: 2.0 for size in SIZES} | {SIZES[0]: 0.8}


class Case(NamedTuple):
    """Two functions without arguments that do the same; `asked`: the ratio asked for, if one is."""

    name: str
    ours: Callable[[], object]
    numpys: Callable[[], object]
    asked: float | None


def helpers(units, samples):
    """A case for each helper, between layers of `units` units."""
    random, asked = np.random.default_rng(0), ASKED[units, samples]
    A, dA, Z = (random.standard_normal((units, samples)) for _ in range(3))
    W, b = random.standard_normal((units, units)) / np.sqrt(units), random.standard_normal((units, 1))
    X, Y = A, random.integers(0, 2, (1, samples)).astype(float)
    parameters = deep.initialize_parameters_deep([units, units, 1])
    AL, caches = deep.L_model_forward(X, parameters)
    grads = deep.L_model_backward(AL, Y, caches)
    _, cache = planar.forward_propagation(X, parameters)
    arguments = {
        (xor, "sigmoid"): (Z,),
        (deep, "relu"): (Z,),
        (deep, "sigmoid_backward"): (dA, Z),
        (deep, "relu_backward"): (dA, Z),
        (deep, "linear_forward"): (A, W, b),
        (deep, "linear_activation_forward"): (A, W, b, "relu"),
        (deep, "compute_cost"): (AL, Y),
        (deep, "linear_backward"): (dA, (A, W, b)),
        (deep, "linear_activation_backward"): (dA, ((A, W, b), Z), "relu"),
        (deep, "update_parameters"): (parameters, grads, 0.1),
        (deep, "L_model_forward"): (X, parameters),
        (deep, "L_model_backward"): (AL, Y, caches),
        (planar, "forward_propagation"): (X, parameters),
        (planar, "backward_propagation"): (parameters, cache, X, Y),
        (xor, "get_gradients"): (X, Y, list(parameters.values())),
    }
    for (module, name), given in arguments.items():
        ours, numpys = getattr(module, name), getattr(course_numpy, name)
        yield Case(name, lambda f=ours, x=given: f(*x), lambda f=numpys, x=given: f(*x), asked)


def runs(quick=False):
    """A case for each whole run."""
    share = 20 if quick else 1
    X, Y = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])
    steps = 150_000 // share
    yield Case(
        f"`xor.optimize`, {steps:,} iterations",
        lambda: xor.optimize(X, Y, xor.init_parameters(2), 0.1, steps),
        lambda: course_numpy.optimize(X, Y, xor.init_parameters(2), 0.1, steps),
        30,
    )
    flower, colours = planar.load_planar_dataset()
    iterations = 10_000 // share
    yield Case(
        f"`planar.nn_model`, 4 hidden units, {iterations:,} iterations",
        lambda: planar.nn_model(flower, colours, 4, iterations),
        lambda: course_numpy.nn_model(
            flower, colours, planar.initialize_parameters(2, 4, 1), iterations, 1.2
        ),
        10,
    )
    yield from (
        deep_run(*run) for run in (((30, 16, 8, 1), 455, 1000 // share), ((12288, 20, 7, 5, 1), 209, 20))
    )
    yield breast_cancer(1000 // share)


def deep_run(sizes, samples, iterations):
    random = np.random.default_rng(0)
    X, Y = random.uniform(size=(sizes[0], samples)), random.integers(0, 2, (1, samples)).astype(float)
    start = deep.initialize_parameters_deep(sizes)
    return Case(
        f"`deep.L_layer_model`, {'-'.join(map(str, sizes))}, {samples} samples, {iterations:,} iterations",
        lambda: deep.L_layer_model(X, Y, sizes, 0.0075, iterations),
        lambda: course_numpy.L_layer_model(X, Y, start, 0.0075, iterations),
        None,
    )


def breast_cancer(epochs):
    """The curves of the 80/20 split, batches of 32, and the parameters."""
    X, X_test, Y, Y_test = breast_cancer_data()

    def ours():
        network = TwoLayerNetwork(16)
        return network.fit(X, Y, X_test, Y_test, epochs=epochs), network.parameters

    def numpys():
        parameters, random, curves = TwoLayerNetwork(16).initialize_weight(X), np.random.default_rng(0), []
        for _ in range(epochs):
            order = random.permuted(np.arange(len(X)))
            for start in range(0, len(X), 32):
                rows = order[start : start + 32]
                _, parameters = course_numpy.rows_step(X[rows], Y[rows], parameters, 0.01)
            held = course_numpy.rows_scores(X_test, Y_test, parameters)
            curves.append((*course_numpy.rows_scores(X, Y, parameters), *held))
        return list(zip(*curves, strict=True)), parameters

    return Case(f"breast cancer, 30-16-1, batches of 32, {epochs:,} epochs", ours, numpys, 10)


def numbers(value):
    """All numbers of nested results, in order; None counts for nothing."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return np.concatenate([np.empty(0), *(numbers(x) for x in value)])
    return np.ravel(np.asarray(value, float))


def assert_equal(case, tolerance):
    np.testing.assert_allclose(
        numbers(case.ours()), numbers(case.numpys()), tolerance, tolerance, err_msg=case.name
    )


def repeated(function):
    def run(times):
        for _ in range(times):
            function()

    return run


def helper_ratio(case, rounds):
    assert_equal(case, 1e-9)
    return alternating([repeated(case.ours), repeated(case.numpys)], rounds)[1]


def run_times(case, rounds):
    """Medians of fastnn's seconds and of the ratio."""
    # After 8,000 iterations at the flower's rate of 1.2 the last bits have grown to 1e-5.
    assert_equal(case, 1e-3)
    samples = []
    for _ in range(rounds):
        times = []
        for function in (case.ours, case.numpys):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
        samples.append((times[0], times[1] / times[0]))
    return tuple(statistics.median(column) for column in zip(*samples, strict=True))


def mark(ratio, asked):
    if asked is None:
        return f"{ratio:.3g}x"
    return f"{ratio:.3g}x ({'asked' if ratio >= asked else 'missed'} {asked:g})"


def report(quick=False):
    rounds = 3 if quick else 11
    titles = " | ".join(f"{units} units, {samples:,} samples" for units, samples in SIZES)
    lines = [machine() + " One thread.", "", "| whole run | fastnn | NumPy takes |", "|---|---|---|"]
    for case in runs(quick):
        seconds, ratio = run_times(case, 1 if quick else 3)
        lines.append(f"| {case.name} | {seconds:.3g} s | {mark(ratio, case.asked)} |")
        print(lines[-1], flush=True)
    asked = "; ".join(
        f"{least:g}x asked of {what}" for what, least in (("the first column", 0.8), ("the rest", 2))
    )
    lines += ["", f"NumPy's time / fastnn's of single helpers, {asked}, misses in italics:", ""]
    lines += [f"| helper | {titles} |", "|---|" + "---|" * len(SIZES)]
    for row in zip(*(helpers(*size) for size in SIZES), strict=True):
        ratios = [(helper_ratio(case, rounds), case.asked) for case in row]
        cells = [f"{ratio:.2g}x" if ratio >= least else f"*{ratio:.2g}x*" for ratio, least in ratios]
        lines.append(f"| `{row[0].name}` | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter runs")
    options = parser.parse_args()
    table = report(options.quick)
    print(table)
    if options.readme:
        write_readme("course", table)


if __name__ == "__main__":
    main()
