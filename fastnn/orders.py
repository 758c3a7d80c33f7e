"""The orders in which epochs see their rows, as the generators of NumPy draw them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from fastnn.threads import available_threads, run_team
from fastnn_kernels import leaves
from fastnn_kernels.shuffles import shuffle_orders
from fastnn_kernels.team import ABANDONED, TEAM_SIZE

# Orders of fewer numbers are drawn before a further thread has begun; it takes so many members at a time.
NUMBERS_PER_THREAD, MEMBERS_AT_ONCE = 1 << 16, 32
# A run that draws so many compiles the function that draws them in a third of NumPy's time, 10 ms for these.
WORTH_COMPILING = 1 << 20


def shuffled(
    numbers: NDArray[np.int64], seed: int, epoch: int, part: int, count: int, wanted: int
) -> NDArray[np.int64]:
    """The orders (count, n) of a part's rows `numbers` (n,) in the epochs from `epoch` on.

    wanted: how many numbers the whole run will draw.
    """
    orders, n = np.tile(numbers, (count, 1)), len(numbers)
    worth = wanted >= WORTH_COMPILING or shuffle_orders.is_ready(np.float32)
    if part == 0 and seed < 1 << 63 and worth:
        seeds, epochs, counts = (np.array([x]) for x in (seed, epoch, n))
        shuffle(seeds, epochs, counts, orders.reshape(1, -1), count, 1)
    else:
        for number, order in enumerate(orders, epoch):
            np.random.default_rng([seed, number, part]).shuffle(order)
    return orders


def shuffle(
    seeds: NDArray[np.int64], epochs: NDArray[np.int64], counts: NDArray[np.int64], orders: NDArray[np.int64],
    times: int, threads: int | str,
) -> None:  # fmt: skip
    """Shuffle the orders of `times` epochs of each member in place, as `Network.fit` does.

    orders (n_members, at least times * counts): counts[k] numbers an epoch, from epochs[k] on.
    """
    if epochs.max(initial=0) + times >= 1 << 32 or not as_numpy():
        for seed, epoch, count, own in zip(
            seeds.tolist(), epochs.tolist(), counts.tolist(), orders, strict=True
        ):
            for e in range(times):
                np.random.default_rng([seed, epoch + e, 0]).shuffle(own[e * count : (e + 1) * count])
        return
    kept = [np.ascontiguousarray(x, np.int64) for x in (seeds, epochs, counts)]
    call, given = shuffle_orders.function(), [x.ctypes.data for x in (*kept, orders)]
    n, team = len(seeds), np.zeros(TEAM_SIZE, np.int64)
    left = iter(range(0, n, MEMBERS_AT_ONCE))

    def work(worker: int) -> int:
        for first in left:  # whoever comes first takes the next ones
            if team[ABANDONED]:
                break
            call(*given, orders.shape[1], first, min(n, first + MEMBERS_AT_ONCE), times)
        return 0

    wanted = available_threads() if threads == "auto" else int(threads)
    worth = min(-(-n // MEMBERS_AT_ONCE), orders.size // NUMBERS_PER_THREAD)
    run_team(max(1, min(wanted, worth)), team, work)


@cache
def as_numpy() -> bool:
    """Whether this NumPy shuffles as the compiled function does: it may change its mind."""
    leaves.prepare([(shuffle_orders, None)])
    found = np.arange(100)
    given = np.array([7]), np.array([3]), np.array([100]), found
    shuffle_orders.function()(*(x.ctypes.data for x in given), 100, 0, 1, 1)
    expected = np.arange(100)
    np.random.default_rng([7, 3, 0]).shuffle(expected)
    return bool((found == expected).all())
