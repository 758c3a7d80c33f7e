"""How good the estimators of tables are beside others: what tables.py has kept, as tables and a picture."""

import json

import numpy as np

from tables import MODELS, OTHERS, STORE, TABLES

from .plot import Chart, Point
from .tables import Cell, Table

SETS = {"14 tables": TABLES, "12 other tables": OTHERS}
WHAT = "mean error", "mean log-loss", "CPU seconds"


def _stored():
    """{model: {table: [[error, log-loss or None, seconds] of each seed]}}, and the machine of each model."""
    kept = json.loads(STORE.read_text())
    results = {model: kept["results"][model] for model in MODELS if model in kept["results"]}
    return results, kept["machines"]


def _means(results, tables, most=None):
    """{model: (seeds, means over them (n_tables, 3))} of those that have these tables; over `most`."""
    keys, chosen = [f"{package}/{name}" for package, name, *_ in tables], {}
    for model, found in results.items():
        if all(key in found for key in keys):
            n = min(len(found[key][:most]) for key in keys)
            means = [np.mean(np.array(found[key][:n], float), axis=0) for key in keys]
            chosen[model] = n, np.array(means)
    return chosen


def _sums(means):
    """Mean error, mean log-loss, and the seconds of all."""
    return means[:, 0].mean(), np.nanmean(means[:, 1]), means[:, 2].sum()


def _texts(sums):
    error, loss, seconds = sums
    return f"{error:.3f}", f"{loss:.3f}", f"{seconds:.1f}"


def machines(models):
    """ "one core of AMD EPYC (Zen 3): LightGBM, ...": the seconds of a model are of one machine."""
    found, stored = {}, _stored()[1]
    for model in models:
        found.setdefault(stored[model]["cpu"], []).append(model)
    return "; ".join(f"one core of {cpu}: {', '.join(models)}" for cpu, models in found.items())


def summary():
    """A row a model."""
    results, _ = _stored()
    sets = {title: _means(results, tables) for title, tables in SETS.items()}
    models = [model for model in results if any(model in means for means in sets.values())]
    rows = []
    for model in models:
        seeds = sets[next(title for title in sets if model in sets[title])][model][0]
        row = [Cell(f"{model}, {seeds} seeds")]
        for means in sets.values():
            texts = _texts(_sums(means[model][1])) if model in means else ["–"] * len(WHAT)
            row += [Cell(text) for text in texts]
        rows.append(row)
    heads = [f"{title}: {what}" if i == 0 else what for title in SETS for i, what in enumerate(WHAT)]
    note = (
        "Errors on held-out rows as a share of the best constant's. "
        f"Seconds of all fits: {machines(models)}. [Table by table](guide/real_tables.md)."
    )
    return Table("Tables: accuracy and seconds", note, ["", *heads], rows)


def by_table(tables):
    """A column a model; where there are classes, the log-loss follows the error."""
    found = _means(_stored()[0], tables)
    rows = []
    for i, (_, name, *_) in enumerate(tables):
        losses = ("" if np.isnan(means[i, 1]) else f", {means[i, 1]:.3f}" for _, means in found.values())
        errors = (f"{means[i, 0]:.3f}" for _, means in found.values())
        rows.append([Cell(name), *(Cell(a + b) for a, b in zip(errors, losses, strict=True))])
    last = zip(*(_texts(_sums(means)) for _, means in found.values()), strict=True)
    rows += [[Cell(f"**{what}**"), *map(Cell, texts)] for what, texts in zip(WHAT, last, strict=True)]
    heads = ["", *(f"{model} ({seeds} seed{'s' * (seeds > 1)})" for model, (seeds, _) in found.items())]
    return Table("", f"Seconds are of {machines(found)}.", heads, rows)


def chart():
    """Error against seconds, a point a model, over the seeds that all have: they differ much."""
    points, results = {}, _stored()[0]
    common = min(seeds for seeds, _ in _means(results, TABLES).values())
    for model, (_, means) in _means(results, TABLES, common).items():
        error, _, seconds = _sums(means)
        points[model] = [Point(seconds, error, error, error)]
    label = f"CPU seconds to fit all {len(TABLES)} tables"
    return Chart("Mean error, of the best constant's", label, "", points, round_x=True)
