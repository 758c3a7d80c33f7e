"""The oracle against oracles that no one here wrote, finite differences, and its own promises."""

import inspect

import numpy as np
import pytest
import scipy.special
import scipy.stats
from sklearn.metrics import log_loss, mean_poisson_deviance

from cases import DTYPES, PAIRS, cost_arguments, generator, normal, optimizer_arguments, targets
from fastnn import reference
from fastnn_kernels import costs, on_arrays, optimizers

both = pytest.mark.parametrize("dtype", DTYPES)
Z = normal(np.float64, (7, 5), "Z")
DEFAULTS = {"smoothing": 0.1, "threshold": 0.8, "scale": 0.25}


def test_activations_agree_with_scipy():
    oracles = {
        "sigmoid": scipy.special.expit,
        "gelu": lambda z: z * scipy.stats.norm.cdf(z),
        "silu": lambda z: z * scipy.special.expit(z),
        "softplus": lambda z: -scipy.special.log_expit(-z),
        "softmax": lambda z: scipy.special.softmax(z, axis=1),
    }
    for name, oracle in oracles.items():
        np.testing.assert_allclose(reference.activation_forward(Z, name), oracle(Z), 1e-13, err_msg=name)
    np.testing.assert_array_equal(reference.relu(Z), Z * (Z > 0))
    np.testing.assert_array_equal(reference.leaky_relu(Z), np.maximum(Z, 0.01 * Z))
    np.testing.assert_array_equal(reference.elu(Z), np.where(Z > 0, Z, np.expm1(Z)))


def test_costs_agree_with_scipy_and_scikit_learn():
    Y = targets("binary_cross_entropy", (7, 1), np.float64)
    cost, _ = reference.binary_cross_entropy(Z[:, :1], Y)
    np.testing.assert_allclose(cost.mean(), log_loss(Y, scipy.special.expit(Z[:, :1])))
    indices = targets("softmax_cross_entropy", (7, 5), np.float64, indices=True)
    cost, _ = reference.softmax_cross_entropy(Z, indices)
    np.testing.assert_allclose(
        cost.mean(), log_loss(indices, scipy.special.softmax(Z, axis=1), labels=range(5))
    )
    rows = np.eye(5)[indices[:, 0].astype(int)]
    np.testing.assert_array_equal(cost, reference.softmax_cross_entropy(Z, rows)[0])
    Y = targets("poisson", (7, 1), np.float64)
    cost, _ = reference.poisson(Z[:, :1], Y)
    np.testing.assert_allclose(cost.mean(), mean_poisson_deviance(Y[:, 0], np.exp(Z[:, 0])) / 2)
    cost, _ = reference.huber(Z, 2 * Z[::-1], None, 0.8)
    np.testing.assert_allclose(cost, scipy.special.huber(0.8, Z - 2 * Z[::-1]).sum(axis=1))


def test_confident_logits_do_not_overflow():
    z = np.array([[1e4], [-1e4]])
    cost, dZ = reference.binary_cross_entropy(z, np.array([[1.0], [1.0]]))
    np.testing.assert_array_equal(cost, [0, 1e4])
    np.testing.assert_array_equal(dZ, [[0], [-1]])
    cost, dZ = reference.softmax_cross_entropy(np.array([[1e4, -1e4]]), np.array([[1.0]]))
    np.testing.assert_array_equal(cost, [2e4])
    np.testing.assert_array_equal(dZ, [[1, -1]])


@both
def test_dtype_is_kept(dtype):
    def check(*results):
        assert all(x.dtype == dtype for x in results)

    z = Z.astype(dtype)
    for name in reference.ACTIVATIONS:
        check(A := reference.activation_forward(z, name), reference.activation_backward(z, z, A, name))
    for cost, output in PAIRS:
        _, Y, weights, *_ = cost_arguments(cost, z.shape, dtype)
        check(*reference.cost_backward(z, z, Y, weights, cost, output, *DEFAULTS.values()))
    for name in optimizers.OPTIMIZERS:
        check(*np.atleast_2d(getattr(reference, name)(*optimizer_arguments(name, 9, dtype))))
    assert type(reference.squared_norm(z)) is float


