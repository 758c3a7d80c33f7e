"""The engine of fleets: each member as a network by itself; no member knows of the others."""

from dataclasses import replace

import numpy as np
import pytest

from cases import DTYPES, PAIRS
from fastnn import SGD, Adam, AdamW
from fastnn.fleet_lanes import LanesTrainer
from fastnn.fleet_members import MembersTrainer
from fastnn.fleet_plan import lanes_pay
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.machine import Machine
from fleet_cases import close, data, networks, orders, spans, train, trainer_of

both = pytest.mark.parametrize("dtype", DTYPES)
HIDDEN = [name for name, entry in ACTIVATIONS.items() if entry.elementwise]


def assert_members(nets, trainer, costs, X, Y, epochs, batch, members=None, **options):
    """Members of the trainer have come to where the networks come, and told the same costs."""
    for k in range(len(nets)) if members is None else members:
        history = nets[k].fit(X, Y, epochs=epochs, batch_size=batch, threads=1, **options)
        close(trainer.params[k], nets[k].params)
        sizes = np.diff(spans(len(X), batch, 1))[:, 0]
        told = (costs[:, k].sum(axis=1).reshape(epochs, -1) * sizes).sum(axis=1) / len(X)
        np.testing.assert_allclose(told, history.cost, rtol=1e-4 if X.dtype == np.float32 else 1e-9)


@both
@pytest.mark.parametrize("sizes", ([2, 4, 1], [1, 3, 15, 1], [17, 16, 2], [3, 1]))
def test_members_are_networks(sizes, dtype):
    """Twenty epochs, with a ragged last batch and a ragged last group."""
    X, Y = data("binary_cross_entropy", 70, sizes[0], sizes[-1], dtype)
    nets = networks(19, sizes, output="sigmoid", dtype=dtype)
    trainer, costs = train(nets, X, Y, Adam(), 32, 20)
    assert_members(nets, trainer, costs, X, Y, 20, 32, (0, 7, 15, 16, 18))


@both
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations(activation, dtype):
    X, Y = data("squared_error", 40, 5, 2, dtype)
    nets = networks(3, [5, 6, 4, 2], activation=activation, dtype=dtype)
    for net in nets:  # exp of exp of more is infinite
        net.params *= 0.3
    trainer, costs = train(nets, X, Y, SGD(1e-3), 16, 3)
    assert_members(nets, trainer, costs, X, Y, 3, 16, optimizer=SGD(1e-3))


@both
@pytest.mark.parametrize("cost, output", [pair for pair in PAIRS if pair[0] != "huber" or pair[1] == "gelu"])
def test_costs(cost, output, dtype):
    X, Y = data(cost, 40, 4, 3, dtype)
    nets = networks(
        2, [4, 5, 3], activation="tanh", output=output, cost=cost, huber_threshold=0.5, dtype=dtype
    )
    trainer, costs = train(nets, X, Y, SGD(0.01), 16, 2)
    assert_members(nets, trainer, costs, X, Y, 2, 16, optimizer=SGD(0.01))


@both
def test_class_indices_and_smoothing(dtype):
    X, Y = data("softmax_cross_entropy", 40, 4, 3, dtype, indices=True)
    nets = networks(2, [4, 5, 3], output="softmax", dtype=dtype)
    trainer, costs = train(nets, X, Y, SGD(0.1), 16, 2, label_smoothing=0.1)
    assert_members(nets, trainer, costs, X, Y, 2, 16, optimizer=SGD(0.1), label_smoothing=0.1)


@both
@pytest.mark.parametrize(
    "optimizer", (SGD(0.05), SGD(0.05, momentum=0.9), SGD(0.05, momentum=0.9, nesterov=True), AdamW(0.01))
)
def test_optimizers_penalties_and_clipping(optimizer, dtype):
    X, Y = data("squared_error", 40, 7, 1, dtype)
    nets = networks(3, [7, 5, 1], activation="elu", dtype=dtype)
    trainer, costs = train(nets, X, Y, optimizer, 16, 4, l2=0.1, clip_norm=0.3)
    assert_members(nets, trainer, costs, X, Y, 4, 16, optimizer=optimizer, l2=0.1, clip_norm=0.3)


