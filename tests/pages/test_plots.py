"""Pictures show what they say: their curves, regions, images, labels and legends. No window is opened."""

import subprocess
import sys
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from fastnn import History, Network
from fastnn.plots import decision_boundary, hidden_size_panel, learning_curves, weight_images

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((60, 2)) * [1, 5]
SIDE = (X[:, 0] > 0.3).astype(int)  # the plane is split by a vertical line
THREE = np.array(["low", "middle", "high"])[np.digitize(X[:, 1], [-3, 3])]


@pytest.fixture(autouse=True)
def headless():
    matplotlib.use("Agg")
    yield
    pyplot.close("all")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def curves(ax):
    """Every line by its label, on either axis."""
    axes = [other for other in ax.figure.axes if other.get_position().bounds == ax.get_position().bounds]
    return {line.get_label(): line.get_ydata().tolist() for other in axes for line in other.lines}


def right_axis(ax):
    (other,) = (other for other in ax.figure.axes if other is not ax)
    return other


def test_learning_curves_of_a_run():
    net = Network([2, 3, 1], output="sigmoid", seed=0)
    history = net.fit(X, SIDE, epochs=4, validation_split=0.2, threads=1)
    ax = learning_curves(history)
    drawn = {"training cost": history.cost, "validation cost": history.val_cost}
    assert curves(ax) == {**drawn, "validation score": history.val_score}
    assert legend(ax) == ["training cost", "validation cost", "validation score"]
    assert (ax.get_xlabel(), ax.get_ylabel(), right_axis(ax).get_ylabel()) == ("epoch", "cost", "score")
    assert list(ax.lines[0].get_xdata()) == [1, 2, 3, 4]
    assert ax.lines[1].get_color() == right_axis(ax).lines[0].get_color() != ax.lines[0].get_color()


@pytest.mark.parametrize("kind", (History, dict, History.to_dict), ids=("History", "dict", "to_dict"))
def test_learning_curves_of_what_a_run_left(kind):
    history = History(cost=[3, 2, 1], lr=[0.1, 0.1, 0.1], seconds=[1, 1, 1], stopped="early")
    given = {"cost": [3, 2, 1]} if kind is dict else history if kind is History else kind(history)
    ax = learning_curves(given)
    assert curves(ax) == {"training cost": [3, 2, 1]} and len(ax.figure.axes) == 1


def test_learning_curves_of_a_dict():
    given = {"train_cost": [2, 1], "test_cost": [3, 2], "train_accuracy": [0, 1], "test_accuracy": (0.5, 0.6)}
    ax = learning_curves(given)
    assert set(legend(ax)) == {"train cost", "test cost", "train accuracy", "test accuracy"}
    assert right_axis(ax).get_ylabel() == "accuracy"
    ax = learning_curves({"accuracy": [0.5, 0.75]})
    assert ax.get_ylabel() == "accuracy" and curves(ax) == {"accuracy": [0.5, 0.75]}


def test_learning_curves_of_an_estimator():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier((3,), max_iter=4, early_stopping=True).fit(X, SIDE)
    ax = learning_curves(model)
    assert curves(ax) == {"training cost": model.loss_curve_, "validation score": model.validation_scores_}


def test_several_runs_on_one_axes():
    _, ax = pyplot.subplots()
    for label in ("a", "b"):
        assert learning_curves({"cost": [2, 1], "val_score": [0, 1]}, ax, label=label) is ax
    assert len(ax.figure.axes) == 2
    assert set(legend(ax)) == {f"{x} {y}" for x in "ab" for y in ("training cost", "validation score")}
    assert len({line.get_color() for line in (*ax.lines, *right_axis(ax).lines)}) == 4


def test_axes_of_a_shared_grid_are_not_mistaken_for_one_another():
    _, (first, second) = pyplot.subplots(1, 2, sharex=True)
    for ax in (first, second):
        learning_curves({"cost": [2, 1], "val_score": [0, 1]}, ax)
    assert len(first.figure.axes) == 4 and [len(ax.lines) for ax in first.figure.axes] == [1] * 4


def test_a_single_epoch_is_a_visible_point():
    assert learning_curves({"cost": [2.0]}).lines[0].get_marker() == "."


@pytest.mark.parametrize("given", (History(), {}, Network([2, 1]), {"lr": [1]}, {"cost": []}), ids=repr)
def test_what_has_no_curves_is_refused(given):
    with pytest.raises(ValueError, match="holds no curves: give what fit returned"):
        learning_curves(given)


