"""The recipe of tables: the schedule, the folds, when a training ends, and scikit-learn's own checks."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn import InputStage, Network, TabularClassifier, TabularRegressor
from fastnn.tabular.bag import mean_and_spread, parts
from fastnn.tabular.members import Problem, Watch, begin, folds
from fastnn.tabular.recipe import CYCLE_ENDS, PRESETS, Recipe, cosine_log, recipe

# Other batches, and other rows held out.
NEARLY = "mini-batches: a row of weight 2 is not bit for bit two rows"
FAILS = {
    "check_sample_weight_equivalence_on_dense_data": NEARLY,
    "check_sample_weight_equivalence_on_sparse_data": NEARLY,
}


@parametrize_with_checks(
    [cls(preset="fast", min_steps=100) for cls in (TabularClassifier, TabularRegressor)],
    expected_failed_checks=lambda estimator: FAILS,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.slow
def test_every_estimator(estimator, check):
    check(estimator)


def test_the_schedule_is_its_formula():
    steps = np.arange(100)
    t = steps / 100
    wanted = 0.3 * (0.5 - 0.5 * np.cos(2 * np.pi * np.log2(1 + 15 * t)))
    np.testing.assert_allclose(cosine_log(0.3, 10)(steps, 10), wanted)
    ends = cosine_log(0.3, 1.0)(np.array(CYCLE_ENDS) * 1500, 1500)
    np.testing.assert_allclose(ends, 0, atol=1e-12)


def test_a_small_table_gets_more_epochs():
    rows = Recipe(epochs=3, min_steps=100, batch_size=10)
    assert rows.epochs_for(1000) == 3 and rows.epochs_for(20) == 50 and rows.epochs_for(1) == 100


def test_settings_that_are_none_are_the_presets():
    assert recipe("best", {"epochs": None, "dropout": 0.5}) == Recipe(
        **{**vars(PRESETS["best"]), "dropout": 0.5}
    )
    assert Recipe().activation_for(True) == "selu" and Recipe().activation_for(False) == "mish"
    assert Recipe(activation="relu").activation_for(True) == "relu"
    assert Recipe(hidden_layer_sizes=[3, 4]).hidden_layer_sizes == (3, 4)


def test_folds_are_all_rows_in_equal_shares():
    labels = np.arange(103) % 4
    found = folds(103, labels, 5, np.random.default_rng(0))
    assert np.array_equal(np.sort(np.concatenate(found)), np.arange(103))
    assert {len(fold) for fold in found} == {20, 21}
    for fold in found:
        assert np.ptp(np.bincount(labels[fold], minlength=4)) <= 2


@pytest.mark.parametrize("n", [5, 100])
def test_who_is_trained_on_what(n):
    problem = Problem(np.zeros((n, 1), np.float32), np.zeros(n, np.float32), None, 0, Recipe())
    found = parts(problem, 7, np.random.default_rng(0))
    assert len(found) == 7
    for rows, held in found:
        assert len(held) == (0 if n < 20 else 20) and np.array_equal(np.union1d(rows, held), np.arange(n))
    assert n < 20 or np.array_equal(np.sort(np.concatenate([held for _, held in found[:5]])), np.arange(n))


def test_a_training_ends_with_a_wave_that_was_no_better():
    def run(epoch, *costs):
        return SimpleNamespace(epoch=epoch, history=SimpleNamespace(val_cost=list(costs)))

    watch = Watch(ends=(2, 4, 8))
    assert not watch(run(1, 5.0)) and not watch(run(2, 5.0, 4.0))
    assert not watch(run(3, 5.0, 4.0, 6.0)) and not watch(run(4, 5.0, 4.0, 6.0, 3.0))
    assert watch(run(8, 5.0, 4.0, 6.0, 3.0, 3.0, 3.5, 4.0, 3.2))
    assert Watch(ends=(), deadline=0.0)(run(1, 1.0))


def test_a_network_begins_with_zero_outputs():
    network = Network([3, 5, 2], activation="selu", seed=1)
    begin(network, 1)
    X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    assert (network.predict(X) == 0).all() and network.biases[0].any() and network.weights[0].any()


def test_a_network_begins_with_codes_of_categories():
    network, stage = (
        Network([30, 40, 2], activation="selu", seed=1),
        InputStage(categories=[(4, 20)], width=3),
    )
    begin(network, 1, stage)
    own, others = network.weights[0][4:24], np.delete(network.weights[0], range(4, 24), axis=0)
    assert np.linalg.matrix_rank(own) == 3 and np.linalg.matrix_rank(others) == 10
    # Of three elements a code, each as large as a weight, for a feature that is 0.5 where it is not 0.
    assert 0.7 < own.std() / others.std() / (np.sqrt(3) / 0.5) < 1.4


def test_what_is_learnt_in_front_of_the_first_layer():
    def stage(**settings):
        return Problem(*[np.zeros((3, 20))] * 2, None, 0, Recipe(**settings), ((2, 9),)).stage

    assert stage() == InputStage(6.0, [(2, 9)], 8, 1.0)
    assert stage(embedding=0) == InputStage(6.0, width=1) and stage(scale_rate=0, embedding=0) is None
    assert stage(scale_rate=0, embedding=4, embedding_rate=2) == InputStage(0.0, [(2, 9)], 4, 2.0)
    assert stage(hidden_layer_sizes=()) is None and stage(hidden_layer_sizes=(1,)) is None


def test_mean_and_spread():
    networks = [Network([2, 1], seed=seed) for seed in range(4)]
    X = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
    outputs = np.stack([network.predict(X) for network in networks])
    mean, spread = mean_and_spread(networks, X)
    np.testing.assert_allclose(mean, outputs.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(spread, outputs.std(axis=0), rtol=1e-4, atol=1e-6)
