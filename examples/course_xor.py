"""
A course: XOR by hand-written formulas
======================================

The XOR notebook with its import line changed: 150,000 steps by hand-written formulas. Draws xor.png.

``python examples/course_xor.py [iterations]``
"""

import sys

import numpy as np

from fastnn.course.xor import forward_loss, init_parameters, optimize
from fastnn.plots import decision_boundary

iterations = int(sys.argv[1]) if len(sys.argv) > 1 else 150_000
X = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
Y = np.array([[0, 1, 1, 0]])

for n_hidden in (2, 4):
    params, losses, YHat = optimize(X, Y, init_parameters(n_hidden), 0.1, iterations)
    print(f"{n_hidden} hidden units: loss {losses[0]:.4f} to {losses[-1]:.4f}")
    print(f"  {np.round(YHat[0], 3)} for {Y[0]}")  # two units get stuck half-way, four do not

ax = decision_boundary(lambda points: forward_loss(points.T, np.zeros((1, len(points))), params)[3], X, Y)
ax.figure.savefig("xor.png")
