"""
A search of 256 candidates
==========================

Learning rate and penalty are drawn 256 times. All candidates train at once on all folds, the best fourth
goes on for four times as many epochs, and so on; the last ones reach the end. Draws search.png.

``python examples/search.py [epochs]``
"""

import sys

import numpy as np
from matplotlib import pyplot
from scipy.stats import loguniform
from sklearn.datasets import load_digits

from fastnn import MLPClassifier
from fastnn.search import FleetSearchCV

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 64
X, y = load_digits(return_X_y=True)
X /= 16

choices = {"learning_rate_init": loguniform(1e-4, 1), "alpha": loguniform(1e-6, 10)}
network = MLPClassifier(hidden_layer_sizes=16, max_iter=epochs, random_state=0)
search = FleetSearchCV(network, choices, n_candidates=256, factor=4, cv=3, random_state=0).fit(X, y)
print(f"candidates {search.n_candidates_} after epochs {search.n_resources_}")
rate, penalty = (float(search.best_params_[name]) for name in choices)
print(f"right on the folds: {search.best_score_:.1%}, by a rate of {rate:.2g} and a penalty of {penalty:.2g}")

# %%
# Every candidate of every round: who went on stands in a larger ring.
found = search.cv_results_
rates, penalties = (np.array([float(p[name]) for p in found["params"]]) for name in choices)
_, ax = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
for number in np.unique(found["iter"]):
    rows = found["iter"] == number
    style = {"facecolors": "none", "edgecolors": "0.4"} if number else {"c": found["mean_test_score"][rows]}
    drawn = ax.scatter(rates[rows], penalties[rows], s=20 * (1 + 2 * number), **style)
    if not number:
        ax.figure.colorbar(drawn, label="accuracy after the first round")
ax.plot(rate, penalty, "x", color="C3", markersize=12, label="the best")
ax.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="penalty alpha")
ax.legend()
ax.figure.savefig("search.png")
