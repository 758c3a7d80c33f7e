"""The parameters of an estimator: what each may be, and which go together."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fastnn.estimators.parameters import ACTIVATIONS, per_layer
from fastnn.estimators.solvers import STOCHASTIC

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS)), list, tuple],
    "solver": [StrOptions({"lbfgs", *STOCHASTIC})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
    "coefs_init": [list, tuple, None],
    "intercepts_init": [list, tuple, None],
    "n_threads": [Interval(Integral, 1, 1024, closed="both"), None],
    "progress": ["boolean"],
    "on_epoch_end": [callable, list, tuple, None],
}


def hidden_widths(estimator: Any) -> tuple[int, ...]:
    """The widths of the hidden layers."""
    widths = np.atleast_1d(estimator.hidden_layer_sizes).tolist()
    if any(width <= 0 for width in widths):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {widths}.")
    if not all(isinstance(width, int) for width in widths):
        raise ValueError(f"hidden_layer_sizes must be whole numbers, got {widths}.")
    return tuple(widths)


def check_together(estimator: Any, n_hidden: int, incremental: bool) -> None:
    """What the constraints cannot say: entries of lists, and options that exclude each other."""
    for name in per_layer("activation", estimator.activation, n_hidden):
        if name not in ACTIVATIONS:
            raise ValueError(f"activation has the entry {name!r}; expected {', '.join(ACTIVATIONS)}")
    for share in per_layer("dropout", estimator.dropout, n_hidden):
        if not (isinstance(share, int | float | np.floating) and 0 <= share < 1):
            raise ValueError(f"dropout has the entry {share!r}; expected a number from 0 to below 1")
    functions = estimator.on_epoch_end
    if isinstance(functions, list | tuple) and not all(map(callable, functions)):
        raise ValueError(f"on_epoch_end={functions!r} must be a function, or a list of functions")
    if estimator.solver in STOCHASTIC:
        if incremental and estimator.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
    elif np.any(np.asarray(estimator.dropout) != 0) or estimator.clip_norm is not None:
        raise ValueError(f"dropout and clip_norm need one of the solvers {', '.join(STOCHASTIC)}")
