"""Training in plain NumPy, a step at a time: what the compiled loop must agree with on the same batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import reference
from fastnn.input_stage import InputStage
from fastnn.optimizers import SGD, Adam, Optimizer
from fastnn.reference import Array
from fastnn.reference_stage import Stage

Batch = tuple[Array, Array, "Array | None"]  # X, Y, sample weights
Rounding = Callable[[Array], Array]


def bfloat16(x: Array) -> Array:
    """x in the 8 significant bits of a bfloat16: the nearest number, of two the even one."""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.rint(fraction * 256) / 256, exponent).astype(x.dtype)


def as_it_is(x: Array) -> Array:
    return x


def views(params: Array, sizes: Sequence[int]) -> tuple[list[Array], list[Array]]:
    """W (n_in, n_out) and b (n_out,) of each layer, as they follow one another in the flat vector."""
    weights, biases, start = [], [], 0
    for n_in, n_out in zip(sizes, sizes[1:], strict=False):
        end = start + n_in * n_out
        weights.append(params[start:end].reshape(n_in, n_out))
        biases.append(params[end : end + n_out])
        start = end + n_out
    return weights, biases


def mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 32-bit numbers that makes neighbours look independent."""
    low = np.uint64(0xFFFFFFFF)
    x = ((x ^ (x >> np.uint64(16))) * np.uint64(0x7FEB352D)) & low
    x = ((x ^ (x >> np.uint64(15))) * np.uint64(0x846CA68B)) & low
    return x ^ (x >> np.uint64(16))


def dropout_mask(shape: tuple[int, int], rate: float, seed: int, step: int, layer: int) -> Array:
    """1 / (1 - rate) where a unit (row of the batch, column of the layer) survives, else 0."""
    key = np.array([seed & 0xFFFFFFFF], np.uint64)
    for part in (step & 0xFFFFFFFF, step >> 32, layer):
        key = mix(key ^ np.uint64(part))
    rows, columns = np.arange(shape[0], dtype=np.uint64), np.arange(shape[1], dtype=np.uint64)
    hashes = mix((mix(key ^ rows)[:, None] + columns) & np.uint64(0xFFFFFFFF))
    return (hashes < np.uint64(int((1 - rate) * 2**32))) / (1 - rate)


def gradients(
    params: Array,
    sizes: Sequence[int],
    activations: Sequence[str],
    cost: str,
    batch: Batch,
    masks: Sequence[Array | float],
    smoothing: float,
    threshold: float,
    rounded: Rounding = as_it_is,
    exact_first: bool = False,
) -> tuple[float, Array]:
    """Mean cost of a batch and its flat gradient; outputs of hidden layer l are multiplied by masks[l].

    rounded: what is done to weights, inputs and deltas before they are multiplied; exact_first: but not to
    those of the first layer.
    """
    X, Y, sample_weights = batch
    total = len(X) if sample_weights is None else sample_weights.sum()
    weights, biases = views(params, sizes)
    first = as_it_is if exact_first else rounded
    weights = [first(weights[0]), *map(rounded, weights[1:])]
    inputs, Z, A = [first(X)], [], []  # of each layer: what it takes, and its own around the activation
    for W, b, name, mask in zip(weights, biases, activations, [*masks, 1.0], strict=True):
        Z.append(reference.affine_forward(inputs[-1], W, b))
        A.append(reference.activation_forward(Z[-1], name))
        inputs.append(rounded(A[-1] * mask))
    costs, dZ = reference.cost_backward(
        Z[-1], A[-1], Y, sample_weights, cost, activations[-1], smoothing, threshold, 1 / total
    )
    parts = list[Array]()
    for layer in reversed(range(len(weights))):
        d = rounded(dZ) if layer else first(dZ)
        dW, _, dX = reference.affine_backward(inputs[layer], weights[layer], d)
        parts = [dW.ravel(), dZ.sum(axis=0), *parts]
        if layer > 0:
            dA = dX * masks[layer - 1]
            dZ = reference.activation_backward(dA, Z[layer - 1], A[layer - 1], activations[layer - 1])
    return float(costs.sum() / total), np.concatenate(parts)


