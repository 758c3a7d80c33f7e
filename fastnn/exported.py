"""What every way out of Python needs to know of a model: its layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastnn.checks import Array, choice
from fastnn.network import Network
from fastnn_kernels.activations import ACTIVATIONS

SORTED = "sorted"  # in the place of an activation: outputs in rising order, for quantiles that never cross
READ = ("coefs_", "intercepts_", "activation", "out_activation_")


class Layer(NamedTuple):
    """W (n_in, n_out), b (n_out,) and the activation's name."""

    W: Array
    b: Array
    activation: str


def layers_of(model: Any, function: str) -> list[Layer]:
    """The layers of a Network, or of a fitted estimator with the attributes READ; errors name `function`."""
    if isinstance(model, Network):
        return [Layer(*layer) for layer in zip(model.weights, model.biases, model.activations, strict=True)]
    if hasattr(model, "estimator") and hasattr(model, "columns"):
        raise TypeError(f"{function} does not take what reads a file's table: give its estimator")
    missing = [name for name in READ if not hasattr(model, name)]
    if missing and hasattr(model, "fit") and hasattr(model, "activation"):
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(f"this {type(model).__name__} is not fitted yet: call fit before {function}")
    if missing:
        raise TypeError(
            f"{function} takes a Network or a fitted MLPClassifier or MLPRegressor, not "
            f"{type(model).__name__}: it has no {', '.join(missing)}"
        )
    weights, biases = list(map(np.asarray, model.coefs_)), list(map(np.asarray, model.intercepts_))
    hidden = model.activation
    names = [hidden] * (len(weights) - 1) if isinstance(hidden, str) else list(hidden)
    names = ["sigmoid" if name == "logistic" else name for name in (*names, model.out_activation_)]
    for name in names:
        choice("activation", name, ACTIVATIONS)
    if not len(weights) == len(biases) == len(names):
        raise ValueError(
            f"{len(weights)} coefs_, {len(biases)} intercepts_ and {len(names)} activations make no network: "
            "give one of each per layer"
        )
    if getattr(model, "loss", None) == "quantile" and len(biases[-1]) > 1 and np.size(model.quantile) > 1:
        names[-1] = SORTED
    return [Layer(*layer) for layer in zip(weights, biases, names, strict=True)]
