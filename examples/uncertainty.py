"""
How sure a fleet is
===================

Sixty-four networks, each on its own draw of the rows, train at once. Where they have seen data they agree,
where there was none they do not: their spread says where not to trust the mean. Draws uncertainty.png.

``python examples/uncertainty.py [epochs]``
"""

import sys

import numpy as np
from matplotlib import pyplot

from fastnn import Adam, Fleet, cosine

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-3, -0.8, 60), rng.uniform(0.8, 2, 60)])[:, None]
y = np.sin(2 * x[:, 0]) + 0.1 * rng.standard_normal(120)

fleet = Fleet(64, [1, 32, 32, 1], activation="tanh", seed=0)
draws = [rng.integers(0, 120, 120) for _ in range(64)]  # bootstrap samples
fleet.fit(x, y, epochs=epochs, batch_size=30, rows=draws, optimizer=Adam(cosine(1e-2, epochs)))

# %%
grid = np.linspace(-4, 3, 300)[:, None]
mean, std = fleet.mean(grid)[:, 0], fleet.std(grid)[:, 0]
inside, gap = std[(grid[:, 0] > -2.5) & (grid[:, 0] < -1)].mean(), std[np.abs(grid[:, 0]) < 0.4].mean()
print(f"standard deviation of the members: {inside:.3f} among the data, {gap:.3f} in the gap")

_, ax = pyplot.subplots(figsize=(7, 4), layout="constrained")
ax.fill_between(grid[:, 0], mean - 2 * std, mean + 2 * std, alpha=0.25, label="mean ± 2 standard deviations")
ax.plot(grid, fleet.predict(grid)[:6, :, 0].T, color="0.6", linewidth=0.8)
ax.plot(grid, mean, label="mean of 64 networks")
ax.plot(x, y, ".", color="0.3", label="data")
ax.set(xlabel="x", ylabel="y", ylim=(-3, 3))
ax.legend(loc="upper left")
ax.figure.savefig("uncertainty.png")
