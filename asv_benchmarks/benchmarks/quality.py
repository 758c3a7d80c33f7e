"""What training comes to: so that nothing gets faster by getting worse. Less is better."""

import numpy as np

from benchmarks.calls import ACTIVATIONS
from benchmarks.common import Measured, samples
from benchmarks.measure import pick

DTYPES = pick(["float32"], ["float32", "float64"], ["float32", "float64"])


class Loss(Measured):
    """The cost that a fixed training on fixed data ends with."""

    params = [["two moons", "digits", "regression"], DTYPES]
    param_names = ["task", "dtype"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, task, dtype):
        from sklearn.datasets import load_digits, make_moons

        from fastnn import Adam, Network

        if task == "two moons":
            (X, y), sizes, output = make_moons(500, noise=0.1, random_state=0), (2, 16, 16, 1), "sigmoid"
        elif task == "digits":
            (X, y), sizes, output = load_digits(return_X_y=True), (64, 32, 10), "softmax"
            X = X / 16
        else:
            X = np.random.default_rng(0).standard_normal((500, 5))
            y, sizes, output = np.sin(X[:, 0]) + X[:, 1] * X[:, 2], (5, 32, 1), "identity"
        net = Network(sizes, activation="tanh", output=output, dtype=dtype, seed=0)
        history = net.fit(X, y, epochs=pick([2], [30], [100])[0], optimizer=Adam(3e-3), threads=1)
        return history.cost[-1]

    def track_final_cost(self, found, *case):
        return found[case]

    track_final_cost.unit = "cost"


class Gradient(Measured):
    """The largest error of a network's gradient, relative to the largest element of NumPy's in float64.

    The gradient is what a step of plain descent with rate 1 takes from the parameters.
    """

    params = [pick(["tanh"], *[[x for x in ACTIVATIONS if x != "softmax"]] * 2), DTYPES]
    param_names = ["activation", "dtype"]

    def setup_cache(self):
        return self.measure_all()

    def measure(self, activation, dtype):
        from fastnn import SGD, Network, reference

        random = np.random.default_rng(0)
        X, y = random.standard_normal((50, 12)), random.integers(0, 3, 50)
        X = X.astype("float32").astype("float64")
        net = Network((12, 20, 20, 3), activation=activation, output="softmax", dtype=dtype, seed=0)
        before = net.params.astype("float64")
        weights, biases = ([x.astype("float64") for x in xs] for xs in (net.weights, net.biases))
        _, dW, db = reference.gradients(
            X, y[:, None].astype("float64"), weights, biases, net.activations, net.cost, scale=1 / 50
        )
        expected = np.concatenate([np.r_[W.ravel(), b] for W, b in zip(dW, db, strict=True)])
        net.fit(X, y, epochs=1, batch_size=50, optimizer=SGD(1.0), threads=1)
        error = np.abs(before - net.params - expected).max()
        return float(error / np.abs(expected).max())

    def track_error(self, found, *case):
        return samples([found[case]])

    track_error.unit = "relative error"
