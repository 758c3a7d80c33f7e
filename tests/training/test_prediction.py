"""One forward driver: networks and estimators, dense, sparse and mapped rows, by any number of threads."""

import numpy as np
import pytest
import scipy.sparse

from cases import DTYPES, generator, normal
from fastnn import MLPClassifier, MLPRegressor, Network, prediction
from training_cases import bits, make_network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
both = pytest.mark.parametrize("dtype", DTYPES)


def sparse_rows(dtype, n_samples=150, n_in=40):
    """Dense rows that are mostly zeros."""
    X = normal(dtype, (n_samples, n_in), "sparse")
    return X * (generator("holes").random(X.shape) < 0.2)


def twins(dtype):
    """A fitted estimator of each kind, and a network with its parameters."""
    X = sparse_rows(dtype)
    for kind, y, output in (
        (MLPRegressor, X[:, :2], "identity"),
        (MLPClassifier, np.arange(150) % 3, "softmax"),
        (MLPClassifier, np.arange(150) % 2, "sigmoid"),
    ):
        model = kind(hidden_layer_sizes=(30, 20), activation="tanh", max_iter=3, random_state=0).fit(X, y)
        network = Network([40, 30, 20, model.n_outputs_], activation="tanh", output=output, dtype=dtype)
        for mine, theirs in zip(
            network.weights + network.biases, model.coefs_ + model.intercepts_, strict=True
        ):
            mine[:] = theirs
        yield model, network


@both
def test_networks_and_estimators_predict_the_same(dtype, tmp_path, monkeypatch):
    """To the bit, in every form of X, and also where rows are shared out to threads."""
    monkeypatch.setattr(prediction, "chunk_rows", lambda *_: 64)
    monkeypatch.setattr(prediction, "PRODUCTS_PER_CALL", 1)  # calls of 64 rows
    monkeypatch.setattr(prediction, "available_threads", lambda: 3)
    X = sparse_rows(dtype, 1000)
    np.save(tmp_path / "X.npy", X)
    forms = (
        X,
        scipy.sparse.csr_array(X),
        scipy.sparse.csc_matrix(X),
        np.load(tmp_path / "X.npy", mmap_mode="r"),
    )
    for model, network in twins(dtype):
        for given in forms:
            expected = network.predict(given)
            if isinstance(model, MLPRegressor):
                found = model.predict(given)
            else:
                found = model.predict_proba(given)[:, -expected.shape[1] :]
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(network.predict(forms[1]), network.predict(X), 1e-4, 1e-5)


@both
def test_bits_do_not_depend_on_threads_or_calls(dtype, monkeypatch):
    network = make_network((7, 9, 3), output="softmax", dtype=dtype)
    X = normal(dtype, (1000, 7))
    expected = network.predict(X)
    monkeypatch.setattr(prediction, "chunk_rows", lambda *_: 64)
    monkeypatch.setattr(prediction, "PRODUCTS_PER_CALL", 1)
    teams, run_team = [], prediction.run_team
    monkeypatch.setattr(prediction, "run_team", lambda n, *rest: teams.append(n) or run_team(n, *rest))
    for allowed in (1, 2, 5, 100):
        monkeypatch.setattr(prediction, "available_threads", lambda allowed=allowed: allowed)
        network = Network.restored({"params": network.params}, {"network": network.describe()}, "")
        np.testing.assert_array_equal(network.predict(X), expected)
    assert teams == [1, 2, 5, 16]


@pytest.mark.parametrize("output", ("identity", "sigmoid", "softmax", "exp"))
@both
def test_sparse_rows_train_as_dense_ones(output, dtype):
    X = sparse_rows(dtype)
    labels = (X[:, :3] > 0).astype(dtype) if output == "sigmoid" else np.arange(150) % 3
    y = {"identity": X[:, :3], "exp": np.abs(X[:, :3])}.get(output, labels)
    forms = (
        X,
        scipy.sparse.csr_array(X),
        scipy.sparse.coo_matrix(X),
        scipy.sparse.csr_array(X.astype(np.float64)),
    )
    options = {"epochs": 3, "validation_split": 0.3, "l2": 0.01, "sample_weight": np.arange(1, 151)}
    results = []
    for given in forms:
        network = make_network((40, 9, 3), output=output, dtype=dtype, dropout=0.1)
        history = network.fit(given, y, **options)
        network.partial_fit(given, y)
        network.fit([(given[:90] if given is not forms[2] else given.tocsr()[:90], y[:90])], epochs=1)
        results.append((bits(network, history), network.evaluate(given, y), network.params.copy()))
    assert results[1][0] == results[2][0] == results[3][0] and results[1][1] == results[2][1]
    tolerance = 1e-8 if dtype is np.float64 else 2e-3
    np.testing.assert_allclose(results[1][2], results[0][2], tolerance, tolerance)
    np.testing.assert_allclose(results[1][1], results[0][1], tolerance, tolerance)


def test_chunks_are_all_sparse_or_none():
    X = sparse_rows(np.float32)
    network = make_network((40, 9, 3))
    csr = scipy.sparse.csr_array(X)
    for pieces, message in (
        ([(csr, X[:, :3]), (X, X[:, :3])], "chunk 1: X is dense, that of the first chunk sparse"),
        ([(X, X[:, :3]), (csr, X[:, :3])], "chunk 1: X is sparse, that of the first chunk dense"),
    ):
        before = network.params.copy()
        with pytest.raises(ValueError, match=message):
            network.fit(pieces, epochs=2)
        np.testing.assert_array_equal(network.params, before)
    assert len(network.fit([(csr[:50], X[:50, :3]), (csr[50:], X[50:, :3])], epochs=2)) == 2


def test_damaged_sparse_rows_are_refused():
    """The kernels follow their indices blindly."""
    network, X = make_network((40, 3)), scipy.sparse.csr_array(sparse_rows(np.float64))
    for name, index, value in (
        ("indices", 3, 40),
        ("indices", 0, -1),
        ("indptr", 4, 10**6),
        ("indptr", 5, 0),
    ):
        given = X.copy()
        getattr(given, name)[index] = value
        for call in (network.predict, lambda X: network.fit(X, np.zeros((150, 3)))):
            with pytest.raises(ValueError, match=f"X.{name}"):
                call(given)
