"""How good a network is on given data: its mean cost, and accuracy or R2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn.data import Array
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS, cost_backward

if TYPE_CHECKING:
    from fastnn.network import Network


def cost_and_score(network: Network, X: Array, Y: Array, weights: Array) -> tuple[float, float]:
    """Weighted mean cost and score: accuracy where the outputs are classes, else R2.

    The accuracy of several labels, and the R2 of several numbers, is the mean over them.
    """
    dtype = network.dtype
    from_logits = COSTS[network.cost].from_logits
    Z = network._outputs(X, network._logit_layers if from_logits else network._layers)
    costs, scratch = np.empty(len(X), dtype), np.empty_like(Z)
    output = ACTIVATIONS[network.activations[-1]].code
    scalars = dtype.type(0), dtype.type(network.huber_threshold), dtype.type(1)
    cost_backward(Z, Z, Y, weights, COSTS[network.cost].code, output, *scalars, costs, scratch)
    total = float(weights.sum(dtype=np.float64)) if weights.size else float(len(X))
    cost = float(costs.sum(dtype=np.float64)) / total
    share: Array = (weights if weights.size else np.ones(len(X))).astype(np.float64)[:, None]
    if network.cost == "softmax_cross_entropy":
        truth = Y if Y.shape[1] < network.n_out else Y.argmax(axis=1, keepdims=True)
        return cost, float((share * (Z.argmax(axis=1, keepdims=True) == truth)).sum() / total)
    if network.cost == "binary_cross_entropy":
        hits = ((Z > 0) == (Y > 0.5)).mean(axis=1, keepdims=True)
        return cost, float((share * hits).sum() / total)
    predicted = np.exp(Z.astype(np.float64)) if from_logits else Z.astype(np.float64)
    around = Y - (share * Y).sum(axis=0) / total
    spread, rest = (share * around**2).sum(axis=0), (share * (predicted - Y) ** 2).sum(axis=0)
    # A constant has no spread to explain: 1 for the constant itself, else 0, as scikit-learn has it.
    scores = np.where(spread > 0, 1 - rest / np.where(spread > 0, spread, 1), rest == 0)
    return cost, float(scores.mean())
