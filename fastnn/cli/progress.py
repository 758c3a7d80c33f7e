"""The bar that shows a training while it runs."""

from __future__ import annotations

import time
from typing import Any

from rich import progress as bars
from rich.console import Console

from fastnn.run import Run

SECONDS_BETWEEN = 0.1  # an epoch may take less time than it takes to show it


class Progress:
    """A callback, and a context in which the bar is on the screen: on standard error, if that is one."""

    def __init__(self, epochs: int, score_name: str) -> None:
        console = Console(stderr=True)
        self._bar = bars.Progress(
            bars.TextColumn("epoch"),
            bars.MofNCompleteColumn(),
            bars.BarColumn(),
            bars.TextColumn("{task.description}"),
            bars.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=epochs)
        self._score_name = score_name
        self._next = 0.0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if not self._bar.disable:  # older versions of rich would print an empty line
            self._bar.stop()

    def __call__(self, run: Run) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SECONDS_BETWEEN
            history = run.history
            text = f"cost {history.cost[-1]:.4g}"
            if history.val_score:
                text += f", held-out {self._score_name} {history.val_score[-1]:.4f}"
            self._bar.update(self._task, completed=run.epoch, description=text)
