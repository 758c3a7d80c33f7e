"""Members of a fleet that are trained one after another, in a trainer that they share."""

from dataclasses import replace

import numpy as np
import pytest

from cases import DTYPES
from fastnn import Adam
from fastnn.fleet_members import MembersTrainer
from fastnn.trainer import Trainer
from fleet_cases import data, networks, orders, spans, trainer_of


@pytest.mark.parametrize("dtype", DTYPES)
def test_members_that_share_a_trainer_have_numbers_of_their_own(dtype):
    """Penalties, none among them, running means and dropout masks: bit for bit those of a trainer each."""
    equal = np.testing.assert_array_equal
    X, Y = data("binary_cross_entropy", 50, 6, 1, dtype)
    nets = [net for rate in (0.0, 0.3) for net in networks(2, [6, 9, 1], dropout=rate, dtype=dtype)]
    l2, betas = [0.0, 0.2, 0.1, 0.0], [[0.9, 0.999], [0.5, 0.9], [0.9, 0.99], [0.8, 0.999]]
    some = trainer_of(nets, Adam(), 16, 1, l2=l2, betas=betas, threads=1)
    trainer, steps = MembersTrainer(some.plan, some.params.copy()), spans(50, 16, 2)
    own = orders(range(4), [np.arange(50)] * 4, 2)
    rates, none = Adam().corrected(np.arange(len(steps)), 4), np.empty(0, dtype)
    half = len(steps) // 2
    costs = trainer.train(X, Y, none, own, steps[:half], rates[:half])
    kept = trainer.keep([1, 3])
    later = kept.train(X, Y, none, own[[1, 3]], steps[half:], rates[half:])
    for k, params in enumerate(some.params):
        alone = some.plan.alone(k)
        expected = Trainer(replace(alone, settings=replace(alone.settings, l2=l2[k])), params.copy())
        equal(expected.train(X, Y, none, own[k], steps[:half], rates[:half]), costs[:, k])
        equal(expected.params, trainer.params[k])
        equal(expected.moments, trainer.moments[k])
        if k in (1, 3):
            equal(expected.train(X, Y, none, own[k], steps[half:], rates[half:]), later[:, k // 2])
            equal(expected.params, kept.params[k // 2])
    apart = trainer.keep([0, 1])  # without dropout
    apart.train(X, Y, none, own[:2], steps[half:], rates[half:])
    equal(apart.params[1], kept.params[0])
