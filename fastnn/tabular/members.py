"""One network of a bag: trained on some rows, judged after each epoch by the others, the best epoch kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.callbacks import Callback, EarlyStopping
from fastnn.checks import Array
from fastnn.input_stage import InputStage
from fastnn.model import MOST_EPOCHS
from fastnn.network import Network
from fastnn.optimizers import AdamW
from fastnn.tabular.encoders import CATEGORY_SCALE
from fastnn.tabular.recipe import CYCLE_ENDS, Recipe, cosine_log

# A network's biases begin with this standard deviation: bends of activations all over the inputs' range.
BIAS_SCALE = 0.5


@dataclass
class Ends:
    """A callback of several: once one of them has ended a network's training, no other network begins."""

    callbacks: Sequence[Callback] = ()
    ended: bool = False

    def __call__(self, run: Any) -> bool:
        answers = [callback(run) for callback in self.callbacks]
        self.ended = self.ended or any(answers)
        return self.ended


@dataclass(frozen=True)
class Problem:
    """What all networks of a bag learn: X (n, n_features) of float32, y (n,), weights (n,) or None.

    n_classes: 0 for numbers; categories: of each column of many categories its first feature, and how many;
    ends: what is asked after each epoch of each network whether it is the last.
    """

    X: Array
    y: Array
    weights: Array | None
    n_classes: int
    recipe: Recipe
    categories: tuple[tuple[int, int], ...] = ()
    ends: Ends = field(default_factory=Ends)

    @property
    def stage(self) -> InputStage | None:
        """What is learnt in front of the first layer."""
        recipe = self.recipe
        categories = self.categories if recipe.embedding else ()
        if recipe.hidden_layer_sizes[:1] in ((), (1,)) or not (recipe.scale_rate or categories):
            return None
        return InputStage(recipe.scale_rate, categories, max(1, recipe.embedding), recipe.embedding_rate)

    @property
    def output(self) -> str:
        return ("sigmoid" if self.n_classes == 2 else "softmax") if self.n_classes else "identity"

    def rows(self, numbers: NDArray[np.int64]) -> tuple[Array, ...]:
        parts = self.X[numbers], self.y[numbers]
        return parts if self.weights is None else (*parts, self.weights[numbers])


@dataclass
class Watch:
    """Ends a training at the end of a wave that was no better than the ones before, or when time is up."""

    ends: tuple[int, ...]
    deadline: float = np.inf
    best: float = np.inf

    def __call__(self, run: Any) -> bool:
        if time.monotonic() > self.deadline:
            return True
        if run.epoch not in self.ends or not run.history.val_cost:
            return False
        lowest = min(run.history.val_cost)
        worse, self.best = lowest >= self.best, lowest
        return worse


def begin(network: Network, seed: int, stage: InputStage | None = None) -> None:
    """Initial values: W of layers (n_in, n_out) normal over sqrt(n_in), b normal, the last layer zero.

    The weights of a category are mixes of those of the elements of its codes, as large as if these were the
    features. Without the division tables with such categories lose 1%.
    """
    random = np.random.default_rng([seed, 1])
    for W, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
        W[:] = random.standard_normal(W.shape) / np.sqrt(W.shape[0])
        b[:] = BIAS_SCALE * random.standard_normal(b.shape)
    if stage is not None:
        for first, count in stage.categories:
            V, width = network.weights[0][first : first + count], min(stage.width, count)
            V[:] = random.standard_normal((count, width)) @ V[:width] / CATEGORY_SCALE
    network.weights[-1][:] = 0


def train_member(
    problem: Problem, rows: NDArray[np.int64], held: NDArray[np.int64], seed: int, deadline: float
) -> tuple[Network, dict[str, Any]]:
    """A network trained on the rows with these numbers; and its history, with the seconds it took."""
    recipe, classes = problem.recipe, problem.n_classes
    # One layer alone begins at zero too: it is a linear model.
    sizes = [problem.X.shape[1], *recipe.hidden_layer_sizes, max(1, classes if classes > 2 else 1)]
    network = Network(
        sizes, activation=recipe.activation_for(classes > 0), output=problem.output, seed=seed,
        dropout=recipe.dropout,
    )  # fmt: skip
    begin(network, seed, problem.stage)
    epochs = recipe.epochs_for(len(rows))
    started, (X, y, *weights) = time.perf_counter(), problem.rows(rows)
    history = network.fit(
        X, y,
        sample_weight=weights[0] if weights else None,
        epochs=epochs,
        batch_size=min(recipe.batch_size, len(rows)),
        optimizer=AdamW(
            cosine_log(recipe.learning_rate, epochs), beta2=recipe.beta_2, weight_decay=recipe.weight_decay
        ),
        label_smoothing=recipe.label_smoothing if classes else 0.0,
        validation_data=problem.rows(held) if len(held) else None,
        early_stopping=EarlyStopping(MOST_EPOCHS),
        callbacks=[
            Watch(tuple(max(1, round(share * epochs)) for share in CYCLE_ENDS), deadline), problem.ends
        ],
        threads=1,
        interrupt="raise",
        input_stage=problem.stage,
    )  # fmt: skip
    costs = history.val_cost or history.cost
    told = {
        "cost": list(history.cost), "val_cost": list(history.val_cost), "val_score": list(history.val_score),
        "best_epoch": int(np.argmin(costs)) + 1, "seconds": time.perf_counter() - started,
    }  # fmt: skip
    return network, told


def folds(
    n_rows: int, labels: NDArray[np.int64] | None, n_folds: int, random: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Numbers of the rows of each of `n_folds` parts of about equal size and shares of labels."""
    order = random.permutation(n_rows)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    return [np.sort(order[i::n_folds]) for i in range(n_folds)]