@both
def test_dropout(dtype):
    X, Y = data("squared_error", 40, 7, 1, dtype)
    nets = [net for rate in (0.0, 0.3) for net in networks(2, [7, 9, 8, 1], dropout=rate, dtype=dtype)]
    trainer, costs = train(nets, X, Y, SGD(0.01), 16, 4)
    assert_members(nets, trainer, costs, X, Y, 4, 16, optimizer=SGD(0.01))


@both
def test_large_members_are_trained_one_after_another(dtype):
    """With all that is each one's own; nobody sees the difference."""
    X, Y = data("squared_error", 40, 100, 2, dtype)
    nets = networks(3, [100, 200, 2], activation="tanh", dtype=dtype)
    trainer, costs = train(nets, X, Y, Adam(), 16, 2)
    assert trainer.plan.arrangement == "members"
    expected = trainer.params.copy()
    assert_members(nets, trainer, costs, X, Y, 2, 16)
    nets = networks(3, [100, 200, 2], activation="tanh", dtype=dtype)
    trainer, steps = trainer_of(nets, Adam(), 16, 2), spans(40, 16, 2)
    own, half = orders(range(3), [np.arange(40)] * 3, 2), 3
    rates = np.repeat(Adam().corrected(np.arange(len(steps)), 3)[..., None], 3, axis=2)
    rates[:, 0, 1] = 1e200 if dtype == np.float64 else 1e30
    trainer.train(X, Y, np.empty(0, dtype), own, steps[:half], rates[:half])
    state = trainer.snapshot()
    trainer.train(X, Y, np.empty(0, dtype), own, steps[half:], rates[half:])
    assert trainer.diverged.tolist() == [False, True, False] == (~trainer.active).tolist()
    trainer.restore(state)
    trainer.freeze([0])
    trainer = trainer.keep([0, 2])
    costs = trainer.train(X, Y, np.empty(0, dtype), own[[0, 2]], steps[half:], rates[half:, :, [0, 2]])
    np.testing.assert_array_equal(trainer.params[1], expected[2])
    assert np.isnan(costs[:, 0]).all() and trainer.steps_done.tolist() == [half, 2 * half]


@both
def test_large_batches_go_in_chunks(dtype):
    X, Y = data("squared_error", 900, 20, 1, dtype)
    nets = networks(2, [20, 16, 1], dtype=dtype)
    trainer, costs = train(nets, X, Y, SGD(0.1), 900, 5)
    assert trainer.plan.chunk < 900
    assert_members(nets, trainer, costs, X, Y, 5, 900, optimizer=SGD(0.1))


