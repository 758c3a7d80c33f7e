"""What the two estimators of tables share: from a table to a trained bag."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnn.callbacks import Callback
from fastnn.checks import Array, flag, real, require_unmasked, whole
from fastnn.storage import RefusesNonsense
from fastnn.tabular.bag import Bag, mean_and_spread
from fastnn.tabular.encoders import Detail
from fastnn.tabular.frames import columns_of, names_of
from fastnn.tabular.members import Ends, Problem
from fastnn.tabular.preprocessing import Preprocessing
from fastnn.tabular.recipe import PRESETS, SETTINGS, Recipe, recipe
from fastnn.threads import available_threads


@dataclass(kw_only=True, eq=False, repr=False)
class TabularBase(RefusesNonsense, BaseEstimator):
    """`fit` and its parts; a subclass says what y is and what outputs are worth.

    The constructor is a dataclass's, whose signature all can see. A setting that is None is the preset's.
    """

    preset: str | None = field(default=None, kw_only=False)
    time_budget: float | None = None
    members: int | None = None
    hidden_layer_sizes: Sequence[int] | None = None
    activation: str | None = None
    epochs: int | None = None
    min_steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    beta_2: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    label_smoothing: float | None = None
    bins: int | None = None
    waves: int | None = None
    wave_scale: float | None = None
    scale_rate: float | None = None
    embedding: int | None = None
    embedding_rate: float | None = None
    categories: Sequence[str | int] = ()
    n_jobs: int | None = None
    random_state: Any = None
    verbose: bool = False

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, callbacks: Sequence[Callback] = ()) -> Self:
        """Learn the table: X (n_samples, n_columns), y (n_samples,), sample_weight (n_samples,) or None.

        callbacks: each is called with the run after each epoch of each network, as those of `Network.fit`;
        a true result ends the training, and the networks so far are the bag.
        """
        recipe, threads, budget = self._settings()
        validate_data(self, X, skip_check_array=True)
        n_samples = self._require_rows(X)
        require_unmasked("y", y)
        require_unmasked("sample_weight", sample_weight)
        targets, n_classes = self._targets(y, n_samples)
        weights = self._weights(y, sample_weight, n_samples)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.n_features_in_ = len(columns_of(X))
        detail = Detail(recipe.bins, recipe.waves, recipe.wave_scale)
        self.preprocessing_, self.remarks_ = Preprocessing.learn(
            X, detail, np.random.default_rng([seed, 3]), self.categories
        )
        say = print if self.verbose else _silent
        for remark in self.remarks_:
            say(remark)
        features, ends = self.preprocessing_.features(X), Ends(callbacks)
        problem = Problem(
            features, targets, weights, n_classes, recipe, self.preprocessing_.categories(), ends
        )
        bag = Bag()
        if self.preset is None and budget is not None:
            started = time.monotonic()
            kinds = {name: self._recipe(name) for name in PRESETS}
            problem = replace(problem, recipe=bag.pick(problem, kinds, seed, threads, budget, say))
            budget -= time.monotonic() - started
        bag.train(problem, seed, threads, budget, say)
        self.networks_, self.history_ = bag.networks, bag.histories
        self._judge(bag, problem, seed)
        return self

    def _settings(self) -> tuple[Recipe, int, float | None]:
        """The recipe, the number of threads and the seconds."""
        flag("verbose", self.verbose)
        budget = (
            self.time_budget
            if self.time_budget is None
            else real("time_budget", self.time_budget, above=True)
        )
        threads = 1 if self.n_jobs is None else self.n_jobs
        threads = available_threads() if threads == -1 else whole("n_jobs", threads, 1, 1024)
        return self._recipe(self.preset), threads, budget

    def _recipe(self, preset: str | None) -> Recipe:
        return recipe(preset, {name: getattr(self, name) for name in SETTINGS})

    def _require_rows(self, X: Any) -> int:
        columns = columns_of(X)
        n_samples = len(columns[0]) if columns else 0
        shape, name = (n_samples, len(columns)), type(self).__name__
        if not columns:
            raise ValueError(f"0 feature(s) (shape={shape}) while a minimum of 1 is required by {name}.")
        if not n_samples:
            raise ValueError(f"0 sample(s) (shape={shape}) while a minimum of 1 is required by {name}.")
        return n_samples

    def _weights(self, y: Any, sample_weight: Any, n_samples: int) -> Array | None:
        """Weights (n_samples,) with a mean of 1, or None."""
        if sample_weight is None:
            return None
        weights = _check_sample_weight(sample_weight, np.empty((n_samples, 1)), ensure_non_negative=True)
        if not weights.any():
            raise ValueError("sample_weight is zero for all samples")
        return np.asarray(weights / weights.mean(), np.float32)

    def _judge(self, bag: Bag, problem: Problem, seed: int) -> None:
        width = bag.networks[0].n_out
        outputs, seen = bag.held_out_outputs(problem.X, width)
        self._keep_out_of_bag(outputs)
        rows = np.flatnonzero(seen)
        weights = np.ones(len(problem.y)) if problem.weights is None else problem.weights

        def quality(rows: NDArray[np.int64], outputs: Array) -> float:
            return self._quality(problem.y[rows], outputs, weights[rows])

        scored = problem.y[rows], outputs[rows], weights[rows]
        self.score_ = self._held_out_score(*scored) if len(rows) else np.nan
        self.feature_importances_ = bag.importances(
            problem.X, self.preprocessing_.parts(), self.n_features_in_, seed, quality
        )

    def _outputs(self, X: Any) -> tuple[Array, Array]:
        """The mean (n_samples, n_out) of the networks' outputs for a table, and their spread."""
        check_is_fitted(self)
        self._require_columns(X)
        return mean_and_spread(self.networks_, self.preprocessing_.features(X))

    def _require_columns(self, X: Any) -> None:
        """As scikit-learn does it, but that columns with names may stand in any order."""
        self._require_rows(X)
        if not (self.preprocessing_.named and names_of(X) is not None):
            validate_data(self, X, skip_check_array=True, reset=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the networks, and how tables are read for them, to a safetensors file, atomically."""
        from fastnn.tabular.storage import save

        check_is_fitted(self)
        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The fitted estimator that `save` wrote to `path`."""
        from fastnn.tabular.storage import load

        return load(cls, path)

    def _targets(self, y: Any, n_samples: int) -> tuple[Array, int]:
        """y as the networks take it (n_samples,), and the number of classes, 0 for numbers."""
        raise NotImplementedError

    def _quality(self, y: Array, outputs: Array, weights: Array) -> float:
        """Of outputs (n, n_out); more is better."""
        raise NotImplementedError

    def _keep_out_of_bag(self, outputs: Array) -> None:
        """Of outputs (n_samples, n_out), NaN in rows that all networks were trained on."""
        raise NotImplementedError

    def _held_out_score(self, y: Array, outputs: Array, weights: Array) -> float:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inputs = tags.input_tags
        inputs.allow_nan = inputs.string = inputs.categorical = inputs.sparse = True
        return tags


def _silent(text: str) -> None:
    """Say nothing."""
