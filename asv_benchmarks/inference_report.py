"""Measure predictions against ONNX Runtime and scikit-learn, one thread, and print a table or write it.

    python asv_benchmarks/inference_report.py [--readme] [--rounds N]

All sides take turns; figures are medians over the rounds, and a ratio is the median of the rounds' ratios.
"""

import argparse
import os
import statistics
import time
import warnings

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numba  # noqa: E402
import numpy as np  # noqa: E402

from fastnn import Network  # noqa: E402
from kernels_report import inner  # noqa: E402
from readme import machine, write_readme  # noqa: E402

SIZES = (30, 128, 1)
TINY = (4, 32, 16, 4)


def onnx_session(net):
    """The same network in ONNX Runtime, one thread."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, value = [], [], "X"
    for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        constants += [numpy_helper.from_array(W, f"W{layer}"), numpy_helper.from_array(b, f"b{layer}")]
        nodes.append(helper.make_node("Gemm", [value, f"W{layer}", f"b{layer}"], [f"Z{layer}"]))
        kind = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}[net.activations[layer]]
        nodes.append(helper.make_node(kind, [f"Z{layer}"], [f"A{layer}"]))
        value = f"A{layer}"
    described = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
        for name, width in (("X", net.n_in), (value, net.n_out))
    ]
    graph = helper.make_graph(nodes, "network", described[:1], described[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda X: session.run(None, {"X": X})[0]


def scikit_learn(net, X):
    """The same parameters in scikit-learn's classifier."""
    from sklearn.neural_network import MLPClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier(net.sizes[1:-1], max_iter=1).fit(X[:64], np.arange(64) % 2)
    model.coefs_, model.intercepts_ = net.weights, net.biases
    return model.predict_proba


def contestants(net, X):
    runs = {"fastnn": net.predict, "ONNX Runtime": onnx_session(net), "scikit-learn": scikit_learn(net, X)}
    np.testing.assert_allclose(runs["ONNX Runtime"](X), net.predict(X), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(runs["scikit-learn"](X)[:, 1:], net.predict(X), rtol=1e-3, atol=1e-5)
    return runs


def repeated(call, X):
    def run(times):
        for _ in range(times):
            call(X)

    return run


def seconds(run, times):
    start = time.perf_counter()
    run(times)
    return (time.perf_counter() - start) / times


def inside_compiled_code():
    """Microseconds for one row of a small network, called in a loop of compiled code."""
    net = Network(TINY, activation="tanh", output="sigmoid", seed=0)
    f = net.compiled()

    @numba.njit
    def loop(x, times):
        total = x[0]
        for _ in range(times):
            x[0] = total * np.float32(1e-3)
            total = f(x)[0]
        return total

    x = np.ones(4, np.float32)

    def run(times):
        loop(x, times)

    times = inner(run)
    return statistics.median(seconds(run, times) for _ in range(9)) * 1e6


def mark(value, limit, text, lower):
    reached = value <= limit if lower else value >= limit
    return f"{text} ({'asked' if reached else 'missed'} {limit:g})"


def report(rounds):
    random = np.random.default_rng(0)
    X = random.standard_normal((10_000, SIZES[0]), dtype=np.float32)
    net = Network(SIZES, output="sigmoid", seed=0)
    calls = contestants(net, X)
    lines = [
        "| prediction, 30-128-1, one thread | fastnn | ONNX Runtime | scikit-learn |",
        "|---|---|---|---|",
    ]
    for rows, asked_us, asked_ratio in ((1, 3, None), (10_000, None, 1.2)):
        runs = {name: repeated(call, X[:rows].copy()) for name, call in calls.items()}
        times = {name: inner(run) for name, run in runs.items()}
        samples = [{name: seconds(run, times[name]) for name, run in runs.items()} for _ in range(rounds)]
        ours = statistics.median(s["fastnn"] for s in samples) * 1e6
        ratios = {name: statistics.median(s[name] / s["fastnn"] for s in samples) for name in runs}
        cells = [f"{ours:.3g} us" if asked_us is None else mark(ours, asked_us, f"{ours:.3g} us", True)]
        for name in ("ONNX Runtime", "scikit-learn"):
            asked = asked_ratio if name == "ONNX Runtime" else None
            text = f"{ratios[name]:.3g}x as long"
            cells.append(text if asked is None else mark(ratios[name], asked, text, False))
        lines.append(f"| {rows:,} row{'s' if rows > 1 else ''} | " + " | ".join(cells) + " |")
    tiny = inside_compiled_code()
    lines.append(
        f"| 1 row of 4-32-16-4 inside compiled code | {mark(tiny, 0.3, f'{tiny:.3g} us', True)} | | |"
    )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    table = f"{machine()}\n\n{report(options.rounds)}"
    print(table)
    if options.readme:
        write_readme("inference", table)


if __name__ == "__main__":
    main()