def test_same_names_and_order_as_the_kernels():
    """A twin takes the kernel's inputs in the kernel's order, names instead of codes, and no outputs."""
    twins = {
        *("activation_forward", "activation_backward", "softmax_forward", "softmax_backward"),
        *("cost_backward", *costs.COSTS, *optimizers.OPTIMIZERS),
    }
    for name in twins:
        twin, kernel = getattr(reference, name), getattr(on_arrays, name)
        ours = list(inspect.signature(twin).parameters)
        theirs = inspect.signature(getattr(kernel, "py_func", kernel)).parameters
        assert ["code" if x in ("name", "cost") else x for x in ours] == list(theirs)[: len(ours)], name


def network(sizes, dtype=np.float64):
    weights = [normal(dtype, shape, "W") / shape[0] ** 0.5 for shape in zip(sizes, sizes[1:], strict=False)]
    return weights, [normal(dtype, n, "b") for n in sizes[1:]]


@pytest.mark.parametrize("cost, output", PAIRS)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_the_finite_differences(cost, output, weighted):
    weights, biases = network((4, 5, 3, 2))
    names = "tanh", "gelu", output
    X = normal(np.float64, (6, 4), "X")
    _, Y, sample_weights, *_ = cost_arguments(cost, (6, 2), np.float64)
    arguments = X, Y, weights, biases, names, cost, sample_weights if weighted else None
    _, dW, db = reference.gradients(*arguments, **DEFAULTS)
    for values, gradient in zip(weights + biases, dW + db, strict=True):
        for index in np.ndindex(values.shape):
            value, sums = values[index], []
            for values[index] in (value + 1e-5, value - 1e-5):
                sums.append(DEFAULTS["scale"] * reference.gradients(*arguments, **DEFAULTS)[0].sum())
            values[index] = value
            slope = (sums[0] - sums[1]) / 2e-5
            assert abs(gradient[index] - slope) <= 1e-7 * max(1, abs(slope))


def test_forward_returns_every_layer():
    weights, biases = network((4, 5, 2))
    X = normal(np.float64, (3, 4), "X")
    Z, A = reference.forward(X, weights, biases, ["relu", "identity"])
    assert A[0] is X and len(Z) == 2 and len(A) == 3
    np.testing.assert_array_equal(A[1], np.maximum(X @ weights[0] + biases[0], 0))
    np.testing.assert_array_equal(A[2], A[1] @ weights[1] + biases[1])
    with pytest.raises(ValueError):
        reference.forward(X, weights, biases, ["relu"])


def test_layer_backward_is_one_layer_of_gradients():
    weights, biases = network((4, 3))
    X, Y = normal(np.float64, (6, 4), "X"), normal(np.float64, (6, 3), "Y")
    (Z,), (_, A) = reference.forward(X, weights, biases, ["sigmoid"])
    _, dA = reference.squared_error(A, Y)
    dZ, dW, db, dX = reference.layer_backward(dA, X, weights[0], Z, A, "sigmoid")
    _, all_dW, all_db = reference.gradients(X, Y, weights, biases, ["sigmoid"], "squared_error")
    np.testing.assert_array_equal(dW, all_dW[0])
    np.testing.assert_array_equal(db, all_db[0])
    np.testing.assert_array_equal(dX, dZ @ weights[0].T)


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_a_whole_training_loop(name):
    """XOR is learnt by each optimizer: parameters in one flat vector, seen by the network as views."""
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
    Y = np.array([[0], [1], [1], [0]], np.float64)
    params = generator(0).standard_normal(2 * 8 + 8 + 8 + 1)
    moments = [np.zeros_like(params) for _ in range(optimizers.OPTIMIZERS[name].n_moments)]
    for step in range(1, 401):
        W1, b1, W2, b2 = np.split(params, [16, 24, 32])
        weights, biases = [W1.reshape(2, 8), W2.reshape(8, 1)], [b1, b2]
        cost, dW, db = reference.gradients(
            X, Y, weights, biases, ["tanh", "sigmoid"], "binary_cross_entropy", scale=0.25
        )
        grads = np.concatenate([x.ravel() for pair in zip(dW, db, strict=True) for x in pair])
        if name == "sgd":
            params = reference.sgd(grads, 1.0, 1, 0, params)
        elif name == "adam":
            root = np.sqrt(1 - 0.999**step)
            rate, epsilon = 0.05 * root / (1 - 0.9**step), 1e-8 * root
            *moments, params = reference.adam(grads, rate, 0.9, 0.999, epsilon, 1, 0, 0, *moments, params)
        else:
            *moments, params = getattr(reference, name)(grads, 0.2, 0.9, 1, 0, *moments, params)
    assert cost.mean() < 0.05
