"""Attacks on the estimators of tables: columns of cells of every kind, tampered sparse rows."""

import datetime

import numpy as np
import pandas as pd

from attacks.functions import tampered
from attacks.hostile import choose, judged

CELLS = (
    *(
        0,
        1,
        -5,
        2.5,
        1e308,
        -1e308,
        5e-324,
        np.inf,
        -np.inf,
        np.nan,
        None,
        True,
        pd.NA,
        pd.NaT,
        "",
        "a",
        "\0",
        "1e999",
    ),
    *(
        "2024-01-31",
        "2024-02-30",
        "nan",
        "-7",
        b"b",
        10**400,
        1 << 70,
        np.datetime64("NaT"),
        datetime.date(1, 1, 1),
    ),
    *(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC), [1], {}, 1j, np.float32(3)),
)


def _column(random, n):
    kinds = choose(random, (1, 2, 3, len(CELLS)))
    cells = np.empty(kinds, object)
    cells[:] = [CELLS[i] for i in random.integers(0, len(CELLS), kinds)]
    column = cells[random.integers(0, kinds, n)]
    if random.random() < 0.5:
        column[random.random(n) < 0.8] = choose(random, (1.5, "x", True, None))
    return random.standard_normal(n) if random.random() < 0.3 else column


def attack_tables(random, note):
    """Training on a table of anything, and prediction of another; a refused prediction changes nothing."""
    from fastnn import TabularClassifier, TabularRegressor

    cls = choose(random, (TabularClassifier, TabularRegressor))
    n, width = int(choose(random, (1, 2, 3, 19, 20, 33, 65))), int(choose(random, (1, 2, 5)))
    y = random.integers(0, 3, n) if cls is TabularClassifier else 10.0 ** random.integers(-300, 300, n)
    model = cls(members=2, hidden_layer_sizes=(4,), epochs=1, min_steps=2, random_state=0)
    if random.random() < 0.2:
        X, way = tampered(random, (n, width), np.float32)
        note(f"{cls.__name__}, CSR {way}")
        return judged(lambda: model.fit(X, y), {"y": y}, dict)[0]
    frames = [pd.DataFrame({f"c{i}": _column(random, n) for i in range(width)}) for _ in range(2)]
    X, other = (frame.to_numpy() if random.random() < 0.3 else frame for frame in frames)
    note(f"{cls.__name__}, fit: {np.asarray(X).tolist()!r:.1500} {np.asarray(y).tolist()!r:.500}")
    if judged(lambda: model.fit(X, y), {"y": y}, dict)[0] == "refused":
        return "refused"
    state = lambda: [network.params.tobytes() for network in model.networks_]  # noqa: E731
    note(f"{cls.__name__}, predict: {np.asarray(other).tolist()!r:.1500}")
    return judged(lambda: model.predict(other), {"y": y}, state)[0]