def test_what_is_each_members_own():
    """Rates, betas, l2, weights, rows of different numbers, and data sets."""
    count, batch, epochs, dtype = 5, 8, 3, np.float64
    rows = [np.sort(np.random.default_rng(k).permutation(30)[: 14 + k]) for k in range(count)]
    X, Y = (np.stack(x) for x in zip(*(data("squared_error", 30, 3, 1, dtype) for _ in rows), strict=True))
    X += np.arange(count)[:, None, None] / 4
    weights = np.random.default_rng(9).uniform(0.5, 2, (count, 30))
    nets, optimizers = (
        networks(count, [3, 5, 1], dtype=dtype),
        [Adam(10 ** (k / 2 - 3), 0.8 + k / 50) for k in range(count)],
    )
    l2 = np.linspace(0, 0.1, count)
    trainer = trainer_of(
        nets, Adam(), batch, 1, weighted=True, l2=l2, betas=[x.betas for x in optimizers]
    )  # fmt: skip
    most = 3
    own = np.zeros((count, 20 * epochs), np.int64)
    steps = np.zeros((count, most * epochs, 2), np.int64)
    rates = np.zeros((most * epochs, 3, count))
    for k, n in enumerate(map(len, rows)):
        own[k, : n * epochs] = orders([k], [rows[k]], epochs)[0]
        per_epoch = -(-n // batch)
        taken = (np.arange(epochs)[:, None] * most + np.arange(per_epoch)).ravel()
        steps[k, taken] = spans(n, batch, epochs)
        rates[taken, :, k] = optimizers[k].corrected(np.arange(len(taken)), per_epoch)
    costs = trainer.train(X, Y, weights, own, steps, rates)
    for k, net in enumerate(nets):
        options = {"optimizer": optimizers[k], "l2": l2[k], "sample_weight": weights[k, rows[k]]}
        net.fit(X[k, rows[k]], Y[k, rows[k]], epochs=epochs, batch_size=batch, **options)
        close(trainer.params[k], net.params)
        assert np.isnan(costs[:, k, 0]).sum() == (most - -(-len(rows[k]) // batch)) * epochs
    assert trainer.steps_done.tolist() == [-(-len(x) // batch) * epochs for x in rows]


@both
def test_bits_depend_on_nobody_else(dtype):
    """Threads, company, place among the others, and slices of the training change no bit."""
    X, Y = data("softmax_cross_entropy", 50, 6, 3, dtype)
    nets = networks(37, [6, 9, 3], output="softmax", dropout=0.2, dtype=dtype)
    expected = train(nets, X, Y, Adam(), 16, 3, threads=1)[0].params
    np.testing.assert_array_equal(train(nets, X, Y, Adam(), 16, 3, threads=3)[0].params, expected)
    some = [nets[k] for k in (36, 5, 20)]
    np.testing.assert_array_equal(train(some, X, Y, Adam(), 16, 3)[0].params, expected[[36, 5, 20]])


@both
def test_who_is_kept_goes_on_as_if_nothing_had_happened(dtype):
    X, Y = data("squared_error", 48, 3, 1, dtype)
    nets, epochs, batch = networks(20, [3, 5, 1], dtype=dtype), 4, 16
    expected = train(nets, X, Y, Adam(), batch, epochs)[0].params
    trainer, steps = trainer_of(nets, Adam(), batch, 1), spans(48, batch, epochs)
    own = orders(range(20), [np.arange(48)] * 20, epochs)
    rates, half, kept = Adam().corrected(np.arange(len(steps)), 3), len(steps) // 2, np.array([17, 3, 4])
    trainer.train(X, Y, np.empty(0, dtype), own, steps[:half], rates[:half])
    before = trainer.params.copy()
    trainer.freeze([0, 19])
    state = trainer.snapshot()
    trainer.train(X, Y, np.empty(0, dtype), own, steps[half:], rates[half:])
    others = np.arange(1, 19)
    np.testing.assert_array_equal(trainer.params[others], expected[others])
    np.testing.assert_array_equal(trainer.params[[0, 19]], before[[0, 19]])
    assert trainer.steps_done[[0, 1]].tolist() == [half, len(steps)]
    trainer.restore(state)
    np.testing.assert_array_equal(trainer.params, before)
    trainer = trainer.keep(kept)
    trainer.train(X, Y, np.empty(0, dtype), own[kept], steps[half:], rates[half:])
    np.testing.assert_array_equal(trainer.params, expected[kept])
    assert trainer.plan.n_members == 3 and trainer.moments.shape == (3, 2, trainer.params.shape[1])


@both
def test_one_that_diverges_stops_alone(dtype):
    X, Y = data("squared_error", 48, 3, 1, dtype)
    nets = networks(5, [3, 5, 1], dtype=dtype)
    steps = spans(48, 16, 40)
    rates = np.repeat(SGD(0.01).corrected(np.arange(len(steps)), 3)[..., None], 5, axis=2)
    rates[:, 0, 2] = 1e4
    own = orders(range(5), [np.arange(48)] * 5, 40)
    results = []
    for chosen in (np.arange(5), np.array([0, 1, 3, 4])):
        trainer = trainer_of([nets[k] for k in chosen], SGD(), 16, 1)
        costs = trainer.train(X, Y, np.empty(0, dtype), own[chosen], steps, rates[..., chosen])
        results.append(trainer.params[chosen != 2])
    np.testing.assert_array_equal(*results)
    trainer = trainer_of(nets, SGD(), 16, 1)
    costs = trainer.train(X, Y, np.empty(0, dtype), own, steps, rates)
    assert trainer.diverged.tolist() == [k == 2 for k in range(5)] == (~trainer.active).tolist()
    assert trainer.steps_done[2] < len(steps) == trainer.steps_done[0]
    assert not np.isfinite(costs[trainer.steps_done[2] :, 2, 0]).any() and np.isfinite(costs[:, 0]).all()


def test_clipped_costs_and_l2_by_batch_are_the_estimators():
    from fastnn.plan import Plan, Settings
    from fastnn.trainer import Trainer

    for output, n_out, indices in (("sigmoid", 2, False), ("softmax", 3, True)):
        nets = networks(2, [4, 5, n_out], output=output, dtype=np.float64)
        X, Y = data(nets[0].cost, 40, 4, n_out, np.float64, indices)
        X *= 100  # costs beyond the ceiling
        options = {"l2": 0.3, "l2_by_batch": True, "ceiling": 3.0}
        trainer, costs = train(nets, X, Y, SGD(0.01), 16, 2, **options)
        for k, net in enumerate(nets):
            settings = Settings(SGD(0.01), 16, **options)
            alone = Trainer(Plan(net.layers, net.dtype, net.cost, Y.shape[1], False, 0, settings), net.params)
            steps = spans(40, 16, 2)
            rates = SGD(0.01).corrected(np.arange(len(steps)), 3)
            own = orders([k], [np.arange(40)], 2)[0]
            told = alone.train(X, Y, np.empty(0), own, steps, rates)
            np.testing.assert_allclose(costs[:, k], told, rtol=1e-9)
            close(trainer.params[k], net.params)


AVX2 = Machine(l1=32 << 10, l2=512 << 10, l3=16 << 20, vector_bytes=32, registers=16)
AVX512 = Machine(l1=48 << 10, l2=2 << 20, l3=32 << 20, vector_bytes=64, registers=32)
NEON = Machine(l1=64 << 10, l2=1 << 20, l3=8 << 20, vector_bytes=16, registers=32)


def test_what_stands_in_lanes_follows_from_the_machine():
    for here in (AVX2, AVX512, NEON):
        for itemsize in (4, 8):
            assert all(lanes_pay([2, 4, 1], batch, itemsize, here) for batch in (1, 8, 32))
            assert not any(lanes_pay([784, 512, 10], batch, itemsize, here) for batch in (1, 8, 32, 1024))
            # Alone, a network of many rows has samples in lanes.
            assert not lanes_pay([8, 16, 1], 1024, itemsize, here)
    assert lanes_pay([30, 32, 1], 32, 4, AVX512) and not lanes_pay([30, 32, 1], 32, 4, AVX2)
    assert lanes_pay([64, 64, 1], 8, 4, AVX512) and not lanes_pay([64, 64, 1], 8, 4, AVX2)
    # The same with fewer registers, or a smaller cache.
    assert not lanes_pay([64, 64, 1], 8, 4, replace(AVX512, registers=16))
    assert not lanes_pay([64, 64, 1], 8, 4, replace(AVX512, l2=256 << 10))


@both
def test_both_ways_come_to_the_same(dtype):
    """Whichever the machine chooses: members of plans that are alike, and not, and who is kept."""
    X, Y = data("softmax_cross_entropy", 50, 6, 3, dtype)
    nets = networks(5, [6, 9, 3], output="softmax", dtype=dtype)
    l2 = [0.0, 0.1, 0.1, 0.0, 0.1]
    own, steps = orders(range(5), [np.arange(50)] * 5, 4), spans(50, 16, 4)
    rates, half, results = Adam().corrected(np.arange(len(steps)), 4), len(steps) // 2, []
    for kind in (LanesTrainer, MembersTrainer):
        some = trainer_of(nets, Adam(), 16, Y.shape[1], l2=l2)
        trainer = kind(some.plan, some.params.copy())
        costs = [trainer.train(X, Y, np.empty(0, dtype), own, steps[:half], rates[:half])]
        trainer = trainer.keep([3, 1])
        again = kind(trainer.plan, trainer.params.copy())
        again.go_on(trainer.moments, trainer.steps_done)
        costs.append(again.train(X, Y, np.empty(0, dtype), own[[3, 1]], steps[half:], rates[half:]))
        results.append((again.params, again.moments, *(told.astype(dtype) for told in costs)))
    for found, expected in zip(*results, strict=True):
        close(found, expected)
