"""What `fit` takes for data: the same numbers in any form; and what it refuses."""

import numpy as np
import pandas
import pytest
import scipy.sparse

from cases import DTYPES, generator, normal
from training_cases import bits, inputs_like, make_data, make_network, untouched

both = pytest.mark.parametrize("dtype", DTYPES)


# Forms of the same numbers


@both
def test_inputs_of_every_kind_give_the_same_bits(dtype):
    X = generator("inputs").integers(0, 10, (50, 3)).astype(dtype)
    Y = generator("targets").integers(0, 10, (50, 3)).astype(dtype)

    def fit(X, Y, weights, held):
        network = make_network((3, 4, 3), dtype=dtype)
        return bits(network, network.fit(X, Y, epochs=2, sample_weight=weights, validation_data=held))

    weights = Y[:, 0] + 1
    wanted = fit(X, Y, weights, (X, Y, weights))
    columns = {"list": weights.tolist(), "tuples": tuple(weights), "DataFrame": pandas.Series(weights)}
    for (kind, inputs), targets in zip(inputs_like(X).items(), inputs_like(Y).values(), strict=True):
        w = columns.get(kind, weights.astype(inputs.dtype) if isinstance(inputs, np.ndarray) else weights)
        assert fit(inputs, targets, w, (inputs, targets, w)) == wanted, kind
        assert np.array_equal(inputs, X), kind  # nothing was written to them


def test_targets_of_one_output():
    """A column, a row of numbers, a list, booleans and a Series are the same."""
    X = normal(np.float64, (20, 7))
    labels = X[:, 0] > 0
    forms = [labels, labels[:, None], labels.tolist(), labels.astype(np.int8), labels.astype(float)]
    forms += [pandas.Series(labels), pandas.DataFrame({"y": labels}), np.c_[labels, labels][:, :1]]
    results = []
    for y in forms:
        network = make_network((7, 3, 1), output="sigmoid")
        results.append(bits(network, network.fit(X, y, epochs=2)))
    assert all(result == results[0] for result in results)


@both
def test_classes_as_indices_and_as_rows(dtype):
    networks = [make_network(output="softmax", dtype=dtype) for _ in range(3)]
    X, Y = make_data(networks[0], indices=True)
    rows = np.eye(3, dtype=int)[Y[:, 0].astype(int)]
    forms = Y[:, 0].astype(np.uint8), Y, rows
    histories = [
        network.fit(X, y, epochs=5, validation_data=(X, y))
        for network, y in zip(networks, forms, strict=True)
    ]
    assert bits(networks[0], histories[0]) == bits(networks[1], histories[1])
    tolerance = 1e-12 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(networks[2].params, networks[0].params, tolerance, tolerance)
    np.testing.assert_allclose(histories[2].val_cost, histories[0].val_cost, tolerance)
    assert histories[2].val_score == histories[0].val_score


# Refusals


NETWORKS = {
    "numbers": {},
    "classes": {"output": "softmax"},
    "labels": {"output": "sigmoid"},
    "counts": {"output": "exp"},
}
WRONG = [
    ("X", lambda x: x[0], r"X has shape \(7,\); expected \(n_samples, 7\): reshape one sample to \(1, 7\)"),
    ("X", lambda x: x[None], r"X has shape \(1, 85, 7\); .*give one row per sample"),
    ("X", lambda x: x[:, 1:], "X has 6 columns; the network takes 7"),
    ("X", lambda x: x[:0], "X has no rows; give at least one sample"),
    ("X", lambda x: x.astype(object), "X has dtype object, expected real numbers"),
    ("X", lambda x: x.astype(complex), "X has dtype complex128"),
    ("X", lambda x: x.astype(str), "X has dtype <U32"),
    ("X", lambda x: pandas.DataFrame(x).astype({0: str}), "X has dtype object"),
    ("X", lambda x: pandas.DataFrame(x).astype("M8[ns]"), "X has dtype datetime64"),
    ("X", lambda x: scipy.sparse.csr_array(x[:, 1:]), "X has 6 columns; the network takes 7"),
    ("X", lambda x: scipy.sparse.csr_array(x[:0]), "X has no rows; give at least one sample"),
    ("X", lambda x: scipy.sparse.coo_array(x * np.nan), "X holds NaN or infinity as float32, first in row 0"),
    ("X", lambda x: scipy.sparse.csr_array(x * (x == x[3])) * 1e300, "X holds NaN or infinity .* in row 3"),
    ("y", lambda y: scipy.sparse.csr_array(y), r"y is a sparse matrix; give y.toarray\(\): only X may be"),
    ("X", lambda x: np.ma.masked_array(x, x > 1), "X is a masked array"),
    ("X", lambda x: [[1, 2], [3]], "X does not make an array"),
    ("X", lambda x: np.where(np.arange(85)[:, None] == 7, np.nan, x), "NaN or infinity, first in row 7"),
    ("X", lambda x: np.where(np.arange(85)[:, None] == 84, -np.inf, x), "NaN or infinity, first in row 84"),
    ("X", lambda x: np.where(np.arange(85)[:, None] == 3, 1e300, x), "X is too large for float32 in row 3"),
    ("y", lambda y: y[:-1], "y has 84 rows, X has 85; they must be the same samples"),
    ("y", lambda y: y[:0], "y has 0 rows"),
    ("y", lambda y: y[None], r"y has shape \(1, 85, 3\); expected \(n_samples,\) or \(n_samples, 3\)"),
    ("y", lambda y: np.c_[y, y], "y has 6 columns; the network gives 3"),
    ("y", lambda y: y[:, :2], "y has 2 columns; the network gives 3"),
    ("y", lambda y: y.astype(object), "y has dtype object"),
    ("y", lambda y: y * 1j, "y has dtype complex128"),
    ("y", lambda y: y.astype(str), "y has dtype <U32"),
    ("y", lambda y: [["a", "b", "c"]] * 85, "y has dtype <U1"),
    ("y", lambda y: 1.0, r"y has shape \(\)"),
    (
        "y",
        lambda y: np.where(np.arange(85)[:, None] == 7, np.nan, y),
        "y holds NaN or infinity, first in row 7",
    ),
    ("y", lambda y: y + np.inf, "y holds NaN or infinity, first in row 0"),
    ("y", lambda y: y + 1e300, "y is too large for float32 in row 0"),
]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("what, make, match", WRONG)
def test_refused_data(kind, what, make, match):
    network = make_network(dtype="float32", **NETWORKS[kind])
    X, Y = (x.astype(np.float64) for x in make_data(network))
    wrong = (make(X), Y) if what == "X" else (X, make(Y))
    untouched(network, (ValueError, TypeError), match, *wrong)
    with pytest.raises((ValueError, TypeError), match=match):
        network.evaluate(*wrong)
    untouched(network, (ValueError, TypeError), f"validation_data: .*{match}", X, Y, validation_data=wrong)


