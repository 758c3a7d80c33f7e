"""Fleets: many small networks of one shape at once, beside JAX's vmap and beside one after another."""

from functools import partial

from benchmarks import training
from benchmarks.cases import Case
from benchmarks.common import Beside
from benchmarks.measure import AT_LEAST, PAUSE, epoch_seconds, in_child, pick, scaled, take_turns
from benchmarks.peers import all_installed, fleet, jax, learn_the_same, one_by_one

ROWS, BATCH = 1600, 32
LONG = 6 * AT_LEAST  # an epoch of all members is long, a training has many
# Members and widths.
FLEETS = {
    f"{'-'.join(map(str, sizes))} x {members}": (members, sizes)
    for members, sizes in (
        (1024, (2, 4, 1)),
        (256, (8, 16, 1)),
        (128, (30, 32, 1)),
        (128, (4, 32, 16, 1)),
        (64, (64, 64, 64, 1)),
    )
}
SMALLEST, *_, LARGEST = FLEETS
MAKE = {
    "fastnn": fleet,
    "JAX": jax,
    "scikit-learn": partial(one_by_one, "scikit-learn"),
    "one by one": partial(one_by_one, "fastnn"),
}
# Of these some members: a step is the same for all.
SOME = {"scikit-learn": 2, "one by one": 8}


def beside(name):
    """{side: seconds of a network's step, each round}, once they learn the same."""
    members, sizes = FLEETS[name]

    def made(case, members, **options):
        for side in MAKE:
            count = min(members, SOME.get(side, members))
            for found in all_installed([side], case, members=count, among=MAKE, **options).values():
                yield side, found, count

    few, case = Case(sizes, BATCH, 10), Case(sizes, BATCH, ROWS // BATCH)
    X, sides = few.data[0], {side: found for side, found, _ in made(few, min(members, 20), shuffle=False)}
    learn_the_same(sides, sides["fastnn"].outputs(X), X)
    timers = {
        side: scaled(partial(epoch_seconds, found.run), 1 / case.steps / count)
        for side, found, count in made(case, members)
    }
    return take_turns(timers, at_least=LONG, pause=PAUSE)


class Fleets(Beside):
    """Seconds of a network's step of Adam, batch 32, on one CPU, with shuffles; the start of `fit` apart."""

    seconds = 28
    params = [list(MAKE), pick([SMALLEST], FLEETS, FLEETS)]
    param_names = ["against", "fleet"]

    def setup_cache(self):
        return self.measure_all()

    setup_cache.timeout = 1800

    def measure(self, name):
        return in_child(beside, name)


def by_threads(name, choices):
    """{threads: seconds of a network's step, each round}, in turn."""
    members, sizes = FLEETS[name]
    case = Case(sizes, BATCH, ROWS // BATCH)
    runs = {str(threads): fleet(case, members=members, threads=threads).run for threads in choices}
    timers = {x: scaled(partial(epoch_seconds, run), 1 / case.steps / members) for x, run in runs.items()}
    return take_turns(timers, at_least=LONG, pause=PAUSE)


class Threads(training.Threads):
    """Seconds of a network's step in a fleet by threads, and by what "auto" takes; all in turn."""

    params = [training.Threads.params[0], pick([SMALLEST], [SMALLEST, LARGEST], FLEETS)]
    param_names = ["threads", "fleet"]
    timed = staticmethod(by_threads)

    def setup_cache(self):
        return self.measure_all()
