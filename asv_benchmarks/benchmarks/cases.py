"""The registry of what is measured: networks, fits of estimators and their data, by the names in tables."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

RATE = 1e-3  # of Adam, everywhere


def aligned(array):
    """A copy that begins with a cache line; where others begin is chance: Adam took 6 us or 15 by it."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@dataclass(frozen=True)
class Case:
    """A network and its epochs: widths, rows of a batch, batches, hidden activation, element type."""

    sizes: tuple[int, ...]
    batch: int
    steps: int
    activation: str = "relu"
    dtype: str = "float32"

    @property
    def name(self):
        special = {"relu": "", "float32": ""}
        more = filter(None, (special.get(x, x) for x in (self.activation, self.dtype)))
        return ", ".join(["-".join(map(str, self.sizes)), f"batch {self.batch:,}", *more])

    @property
    def rows(self):
        return self.steps * self.batch

    @property
    def softmax(self):
        return self.sizes[-1] >= 10

    @property
    def output(self):
        return "softmax" if self.softmax else "sigmoid"

    @property
    def flops(self):
        """Of one step: the products forward and back, without the first layer's dX."""
        products = sum(a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        return self.batch * (6 * products - 2 * self.sizes[0] * self.sizes[1])

    @cached_property
    def data(self):
        """X (rows, n_in), and classes for softmax, else zeros and ones (rows, n_out)."""
        random = np.random.default_rng(0)
        X = aligned(random.standard_normal((self.rows, self.sizes[0])).astype(self.dtype))
        if self.softmax:
            return X, random.integers(0, self.sizes[-1], self.rows)
        return X, random.integers(0, 2, (self.rows, self.sizes[-1])).astype(self.dtype)

    def network(self, seed=0, **options):
        from fastnn import Network

        about = {"activation": self.activation, "output": self.output, "dtype": self.dtype}
        return Network(self.sizes, seed=seed, **about, **options)

    def start(self, seed=0):
        """The weights and biases that all begin with, as lists of arrays to be overwritten."""
        net = self.network(seed)
        return [W.copy() for W in net.weights], [b.copy() for b in net.biases]


def _by_name(*cases):
    return {case.name: case for case in cases}


# From the smallest step to the largest; epochs of a few milliseconds where a step allows it.
NETWORKS = _by_name(
    Case((2, 4, 1), 32, 125),
    Case((30, 128, 1), 32, 125),
    Case((64, 64, 64, 1), 32, 125),
    Case((30, 16, 1), 455, 20),
    Case((8, 16, 16, 1), 1000, 10),
    Case((64, 100, 10), 200, 20, dtype="float64"),
    Case((784, 128, 10), 64, 40),
    Case((4, 32, 16, 4), 10_000, 1, "tanh"),
    Case((784, 512, 256, 10), 128, 8),
    Case((256, 1024, 1024, 16), 256, 3),
)
SMALL, MIDDLE, LARGE = "30-128-1, batch 32", "784-128-10, batch 64", "784-512-256-10, batch 128"
# Of these, predictions of so many rows.
PREDICTED = {"30-128-1": NETWORKS[SMALL], "784-128-10": NETWORKS[MIDDLE]}
PREDICTED_ROWS = (1, 10_000)
# m x k x n of products alone
PRODUCTS = ("32x30x128", "32x64x64", "64x784x128", "128x784x512", "128x512x256", "256x1024x1024")


@dataclass(frozen=True)
class Estimator:
    """A classifier's fit, or predict_proba of some `rows`; `options` besides the default ones."""

    name: str
    data: str
    options: tuple = ()
    rows: int = 0

    def sides(self):
        """What is timed, ours and scikit-learn's; fitted, and found to agree."""
        import sklearn.neural_network

        import fastnn

        X, y = DATA[self.data]()
        options = {"random_state": 0, **dict(self.options)}
        models = [f(**options) for f in (fastnn.MLPClassifier, sklearn.neural_network.MLPClassifier)]
        ours, theirs = (model.fit(X, y) for model in models)
        if theirs.n_iter_ != ours.n_iter_:
            raise AssertionError(f"{self.name}: {ours.n_iter_} epochs, scikit-learn has {theirs.n_iter_}")
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
        some = X[:1000]
        np.testing.assert_allclose(ours.predict_proba(some), theirs.predict_proba(some), atol=1e-6)
        if not self.rows:
            return [lambda model=model: model.fit(X, y) for model in models]
        many = np.ascontiguousarray(np.resize(X, (self.rows, X.shape[1])))
        return [lambda model=model: model.predict_proba(many) for model in models]


def digits():
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


def breast_cancer():
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def synthetic():
    from sklearn.datasets import make_classification

    return make_classification(20_000, 50, n_informative=20, random_state=0)


def texts():
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


def few():
    X = np.random.RandomState(0).standard_normal((50, 8))
    return X, X[:, 0] > 0


DATA = {make.__name__: make for make in (digits, breast_cancer, synthetic, texts, few)}
ESTIMATORS = {
    case.name: case
    for case in (
        Estimator("fit, digits, defaults", "digits"),
        Estimator("fit, breast cancer, defaults", "breast_cancer"),
        Estimator("fit, 20,000 x 50, (100, 100), 10 epochs", "synthetic",
                  (("hidden_layer_sizes", (100, 100)), ("max_iter", 10))),
        Estimator("fit, CSR 20,000 x 5,000 with 50 a row, (64,), 3 epochs", "texts",
                  (("hidden_layer_sizes", (64,)), ("max_iter", 3))),
        Estimator("fit, 50 x 8, (10,), 1 epoch", "few", (("hidden_layer_sizes", (10,)), ("max_iter", 1))),
        Estimator("predict_proba, breast cancer, 1 row", "breast_cancer", rows=1),
        Estimator("predict_proba, breast cancer, 100,000 rows", "breast_cancer", rows=100_000),
    )
}  # fmt: skip
