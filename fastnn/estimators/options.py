"""The parameters of an estimator: what each may be, and which go together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from operator import attrgetter
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, Options, StrOptions

from fastnn.checks import per_layer
from fastnn.estimators.parameters import ACTIVATIONS
from fastnn.estimators.solvers import STOCHASTIC
from fastnn.precision import BFLOAT16

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
    "precision": [StrOptions({BFLOAT16}), None],
    "progress": ["boolean"],
    "on_epoch_end": [callable, list, tuple, None],
}


# Estimators that differ in these alone begin alike: they speak of each step's update, or of the last epoch.
NUMBERS = (
    "alpha", "learning_rate", "learning_rate_init", "power_t", "beta_1", "beta_2", "epsilon", "weight_decay",
    "tol", "n_iter_no_change", "max_iter",
)  # fmt: skip

# Values of these types were good once and are good again; of a list or a tuple only the type is looked at.
PLAIN, LISTS = (str, int, float, bool, type(None), np.float64, np.int64), (list, tuple)
KNOWN = {*PLAIN, *LISTS}
MOST_REMEMBERED = 1000
_good: set[tuple[Any, ...]] = set()


@dataclass(kw_only=True, eq=False, repr=False)
class Hyperparameters(BaseEstimator):
    """The parameters of both estimators: the constructor is a dataclass's, whose signature all can see.

    A subclass declares those that may be given by place, and its own.
    """

    _parameter_constraints = CONSTRAINTS

    solver: str = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15000
    weight_decay: float = 0.01
    dropout: float | list[float] = 0.0
    clip_norm: float | None = None
    scoring: Any = None
    coefs_init: list[Any] | None = None
    intercepts_init: list[Any] | None = None
    n_threads: int | None = None
    precision: str | None = None
    progress: bool = False
    on_epoch_end: Any = None

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Their names, which scikit-learn takes from the signature, a tenth of a millisecond each time."""
        return list(super()._get_param_names())

    def _validate_params(self, names: tuple[str, ...] = ()) -> None:
        """scikit-learn's check, once for the same values: it takes as long as some epochs over 50 rows.

        names: of several, where all others were checked before.
        """
        values = attrgetter(*(names or self._parameter_constraints))(self)
        kinds = tuple(map(type, values))
        if not KNOWN.issuperset(kinds):
            return super()._validate_params()
        key = type(self), names, kinds, tuple([None if type(value) in LISTS else value for value in values])
        if key not in _good:
            super()._validate_params()
            if len(_good) == MOST_REMEMBERED:
                _good.clear()
            _good.add(key)


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
    elif np.any(np.asarray(estimator.dropout) != 0) or estimator.clip_norm is not None or estimator.precision:
        raise ValueError(f"dropout, clip_norm and precision need one of the solvers {', '.join(STOCHASTIC)}")
