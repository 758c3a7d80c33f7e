"""Optimizers: one loop each over a flat slice of parameters, which it updates in place.

In all of them g = clip * grads + l2 * params: clip = 1 and l2 = 0 where they are not wanted.
Arrays are flat (n,) of one dtype, which the scalars have too.
"""

from dataclasses import dataclass

import numpy as np

from fastnn_kernels._jit import kernel

SGD, MOMENTUM, NESTEROV, ADAM, GRADIENT = range(5)  # the last moves nothing: g itself is wanted


@dataclass(frozen=True)
class Optimizer:
    """`n_moments`: how many vectors like the parameters it keeps from step to step."""

    name: str
    code: int
    n_moments: int


OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer("sgd", SGD, 0),
        Optimizer("momentum", MOMENTUM, 1),
        Optimizer("nesterov", NESTEROV, 1),
        Optimizer("adam", ADAM, 2),
    )
}


@kernel
def sgd(grads, rate, clip, l2, params):
    """params -= rate * g."""
    for i in range(params.size):
        params[i] -= rate * (clip * grads[i] + l2 * params[i])


@kernel
def momentum(grads, rate, mu, clip, l2, velocity, params):
    """velocity = mu * velocity - rate * g; params += velocity."""
    for i in range(params.size):
        velocity[i] = mu * velocity[i] - rate * (clip * grads[i] + l2 * params[i])
        params[i] += velocity[i]


@kernel
def nesterov(grads, rate, mu, clip, l2, velocity, params):
    """velocity = mu * velocity - rate * g; params += mu * velocity - rate * g."""
    for i in range(params.size):
        step = rate * (clip * grads[i] + l2 * params[i])
        velocity[i] = mu * velocity[i] - step
        params[i] += mu * velocity[i] - step


@kernel
def adam(grads, rate, beta1, beta2, epsilon, clip, l2, decay, mean, square, params):
    """mean, square: of g and g^2; params -= decay * params + rate * mean / (sqrt(square) + epsilon).

    rate, epsilon: corrected for the bias of the running means by the caller; decay = learning rate *
    weight decay (AdamW). Division and square root bind here, 0.28 ns a parameter on a Zen 4, 0.18
    without them; approximate reciprocal roots with a Newton step took 0.30.
    """
    one = params.dtype.type(1)
    beta1_rest, beta2_rest = one - beta1, one - beta2
    for i in range(params.size):
        g = clip * grads[i] + l2 * params[i]
        mean[i] = beta1 * mean[i] + beta1_rest * g
        square[i] = beta2 * square[i] + beta2_rest * (g * g)
        params[i] -= decay * params[i] + rate * mean[i] / (np.sqrt(square[i]) + epsilon)


@kernel
def squared_norm(grads):
    """Sum of squares in float64, in an order that depends on nothing but the size."""
    total = 0.0
    for i in range(grads.size):
        total += np.float64(grads[i]) * np.float64(grads[i])
    return total