@pytest.mark.parametrize("values", (3, ["x"], [[1, 2]], [[1], [2, 3]]), ids=repr)
def test_what_is_no_curve_is_named(values):
    with pytest.raises(
        ValueError, match="the curve 'cost' is .*; give a list of numbers, one for each epoch"
    ):
        learning_curves({"test_cost": [1], "cost": values})


def network(n_out=1, output="sigmoid"):
    """Splits the plane at x = 0.3; with three outputs, at y = -3 and y = 3."""
    net = Network([2, n_out], output=output, dtype="float64")
    if n_out == 1:
        net.params[:] = 10, 0, -3
    else:
        net.weights[0][:] = [[0, 0, 0], [-2, 0, 2]]
        net.biases[0][:] = 0, 6, 0
    return net


def regions(ax):
    """The corners of each filled region."""
    return [
        c.get_paths()[0].vertices for c in ax.collections if c.get_zorder() == 1 and len(c.get_facecolor())
    ]


MODELS = {
    "network": network(),
    "estimator": LogisticRegression(C=1e6).fit(X, SIDE),
    "estimator without probabilities": LinearSVC(C=1e6).fit(X, SIDE),
    "labels": lambda points: points[:, 0] > 0.3,
    "probabilities": lambda points: 1 / (1 + np.exp(0.3 - points[:, 0])),
    "two columns": lambda points: np.stack([0.3 - points[:, 0], points[:, 0] - 0.3], axis=1),
    "course": lambda points: (points.T[:1] > 0.3).astype(float),
    "rows for (n, 1)": lambda points: (points[:, :1] > 0.3).tolist(),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_boundary_of_any_model(model):
    ax = decision_boundary(model, X, SIDE, resolution=50)
    left, right = regions(ax)
    width = np.ptp(ax.get_xlim()) / 49
    slant = 2 * width if hasattr(model, "classes_") else width / 2
    assert abs(left[:, 0].max() - right[:, 0].min()) < slant
    assert abs(left[:, 0].max() - 0.3) < slant + width
    assert legend(ax) == ["0", "1"] and ax.get_legend().get_title().get_text() == "class"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 1", "feature 2")
    dots = [c.get_offsets() for c in ax.collections if len(c.get_offsets()) > 1]
    assert [dot.tolist() for dot in dots] == [X[SIDE == k].tolist() for k in (0, 1)]


def test_three_classes_with_names():
    net = network(3, "softmax")
    ax = decision_boundary(net, X, np.digitize(X[:, 1], [-3, 3]))
    low, middle, high = regions(ax)
    np.testing.assert_allclose([low[:, 1].max(), high[:, 1].min()], [-3, 3], atol=0.1)
    np.testing.assert_allclose([middle[:, 1].min(), middle[:, 1].max()], [-3, 3], atol=0.1)
    names = np.array(["low", "middle", "high"])
    ax = decision_boundary(lambda points: names[net.predict(points).argmax(axis=1)], X, THREE)
    assert legend(ax) == ["high", "low", "middle"]
    assert abs(regions(ax)[0][:, 1].min() - 3) < 0.1


def test_a_class_that_has_no_samples():
    assert legend(decision_boundary(network(3, "softmax"), X, SIDE)) == ["0", "1", "2"]


def test_arrays_of_the_courses_shapes():
    ax = decision_boundary(network(), X.T, SIDE[None])
    assert len(regions(ax)) == 2
    assert np.array_equal(ax.get_xlim(), decision_boundary(network(), X, SIDE).get_xlim())


def test_a_frame_gives_its_names_to_the_estimator_and_the_axes():
    frame = pd.DataFrame(X, columns=["width", "height"])
    ax = decision_boundary(LogisticRegression().fit(frame, THREE), frame, pd.Series(THREE), resolution=20)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width", "height")


def test_a_class_that_wins_nowhere_or_everywhere():
    ax = decision_boundary(lambda points: np.full(len(points), 0.9), X, SIDE, resolution=10)
    assert len(regions(ax)) == 1 and legend(ax) == ["0", "1"]


def test_samples_on_a_line():
    line = np.c_[np.arange(10.0), np.ones(10)]
    ax = decision_boundary(lambda points: points[:, 0] > 4, line, line[:, 0] > 4, resolution=10)
    assert ax.get_ylim() == (0.5, 1.5)


@pytest.mark.parametrize(
    "arguments, message",
    (
        ((MODELS["labels"], RANDOM.random((9, 3)), SIDE[:9]), r"X has shape \(9, 3\); give samples of two"),
        ((MODELS["labels"], X[:0], SIDE[:0]), "give samples of two features"),
        ((MODELS["labels"], X, SIDE[:-1]), "y has 59 labels for 60 samples"),
        ((MODELS["labels"], X * np.nan, SIDE), "X holds NaN or infinity"),
        ((MODELS["labels"], X, np.ones(60)), "all labels are .*1.0.*; there is a boundary between two"),
        ((LinearRegression().fit(X, X[:, 0]), X, SIDE), r"numbers such as .*labels out of \[0, 1\]"),
        ((MODELS["labels"], X, THREE), "expected labels out of"),
        ((lambda points: points[:5, 0], X, SIDE), r"of shape \(90000, 2\) the model gave .* \(5,\)"),
        ((network(3, "softmax"), X, SIDE + 2), r"the model has 3 classes; y holds \[2, 3\]"),
        (("tree", X, SIDE), "give a Network, an estimator or a function, not str"),
    ),
)
def test_what_has_no_boundary_is_refused_before_anything_is_drawn(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        decision_boundary(*arguments)
    assert not pyplot.get_fignums()


def test_hidden_size_panel():
    models = {1: network(), 2: lambda points: points[:, 0] < 0.3, 50: network(), 60: network(), 70: network()}
    axes = hidden_size_panel(models, X, SIDE)
    titles = [ax.get_title() for ax in axes[:5]]
    assert titles[:3] == ["1 hidden unit: 100.0%", "2 hidden units: 0.0%", "50 hidden units: 100.0%"]
    assert axes.shape == (8,) and [ax.axison for ax in axes] == [True] * 5 + [False] * 3
    assert all(len(regions(ax)) == 2 for ax in axes[:5])


def test_hidden_size_panel_on_given_axes():
    _, given = pyplot.subplots(2, 2)
    axes = hidden_size_panel({n: network() for n in (1, 2, 3)}, X.T, SIDE[None], given)
    assert [*axes] == [*given.ravel()] and len(pyplot.get_fignums()) == 1
    with pytest.raises(ValueError, match="axes has 1 Axes; give one for each of the 3 models"):
        hidden_size_panel({n: network() for n in (1, 2, 3)}, X, SIDE, given[0, 0])
    with pytest.raises(ValueError, match="models is empty"):
        hidden_size_panel({}, X, SIDE)


def test_weight_images():
    W = np.arange(16 * 5, dtype=float).reshape(16, 5) - 40
    ax = weight_images(W)
    image = ax.images[0].get_array()
    assert ax.get_title() == "weights into 5 units" and image.shape == (
        9,
        14,
    )  # 2 rows of 3 tiles, 4 x 4 each
    for unit in range(5):
        row, column = 5 * (unit // 3), 5 * (unit % 3)
        assert np.array_equal(image[row : row + 4, column : column + 4], W[:, unit].reshape(4, 4))
    assert np.ma.getmaskarray(image)[4].all() and np.ma.getmaskarray(image)[5:, 10:].all()
    assert ax.images[0].get_clim() == (-40, 40)
    assert ax.figure.axes[1].get_ylabel() == "weight"


def test_weight_images_of_models():
    net = Network([6, 5, 3], seed=0)
    _, given = pyplot.subplots()
    ax = weight_images(net, (2, 3), given, units=4)
    assert ax is given and ax.get_title() == "weights into 4 of 5 units"
    assert np.array_equal(ax.images[0].get_array()[:2, :3], net.weights[0][:, 0].reshape(2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier((3,), max_iter=1).fit(np.c_[X, X], SIDE)
    assert np.array_equal(weight_images(model).images[0].get_array()[:2, :2].ravel(), model.coefs_[0][:, 0])


def test_weights_that_make_no_image_are_refused():
    with pytest.raises(ValueError, match=r"6 inputs make no image of 2 x 2: give shape=\(rows, columns\)"):
        weight_images(Network([6, 5, 3]))
    with pytest.raises(ValueError, match="6 inputs make no image of 2 x 4"):
        weight_images(Network([6, 5, 3]), (2, 4))
    for given in (5, MLPClassifier(), np.ones((4, 4, 4))):
        with pytest.raises(TypeError, match="takes a Network, a fitted estimator or a matrix, not this"):
            weight_images(given)
    with pytest.raises(ValueError, match="units=0"):
        weight_images(Network([4, 5, 3]), units=0)
    assert not pyplot.get_fignums()


@pytest.mark.slow
def test_without_matplotlib_one_line_says_what_to_install():
    code = "import sys; sys.modules['matplotlib'] = None; import fastnn; import fastnn.plots"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1 and "fastnn.plots needs matplotlib: pip install 'fastnn[plot]'" in run.stderr
