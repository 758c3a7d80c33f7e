"""Print the table of fastnn beside others from asv's results, or write it and its picture for README.md.

    python asv_benchmarks/speed_report.py [--readme] [--results FOLDER]

Nothing is measured here: `suite.py` has done that, and the front page of the published results reads the
same. A ratio is the other's time over fastnn's: the median, and the quartiles in brackets.
"""

import argparse
import itertools
import statistics
from pathlib import Path

from dashboard import plot, results
from dashboard.charts import charts
from dashboard.comparisons import comparisons
from dashboard.front import counted, facts
from dashboard.notes import note_of
from dashboard.tables import caption_of
from dashboard.text import quantity, spread

ROOT = Path(__file__).parents[1]
PICTURE = "docs/scaling.svg"


def cell(comparison):
    if comparison is None:
        return "not measured"
    value = comparison.speedup
    between = spread(value.low, value.high, value.unit)
    verdict = "" if comparison.verdict == "faster" else f", {comparison.verdict}"
    return comparison.times + (f" ({between})" if between else "") + verdict


def table(group, compared):
    """A row for each case, a column for each peer."""
    by_place = {(comparison.case, comparison.against): comparison for comparison in compared}
    cases, peers = (list(dict.fromkeys(keys)) for keys in zip(*by_place, strict=True))
    yield f"| {caption_of(group)} | fastnn | " + " | ".join(peers) + " |"
    yield "|---|---|" + "---|" * len(peers)
    for case in cases:
        row = [by_place.get((case, peer)) for peer in peers]
        ours = [comparison.ours.median for comparison in row if comparison and comparison.ours]
        seconds = quantity(statistics.median(ours), "seconds") if ours else ""
        yield f"| {case} | {seconds} | " + " | ".join(map(cell, row)) + " |"


def text(report):
    """The section of README."""
    compared = comparisons(report)
    if not compared:
        raise SystemExit("the results hold no comparison with others: run the whole suite first")
    of = dict(facts(report))
    lines = [
        f"Measured on {of['Date']} at commit {report.commit[:8]}: {of['Processor']}; {of['Versions']}.",
        f"fastnn is {counted(compared)}." + (f" Threads: {of['Threads']}." if "Threads" in of else ""),
    ]
    for group, items in itertools.groupby(compared, key=lambda comparison: comparison.speedup.group):
        note = note_of(group)
        lines += ["", *([note, ""] if note else []), *table(group, list(items))]
    if any(charts(report)):
        lines += ["", f"![Seconds of a training step by width, depth, batch and threads]({PICTURE})"]
    return "\n".join(lines)


def picture(report):
    """The text of the SVG file, or None where the suite has not run what it shows."""
    drawn = [chart for chart, _, _ in charts(report)]
    return plot.picture(drawn) if drawn else None


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--readme", action="store_true", help=f"write the table into README.md, and {PICTURE}"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "asv_benchmarks" / "results")
    options = parser.parse_args(arguments)
    try:
        report = results.read(options.results)
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from None
    section = text(report)
    print(section)
    if options.readme:
        from readme import write_readme

        write_readme("speed", section)
        if drawn := picture(report):
            (ROOT / PICTURE).parent.mkdir(exist_ok=True)
            (ROOT / PICTURE).write_text(drawn)


if __name__ == "__main__":
    main()
