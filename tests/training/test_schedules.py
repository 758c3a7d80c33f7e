"""Optimizers and learning-rate schedules: their numbers, and what they refuse."""

import pickle
import re

import numpy as np
import pytest

from fastnn import SGD, Adam, AdamW, Network, constant, cosine, step_decay, warm_up
from fastnn.optimizers import OPTIMIZERS, as_optimizer

STEPS = np.arange(40)
PER_EPOCH = 4
SCHEDULES = (
    constant(0.1),
    step_decay(0.1, 0.5, every=3),
    cosine(0.1, epochs=5, final=0.01),
    warm_up(2, 0.1),
    warm_up(2, after=cosine(0.1, epochs=5)),
    warm_up(0.3, after=step_decay(0.1)),
)


@pytest.mark.parametrize(
    "schedule, formula",
    [
        (0.1, lambda t: 0.1),
        (np.float32(0.25), lambda t: 0.25),
        (1, lambda t: 1),
        (constant(0.1), lambda t: 0.1),
        (step_decay(0.1), lambda t: 0.1),
        (step_decay(0.1, 0.5, every=3), lambda t: 0.1 * 0.5 ** (t // 12)),
        (step_decay(8, 2, every=1), lambda t: 8 * 2.0 ** (t // 4)),
        (step_decay(0.1, 0, every=1), lambda t: 0.1 if t < 4 else 0),
        (cosine(0.1, 5), lambda t: 0.05 * (1 + np.cos(np.pi * min(t / 20, 1)))),
        (cosine(0.1, 5, 0.02), lambda t: 0.06 + 0.04 * np.cos(np.pi * min(t / 20, 1))),
        (warm_up(2, 0.1), lambda t: 0.1 * min((t + 1) / 8, 1)),
        (warm_up(2, np.float64(0.1)), lambda t: 0.1 * min((t + 1) / 8, 1)),
        (warm_up(0.25, 0.1), lambda t: 0.1),
        (
            warm_up(2, step_decay(0.1, 0.5, 3)),
            lambda t: 0.1 * 0.5 ** (t // 12) * min((t + 1) / 8, 1),
        ),
        (lambda steps, per_epoch: 0.1 / (1 + steps // per_epoch), lambda t: 0.1 / (1 + t // 4)),
    ],
)
def test_values(schedule, formula):
    rates = SGD(schedule).learning_rates(STEPS, PER_EPOCH)
    assert rates.dtype == np.float64
    np.testing.assert_allclose(rates, [formula(t) for t in STEPS], 1e-12, 1e-17)


def test_ends_of_a_cosine():
    schedule = cosine(0.3, epochs=5, final=0.1)
    np.testing.assert_allclose(schedule(np.array([0, 10, 20, 1000]), 4), [0.3, 0.2, 0.1, 0.1])


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedules_are_values(schedule):
    """They can be compared, and sent to another process; any part of the steps gives the same rates."""
    copy = pickle.loads(pickle.dumps(Adam(schedule)))
    assert copy == Adam(schedule) and repr(schedule) in repr(copy)
    rates = schedule(STEPS, PER_EPOCH)
    np.testing.assert_array_equal([float(schedule(STEPS[t : t + 1], PER_EPOCH)[0]) for t in STEPS], rates)


def test_adam_corrects_for_its_bias():
    """m / (1 - b1^t) over sqrt(v / (1 - b2^t)) + epsilon, as rate * m over sqrt(v) + epsilon."""
    t = STEPS + 1
    corrected = AdamW(0.1, beta1=0.8, beta2=0.99, epsilon=1e-4, weight_decay=0.5).corrected(STEPS, PER_EPOCH)
    m, v = 0.3, 0.7
    wanted = 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-4)
    np.testing.assert_allclose(corrected[:, 0] * m / (np.sqrt(v) + corrected[:, 1]), wanted)
    np.testing.assert_allclose(corrected[:, 2], 0.05)
    assert not Adam(0.1).corrected(STEPS, PER_EPOCH)[:, 2].any()
    np.testing.assert_allclose(SGD(0.1).corrected(STEPS, PER_EPOCH), [[0.1, 0, 0]] * 40)


def test_names():
    for name, optimizer in OPTIMIZERS.items():
        assert as_optimizer(name) == optimizer()
    assert SGD().kernel == SGD(nesterov=True).kernel == "sgd"
    assert (SGD(momentum=0.5).kernel, SGD(momentum=0.5, nesterov=True).kernel) == ("momentum", "nesterov")
    for wrong in ("rmsprop", Adam, None, [], 0.1):
        with pytest.raises(ValueError, match="unknown optimizer .*: expected sgd, adam, adamw, or an Optimi"):
            as_optimizer(wrong)


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda x: SGD(x), "lr"),
        (lambda x: SGD(momentum=x), "momentum"),
        (lambda x: Adam(beta1=x), "beta1"),
        (lambda x: Adam(beta2=x), "beta2"),
        (lambda x: Adam(epsilon=x), "epsilon"),
        (lambda x: AdamW(weight_decay=x), "weight_decay"),
        (lambda x: constant(x), "rate"),
        (lambda x: step_decay(x), "rate"),
        (lambda x: step_decay(0.1, factor=x), "factor"),
        (lambda x: step_decay(0.1, every=x), "every"),
        (lambda x: cosine(x, 3), "rate"),
        (lambda x: cosine(0.1, epochs=x), "epochs"),
        (lambda x: cosine(0.1, 3, final=x), "final"),
        (lambda x: warm_up(x, 0.1), "epochs"),
        (lambda x: warm_up(3, x), "lr"),
    ],
)
def test_wrong_numbers(make, name):
    for value in (-0.1, np.nan, np.inf, True, "0.1", None, [0.1], 0.1j):
        message = re.escape(f"{name}={value!r} must be a number ") + "(above|of at least) 0 and "
        with pytest.raises(ValueError, match=message):
            make(value)


@pytest.mark.parametrize(
    "make",
    (
        lambda: SGD(momentum=1),
        lambda: Adam(beta1=1.0),
        lambda: Adam(beta2=1.5),
        lambda: step_decay(0.1, every=0),
        lambda: cosine(0.1, 0),
        lambda: warm_up(0, 0.1),
    ),
)
def test_limits(make):
    with pytest.raises(ValueError, match="must be a number"):
        make()


@pytest.mark.parametrize(
    "schedule, match",
    [
        (lambda steps, per_epoch: 0.1, r"gave rates of shape \(\) for steps of shape \(2,\)"),
        (lambda steps, per_epoch: np.full(3, 0.1), r"gave rates of shape \(3,\)"),
        (lambda steps, per_epoch: 0.1 - steps, "gave -0.9 for step 1; rates must be finite and not negative"),
        (lambda steps, per_epoch: steps * np.nan, "gave nan for step 0"),
        (lambda steps, per_epoch: steps + np.inf, "gave inf for step 0"),
    ],
)
def test_wrong_schedules_fail_before_any_work(schedule, match):
    network = Network([2, 1], seed=0)
    before = network.params.copy()
    with pytest.raises(ValueError, match=match):
        network.fit(np.ones((4, 2)), np.ones(4), optimizer=SGD(schedule))
    np.testing.assert_array_equal(network.params, before)


def test_history_has_the_rate_of_each_epoch():
    schedule = warm_up(2, after=cosine(0.1, epochs=6))
    history = Network([2, 1], seed=0).fit(
        np.ones((10, 2)), np.ones(10), batch_size=4, epochs=8, optimizer=SGD(schedule)
    )
    np.testing.assert_array_equal(history.lr, schedule(np.arange(2, 24, 3), 3))
