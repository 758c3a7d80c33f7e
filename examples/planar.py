"""
A course: the flower in a plane
===============================

The courses' flower, and hidden layers of different sizes: draws planar.png and hidden_sizes.png.

``python examples/planar.py [iterations]``
"""

import sys

import numpy as np

from fastnn.course.planar import hidden_size_experiment, load_planar_dataset, nn_model, predict
from fastnn.plots import decision_boundary, hidden_size_panel

iterations = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
X, Y = load_planar_dataset()  # (2, 400) and (1, 400)

parameters = nn_model(X, Y, n_h=4, num_iterations=2 * iterations, learning_rate=1.2, print_cost=True)
print(f"accuracy with 4 hidden units: {np.mean(predict(parameters, X) == Y):.1%}")
ax = decision_boundary(lambda points: predict(parameters, points.T), X, Y)
ax.figure.savefig("planar.png")

networks = hidden_size_experiment(X, Y, num_iterations=iterations)
axes = hidden_size_panel(networks, X, Y)
axes[0].figure.savefig("hidden_sizes.png")
