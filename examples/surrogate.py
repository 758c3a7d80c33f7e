"""
A network inside a compiled loop
================================

A pendulum's acceleration is learnt from samples, and the network then stands for it inside a solver of one's
own: an ``@njit`` loop that calls the network at every step, without Python in between. Draws pendulum.png.

``python examples/surrogate.py [epochs]``
"""

import sys

import numpy as np
from matplotlib import pyplot
from numba import njit

from fastnn import Adam, Network, cosine

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
rng = np.random.default_rng(0)


def acceleration(angle, speed):
    return -np.sin(angle) - 0.1 * speed


X = rng.uniform((-np.pi, -2.5), (np.pi, 2.5), (4000, 2))
y = acceleration(X[:, 0], X[:, 1])
net = Network([2, 32, 32, 1], activation="tanh", dtype="float64", seed=0)
net.fit(X, y, epochs=epochs, optimizer=Adam(cosine(5e-3, epochs)))
print(f"R2 of the acceleration: {net.evaluate(X, y)[1]:.5f}")

# %%
# ``compiled`` gives a function that compiled code may call. Here it stands in a loop of small steps.
learnt = net.compiled()


@njit
def swing(angle, speed, n_steps, step):
    """Semi-implicit Euler with the network's acceleration: the angle after each step."""
    angles, state = np.empty(n_steps), np.empty(2)
    for i in range(n_steps):
        state[0], state[1] = angle, speed
        speed += step * learnt(state)[0]
        angle += step * speed
        angles[i] = angle
    return angles


n_steps, step = 3000, 0.01
angles = swing(2.5, 0.0, n_steps, step)

# The same with the formula itself.
angle, speed, exact = 2.5, 0.0, []
for _ in range(n_steps):
    speed += step * acceleration(angle, speed)
    angle += step * speed
    exact.append(angle)
print(f"largest difference of the angle over {n_steps} steps: {np.abs(angles - exact).max():.3f}")

seconds = step * np.arange(n_steps)
_, ax = pyplot.subplots(figsize=(8, 3.5), layout="constrained")
ax.plot(seconds, exact, color="0.6", linewidth=4, label="the formula")
ax.plot(seconds, angles, label="the network")
ax.set(xlabel="time", ylabel="angle")
ax.legend()
ax.figure.savefig("pendulum.png")