@pytest.mark.parametrize(
    "options, y, match",
    [
        ({"output": "softmax"}, [0, 1, 3], r"y holds \[3\] in row 2; class indices must be whole .* 0 to 2"),
        ({"output": "softmax"}, [0, -1, 1], r"y holds \[-1\] in row 1; class indices"),
        ({"output": "softmax"}, [0, 0.5, 1], r"y holds \[0.5\] in row 1; class indices"),
        ({"output": "softmax"}, np.ones((3, 3)), "in row 0; rows must be one-hot or probabilities that"),
        ({"output": "softmax"}, [[1, 0, 0], [0, 1, 0], [2, -1, 0]], "in row 2; rows must be one-hot"),
        ({"output": "softmax", "cost": "squared_error"}, [0, 1, 2], "y has 1 columns; the network gives 3"),
        ({"output": "sigmoid"}, [[0, 1, 2]] * 3, r"y holds \[0, 1, 2\] in row 0; labels must be 0 or 1"),
        ({"output": "sigmoid"}, [[0, 1, -0.1]] * 3, "labels must be 0 or 1, or probabilities between"),
        ({"output": "exp"}, [[0, 1, 2], [0, -1, 2], [0, 1, 2]], "in row 1; counts must not be negative"),
        ({}, [0, 1, 2], "y has 1 columns; the network gives 3"),
    ],
)  # fmt: skip
def test_refused_targets(options, y, match):
    untouched(make_network(**options), ValueError, match, np.ones((3, 7)), y)


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda n: np.ones(n - 1), r"sample_weight has shape \(84,\); expected \(85,\)"),
        (lambda n: np.ones((n, 1)), r"sample_weight has shape \(85, 1\); expected \(85,\)"),
        (lambda n: 2.0, r"sample_weight has shape \(\)"),
        (lambda n: [], r"sample_weight has shape \(0,\)"),
        (lambda n: -np.ones(n), "sample_weight must not be negative, and not zero for all samples"),
        (lambda n: np.r_[-1e-9, np.ones(n - 1)], "sample_weight must not be negative"),
        (lambda n: np.zeros(n), "not zero for all samples"),
        (lambda n: np.r_[np.ones(n - 1), np.nan], "sample_weight holds NaN or infinity, first in row 84"),
        (lambda n: np.full(n, np.inf), "sample_weight holds NaN or infinity"),
        (lambda n: np.full(n, 1e-60), "sum of sample_weight is too large or too small for float32"),
        (lambda n: np.full(n, 3e38), "sum of sample_weight is too large"),
        (lambda n: np.full(n, 1e60), "sample_weight is too large for float32 in row 0"),
        (lambda n: ["a"] * n, "sample_weight has dtype <U1"),
        (lambda n: np.ones(n, complex), "sample_weight has dtype complex"),
    ],
)
def test_refused_weights(make, match):
    network = make_network(dtype="float32")
    X, Y = make_data(network)
    weights = make(len(X))
    untouched(network, (ValueError, TypeError), match, X, Y, sample_weight=weights)
    with pytest.raises((ValueError, TypeError), match=match):
        network.evaluate(X, Y, weights)
