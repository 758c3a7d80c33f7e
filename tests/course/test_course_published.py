"""Notebooks that make the calls as published, on plain NumPy and with the import swapped: the same numbers.

A notebook here is a function of the module that it would import; ours is reached through its star import.
"""

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from course_published import layers, planar, two_layer, xor
from fastnn.course import deep
from fastnn.course import planar as our_planar
from fastnn.course import two_layer as our_two_layer
from fastnn.course import xor as our_xor

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(2, 60)
Y = (X[:1] * X[1:] > 0).astype(int)
XOR_X, XOR_Y = [[0, 0, 1, 1], [0, 1, 0, 1]], [[0, 1, 1, 0]]
ROWS, LABELS = RANDOM.rand(90, 7), RANDOM.randint(0, 2, (90, 1))


def star(module):
    """What `from module import *` gives a notebook."""
    return SimpleNamespace(**{name: getattr(module, name) for name in module.__all__})


def layers_calls(course):
    parameters = course.initialize_parameters([2, 5, 4, 1])
    A1, cache = course.linear_activation_forward(X, parameters["W1"], parameters["b1"], "relu")
    linear_cache, Z1 = cache
    Z, _ = course.linear_forward(X, parameters["W1"], parameters["b1"])
    steps = [A1, linear_cache, Z1, Z, course.sigmoid(Z), course.relu(Z)]
    steps += [course.sigmoid_backward(A1, Z), course.relu_backward(A1, Z)]
    steps += [course.linear_backward(A1, linear_cache)]
    return steps + [course.linear_activation_backward(A1, cache, name) for name in ("relu", "sigmoid")]


def layers_training(course):
    """The loop of the post, which does not look at what update_parameters returns."""
    parameters, costs = course.initialize_parameters([2, 5, 1]), []
    for _ in range(300):
        AL, caches = course.L_Model_Forward(X, parameters)
        costs.append(course.compute_cost(AL, Y))
        grads = course.L_model_backward(AL, Y, caches)
        course.update_parameters(parameters, grads, learning_rate=2.0)
    assert costs[-1] < 0.98 * costs[0]
    return costs, grads, parameters


def planar_calls(course):
    parameters = course.initialize_parameters(2, 4, 1)
    A2, cache = course.forward_propagation(X, parameters)
    grads = course.backward_propagation(parameters, cache, X, Y)
    updated = course.update_parameters(parameters, grads, 0.5)
    assert parameters["W1"] is not updated["W1"]
    return cache, A2, grads, updated, parameters, course.compute_loss(A2, Y), course.compute_cost(A2, Y)


def planar_training(course):
    parameters = course.nn_model(X, Y, 4, num_iterations=1500, learning_rate=0.5, print_cost=True)
    predictions = course.predict(parameters, X)
    assert predictions.dtype == bool
    accuracy = (np.dot(Y, predictions.T) + np.dot(1 - Y, 1 - predictions.T)).item() / Y.size * 100
    return parameters, predictions, accuracy, course.nn_model(X, Y, 3, 20)


def planar_experiment(course):
    accuracies = []
    for n_h in [1, 2, 3, 4, 5, 20, 50]:
        parameters = course.nn_model(X, Y, n_h, num_iterations=50)
        accuracies.append(np.mean(course.predict(parameters, X) == Y) * 100)
    return accuracies


def xor_calls(course):
    params = course.init_parameters()
    steps = [course.affine([[1, 1], [2, 2]], [[1], [1]], [[1], [2]]), course.sigmoid(0.1)]
    steps += [course.binary_cross_entropy(np.array([[0, 1]]), np.array([[0.2, 0.7]]))]
    return steps + [
        course.forward_loss(X=XOR_X, Y=np.array(XOR_Y), _params=params),
        course.get_gradients(X=XOR_X, Y=np.array(XOR_Y), _params=params),
    ]


def xor_training(course):
    X, Y = np.array(XOR_X), np.array(XOR_Y)
    start = course.init_parameters(4)
    kept = [value.copy() for value in start]
    results = [course.optimize(X, Y, start, 0.5, 700), course.optimize(X, Y, start)]
    for before, after in zip(kept, start, strict=True):
        np.testing.assert_array_equal(before, after)
    lists = [value.tolist() for value in course.init_parameters(3)]
    ragged = np.empty(4, object)
    ragged[:] = course.init_parameters(3)
    results += [course.optimize(X, Y, _params=x, learning_rate=0.2, iteration=100) for x in (lists, ragged)]
    return results


def two_layer_calls(course):
    np.random.seed(5)
    net = course.TwoLayerNetwork(hidden_dim=6)
    net.initialize_weight(ROWS)
    AL = net.forward(ROWS)
    net.backward(AL, LABELS)
    steps = [AL, net.compute_cost(AL, LABELS), dict(net.grads), {**net.parameters}]
    steps += [net.caches[name] for name in ("A0", "Z1", "A1", "Z2", "A2")]
    net.update_parameter()
    Z, dA = net.caches["Z1"], net.caches["A1"]
    ways = [course.relu(Z), course.relu_backward(Z, dA), course.sigmoid(Z), course.sigmoid_backward(Z, dA)]
    return steps, ways, {**net.parameters}, net.train(ROWS, LABELS), net.parameters


