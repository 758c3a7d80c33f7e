"""Attacks on fleets: hostile arrays, row numbers and numbers of members."""

import numpy as np

from attacks.hostile import SCALARS, Found, choose, disguise, judged
from attacks.models import FINITE, OPTIONS, data, network
from fastnn import SGD, Adam, Fleet

COUNTS = (1, 2, 7, 8, 9, 16, 17)


def rows_of(random, n_members, n):
    """Row numbers of each member, most of which are there."""
    rows = [random.integers(0, n, random.integers(1, 2 * n + 1)) for _ in range(n_members)]
    if random.random() < 0.3:
        rows[-1] = choose(random, ([n], [-1], [], [0.5], [True] * n, "0", None, [[0]], [2**62]))
    return rows[: choose(random, (n_members, n_members, n_members - 1))]


def attack_fleets(random, note):
    """Fit, predict and judge: parameters stay finite, and after a refusal as they were."""
    net, n_members = network(random), int(choose(random, COUNTS))
    fleet, arrays = Fleet.of([net] * n_members), data(random, net)
    n = len(arrays["X"])
    evil = FINITE
    if random.random() < 0.2:
        arrays = {name: np.stack([x] * n_members) for name, x in arrays.items()}
        evil = {name: form for name, form in FINITE.items() if name != "sparse"}  # which has two dimensions
    given, said, _ = disguise(random, arrays, evil)
    what = choose(random, ("fit", "fit", "predict", "evaluate"))
    options = {}
    if what == "fit":
        names = random.choice([x for x in OPTIONS if x != "class_weight"], 4, replace=False)
        options = {name: choose(random, OPTIONS[name]) for name in names}
        if random.random() < 0.4:
            rates = 10.0 ** random.uniform(-4, 30 if random.random() < 0.1 else -1, n_members)
            options["optimizer"] = choose(random, (Adam, SGD))(rates[: choose(random, (n_members, 1, 99))])
        if random.random() < 0.3:
            options["rows"] = rows_of(random, n_members, n)
        if random.random() < 0.2:
            options["l2"] = choose(random, ([0.1] * n_members, [np.nan] * n_members, [0.1], "a", None, -1))
        if random.random() < 0.1:
            options[choose(random, list(options))] = choose(random, SCALARS)
        if options.get("threads") not in (None, "auto", 1, 2):
            options["threads"] = 2  # a thousand threads are the user's own wish
    note(f"{fleet!r}.{what}: {said} {options}")
    if what == "predict":
        given = {"X": given["X"]}

    def state():
        return fleet.params.tobytes(), fleet.epochs_trained.tobytes()

    outcome, _ = judged(lambda: getattr(fleet, what)(**given, **options), given, state)
    if not np.isfinite(fleet.params).all():
        raise Found("the parameters are no longer finite")
    return outcome
