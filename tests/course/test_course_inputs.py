"""What the course helpers take, and what they say to what they do not; no argument is ever changed."""

import copy
import signal

import numpy as np
import pytest

from course_cases import FORMS, as_form, close, layer, network
from fastnn import DivergenceError
from fastnn.course import deep, planar, xor
from fastnn.course.two_layer import TwoLayerNetwork

A, W, b, dA = layer((5, 4, 9))
X, Y, PARAMETERS = network((5, 4, 1), 9)
CACHE = deep.linear_activation_forward(A, W, b, "relu")[1]
CACHES = deep.L_model_forward(X, PARAMETERS)[1]
AL = deep.L_model_forward(X, PARAMETERS)[0]
GRADS = deep.L_model_backward(AL, Y, CACHES)
PLANAR_CACHE = planar.forward_propagation(X, PARAMETERS)[1]
PARAMS = list(PARAMETERS.values())

CALLS = {
    "sigmoid": (deep.sigmoid, dA),
    "relu": (deep.relu, dA),
    "sigmoid_backward": (deep.sigmoid_backward, dA, CACHE[1]),
    "relu_backward": (deep.relu_backward, dA, CACHE[1]),
    "linear_forward": (deep.linear_forward, A, W, b),
    "linear_activation_forward": (lambda *x: deep.linear_activation_forward(*x, "tanh"), A, W, b),
    "linear_backward": (deep.linear_backward, dA, CACHE[0]),
    "linear_activation_backward": (lambda *x: deep.linear_activation_backward(*x, "relu"), dA, CACHE),
    "compute_dW": (deep.compute_dW, dA, A),
    "compute_db": (deep.compute_db, dA),
    "compute_dA_prev": (deep.compute_dA_prev, W, dA),
    "compute_cost": (deep.compute_cost, AL, Y),
    "L_model_forward": (deep.L_model_forward, X, PARAMETERS),
    "L_model_backward": (deep.L_model_backward, AL, Y, CACHES),
    "update_parameters": (lambda x, grads: deep.update_parameters(dict(x), grads, 0.1), PARAMETERS, GRADS),
    "L_layer_model": (lambda *x: deep.L_layer_model(*x, [5, 3, 1], 0.1, 9), X, Y),
    "forward_propagation": (planar.forward_propagation, X, PARAMETERS),
    "backward_propagation": (planar.backward_propagation, PARAMETERS, PLANAR_CACHE, X, Y),
    "nn_model": (lambda *x: planar.nn_model(*x, 3, 9), X, Y),
    "affine": (xor.affine, W, A, b),
    "forward_loss": (xor.forward_loss, X, Y, PARAMS),
    "get_gradients": (xor.get_gradients, X, Y, PARAMS),
    "optimize": (lambda *x: xor.optimize(*x, 0.1, 9), X, Y, PARAMS),
}


def each_array(value, change):
    """The same nest of dictionaries, lists and tuples, with `change` of each array."""
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, dict):
        return {name: each_array(x, change) for name, x in value.items()}
    return type(value)(each_array(x, change) for x in value) if isinstance(value, list | tuple) else value