def update(
    optimizer: Optimizer,
    step: int,
    rate: float,
    grads: Array,
    clip: float,
    l2: Any,
    is_weight: Array,
    moments: Sequence[Array],
    params: Array,
) -> tuple[Sequence[Array], Array]:
    """New moments and params after step number `step` (0, 1, ...); l2 and is_weight: (n_params,)."""
    if isinstance(optimizer, Adam):
        root = np.sqrt(1 - optimizer.beta2 ** (step + 1))
        corrected = rate * root / (1 - optimizer.beta1 ** (step + 1))
        decay: Any = rate * getattr(optimizer, "weight_decay", 0.0) * is_weight
        settings = corrected, optimizer.beta1, optimizer.beta2, optimizer.epsilon * root, clip, l2, decay
        mean, square, params = reference.adam(grads, *settings, moments[0], moments[1], params)
        return [mean, square], params
    assert isinstance(optimizer, SGD)
    if optimizer.momentum == 0:
        return moments, reference.sgd(grads, rate, clip, l2, params)
    rule = reference.nesterov if optimizer.nesterov else reference.momentum
    velocity, params = rule(grads, rate, optimizer.momentum, clip, l2, moments[0], params)
    return [velocity], params


def _change(
    optimizer: Optimizer, step: int, rate: float, clip: float, moments: dict[object, Sequence[Array]],
    values: Array, grads: Array, name: object, pace: float, is_weight: bool,
) -> Array:  # fmt: skip
    """The new values of a part of an input stage, after a step at `pace` times the rate."""
    mine, is_weights = moments.get(name, [np.zeros_like(values)] * 2), np.full_like(values, is_weight)
    moments[name], values = update(optimizer, step, pace * rate, grads, clip, 0, is_weights, mine, values)
    return values


def train(
    params: Array,
    sizes: Sequence[int],
    activations: Sequence[str],
    cost: str,
    batches: Iterable[Batch],
    optimizer: Optimizer,
    *,
    steps_per_epoch: int = 1,
    l2: float = 0.0,
    clip_norm: float | None = None,
    smoothing: float = 0.0,
    threshold: float = 1.0,
    dropout: Sequence[float] = (),
    seed: int = 0,
    rounded: Rounding = as_it_is,
    input_stage: InputStage | None = None,
) -> tuple[Array, list[float]]:
    """The parameters after a step for each batch, and each batch's cost before its step, penalty included.

    sizes: widths from inputs to outputs; activations: of each layer; dropout: share that each hidden layer
    leaves out, with masks that follow from `seed`; steps_per_epoch: what schedules take for an epoch;
    rounded: see `gradients`; input_stage: of the first layer.
    """
    is_weight = np.zeros(params.size)
    for W in views(is_weight, sizes)[0]:
        W[:] = 1
    dropout = dropout or [0.0] * (len(sizes) - 2)
    moments: Sequence[Array] = [np.zeros_like(params)] * 2
    costs, of_stage = [], dict[object, Sequence[Array]]()
    stage = None if input_stage is None else Stage(input_stage, views(params, sizes)[0][0])
    if stage is not None:
        views(params, sizes)[0][0][:] = stage.V
    for step, batch in enumerate(batches):
        rate = float(optimizer.learning_rates(np.array([step]), steps_per_epoch)[0])
        masks = [
            dropout_mask((len(batch[0]), n_units), share, seed, step, layer) if share > 0 else 1.0
            for layer, (n_units, share) in enumerate(zip(sizes[1:-1], dropout, strict=True))
        ]
        mean, grads = gradients(params, sizes, activations, cost, batch, masks, smoothing, threshold, rounded)
        costs.append(mean + 0.5 * l2 * float(np.sum(is_weight * params**2)))
        length = np.sqrt(reference.squared_norm(grads))
        clip = 1.0 if clip_norm is None else min(1.0, clip_norm / max(length, 1e-300))
        penalty = l2 * is_weight
        moments, params = update(optimizer, step, rate, grads, clip, penalty, is_weight, moments, params)
        if stage is not None:
            change = partial(_change, optimizer, step, rate, clip, of_stage)
            views(params, sizes)[0][0][:] = stage.step(views(grads, sizes)[0][0], change)
    return params, costs
