"""A bag of networks: who is trained on which rows, what all of them say, and how good that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array
from fastnn.network import Network
from fastnn.tabular.members import Problem, folds, train_member
from fastnn.tabular.recipe import Recipe
from fastnn.threads import trainings_in

N_FOLDS = 5
# Fewer rows are all trained on: a few more tell less about the best epoch than the fit loses.
FEWEST_ROWS = 20
# Rows of a member that judge the importance of columns.
JUDGES = 500
# Each shuffle is a pass over all features: of more columns the time would grow with their square.
MOST_SHUFFLES = 1000
# With a time budget, there may be so many members.
MOST_MEMBERS = 100


class Bag:
    """The networks, their histories, and the rows that each has not seen."""

    def __init__(self) -> None:
        self.networks: list[Network] = []
        self.histories: list[dict[str, Any]] = []
        self.held: list[NDArray[np.int64]] = []

    def pick(
        self, problem: Problem, presets: Mapping[str, Recipe], seed: int, threads: int, budget: float,
        say: Callable[[str], None],
    ) -> Recipe:  # fmt: skip
        """Of presets, from the quickest on, the last whose whole bag so many seconds have time for.

        One network of the first preset is trained to know; if that preset is it, the network stays.
        """
        started = time.monotonic()
        (quickest, first), *others = presets.items()
        sample = replace(problem, recipe=first)
        rows, held = parts(sample, 1, np.random.default_rng([seed, 0]))[0]
        network, told = train_member(sample, rows, held, seed, started + budget)
        left = started + budget - time.monotonic()
        whole = told["seconds"] * first.epochs_for(len(rows)) / len(told["cost"])
        picked = quickest
        for name, recipe in others:
            shape = len(rows), problem.X.shape[1]
            rounds = -(-recipe.members // threads)
            if rounds * whole * recipe.work(*shape) / first.work(*shape) <= left:
                picked = name
        if picked == quickest:
            self._take(network, told, held, say)
        say(f"preset {picked!r}: a network of {quickest!r} took {told['seconds']:.1f} s")
        return presets[picked]

    def train(
        self, problem: Problem, seed: int, threads: int, budget: float | None, say: Callable[[str], None]
    ) -> None:
        """All members or, with a budget, those that so many seconds have time for."""
        started, longest = time.monotonic(), max((told["seconds"] for told in self.histories), default=0.0)
        n_members = problem.recipe.members if budget is None else MOST_MEMBERS
        deadline = np.inf if budget is None else started + budget
        plan = parts(problem, n_members, np.random.default_rng([seed, 0]))
        with trainings_in(threads) as pool:
            while len(self.networks) < n_members:
                if self.networks and (problem.ends.ended or time.monotonic() + longest > deadline):
                    break
                first = len(self.networks)
                group = range(first, min(n_members, first + threads))
                members = [(problem, *plan[i], (seed + i) % (1 << 32), deadline) for i in group]
                trained = (
                    pool.map(lambda member: train_member(*member), members)
                    if threads > 1
                    else (train_member(*member) for member in members)
                )
                for i, (network, told) in zip(group, trained, strict=True):
                    self._take(network, told, plan[i][1], say)
                    longest = max(longest, told["seconds"])

    def _take(
        self, network: Network, told: dict[str, Any], held: NDArray[np.int64], say: Callable[[str], None]
    ) -> None:
        self.networks.append(network)
        self.histories.append(told)
        self.held.append(held)
        cost = min(told["val_cost"] or told["cost"])
        say(
            f"network {len(self.networks)}: best epoch {told['best_epoch']} of {len(told['cost'])}, "
            f"cost {cost:.4g}, {told['seconds']:.1f} s"
        )

    def held_out_outputs(self, X: Array, width: int) -> tuple[Array, NDArray[np.bool_]]:
        """Mean outputs (n_samples, width) of the members that have not seen a row, NaN and False of none."""
        total, count = np.zeros((len(X), width)), np.zeros(len(X))
        for network, held in zip(self.networks, self.held, strict=True):
            if len(held):
                total[held] += network.predict(X[held])
                count[held] += 1
        with np.errstate(invalid="ignore"):
            return total / count[:, None], count > 0

    def importances(
        self, X: Array, parts: dict[int, slice], n_columns: int, seed: int,
        quality: Callable[[NDArray[np.int64], Array], float],
    ) -> Array:  # fmt: skip
        """For each of the table's columns, how much quality(rows, outputs) loses when it is shuffled.

        Of very many columns, groups of neighbours are shuffled at once and share what is lost.
        """
        groups = np.array_split(list(parts), min(len(parts), MOST_SHUFFLES)) if parts else []
        random, result, judges = np.random.default_rng([seed, 2]), np.zeros(n_columns), 0
        for network, held in list(zip(self.networks, self.held, strict=True))[:N_FOLDS]:
            rows = random.permutation(held)[:JUDGES]
            if len(rows) < 2:
                continue
            features, judges = X[rows], judges + 1
            whole = quality(rows, network.predict(features))
            for group in groups:
                shuffled, order = features.copy(), random.permutation(len(rows))
                for part in map(parts.__getitem__, group.tolist()):
                    shuffled[:, part] = features[order, part]
                result[group] += (whole - quality(rows, network.predict(shuffled))) / len(group)
        return result / max(1, judges)


def parts(
    problem: Problem, n_members: int, random: np.random.Generator
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each member the rows that it is trained on, and those held out: N_FOLDS parts, then others."""
    n_rows, everything = len(problem.X), np.arange(len(problem.X))
    if n_rows < FEWEST_ROWS:
        return [(everything, everything[:0])] * n_members
    labels = problem.y if problem.n_classes else None
    result: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    while len(result) < n_members:
        for held in folds(n_rows, labels, N_FOLDS, random):
            rows = np.setdiff1d(everything, held)
            if problem.weights is not None:  # rows without weight teach and judge nothing
                heavy = problem.weights > 0
                if not (heavy[rows].any() and heavy[held].any()):
                    rows, held = everything, everything[:0]
            result.append((rows, held))
    return result[:n_members]


def mean_and_spread(networks: Sequence[Network], X: Array) -> tuple[Array, Array]:
    """The mean of the networks' outputs (n, n_out), in float64, and their standard deviation."""
    total: Array = np.zeros((len(X), networks[0].n_out))
    squares = np.zeros_like(total)
    for network in networks:
        outputs = network.predict(X).astype(np.float64)
        total += outputs
        squares += outputs**2
    mean = total / len(networks)
    return mean, np.sqrt(np.maximum(0, squares / len(networks) - mean**2))
