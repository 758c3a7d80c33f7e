"""Checkpoints: a run that is killed and goes on from its last one ends as if nothing had happened."""

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from fastnn import SGD, Adam, AdamW, Checkpoint, EarlyStopping, ModelFileError, Network, cosine, storage
from processes import forks, network, problem, run_apart

X, Y = problem(1500)
OPTIONS = {
    "epochs": 16,
    "batch_size": 64,
    "optimizer": Adam(cosine(2e-2, 16)),
    "l2": 1e-3,
    "clip_norm": 1.0,
    "label_smoothing": 0.05,
    "class_weight": "balanced",
    "validation_split": 0.2,
    "early_stopping": EarlyStopping(3, min_delta=0.02),
    "threads": 1,
}


def fit(path=None, net=None, **options):
    net = net or network()
    return net, net.fit(X, Y, **{**OPTIONS, "checkpoint": path, "resume": path, **options})


def outcome(net, history):
    """All of a run but the seconds, bit by bit."""
    values = history.to_dict()
    assert len(values.pop("seconds")) == len(history)
    return net.params.tobytes(), net.epochs_trained, net.seed, json.dumps(values)


def fit_in_a_fork(path, seconds, **options):
    """A run that is killed after some seconds."""
    child = os.fork()
    if not child:
        try:
            fit(path, **options)
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def kill_and_resume(folder, number):
    fit()  # compiled, and quick from here on
    expected = {}
    for name, options in {"early": {}, "whole": {"early_stopping": None, "optimizer": AdamW(1e-2)}}.items():
        started = time.perf_counter()
        expected[name] = (
            options,
            outcome(*fit(os.path.join(folder, name), **options)),
            time.perf_counter() - started,
        )
    assert json.loads(expected["early"][1][3])["stopped"], "early stopping is to be among what is tried"
    killed_within = 0
    for seed in range(number):
        rng = random.Random(seed)
        name = rng.choice(list(expected))
        options, wanted, seconds = expected[name]
        path = os.path.join(folder, str(seed))
        for _ in range(rng.choice((1, 1, 2, 3))):
            fit_in_a_fork(path, rng.uniform(0, 1.5 * seconds), threads=rng.choice((1, 2)), **options)
            if os.path.exists(path):
                Network.load(path)
        if os.path.exists(path):
            killed_within += storage.read(path)[1]["run"]["epoch"] < OPTIONS["epochs"]
        assert outcome(*fit(path, threads=rng.choice((1, 2)), **options)) == wanted, (seed, name)
    print(killed_within, "of", number, "had a checkpoint and were not done")
    assert killed_within > number / 5