def flat(value):
    """All arrays and numbers of such a nest, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    return [y for x in value for y in flat(x)] if isinstance(value, list | tuple) else [value]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CALLS)
def test_forms(name, form):
    function, *arguments = CALLS[name]
    if form == "int":
        arguments = each_array(arguments, np.rint)
    given = each_array(arguments, lambda x: as_form(x, form))
    kept = copy.deepcopy(given)
    results, wanted = function(*given), function(*arguments)
    if form == "list":  # caches hold arrays where lists were given
        assert given == kept
    else:
        for before, after in zip(flat(kept), flat(given), strict=True):
            np.testing.assert_array_equal(before, after)
    results, wanted = flat(results), flat(wanted)
    for actual, expected in zip(results, wanted, strict=True):
        close(np.float64(actual), expected, 64 if form != "float32" else 2**31)
        if form == "float32":
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CALLS)
def test_float32_stays(name):
    function, *arguments = CALLS[name]
    for result in flat(function(*each_array(arguments, np.float32))):
        if isinstance(result, np.ndarray):
            assert result.dtype == np.float32


def test_mixed_types_are_computed_in_float64():
    Z, (_, W32, _) = deep.linear_forward(A, W.astype(np.float32), b)
    assert Z.dtype == W32.dtype == np.float64
    assert deep.sigmoid_backward(dA.astype(np.float32), CACHE[1]).dtype == np.float64
    assert deep.compute_cost(AL.astype(np.float32), Y.astype(bool)) == pytest.approx(
        deep.compute_cost(AL, Y), 1e-5
    )


def test_data_in_the_order_of_their_file_are_not_copied():
    samples = np.asfortranarray(X)
    _, caches = deep.L_model_forward(samples, PARAMETERS)
    assert caches[0][0][0] is samples
    for name, value in deep.L_model_backward(AL, Y, caches).items():
        close(value, GRADS[name])


ERRORS = {
    "samples in rows": (lambda: deep.linear_forward(A.T, W, b), r"W has shape \(4, 5\) and A \(9, 5\)"),
    "np.dot(A, W)": (lambda: xor.affine(A, W, b), r"W has shape \(5, 9\) and X \(4, 5\)"),
    "flat b": (lambda: deep.linear_forward(A, W, b.ravel()), r"b has shape \(4,\), expected two dimensions"),
    "b of another layer": (
        lambda: deep.linear_forward(A, W, b[1:]),
        r"b has shape \(3, 1\), expected \(4, 1\)",
    ),
    "no samples": (lambda: deep.linear_forward(A[:, :0], W, b), r"A is empty, its shape is \(5, 0\)"),
    "text": (lambda: deep.sigmoid([["a"]]), "Z has dtype <U1, expected real numbers"),
    "complex": (lambda: deep.relu(1j * dA), "Z has dtype complex128"),
    "ragged": (lambda: deep.relu([[1, 2], [3]]), "Z does not make an array"),
    "activation": (
        lambda: deep.linear_activation_forward(A, W, b, "rellu"),
        "'rellu': expected one of identity",
    ),
    "softmax": (lambda: deep.linear_activation_forward(A, W, b, "softmax"), "'softmax': expected one of"),
    "Z of another shape": (lambda: deep.relu_backward(dA, A), r"dA has shape \(4, 9\), but Z has \(5, 9\)"),
    "cost shapes": (lambda: deep.compute_cost(AL, Y[:, 1:]), r"Y has shape \(1, 8\), but AL has \(1, 9\)"),
    "dZ shape": (
        lambda: deep.linear_backward(dA[1:], CACHE[0]),
        r"dZ has shape \(3, 9\), A_prev \(5, 9\) and W",
    ),
    "dW shapes": (lambda: deep.compute_dW(dA, A[:, 1:]), r"dZ has shape \(4, 9\) and A_prev \(5, 8\)"),
    "dA_prev shapes": (lambda: deep.compute_dA_prev(W.T, dA), r"W has shape \(5, 4\) and dZ \(4, 9\)"),
    "cache": (
        lambda: deep.linear_backward(dA, CACHE),
        r"must be \(A_prev, W, b\), as linear_forward gives it",
    ),
    "linear cache": (
        lambda: deep.linear_activation_backward(dA, CACHE[0], "relu"),
        r"must be \(\(A_prev, W, b\), Z\)",
    ),
    "no caches": (lambda: deep.L_model_backward(AL, Y, []), "caches is empty"),
    "no parameters": (
        lambda: deep.L_model_forward(X, {}),
        r"parameters is \[\]: expected a dictionary of W1",
    ),
    "b2 missing": (
        lambda: deep.L_model_forward(X, {"W1": W, "c1": b}),
        "parameters has no 'b1'.*given W1, c1",
    ),
    "gradient missing": (
        lambda: deep.update_parameters(PARAMETERS, {"W1": W}, 0.1),
        "grads has no 'dW1': expected a dictionary with that key, given W1",
    ),
    "gradient's shape": (
        lambda: deep.update_parameters({"W1": W}, {"dW1": W.T}, 0.1),
        r"dW1 has shape \(5, 4\), but W1 has \(4, 5\)",
    ),
    "rate": (lambda: deep.update_parameters(PARAMETERS, GRADS, np.nan), "learning_rate=nan must be a number"),
    "one width": (lambda: deep.initialize_parameters([3]), "expected at least two widths"),
    "width": (
        lambda: deep.initialize_parameters_deep([3, 0, 1]),
        "a width in layer_dims=0 must be a whole number",
    ),
    "three widths": (lambda: deep.two_layer_model(X, Y, [5, 3, 3, 1]), "expected three widths"),
    "inputs": (
        lambda: deep.L_layer_model(X, Y, [4, 1]),
        r"W1 has shape \(1, 4\).*X has 5 rows: expected \(1, 5\)",
    ),
    "outputs": (
        lambda: deep.L_layer_model(X, Y, [5, 2]),
        r"Y has shape \(1, 9\), but the network has 2 outputs",
    ),
    "labels": (lambda: planar.nn_model(X, 2 * Y, 3), "Y holds 0.0 to 2.0, expected labels 0 and 1"),
    "NaN": (lambda: planar.nn_model(np.where(X == X[0, 0], np.nan, X), Y, 3), "X holds NaN or infinity"),
    "samples": (lambda: planar.nn_model(X, Y[:, :8], 3), r"X has shape \(5, 9\) and Y \(1, 8\)"),
    "iterations": (lambda: planar.nn_model(X, Y, 3, 1.5), "num_iterations=1.5 must be a whole number"),
    "print_cost as rate": (lambda: planar.nn_model(X, Y, 3, 10, True), "learning_rate=True must be a number"),
    "params": (lambda: xor.forward_loss(X, Y, PARAMS[:3]), r"expected the list \[W1, B1, W2, B2\]"),
    "layers that do not fit": (
        lambda: xor.optimize(X, Y, [W, b, W, b], 0.1, 3),
        r"W2 has shape \(4, 5\).*W1 has 4: expected \(4, 4\)",
    ),
    "features": (lambda: two_layer().forward(X), r"X has shape \(5, 9\), expected \(n_samples, 5\)"),
    "labels of others": (
        lambda: two_layer().train(X.T, Y[:, 1:].T, 0.1),
        r"Y has shape \(8, 1\), expected \(9, 1\)",
    ),
    "test features": (
        lambda: two_layer().fit(X.T, Y.T, X.T[:, 1:], Y.T),
        "X_test has 4 features, X has 5",
    ),
    "test labels": (lambda: two_layer().fit(X.T, Y.T, X.T, 3 * Y.T), "Y_test holds 0.0 to 3.0"),
}


def two_layer():
    net = TwoLayerNetwork(3)
    net.initialize_weight(X.T)
    return net


@pytest.mark.parametrize("what", ERRORS)
def test_errors(what):
    call, message = ERRORS[what]
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_divergence():
    huge = 1e200 * X
    for run in (
        lambda: deep.L_layer_model(huge, Y, [5, 3, 1], 1e200, 50),
        lambda: TwoLayerNetwork(3).fit(huge.T, Y.T, learning_rate=1e200, epochs=9),
    ):
        with pytest.raises(DivergenceError, match="not finite after .*: use a smaller learning_rate than 1e"):
            run()


def test_failure_leaves_the_network_as_it_was():
    net = two_layer()
    before = {name: value.copy() for name, value in net.parameters.items()}
    for labels, rate in ((5 * Y.T, 0.1), (Y.T, -1)):
        with pytest.raises(ValueError):
            net.fit(X.T, labels, learning_rate=rate)
    with pytest.raises(ValueError):
        net.train(X.T, Y.T, -1)
    assert not net.grads and not net.caches
    for name, value in before.items():
        np.testing.assert_array_equal(net.parameters[name], value)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX timers")
def test_a_run_can_be_interrupted():
    """Ctrl-C is heard between compiled calls; a run of minutes ends at once."""
    xor.optimize(X, Y, PARAMS, 0.1, 3)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            xor.optimize(X, Y, PARAMS, 0.1, 10**9)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
