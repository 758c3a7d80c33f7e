"""How many steps a compiled call has: as many as take 50 ms by the clock of the one before."""

from __future__ import annotations

# Between slices a Ctrl-C is heard and a progress bar moves. A slice has at most so many times the steps of
# the one before: only measuring tells what one costs (up to 150 times what was reckoned, for a batch of one
# row or more threads than processors).
SLICE_SECONDS, SLICE_GROWTH = 0.05, 8


class Slices:
    """The slices of a run; seconds: what a step is reckoned to take; longest: steps of the first one."""

    def __init__(self, seconds: float, longest: int) -> None:
        self._seconds, self._longest = seconds, longest

    def next(self, share: float = 1.0) -> int:
        """How many steps the next compiled call would have at most; share: of the usual time."""
        return min(max(1, int(share * SLICE_SECONDS / self._seconds)), self._longest)

    def note(self, steps: int, seconds: float) -> None:
        """A call of so many steps has taken so long."""
        self._longest = max(self._longest, SLICE_GROWTH * steps)
        self._seconds = max(seconds / steps, 1e-7)