@pytest.mark.slow
@forks
def test_killed_at_a_hundred_random_moments(tmp_path):
    run_apart(kill_and_resume, str(tmp_path), 100, timeout=300)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The checkpoints of each epoch of a whole run, and its outcome."""
    folder = tmp_path_factory.mktemp("run")

    def keep(run):
        run.save(folder / str(run.epoch))

    return folder, outcome(*fit(callbacks=[keep]))


def test_each_epoch_of_a_run_can_be_gone_on_from(finished, tmp_path):
    """The last one too, after which the run stopped early: not one epoch more is trained."""
    folder, wanted = finished
    checkpoints = list(folder.iterdir())
    assert 3 < len(checkpoints) < OPTIONS["epochs"]
    for path in checkpoints:
        assert outcome(*fit(resume=path)) == wanted, path.name


def test_a_checkpoint_of_some_epochs_gives_those_of_more(finished, tmp_path):
    options = {"early_stopping": None, "optimizer": "adam"}
    wanted = outcome(*fit(epochs=9, **options))
    fit(tmp_path / "a", epochs=4, **options)
    net, history = fit(tmp_path / "a", epochs=9, **options)
    assert len(history) == 9 and outcome(net, history) == wanted
    before = (tmp_path / "a").read_bytes()
    assert outcome(*fit(tmp_path / "a", epochs=9, **options)) == wanted  # there is nothing left to do
    assert outcome(*fit(tmp_path / "a", epochs=2, **options)) == wanted
    assert (tmp_path / "a").read_bytes() == before


def test_more_patience_goes_on_where_early_stopping_stopped(finished):
    folder, _ = finished
    last = max(folder.iterdir(), key=lambda path: int(path.name))
    patient = {"early_stopping": EarlyStopping(9, min_delta=0.02)}
    assert outcome(*fit(resume=last, **patient)) == outcome(*fit(**patient))


def test_without_a_file_a_run_starts_anew(tmp_path):
    assert outcome(*fit(tmp_path / "a", epochs=3)) == outcome(*fit(epochs=3))
    assert storage.read(tmp_path / "a")[1]["run"]["epoch"] == 3


def test_every_few_epochs(tmp_path):
    fit(checkpoint=Checkpoint(tmp_path / "a", every=3), epochs=5)
    assert storage.read(tmp_path / "a")[1]["run"]["epoch"] == 3
    assert outcome(*fit(resume=tmp_path / "a", epochs=5)) == outcome(*fit(epochs=5))


def test_a_script_that_sets_no_seed_goes_on_with_the_first_one(tmp_path):
    """Its held-out rows and its shuffling are those of the run that was killed."""
    nets = [Network([5, 8, 1], output="sigmoid") for _ in range(2)]
    assert nets[0].seed != nets[1].seed
    _, history = fit(tmp_path / "a", nets[0], epochs=3)
    shutil.copy(tmp_path / "a", tmp_path / "b")
    whole = outcome(*fit(tmp_path / "a", nets[0].__class__.load(tmp_path / "a"), epochs=6))
    assert outcome(*fit(tmp_path / "b", nets[1], epochs=6)) == whole


def test_an_interrupted_run_goes_on_from_its_last_whole_epoch(tmp_path):
    def interrupt(run):
        if run.epoch == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted after epoch 3"):
        fit(tmp_path / "a", callbacks=[interrupt])  # before this epoch's checkpoint
    assert storage.read(tmp_path / "a")[1]["run"]["epoch"] == 2
    assert outcome(*fit(tmp_path / "a")) == outcome(*fit())


def test_a_checkpoint_is_a_network_too(finished):
    net = Network.load(finished[0] / "2")
    assert net.epochs_trained == 2 and net.predict(X).shape == (len(X), 1)


def refused(path, error, match, net=None, **options):
    """fit raises, and the network is as it was."""
    net = net or network()
    before, about = net.params.copy(), net.describe()
    with pytest.raises(error, match=match):
        fit(net=net, resume=path, **options)
    assert np.array_equal(net.params, before) and net.describe() == about


@pytest.mark.parametrize(
    "difference",
    (
        {"sizes": [5, 24, 1]},
        {"activation": "relu"},
        {"dropout": 0.2},
        {"dtype": "float64"},
        {"huber_threshold": 0.5},
    ),
    ids=str,
)
def test_the_checkpoint_of_another_network_is_refused(difference, finished):
    options = {"sizes": [5, 24, 12, 1], "activation": "tanh", "output": "sigmoid", "dropout": 0.1, "seed": 1}
    refused(
        finished[0] / "2",
        ValueError,
        f"of another network: .*{list(difference)[0]}: ",
        Network(**{**options, **difference}),
    )


@pytest.mark.parametrize(
    ("optimizer", "match"),
    ((SGD(), "with Adam, not SGD"), (AdamW(), "with Adam, not AdamW"), ("sgd", "with Adam, not")),
)
def test_the_checkpoint_of_another_optimizer_is_refused(optimizer, match, finished):
    refused(finished[0] / "2", ValueError, match, optimizer=optimizer)


def test_a_velocity_that_is_not_there_is_missed(tmp_path):
    fit(tmp_path / "a", optimizer=SGD(), epochs=1)
    refused(tmp_path / "a", ValueError, "with SGD, not other settings", optimizer=SGD(momentum=0.9))


def test_what_is_no_checkpoint_is_refused(tmp_path):
    network().save(tmp_path / "a")
    refused(tmp_path / "a", ModelFileError, "a saved network, not a checkpoint")
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes()[:-5])
    refused(tmp_path / "b", ModelFileError, "not a whole fastnn file")
    refused(tmp_path, IsADirectoryError, "is a folder")


def crafted(path, change):
    """A checkpoint with the right digest and a wrong content."""
    arrays, about = storage.read(path)
    change(arrays, about["run"])
    return arrays, about


CHANGES = (
    *(
        lambda arrays, run, name=name: run.pop(name)
        for name in ("epoch", "steps", "seed", "best_cost", "history")
    ),
    *(
        lambda arrays, run, name=name: run.update({name: "x"})
        for name in ("epoch", "steps", "best_epoch", "history")
    ),
    *(lambda arrays, run, name=name: run.update({name: -1}) for name in ("epoch", "steps", "seed")),
    lambda arrays, run: run.update(epoch=np.inf),
    lambda arrays, run: run["history"].update(costs=[1]),
    lambda arrays, run: arrays.update(best_params=arrays["params"][:1]),
    lambda arrays, run: arrays.update(best_params=arrays["params"].astype(np.float64)),
    lambda arrays, run: arrays.update(moments=arrays["moments"].astype(np.float64)),
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_makes_no_sense_is_refused(change, finished, tmp_path):
    storage.write(tmp_path / "a", *crafted(finished[0] / "2", change))
    refused(tmp_path / "a", ModelFileError, "is not a whole checkpoint")
    assert [path.name for path in Path(tmp_path).iterdir()] == ["a"]
