"""What happened in a run, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from html import escape
from typing import Any

from fastnn import html


@dataclass(repr=False)
class History:
    """One entry per finished epoch in each list; the validation lists are empty without validation data.

    cost: mean of the batches' costs before their updates, weight penalty included; val_cost: cost of the
    validation data after the epoch, without it; val_score: its accuracy for classes, R2 for numbers;
    lr: learning rate of the last step. `stopped` says why the run ended before its last epoch, or is None.

    >>> history = History(cost=[0.7, 0.4, 0.25], lr=[0.01] * 3, seconds=[0.1] * 3)
    >>> history
    History of 3 epochs: cost 0.7 -> 0.25, 0.3 s
    >>> [epoch["cost"] for epoch in history]
    [0.7, 0.4, 0.25]
    """

    cost: list[float] = field(default_factory=list)
    val_cost: list[float] = field(default_factory=list)
    val_score: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped: str | None = None

    def append(self, entry: dict[str, float]) -> None:
        """The numbers of one more epoch: all of them, or none if a Ctrl-C comes in between."""
        lengths = {name: len(getattr(self, name)) for name in entry}
        try:
            for name, value in entry.items():
                getattr(self, name).append(value)
        except BaseException:
            for name, length in lengths.items():
                del getattr(self, name)[length:]
            raise

    def __len__(self) -> int:
        return len(self.cost)

    def __iter__(self) -> Iterator[dict[str, float]]:
        """The numbers of each epoch, by their names."""
        columns = self._columns()
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))

    def _columns(self) -> dict[str, list[float]]:
        lists = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "stopped"}
        return {name: values for name, values in lists.items() if values}

    def __repr__(self) -> str:
        parts = [
            f"{name.replace('_', ' ')} {values[0]:.4g} -> {values[-1]:.4g}"
            for name, values in self._columns().items()
            if "cost" in name or "score" in name
        ]
        parts.append(f"{sum(self.seconds):.3g} s")
        stopped = f"; {self.stopped}" if self.stopped else ""
        return f"History of {len(self)} epoch{'s' * (len(self) != 1)}: {', '.join(parts)}{stopped}"

    def _repr_html_(self) -> str:
        costs = {name: values for name, values in self._columns().items() if "cost" in name}
        return f"<div>{escape(repr(self))}</div>{html.curves(costs)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, ready for JSON."""
        return {f.name: value.copy() if isinstance(value := getattr(self, f.name), list) else value
                for f in fields(self)}  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> History:
        return cls(**values)

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row per epoch."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("History.to_frame needs pandas: pip install pandas") from error
        return pandas.DataFrame(self._columns())

    def plot(self, ax: Any = None) -> Any:
        """Draw the curves: see `fastnn.plots.learning_curves`; returns the matplotlib Axes."""
        try:
            from fastnn.curves import learning_curves
        except ImportError as error:
            raise ImportError("History.plot needs matplotlib: pip install 'fastnn[plot]'") from error
        return learning_curves(self, ax)
