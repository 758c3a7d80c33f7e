"""What the commands show: tables on standard output, or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fastnn.cli.explain import Importances
from fastnn.cli.model import HELD_OUT, OUT_OF_BAG, TRAINED_ON
from fastnn.cli.scores import Report
from fastnn.cli.terminal import shown, write_out
from fastnn.cli.train import Outcome

MOST_CLASSES, MOST_BARS = 12, 30
SCORED = {
    HELD_OUT: "held-out rows",
    OUT_OF_BAG: "rows out of bag, each by the networks that were not trained on it",
    TRAINED_ON: "the rows it was trained on, which says little",
}


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
    table = Table(*map(shown, header), box=box.SIMPLE, show_header=bool(header))
    for row in rows:
        table.add_row(*map(shown, row))
    write_out(f"{shown(title)}\n")  # a table breaks a title of its own where the table ends
    Console(markup=False, emoji=False, highlight=False).print(table)


def show_json(told: dict[str, Any]) -> None:
    """One line; what is no number there, as a recall of no rows, is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(x) for key, x in value.items()}
        if isinstance(value, list):
            return [plain(x) for x in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    write_out(json.dumps(plain(told)) + "\n")


def show_report(title: str, report: Report) -> None:
    """The scores beside the constant answer's, and for classes the confusion matrix with recalls."""
    rows = [
        (name, f"{value:.4g}", f"{report.constant[name]:.4g}" if name in report.constant else "")
        for name, value in report.scores.items()
    ]
    show(f"{title}: {report.rows:,} rows", rows, ("", "model", f"always {report.answer}"))
    if report.labels:
        few = report.labels[:MOST_CLASSES]
        table = [
            (label, *map(str, counts[: len(few)]), "-" if math.isnan(recall) else f"{recall:.3g}")
            for label, counts, recall in zip(few, report.confusion, report.recall, strict=False)
        ]
        more = (
            f" (the first {len(few)} of {len(report.labels)} classes)"
            if len(few) < len(report.labels)
            else ""
        )
        show(f"truth below, answers beside{more}", table, ("", *few, "recall"))
    if report.verdict:
        print(f"Note: {shown(report.verdict)}.")


def show_training(outcome: Outcome) -> None:
    """What was trained, on what, and how good it is."""
    model, told = outcome.model, outcome.model.estimator.history_
    what = f"{model.target}: {model.task}"
    if model.labels:
        what += f" ({', '.join(model.labels[:6])}{', ...' if len(model.labels) > 6 else ''})"
    network = model.estimator.networks_[0]
    best, epochs = (
        _listed(counts) for counts in zip(*((x["best_epoch"], len(x["cost"])) for x in told), strict=True)
    )
    slower = outcome.numpy_seconds / max(outcome.seconds, 1e-9)
    rows = [
        ("target", what),
        (
            "model",
            f"{len(told)} x {'-'.join(map(str, network.sizes))}, {network.params.size:,} parameters each",
        ),
        ("trained", f"{epochs} epochs on {outcome.rows:,} rows"),
        ("kept", f"epoch {best}, the best"),
        ("time", f"{duration(outcome.seconds)}; the same steps in NumPy take {slower:.3g} times as long"),
    ]
    show("fastnn train", rows)
    show_report(f"scored on {SCORED[outcome.scored]}", outcome.report)


def _listed(numbers: Sequence[int]) -> str:
    """The first few of them."""
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")


def training_told(outcome: Outcome, out: Any) -> dict[str, Any]:
    """The same, as plain data."""
    model, told = outcome.model, outcome.model.estimator.history_
    return {
        "target": model.target,
        "task": model.task,
        "model": None if out is None else str(out),
        "networks": len(told),
        "epochs": [len(one["cost"]) for one in told],
        "best_epochs": [one["best_epoch"] for one in told],
        "trained_rows": outcome.rows,
        "held_out_rows": outcome.held_out,
        "scored_on": outcome.scored,
        "seconds": outcome.seconds,
        "numpy_seconds": outcome.numpy_seconds,
        "left_out": model.estimator.remarks_,
        "interrupted": outcome.interrupted,
        **outcome.report.to_dict(),
    }


def show_importances(found: Importances) -> None:
    rows = zip(found.names[:MOST_BARS], found.means, found.spreads, strict=False)
    show(
        f"fastnn explain: {found.what} of {found.rows:,} rows, how much worse when a column is shuffled",
        [(name, f"{mean:.4g}", f"+- {spread:.2g}") for name, mean, spread in rows],
    )
    if len(found.names) > MOST_BARS:
        print(f"and {len(found.names) - MOST_BARS:,} columns that matter less; --json shows all")
