"""
A decision boundary while it is learnt
======================================

A flower of two classes, and where a network draws the line after more and more epochs: draws flower.png.

``python examples/planar_training.py [epochs]``
"""

import sys

import numpy as np
from matplotlib import pyplot

from fastnn import Adam, Network, datasets
from fastnn.plots import decision_boundary

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 240
flower = datasets.load("planar")
net = Network([2, 16, 1], activation="tanh", output="sigmoid", seed=2)
figure, axes = pyplot.subplots(2, 3, figsize=(11, 7), layout="constrained")
moments = np.unique(np.geomspace(1, epochs, axes.size).round())


def draw(run):
    """Called after each epoch: six of them are drawn."""
    if run.epoch in moments:
        ax = axes.flat[list(moments).index(run.epoch)]
        decision_boundary(run.network, flower.X, flower.y, ax)
        ax.set_title(f"epoch {run.epoch}: cost {run.history.cost[-1]:.3f}")


net.fit(flower.X, flower.y, epochs=epochs, optimizer=Adam(1e-2), callbacks=[draw])
print(f"accuracy after {epochs} epochs: {net.evaluate(flower.X, flower.y)[1]:.1%}")
figure.savefig("flower.png")
