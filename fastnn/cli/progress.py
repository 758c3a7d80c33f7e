"""Bars that show what runs: on standard error, if that is a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import progress as bars
from rich.console import Console

from fastnn.tabular.recipe import PRESETS

SECONDS_BETWEEN = 0.1  # an epoch may take less time than it takes to show it


class Progress:
    """A callback of a bag's training, and a context in which its bar is on the screen."""

    def __init__(self, estimator: Any, score_name: str, shown: bool) -> None:
        console = Console(stderr=True)
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not (shown and console.is_terminal),
        )
        preset = PRESETS[estimator.preset or "default"]
        self._members = None if estimator.time_budget else estimator.members or preset.members
        self._task = self._bar.add_task("", total=self._members)
        self._shares: dict[int, float] = {}
        self.score_name, self._next = score_name, 0.0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if not self._bar.disable:  # older versions of rich would print an empty line
            self._bar.stop()

    def __call__(self, run: Any) -> None:
        """After an epoch of a network, in whatever thread; networks before the newest ones have ended."""
        key = id(run.network)
        if key not in self._shares:
            self._shares = dict.fromkeys(self._shares, 1.0)
        self._shares[key] = run.epoch / run.epochs
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SECONDS_BETWEEN
            history = run.history
            of = f" of {self._members}" if self._members else ""
            text = f"network {len(self._shares)}{of}, epoch {run.epoch}: cost {history.cost[-1]:.4g}"
            if history.val_score:
                text += f", held-out {self.score_name} {history.val_score[-1]:.4f}"
            self._bar.update(self._task, completed=sum(self._shares.values()), description=text)


@contextmanager
def steps_bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over steps that are counted; gives what is told how many are done, and of how many."""
    console = Console(stderr=True)
    with bars.Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
