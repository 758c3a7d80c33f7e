"""Fleets for tests: members with their seeds, the orders that `Network.fit` would draw, and a trainer."""

import numpy as np

from cases import targets
from fastnn import Network
from fastnn.fleet_plan import FleetPlan
from fastnn.fleet_trainer import fleet_trainer
from fastnn.plan import Settings


def data(cost, n, n_in, n_out, dtype, indices=False):
    X = np.random.default_rng([n, n_in]).standard_normal((n, n_in)).astype(dtype)
    return X, targets(cost, (n, n_out), dtype, indices)


def networks(count, sizes, **options):
    return [Network(sizes, seed=k, **options) for k in range(count)]


def mask_seed(network):
    """Of the dropout masks of this network's first run."""
    return int(np.random.SeedSequence([network.seed, network.epochs_trained]).generate_state(1)[0])


def orders(seeds, rows, epochs, first=0):
    """Each member's row numbers of so many epochs (n_members, epochs * n), as a `Network` shuffles them."""
    result = []
    for seed, own in zip(seeds, rows, strict=True):
        each = np.tile(own, (epochs, 1))
        for epoch, row in enumerate(each, first):
            np.random.default_rng([seed, epoch, 0]).shuffle(row)
        result.append(each.ravel())
    return np.stack(result)


def spans(n, batch, epochs):
    starts = np.arange(0, n, batch)
    one = np.stack([starts, np.minimum(starts + batch, n)], axis=1)
    return (np.arange(epochs)[:, None, None] * n + one).reshape(-1, 2)


def trainer_of(nets, optimizer, batch, n_targets, *, weighted=False, l2=None, betas=None, **settings):
    """A trainer of copies of the networks' parameters."""
    net = nets[0]
    shared = Settings(optimizer, batch, huber_threshold=net.huber_threshold, **settings)
    keeps = [net.layers["keep"] for net in nets]
    plan = FleetPlan.of(
        net.layers, net.dtype, net.cost, n_targets, weighted, shared, [mask_seed(net) for net in nets],
        l2=l2, betas=betas, keeps=keeps,
    )  # fmt: skip
    return fleet_trainer(plan, np.stack([net.params for net in nets]))


def train(nets, X, Y, optimizer, batch, epochs, **options):
    """The trainer of these networks after so many epochs over all rows, and the costs that it told."""
    trainer, n = trainer_of(nets, optimizer, batch, Y.shape[1], **options), len(X)
    steps = spans(n, batch, epochs)
    rates = optimizer.corrected(np.arange(len(steps)), len(steps) // epochs)
    own = orders([net.seed for net in nets], [np.arange(n)] * len(nets), epochs)
    return trainer, trainer.train(X, Y, np.empty(0, X.dtype), own, steps, rates)


def close(found, expected):
    """Whether parameters are those that the engine of a single network finds."""
    atol = 1e-4 if found.dtype == np.float32 else 1e-10
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
