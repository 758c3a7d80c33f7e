"""Pictures of what was learnt, and how; each is drawn on the Axes given, or on new ones, which it returns."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, isqrt
from typing import Any

import numpy as np

from fastnn.checks import Array, whole
from fastnn.curves import axes, learning_curves, pyplot
from fastnn.network import Network

__all__ = ["decision_boundary", "hidden_size_panel", "learning_curves", "weight_images"]


def decision_boundary(model: Any, X: Any, y: Any, ax: Any = None, *, resolution: int = 300) -> Any:
    """The class that a model gives to each point of the plane, and the samples in it.

    model: a Network, an estimator, or a function that takes points (n, 2) and returns their labels, the
    probabilities of the second class, or those of all classes. A function of the courses' kind is given as
    `lambda points: predict(parameters, points.T)`. X: (n_samples, 2), or the courses' (2, n_samples);
    y: n_samples labels; resolution: number of points along each side.
    """
    X, y = _samples(X, y)
    plane = np.asarray(X, dtype=float)
    whole("resolution", resolution, 2)
    low, high = plane.min(axis=0), plane.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    across, up = np.linspace(low - margin, high + margin, resolution).T
    points = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    names = list(getattr(X, "columns", ("feature 1", "feature 2")))
    classes, scores = _class_scores(model, type(X)(points, columns=names) if X is not plane else points, y)
    ax = axes(ax)
    for number, name in enumerate(classes):
        color = f"C{number % 10}"
        lead = scores[:, number] - np.delete(scores, number, axis=1).max(axis=1)
        if lead.max() > 0:
            lead = lead.reshape(resolution, resolution)
            ax.contourf(across, up, lead, levels=[0, lead.max()], colors=[color], alpha=0.25)
            if lead.min() < 0:
                ax.contour(across, up, lead, levels=[0], colors="0.3", linewidths=0.8)
        style = {"s": 18, "color": color, "edgecolors": "white", "linewidths": 0.4, "zorder": 2}
        ax.scatter(*plane[y == name].T, label=name, **style)
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.legend(title="class")
    return ax


def hidden_size_panel(models: Mapping[int, Any], X: Any, y: Any, axes: Any = None) -> Array:
    """The decision boundaries of networks with hidden layers of different sizes, side by side.

    models: from sizes to what `decision_boundary` takes; axes: as many Axes. The array of Axes is returned;
    their titles give the sizes and the accuracies.
    """
    if not models:
        raise ValueError("models is empty; give {size: model, ...}")
    if axes is None:
        columns = min(len(models), 4)
        rows = ceil(len(models) / columns)
        figsize = 3.2 * columns, 3.2 * rows
        _, axes = pyplot.subplots(rows, columns, figsize=figsize, squeeze=False, layout="constrained")
    axes = np.array(axes, dtype=object).reshape(-1)
    if len(axes) < len(models):
        raise ValueError(f"axes has {len(axes)} Axes; give one for each of the {len(models)} models")
    X, y = _samples(X, y)
    for ax, (size, model) in zip(axes, models.items(), strict=False):
        decision_boundary(model, X, y, ax)
        ax.get_legend().remove()
        classes, scores = _class_scores(model, X, y)
        accuracy = np.mean(classes[scores.argmax(axis=1)] == y)
        ax.set_title(f"{size} hidden unit{'s' if size != 1 else ''}: {accuracy:.1%}")
    for ax in axes[len(models) :]:
        ax.set_axis_off()
    return axes


def weight_images(
    model: Any, shape: tuple[int, int] | None = None, ax: Any = None, *, units: int = 64
) -> Any:
    """The weights into the first `units` units of the first layer, an image for each unit.

    model: a Network, an estimator with coefs_, or a matrix W (n_in, n_units); shape: rows and columns of an
    image, those of a square by default. All images share one scale of colors.
    """
    W = model.weights[0] if isinstance(model, Network) else getattr(model, "coefs_", [model])[0]
    if np.ndim(W) != 2:
        kind = type(model).__name__
        raise TypeError(f"weight_images takes a Network, a fitted estimator or a matrix, not this {kind}")
    W = np.asarray(W, dtype=float)
    n_in, n_units = W.shape
    height, width = (isqrt(n_in),) * 2 if shape is None else shape
    if height * width != n_in:
        raise ValueError(f"{n_in} inputs make no image of {height} x {width}: give shape=(rows, columns)")
    shown = min(whole("units", units, 1), n_units)
    columns = min(shown, ceil(np.sqrt(shown * height / width)))  # about a square in all
    rows = ceil(shown / columns)
    # Tiles with a line of one pixel around each; what stays NaN shows the background.
    tiles = np.full((rows * columns, height + 1, width + 1), np.nan)
    tiles[:shown, :-1, :-1] = W.T[:shown].reshape(-1, height, width)
    image = (
        tiles.reshape(rows, columns, height + 1, width + 1).swapaxes(1, 2).reshape(rows * (height + 1), -1)
    )
    largest = np.abs(W[:, :shown]).max()
    ax = axes(ax)
    drawn = ax.imshow(image[:-1, :-1], cmap="RdBu", vmin=-largest, vmax=largest, interpolation="nearest")
    ax.figure.colorbar(drawn, ax=ax, label="weight")
    ax.set(facecolor="0.8", xticks=[], yticks=[])
    ax.set_title(
        f"weights into {shown} of {n_units} units" if shown < n_units else f"weights into {n_units} units"
    )
    return ax


def _samples(X: Any, y: Any) -> tuple[Any, Array]:
    """X (n_samples, 2), a DataFrame if it was one, and y (n_samples,)."""
    if not hasattr(X, "iloc"):
        X = np.asarray(X, dtype=float)
        if X.ndim == 2 and X.shape[0] == 2 != X.shape[1]:
            X = X.T
    y = np.asarray(y).ravel()
    if X.ndim != 2 or X.shape[1] != 2 or not len(X):
        raise ValueError(f"X has shape {X.shape}; give samples of two features: (n_samples, 2)")
    if len(y) != len(X):
        raise ValueError(f"y has {len(y)} labels for {len(X)} samples; give one for each")
    if not np.isfinite(np.asarray(X, dtype=float)).all():
        raise ValueError("X holds NaN or infinity; leave those samples out")
    return X, y


def _class_scores(model: Any, points: Any, y: Array) -> tuple[Array, Array]:
    """The classes, and for each point the score of each (n_points, n_classes): the highest wins."""
    classes = np.asarray(getattr(model, "classes_", np.unique(y)))
    ask = getattr(model, "predict_proba", None) or getattr(model, "predict", model)
    if not callable(ask):
        raise TypeError(f"give a Network, an estimator or a function, not {type(model).__name__}")
    values, n_points = np.asarray(ask(points)), len(points)
    if values.ndim == 2 and values.shape[0] == n_points and values.shape[1] > 1:
        if len(classes) != values.shape[1]:  # y lacks some of the classes
            classes = np.arange(values.shape[1])
        if not np.isin(y, classes).all():
            raise ValueError(f"the model has {values.shape[1]} classes; y holds {np.unique(y).tolist()}")
        return classes, values
    if values.size != n_points:
        raise ValueError(
            f"for points of shape ({n_points}, 2) the model gave an array of shape {values.shape}"
        )
    values = values.ravel()
    if len(classes) < 2:
        raise ValueError(f"all labels are {y[0]!r}; there is a boundary between two classes or more")
    if np.isin(values, classes).all():
        return classes, (values[:, None] == classes).astype(float)
    if len(classes) == 2 and values.dtype.kind == "f" and values.min() >= 0 and values.max() <= 1:
        return classes, np.stack([1 - values, values], axis=1)
    raise ValueError(
        f"the model gave numbers such as {values[0]!r}; expected labels out of {classes.tolist()}, "
        "probabilities of the second of two, or a column of probabilities for each"
    )
