"""Small data sets to try things on: five that scikit-learn carries, and two that are drawn here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastnn.checks import Array


class Dataset(NamedTuple):
    """X (n_samples, n_features), y (n_samples,): indices into class_names, or numbers where it is empty."""

    X: Array
    y: Array
    feature_names: tuple[str, ...]
    target_name: str
    class_names: tuple[str, ...]


def _bundled(name: str, target_name: str) -> Callable[[], Dataset]:
    """What scikit-learn's `load_<name>` gives."""

    def load() -> Dataset:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")()
        classes = tuple(str(label) for label in bunch.get("target_names", ()))
        return Dataset(bunch.data, bunch.target, tuple(bunch.feature_names), target_name, classes)

    return load


def xor(n_samples: int = 400, noise: float = 0.15, seed: int = 0) -> Dataset:
    """Noisy copies of the corners of a square; the class says whether exactly one coordinate is 1."""
    random = np.random.default_rng(seed)
    corners = random.integers(0, 2, (n_samples, 2))
    X = corners + noise * random.standard_normal(corners.shape)
    return Dataset(X, corners[:, 0] ^ corners[:, 1], ("x1", "x2"), "class", ("0", "1"))


def planar(n_samples: int = 400, noise: float = 0.2, seed: int = 0) -> Dataset:
    """A flower, r = 4 sin(4 angle), whose first half turn is one class and whose second is the other."""
    random = np.random.default_rng(seed)
    y = np.arange(n_samples) % 2
    turn = np.pi * (y + random.uniform(0, 1, n_samples))
    angle = turn + noise * random.standard_normal(n_samples)
    radius = 4 * np.sin(4 * turn) + noise * random.standard_normal(n_samples)
    X = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    return Dataset(X, y, ("x1", "x2"), "class", ("0", "1"))


DATASETS: dict[str, Callable[[], Dataset]] = {
    "breast-cancer": _bundled("breast_cancer", "diagnosis"),
    "digits": _bundled("digits", "digit"),
    "iris": _bundled("iris", "species"),
    "wine": _bundled("wine", "cultivar"),
    "diabetes": _bundled("diabetes", "progression"),
    "xor": xor,
    "planar": planar,
}


def load(name: str) -> Dataset:
    """The data set of this name."""
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: expected one of {', '.join(DATASETS)}")
    return DATASETS[name]()