def two_layer_training(course):
    np.random.seed(5)
    net, costs = course.TwoLayerNetwork(), []
    net.initialize_weight(ROWS)
    for _ in range(5):
        order = np.random.permutation(len(ROWS))
        for start in range(0, len(ROWS), 32):
            rows = order[start : start + 32]
            costs.append(net.train(ROWS[rows], LABELS[rows], learning_rate=0.5))
    AL = net.forward(ROWS)
    return costs, net.parameters, course.predict(AL), course.caculate_accuracy(AL, LABELS)


NOTEBOOKS = {
    layers_calls: (layers, deep),
    layers_training: (layers, deep),
    planar_calls: (planar, our_planar),
    planar_training: (planar, our_planar),
    planar_experiment: (planar, our_planar),
    xor_calls: (xor, our_xor),
    xor_training: (xor, our_xor),
    two_layer_calls: (two_layer, our_two_layer),
    two_layer_training: (two_layer, our_two_layer),
}


def assert_equal(actual, wanted):
    """The same nest of dictionaries, lists and tuples, whose numbers and shapes are the same."""
    if isinstance(wanted, dict):
        assert actual.keys() == wanted.keys()
        for name, value in wanted.items():
            assert_equal(actual[name], value)
    elif isinstance(wanted, list | tuple):
        assert isinstance(actual, type(wanted)) and len(actual) == len(wanted)
        for ours, theirs in zip(actual, wanted, strict=True):
            assert_equal(ours, theirs)
    else:
        assert np.shape(actual) == np.shape(wanted)
        np.testing.assert_allclose(actual, wanted, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.__name__)
def test_notebook(notebook, capsys):
    published, ours = NOTEBOOKS[notebook]
    wanted = notebook(published)
    wanted_text = capsys.readouterr().out
    assert_equal(notebook(star(ours)), wanted)
    assert capsys.readouterr().out == wanted_text


def functions(module):
    return {name: f for name, f in vars(module).items() if inspect.isfunction(f) or inspect.isclass(f)}


@pytest.mark.parametrize(
    "published, ours", dict.fromkeys(NOTEBOOKS.values()), ids=lambda module: module.__name__
)
def test_names_and_defaults(published, ours):
    """Every argument has the published name, place and default; ours may have more of them behind."""
    for name, function in functions(published).items():
        assert name in ours.__all__, name
        pairs = [(function, getattr(ours, name))]
        if inspect.isclass(function):
            pairs += [(method, getattr(pairs[0][1], key)) for key, method in functions(function).items()]
        for theirs, our in pairs:
            expected = list(inspect.signature(theirs).parameters.values())
            actual = list(inspect.signature(our).parameters.values())
            for x, y in zip(expected, actual, strict=False):
                assert x.name == y.name, (name, x, y)
                assert x.default is x.empty or x.default == y.default, (name, x, y)


@pytest.mark.parametrize(
    "published, ours", dict.fromkeys(NOTEBOOKS.values()), ids=lambda module: module.__name__
)
def test_the_page_has_every_call(published, ours):
    page = (Path(__file__).parents[2] / "docs" / "courses.md").read_text()
    part = page.partition(f"`from {ours.__name__} import *`")[2].partition("\n## ")[0]
    for name, function in functions(published).items():
        assert f"`{name}(" in part, name
        if inspect.isclass(function):
            assert [method for method in functions(function) if f"`{method.strip('_')}(" not in part] == [
                "__init__"
            ]


def test_the_other_edition_of_planar():
    """Seed 2 and a rate of 1.2, by arguments."""
    start = our_planar.initialize_parameters(2, 4, 1, seed=2)
    np.testing.assert_array_equal(start["W1"], 0.01 * np.random.RandomState(2).randn(4, 2))
    for _ in range(200):
        A2, cache = planar.forward_propagation(X, start)
        start = planar.update_parameters(start, planar.backward_propagation(start, cache, X, Y), 1.2)
    assert_equal(our_planar.nn_model(X, Y, 4, 200, learning_rate=1.2, seed=2), start)
    grads = planar.backward_propagation(start, cache, X, Y)
    expected = planar.update_parameters(start, grads, 1.2)
    assert_equal(our_planar.update_parameters(start, grads), expected)


def test_the_boundary_on_the_current_axes():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure = pyplot.figure()
    parameters = our_planar.nn_model(X, Y, 4, 500, 1.2)
    try:
        left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
        pyplot.sca(left)
        ax = our_planar.plot_decision_boundary(lambda x: our_planar.predict(parameters, x.T), X, Y)
        pyplot.title("hidden layer of 4")
        assert ax is left and left.get_title() == "hidden layer of 4"
        assert left.collections and not right.collections
    finally:
        pyplot.close(figure)


def test_the_generator_of_the_notebook_is_left_alone_where_a_seed_is_fixed():
    np.random.seed(9)
    wanted = np.random.RandomState(9).randn(3)
    our_planar.nn_model(X, Y, 3, 2), deep.initialize_parameters([2, 1]), our_xor.init_parameters()
    our_two_layer.TwoLayerNetwork(3, seed=1).fit(ROWS, LABELS, epochs=1)
    np.testing.assert_array_equal(np.random.randn(3), wanted)


def test_a_fit_follows_the_generator_of_the_notebook():
    ends = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        net = our_two_layer.TwoLayerNetwork(3)
        net.fit(ROWS, LABELS, epochs=2)
        ends.append(net.parameters["W1"])
    np.testing.assert_array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])
