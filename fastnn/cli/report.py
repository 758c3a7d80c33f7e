"""What the commands show: tables on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from fastnn.cli.train import Outcome


def duration(seconds: float) -> str:
    """With three digits, in a unit that suits."""
    if seconds >= 120:
        return f"{seconds / 60:.3g} min"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def show(title: str, rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
    """A table; without a header its first column names what the second says."""
    table = Table(*header, title=title, title_justify="left", box=box.SIMPLE, show_header=bool(header))
    for row in rows:
        table.add_row(*row)
    Console(markup=False, emoji=False, highlight=False).print(table)


def show_scores(rows: int, scores: dict[str, float]) -> None:
    show("fastnn evaluate", [("rows", f"{rows:,}"), *_cells(scores)])


def _cells(scores: dict[str, float]) -> list[tuple[str, str]]:
    return [(name, f"{value:.4g}") for name, value in scores.items()]


def show_training(outcome: Outcome) -> None:
    """Scores, seconds, and those of the NumPy reference."""
    network, target, history = outcome.network, outcome.reader.target, outcome.history
    what = f"{target.name}: {target.task}"
    if target.labels:
        what += f" ({', '.join(target.labels[:6])}{', ...' if len(target.labels) > 6 else ''})"
    part = f"{outcome.held_out:,} held-out rows" if outcome.held_out else "the rows it was trained on"
    faster = outcome.reference_seconds / max(outcome.seconds, 1e-9)
    rows = [
        ("target", what),
        ("network", f"{'-'.join(map(str, network.sizes))}, {network.params.size:,} parameters"),
        ("trained", f"{outcome.epochs:,} epochs on {outcome.rows:,} rows"),
        ("scored on", part),
        *_cells(outcome.scores),
        ("time", duration(outcome.seconds)),
        (
            "time in NumPy",
            f"{duration(outcome.reference_seconds)}, {faster:.3g} times as long (measured on a few steps)",
        ),
    ]
    if network.epochs_trained != len(history):
        rows.insert(3, ("kept", f"epoch {network.epochs_trained:,}"))
    if history.stopped:
        rows.insert(3, ("stopped", history.stopped))
    show("fastnn train", rows)
