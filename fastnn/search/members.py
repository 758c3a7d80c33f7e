"""The members of a search: each candidate on each fold, and which of them can be trained in fleets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline

from fastnn.estimators import MLPClassifier, MLPRegressor
from fastnn.estimators.base import MLPBase
from fastnn.estimators.options import LISTS, NUMBERS, PLAIN
from fastnn.estimators.solvers import STOCHASTIC

OURS = (MLPClassifier, MLPRegressor)
# A piece of a search that is sent elsewhere has so many members at least: the lanes of a vector of float64.
SMALLEST_PIECE = 8
# Parameters of a network that decide which others it can be trained with; the engine looks more closely.
SHAPE = ("hidden_layer_sizes", "activation", "batch_size", "solver", "loss", "n_threads", "precision")


@dataclass
class Member:
    """A candidate on a fold; estimator: not fitted, with the candidate's parameters.

    prefix, kind: equal where the steps before the network are, and where networks may be of one fleet; alike:
    of networks that draw the same and differ in NUMBERS alone, empty of who is like nobody; state: where an
    earlier rung has left the training.
    """

    candidate: int
    split: int
    estimator: Any
    prefix: str = ""
    kind: str = ""
    alike: str = ""
    state: dict[str, Any] | None = field(default=None, repr=False)


def network_of(estimator: Any) -> MLPBase:
    """The estimator itself, or the last step of a pipeline."""
    found: MLPBase = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return found


def obstacle(estimator: Any, fit_params: Iterable[str]) -> str:
    """Why this estimator is not trained in a fleet; empty if it can be."""
    name, allowed = type(estimator).__name__, "sample_weight"
    if type(estimator) is Pipeline:
        if estimator.transform_input is not None:
            return "transform_input of a Pipeline wants scikit-learn's own fit"
        last, network = estimator.steps[-1]
        allowed, name = f"{last}__sample_weight", type(network).__name__
    if type(network_of(estimator)) not in OURS:
        return f"{name} is neither fastnn.MLPClassifier nor fastnn.MLPRegressor"
    if network_of(estimator).solver not in STOCHASTIC:
        return f"solver={network_of(estimator).solver!r} takes no batches"
    if hasattr(network_of(estimator), "_skl_callbacks") or hasattr(estimator, "_skl_callbacks"):
        return "it has callbacks of scikit-learn"
    others = [param for param in fit_params if param != allowed]
    return f"fit is given {', '.join(others)}" if others else ""


def members_of(candidate: int, estimator: Any, n_splits: int) -> list[Member]:
    """This candidate, whose parameters `estimator` has, on each fold."""
    prefix, network = "", network_of(estimator)
    if isinstance(estimator, Pipeline):
        try:
            prefix = str(joblib.hash(estimator.steps[:-1]))
        except Exception:  # what cannot be pickled is like nothing else
            prefix = f"of candidate {candidate}"
    kind = repr([getattr(network, name, None) for name in SHAPE])
    own = prefix, kind, _alike(network)
    return [Member(candidate, split, estimator, *own) for split in range(n_splits)]


def _alike(network: MLPBase) -> str:
    others = {name: x for name, x in network.get_params(deep=False).items() if name not in NUMBERS}
    seeded = network.random_state is not None
    return repr((type(network), others)) if seeded and all(map(_is_plain, others.values())) else ""


def _is_plain(value: Any) -> bool:
    return type(value) in PLAIN or (type(value) in LISTS and all(map(_is_plain, value)))


def pieces(members: Sequence[Member], n_jobs: int) -> list[list[Member]]:
    """Parts to be trained apart, each of one kind and of as few folds as can be, for so many workers."""
    result = []
    ordered = sorted(members, key=lambda member: (member.kind, member.split, member.prefix))
    for _, group in groupby(ordered, key=lambda member: member.kind):
        some = list(group)
        count = max(1, min(n_jobs, len(some) // SMALLEST_PIECE))
        bounds = np.linspace(0, len(some), count + 1).astype(int)
        result += [some[start:stop] for start, stop in zip(bounds, bounds[1:], strict=False)]
    return result
