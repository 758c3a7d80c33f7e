"""The processes that train one network together, each with rows of its own: what they tell each other.

They speak through a communicator of mpi4py, in which each has a number, its rank. Every method but `together`
is called by all ranks, in the same order.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array


class Ranks:
    """This process, of number `rank`, among the `size` processes of `comm`."""

    def __init__(self, comm: Any) -> None:
        mpi = sys.modules.get("mpi4py.MPI")  # who has a communicator has imported it
        if mpi is None or not isinstance(comm, mpi.Intracomm) or comm == mpi.COMM_NULL:
            raise TypeError(
                f"comm={comm!r:.80} is no communicator of mpi4py; give MPI.COMM_WORLD of "
                "`from mpi4py import MPI`, which pip install 'fastnn[mpi]' brings"
            )
        self._mpi, self._comm = mpi, comm
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())

    def sum(self, values: Array) -> Array:
        """Add the other ranks' to these values, in place; all ranks come to the same bits."""
        self._comm.Allreduce(self._mpi.IN_PLACE, values, self._mpi.SUM)
        return values

    def all(self, value: Any) -> list[Any]:
        """Each rank's value, which can be pickled."""
        return list(self._comm.allgather(value))

    def of_first(self, value: Any) -> Any:
        """What rank 0 has."""
        return self._comm.bcast(value, 0)

    def batches(self, counts: list[int], batch_size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How the ranks' rows, so many each, share out over the steps of an epoch.

        There are as many steps as one process would take; each rank's rows are cut into that many parts,
        as equal as can be. The boundaries of this rank's parts (n_steps + 1,), and the rows that each rank
        has in each step (n_ranks, n_steps).
        """
        n_steps = -(-sum(counts) // batch_size)
        ends = np.outer(counts, np.arange(n_steps + 1)) // n_steps
        return ends[self.rank], np.diff(ends, axis=1)

    def threads(self, available: int) -> int:
        """This rank's share of the threads of its machine, which other ranks may be on."""
        here = self._comm.Split_type(self._mpi.COMM_TYPE_SHARED)
        mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        sharing = here.allgather(mine).count(mine)
        here.Free()
        return max(1, available // sharing)

    def require_same(self, about: Mapping[str, Any]) -> None:
        """What is to be the same on all ranks is so, else all raise the same error."""
        first, *others = self.all(about)
        for rank, theirs in enumerate(others, 1):
            for name, value in first.items():
                if theirs[name] != value:
                    raise ValueError(
                        f"{name} is {value!r:.80} on rank 0 and {theirs[name]!r:.80} on rank {rank}: give it "
                        "the same on all ranks"
                    )

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """If one rank raises an error in it, the others raise one too."""
        mine: Exception | None = None
        try:
            yield
        except Exception as error:
            mine = error
        told = self.all(None if mine is None else f"{type(mine).__name__}: {mine}")
        if mine is not None:
            raise mine
        for rank, text in enumerate(told):
            if text is not None:
                raise RuntimeError(f"rank {rank} cannot train: {text}")

    @contextmanager
    def together(self, *shared: type[Exception]) -> Iterator[None]:
        """An error in it, but one of `shared`, which all ranks raise, ends the processes of all ranks.

        The others would wait for ever for the one that does not come.
        """
        try:
            yield
        except shared:
            raise
        except BaseException:
            traceback.print_exc()
            print(f"rank {self.rank} has failed, all {self.size} are ended", file=sys.stderr, flush=True)
            self._comm.Abort(1)
