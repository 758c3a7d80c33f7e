"""A team of threads inside one compiled call: the barrier between the phases of a training step.

The team's state is an int64 vector of TEAM_SIZE zeros that all its workers share. Writing anything to
its element ABANDONED lets every worker that waits, or comes to wait, return at once.
"""

import os

from numba import types

from fastnn_kernels.glue import glue
from fastnn_kernels.pointers import atomic_add, atomic_load, pause

# One cache line each.
ARRIVED, GENERATION, ABANDONED, TEAM_SIZE = 0, 8, 16, 24
# Spinning this long costs about 20 us; a worker that comes later than that was probably not running.
SPINS = 1000

_give_way = types.ExternalFunction("SwitchToThread" if os.name == "nt" else "sched_yield", types.int32())


@glue(types.boolean)
def barrier(team, workers):
    """Wait until all workers of the team are here; False if the team was abandoned instead."""
    if workers == 1:
        return True
    generation = atomic_load(team, GENERATION)
    if atomic_add(team, ARRIVED, 1) == workers - 1:
        atomic_add(team, ARRIVED, -workers)
        atomic_add(team, GENERATION, 1)
        return True
    spins = 0
    while atomic_load(team, GENERATION) == generation:
        if atomic_load(team, ABANDONED) != 0:
            return False
        spins += 1
        if spins < SPINS:
            pause()
        else:
            _give_way()
    return True
