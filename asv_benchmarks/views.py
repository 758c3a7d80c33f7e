"""The store as text: for a terminal, and into README, the pages of docs/ and their pictures."""

from dataclasses import replace
from pathlib import Path

from dashboard import accuracy, plot
from dashboard.charts import charts, speedups
from dashboard.tables import BESIDE, shares, tables
from dashboard.text import quantity
from tables import OTHERS, TABLES

ROOT = Path(__file__).parents[1]
HEAD = """# Performance

<!-- Written by `python asv_benchmarks/suite.py tables --write`. -->

Medians. A ratio is the other's time over fastnn's: above 1x fastnn is faster.

![Speed-up over JAX, PyTorch and scikit-learn by network size, a chart for each processor](speedups.svg)
"""
FIRST_RUN = (
    "The first fit on a machine compiles the kernels that it needs, and later runs, in new processes too,\n"
    "read them from a cache"
)
README_NETWORKS = "2-4-1,", "30-128-1,", "64-64-64-1,", "784-128-10,", "784-512-256-10,"


def machine_line(report):
    """What the figures hold for: the CPU by name, versions, date and commit."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    about = report.machine
    peaks = [f"{quantity(v.median, v.unit)} in {v.case['dtype']}" for v in report.of("track_gflops")]
    peak = f" FMA peak of a core {', '.join(peaks)};" if peaks else ""
    return (
        f"{about['cpu']}, {about['num_cpu']} CPUs, {about['os']} {about['arch']};{peak} {versions}; "
        f"{report.measured}, commit {report.commit[:8]}."
    )


def first_run(report):
    """What the first fit on a machine costs, in a sentence or two."""
    cold, other, warm = (
        report.median("first.FirstRun.track_cpu_seconds", *case)
        for case in (
            ("Network.fit, float32", "empty"),
            ("MLPClassifier().fit, float64", "empty"),
            ("Network.fit, float32", "warm"),
        )
    )
    if None in (cold, other, warm):
        return f"{FIRST_RUN}."
    return (
        f"{FIRST_RUN}: {cold:.1f} s of a core for a `Network`,\n"
        f"{other:.1f} s for an `MLPClassifier`, then {warm:.1f} s."
    )


def text(reports):
    """Everything about the first machine, and what all have in common."""
    parts = [machine_line(reports[0]), *(table.markdown() for table in tables(reports[0]))]
    if table := shares(reports):
        parts.append(table.markdown())
    return "\n\n".join(parts) + "\n"


def page(reports):
    """The same, and how good the estimators of tables are."""
    return f"{text(reports)}\n{accuracy.summary().markdown()}\n"


def write_marked(path, name, inside):
    """Replace what stands between the two marks of a section."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = path.read_text().split(begin)
    path.write_text(f"{before}{begin}\n{inside}\n{end}{rest.split(end)[1]}")


def write(reports, root=ROOT):
    """README's figures, the page with all tables, the guide's of real tables, and their pictures."""
    training = next((t for t in tables(reports[0]) if t.title == BESIDE["training.Training"]), None)
    if training is None:
        raise SystemExit("the results hold no training beside others: run `suite.py figures` first")
    docs = root / "docs"
    known = [row for row in training.rows if row[0].text.startswith(README_NETWORKS)]
    few = replace(training, rows=known, note="").markdown(level=0)
    write_marked(root / "README.md", "speed", f"{machine_line(reports[0])}\n\n{few}")
    write_marked(root / "README.md", "first", first_run(reports[0]))
    (docs / "speedups.svg").write_text(plot.picture(list(speedups(reports))))
    scaling = ""
    (docs / "scaling.svg").unlink(missing_ok=True)  # of figures that are no longer the newest
    if drawn := [chart for chart, _, _ in charts(reports[0])]:
        (docs / "scaling.svg").write_text(plot.picture(drawn))
        scaling = "\n![Seconds of a training step by width, depth and batch](scaling.svg)\n"
    (docs / "performance.md").write_text(f"{HEAD}\n{page(reports)}{scaling}")
    write_marked(docs / "guide" / "real_tables.md", "tables", accuracy.by_table(TABLES).markdown(level=0))
    write_marked(docs / "guide" / "real_tables.md", "others", accuracy.by_table(OTHERS).markdown(level=0))
    (docs / "tables.svg").write_text(plot.picture([accuracy.chart()]))
