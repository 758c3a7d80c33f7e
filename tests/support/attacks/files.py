"""Attacks by files and pickles: spoilt bits, and lies under a digest that is right."""

import functools
import json
import pickle
import random as dice_of_python
import warnings
from pathlib import Path

import numpy as np

from attacks.hostile import Found, choose
from fastnn import ModelFileError, Network, storage
from mutations import mutated, rearranged, retold, sealed


@functools.cache
def originals():
    """The bytes of a saved network, of a checkpoint, and of a command's model, and a table for it."""
    import pandas as pd
    from typer.testing import CliRunner

    from fastnn.cli.app import app
    from processes import network, problem

    X, y = problem(100)
    network().save("network")
    network().fit(X, y, epochs=2, validation_split=0.2, early_stopping=5, checkpoint="checkpoint", threads=1)
    frame = pd.DataFrame(
        {
            "a": np.arange(40) % 9 / 4,
            "b": np.arange(40) % 5 / 2,
            "t": ["x", "y", "z", None] * 10,
            "d": ["2024-01-01", None, "2024-02-02", "2024-02-09"] * 10,
            "y": [0, 1] * 20,
        }
    )
    frame.to_csv("table.csv", index=False)
    command = "train table.csv --target y --out model --preset fast --epochs 2 --hidden 3 --threads 1"
    assert CliRunner().invoke(app, command.split()).exit_code == 0
    return {
        name: (Path(name).read_bytes(), *storage.read(name)) for name in ("network", "checkpoint", "model")
    }


def attack_files(random, note):
    """A file that was spoilt, or that lies, is refused by every reader, or is as good as any."""
    from processes import network, problem

    rng, kind = dice_of_python.Random(int(random.integers(2**63))), choose(random, originals())
    whole, arrays, about = originals()[kind]
    way = choose(random, ("bits", "words", "words", "words", "arrays", "both"))
    note(f"{kind}: {way}")
    if way == "bits":
        contents = mutated(whole, arrays, about, rng)
    else:
        told = retold(about, rng) if way != "arrays" else about
        given = rearranged(arrays, rng) if way != "words" else arrays
        contents = sealed(given, json.dumps(told))
        shapes = [(name, x.shape, x.dtype.str) for name, x in given.items()]
        note(f"{kind}: {way}: {json.dumps(told)[:3000]} {shapes}")
    Path("spoilt").write_bytes(contents)
    X, y = problem(100)
    outcome = "done"
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            net = Network.load("spoilt")
            if net.predict(np.zeros((3, net.n_in))).shape != (3, net.n_out):
                raise Found("a network that predicts something else")
        except ModelFileError:
            outcome = "refused"
        if kind == "checkpoint":
            outcome = _resume(network(), X, y)
        if kind == "model":
            outcome = _command()
    return outcome


def _resume(net, X, y):
    before = net.params.tobytes(), net.describe()
    try:
        net.fit(X, y, epochs=3, validation_split=0.2, early_stopping=5, resume="spoilt", threads=1)
    except (ModelFileError, ArithmeticError, ValueError) as error:
        lie = isinstance(error, ModelFileError) or "is the checkpoint of" in str(error)
        if not lie and not isinstance(error, ArithmeticError):
            raise
        if lie and (net.params.tobytes(), net.describe()) != before:
            raise Found("refused, and yet the network has changed") from error
        return "refused"
    return "done"


def _command():
    from typer.testing import CliRunner

    from fastnn.cli.app import app

    for command in ("predict spoilt table.csv --proba", "evaluate spoilt table.csv"):
        result = CliRunner().invoke(app, command.split())
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        if not all(c.isprintable() or c == "\n" for c in result.stderr):
            raise Found(f"{command} prints {result.stderr!r}")
        if result.exit_code not in (0, 2):
            raise Found(f"{command} ends with {result.exit_code}: {result.output}")
    return "refused" if result.exit_code else "done"


def attack_pickles(random, note):
    """A pickled network whose state says something else."""
    from processes import network

    rng, net = dice_of_python.Random(int(random.integers(2**63))), network()
    state = net.__getstate__()
    way = choose(random, ("words", "array", "part", "whole"))
    if way == "words":
        state["about"] = retold(state["about"], rng)
    elif way == "array":
        state = {**state, **rearranged({"params": state["params"]}, rng)}
    elif way == "part":
        state[choose(random, state)] = choose(random, (None, [], {}, "x", 5, np.zeros(3)))
    else:
        state = choose(random, (None, [], {}, "x", 5, (1, 2), np.zeros(3), {"params": 1}, object()))
    note(f"pickle: {way}: {state!r:.2000}")
    other = Network.__new__(Network)
    try:
        other.__setstate__(state)
        other = pickle.loads(pickle.dumps(other))
        other.predict(np.zeros((3, other.n_in)))
    except ModelFileError:
        return "refused"
    return "done"
