"""Whole runs of courses and their helpers in float64, beside the same course code in NumPy."""

from functools import partial

import numpy as np

from benchmarks.common import Beside
from benchmarks.measure import ROUNDS, assert_agree, call_seconds, in_child, pick, take_turns

# Ours, and the published code's name where it is another.
HELPERS = {"relu_backward": "", "sigmoid_backward": "", "linear_activation_forward": "",
           "linear_activation_backward": "", "compute_cost": "", "L_model_forward": "L_Model_Forward",
           "L_model_backward": ""}  # fmt: skip
SHARE = 20  # of the iterations that courses take
RUNS = ("xor.optimize", "planar.nn_model", "deep.L_layer_model", "two_layer.TwoLayerNetwork")


def helper(name, units, n_samples):
    """Ours and the published one, between layers of `units` units, as calls."""
    from course_published import layers
    from fastnn.course import deep

    random = np.random.default_rng(0)
    A, dA, Z = (random.standard_normal((units, n_samples)) for _ in range(3))
    W, b = random.standard_normal((units, units)) / np.sqrt(units), random.standard_normal((units, 1))
    Y = random.integers(0, 2, (1, n_samples)).astype(float)
    parameters = deep.initialize_parameters_deep([units, units, 1])
    AL, caches = deep.L_model_forward(A, parameters)
    arguments = {
        "relu_backward": (dA, Z),
        "sigmoid_backward": (dA, Z),
        "linear_activation_forward": (A, W, b, "relu"),
        "linear_activation_backward": (dA, ((A, W, b), Z), "relu"),
        "compute_cost": (AL, Y),
        "L_model_forward": (A, parameters),
        "L_model_backward": (AL, Y, caches),
    }[name]
    both = getattr(deep, name), getattr(layers, HELPERS[name] or name)
    return [partial(f, *arguments) for f in both]


def run(name):
    """The same iterations from the same parameters, ours and with the published functions, as calls."""
    import fastnn.course.deep
    import fastnn.course.planar
    import fastnn.course.xor
    from course_published import layers, planar, two_layer, xor
    from fastnn.course.two_layer import TwoLayerNetwork, breast_cancer_data

    if name == "xor.optimize":
        X, Y = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])
        given = X, Y, xor.init_parameters(), 0.1, 150_000 // SHARE
        return partial(fastnn.course.xor.optimize, *given), partial(xor.optimize, *given)
    if name == "planar.nn_model":
        ours = fastnn.course.planar
        given = *ours.load_planar_dataset(), 4, 10_000 // SHARE, 1.2
        return partial(ours.nn_model, *given), partial(planar.nn_model, *given)
    if name == "deep.L_layer_model":
        random, sizes, ours = np.random.default_rng(0), (30, 16, 8, 1), fastnn.course.deep
        X, Y = random.uniform(size=(30, 455)), random.integers(0, 2, (1, 455)).astype(float)

        def published():
            parameters = ours.initialize_parameters_deep(sizes)
            for _ in range(1000 // SHARE):
                AL, caches = layers.L_Model_Forward(X, parameters)
                layers.compute_cost(AL, Y)
                grads = layers.L_model_backward(AL, Y, caches)
                parameters = layers.update_parameters(parameters, grads, 0.0075)
            return parameters

        return lambda: ours.L_layer_model(X, Y, sizes, 0.0075, 1000 // SHARE), published
    X, X_test, Y, Y_test = breast_cancer_data()

    def ours():
        network = TwoLayerNetwork(16, seed=0)
        network.fit(X, Y, X_test, Y_test, epochs=1000 // SHARE)
        return network.parameters

    def published():
        network, random = two_layer.TwoLayerNetwork(16), np.random.default_rng(0)
        network.parameters = TwoLayerNetwork(16, seed=0).initialize_weight(X)
        for _ in range(1000 // SHARE):
            order = random.permuted(np.arange(len(X)))
            for first in range(0, len(X), 32):
                rows = order[first : first + 32]
                network.train(X[rows], Y[rows])
            for inputs, labels in ((X, Y), (X_test, Y_test)):
                AL = network.forward(inputs)
                network.compute_cost(AL, labels), two_layer.caculate_accuracy(AL, labels)
        return network.parameters

    return ours, published


def numbers(value):
    """All numbers of nested results: dictionaries by their names, sequences in order; None is nothing."""
    if isinstance(value, dict):
        value = [value[name] for name in sorted(value)]
    if isinstance(value, list | tuple):
        return np.concatenate([np.empty(0), *(numbers(x) for x in value)])
    return np.empty(0) if value is None else np.ravel(np.asarray(value, float))


def beside(kind, rtol, *case):
    """{side: seconds, each round}, once both agree."""
    ours, published = {"helper": helper, "run": run}[kind](*case)
    assert_agree([numbers(ours())], [numbers(published())], rtol)
    timers = {"fastnn": partial(call_seconds, ours), "the course's code": partial(call_seconds, published)}
    return take_turns(timers, rounds=ROUNDS if kind == "helper" else min(ROUNDS, 5))


class Runs(Beside):
    """A twentieth of the iterations that courses take."""

    seconds = 6
    params = [["fastnn", "the course's code"], pick(RUNS[:1], RUNS, RUNS)]
    param_names = ["against", "run"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, name):
        return in_child(beside, "run", 1e-3, name)


class Helpers(Beside):
    """One call, between layers of so many units."""

    seconds = 4
    params = [["fastnn", "the course's code"], pick(["relu_backward"], HELPERS, HELPERS),
              pick([4], [4, 128], [4, 16, 64, 128]), pick([200], [200], [200, 1000, 10_000])]  # fmt: skip
    param_names = ["against", "helper", "units", "samples"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, *case):
        return in_child(beside, "helper", 1e-6, *case)
