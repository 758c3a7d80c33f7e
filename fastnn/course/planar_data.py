"""Points in a plane with two classes that no line separates; each set is drawn with a seed of its own."""

from __future__ import annotations

import numpy as np

from fastnn.checks import Array, whole


def load_planar_dataset(seed: int = 1, n_samples: int = 400) -> tuple[Array, Array]:
    """X (2, n_samples) and Y (1, n_samples) on a flower: its upper petals are one class, its lower the other.

    r = 4 sin(4 t) with noise, for noisy t from 0 to 3.12 and on to 6.24; the points are (r sin t, r cos t).
    """
    random, half = np.random.RandomState(whole("seed", seed)), whole("n_samples", n_samples, 2) // 2
    X, Y = np.empty((2, 2 * half)), np.repeat([[0, 1]], half, axis=1).astype(np.uint8)
    for label in range(2):
        t = np.linspace(label * 3.12, (label + 1) * 3.12, half) + 0.2 * random.standard_normal(half)
        r = 4 * np.sin(4 * t) + 0.2 * random.standard_normal(half)
        X[:, label * half : (label + 1) * half] = r * np.sin(t), r * np.cos(t)
    return X, Y


def load_extra_datasets(seed: int = 5, n_samples: int = 200) -> dict[str, tuple[Array, Array]]:
    """X (2, n_samples), Y (1, n_samples) of noisy_circles, noisy_moons, blobs and gaussian_quantiles."""
    from sklearn import datasets

    n_samples = whole("n_samples", n_samples, 2)
    random = np.random.RandomState(whole("seed", seed))
    X, Y = datasets.make_blobs(n_samples, random_state=random, n_features=2, centers=6)
    drawn = {
        "noisy_circles": datasets.make_circles(n_samples, factor=0.5, noise=0.3, random_state=random),
        "noisy_moons": datasets.make_moons(n_samples, noise=0.2, random_state=random),
        "blobs": (X, Y % 2),
        "gaussian_quantiles": datasets.make_gaussian_quantiles(
            mean=None, cov=0.5, n_samples=n_samples, n_features=2, n_classes=2, random_state=random
        ),
    }
    return {name: (np.ascontiguousarray(X.T), Y.reshape(1, -1)) for name, (X, Y) in drawn.items()}
