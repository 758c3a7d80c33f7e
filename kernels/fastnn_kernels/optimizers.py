"""Optimizers: one loop each over a flat slice of parameters, which it updates in place.

In all of them g = clip * grads + l2 * params: clip = 1 and l2 = 0 where they are not wanted. The leaves have
one signature: (scalars, rates, clip, l2, plain, grads, mean, square, params, n); scalars: beta1 and beta2;
rates: learning rate, epsilon and decay of this step; `plain` parameters, the biases, know no l2 and no decay.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastnn_kernels._jit import EXACT
from fastnn_kernels.adam_tiles import BETA1, BETA2, DECAY, EPSILON, RATE, adam_update
from fastnn_kernels.leaves import leaf
from fastnn_kernels.scalars import sqrt


@dataclass(frozen=True)
class Optimizer:
    """`n_moments`: how many vectors like the parameters it keeps from step to step."""

    name: str
    update: Callable
    n_moments: int


@leaf("optimizer")
def sgd_update(T):
    """params -= rate * g."""
    zero = T(0)

    def sgd_update(scalars, rates, clip, l2, plain, grads, mean, square, params, n):
        rate, share, penalty = T(rates[RATE]), T(clip), zero if plain else T(l2)
        for i in range(n):
            params[i] -= rate * (share * grads[i] + penalty * params[i])

    return sgd_update


@leaf("optimizer")
def momentum_update(T):
    """velocity = mu * velocity - rate * g; params += velocity."""
    zero = T(0)

    def momentum_update(scalars, rates, clip, l2, plain, grads, velocity, square, params, n):
        mu, rate, share, penalty = T(scalars[BETA1]), T(rates[RATE]), T(clip), zero if plain else T(l2)
        for i in range(n):
            velocity[i] = mu * velocity[i] - rate * (share * grads[i] + penalty * params[i])
            params[i] += velocity[i]

    return momentum_update


@leaf("optimizer")
def nesterov_update(T):
    """velocity = mu * velocity - rate * g; params += mu * velocity - rate * g."""
    zero = T(0)

    def nesterov_update(scalars, rates, clip, l2, plain, grads, velocity, square, params, n):
        mu, rate, share, penalty = T(scalars[BETA1]), T(rates[RATE]), T(clip), zero if plain else T(l2)
        for i in range(n):
            step = rate * (share * grads[i] + penalty * params[i])
            velocity[i] = mu * velocity[i] - step
            params[i] += mu * velocity[i] - step

    return nesterov_update


@leaf("optimizer", EXACT)
def adam_formula(T):
    """mean, square: of g and g^2; params -= decay * params + rate * mean / (sqrt(square) + epsilon).

    As it is written, so that an infinite g^2 is no NaN, and for arrays of any length. A fit takes
    `adam_update`, which estimates the reciprocals.
    """
    zero, one = T(0), T(1)

    def adam_formula(scalars, rates, clip, l2, plain, grads, mean, square, params, n):
        beta1, beta2, rate, epsilon = T(scalars[BETA1]), T(scalars[BETA2]), T(rates[RATE]), T(rates[EPSILON])
        share, penalty, decay = T(clip), zero if plain else T(l2), zero if plain else T(rates[DECAY])
        rest1, rest2 = one - beta1, one - beta2
        for i in range(n):
            g = share * grads[i] + penalty * params[i]
            mean[i] = beta1 * mean[i] + rest1 * g
            square[i] = beta2 * square[i] + rest2 * (g * g)
            params[i] -= decay * params[i] + rate * mean[i] / (sqrt(square[i]) + epsilon)

    return adam_formula


@leaf("optimizer")
def gradient_kept(T):
    """grads = g, and nothing moves: where the gradient itself is wanted."""
    zero = T(0)

    def gradient_kept(scalars, rates, clip, l2, plain, grads, mean, square, params, n):
        penalty = zero if plain else T(l2)
        for i in range(n):
            grads[i] += penalty * params[i]

    return gradient_kept


@leaf("norm")
def squared_norm(T):
    """Sum of squares in float64, in an order that depends on nothing but the size."""

    def squared_norm(values, n):
        total = 0.0
        for i in range(n):
            total += np.float64(values[i]) * np.float64(values[i])
        return total

    return squared_norm


OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer("sgd", sgd_update, 0),
        Optimizer("momentum", momentum_update, 1),
        Optimizer("nesterov", nesterov_update, 1),
        Optimizer("adam", adam_update, 2),
    )
}
