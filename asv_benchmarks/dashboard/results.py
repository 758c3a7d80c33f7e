"""The store: what asv has measured, by machine and commit. All tables, wherever they stand, are views of it.

Of a machine, the environment counts that has measured most, and every case at the newest commit that has it.
"""

import datetime
import itertools
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from asv.benchmarks import Benchmarks
from asv.machine import Machine
from asv.results import Results, iter_results_paths
from asv.util import is_na, load_json

MACHINE = ("cpu", "num_cpu", "ram", "os", "arch")


def plain(text):
    """A parameter as asv's own graphs show it: no quotes around a string, no `<class ...>`."""
    match = re.fullmatch(r"<class '(.+)'>|'(.*)'|\"(.*)\"", text, re.DOTALL)
    return next(group for group in match.groups() if group is not None) if match else text


@dataclass(frozen=True)
class Value:
    """One case of one benchmark: the median of its samples and their quartiles."""

    benchmark: str
    params: tuple[tuple[str, str], ...]  # (name, value), values as asv writes them
    unit: str
    median: float
    low: float
    high: float
    samples: int
    commit: str
    machine: str
    measured: datetime.date

    @property
    def module(self):
        return self.benchmark.split(".")[0]

    @property
    def group(self):
        """The name without its function: what several quantities of one case share."""
        return self.benchmark.rpartition(".")[0]

    @property
    def quantity(self):
        return self.benchmark.rpartition(".")[2]

    @property
    def case(self):
        """Parameters, to read."""
        return {name: plain(value) for name, value in self.params}

    def link(self, x_axis=None):
        """asv's graph: of this case over the commits, or of all cases over the parameter `x_axis`."""
        if x_axis is None:
            chosen = [(f"p-{name}", value) for name, value in self.params]
        else:
            chosen = [("x-axis", x_axis), ("y-axis-scale", "log")]
        chosen.append(("machine", self.machine))
        query = urllib.parse.urlencode(chosen, quote_via=urllib.parse.quote)
        return f"asv.html#{self.benchmark}?{query}"


@dataclass
class Report:
    """All cases of one machine, and what they were measured on."""

    name: str  # of the machine
    machine: dict[str, str]
    python: str
    threads: str
    commit: str  # the newest one
    commits: int
    measured: datetime.date
    values: list[Value]

    def of(self, quantity):
        return [value for value in self.values if value.quantity == quantity]

    def median(self, benchmark, *settings):
        """Of a case by the readable values of its parameters, or None."""
        found = (v for v in self.values if v.benchmark == benchmark and tuple(v.case.values()) == settings)
        value = next(found, None)
        return None if value is None else value.median

    @property
    def versions(self):
        """Of Python and of what `track_version` has found installed: 20103 stands for 2.1.3."""
        # An environment that was there before has a path for its version.
        found = {"Python": self.python} if re.fullmatch(r"[\d.]+", self.python) else {}
        for value in self.of("track_version"):
            major, rest = divmod(round(value.median), 10000)
            found[" ".join(value.case.values())] = f"{major}.{rest // 100}.{rest % 100}"
        return found


def _date(milliseconds):
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).date()


def _cases(benchmark):
    """The choices of parameters of a benchmark, as asv orders them."""
    for case in itertools.product(*benchmark["params"]):
        yield tuple(zip(benchmark["param_names"], case, strict=True))


def _values(result, benchmarks):
    """The values of one file of results."""
    for name in result.get_result_keys(benchmarks):
        benchmark = benchmarks[name]
        medians = result.get_result_value(name, benchmark["params"])
        statistics = result.get_result_stats(name, benchmark["params"])
        for params, median, stats in zip(_cases(benchmark), medians, statistics, strict=True):
            if is_na(median):
                continue
            stats = stats or {}
            yield Value(
                benchmark=name,
                params=params,
                unit=benchmark.get("unit", ""),
                median=median,
                low=stats.get("q_25", median),
                high=stats.get("q_75", median),
                samples=stats.get("repeat", 1),
                commit=result.commit_hash,
                machine=result.params["machine"],
                measured=_date(result.started_at[name] or result.date),
            )


def _newest(results, benchmarks):
    """The newest value of each case, in the order of the suite."""
    found = {}
    for result in sorted(results, key=lambda result: result.date):
        found |= {(value.benchmark, value.params): value for value in _values(result, benchmarks)}
    cases = [(name, params) for name in sorted(benchmarks) for params in _cases(benchmarks[name])]
    return [found[case] for case in cases if case in found]


def _last_measured(results):
    return max((time for result in results for time in result.started_at.values() if time), default=0)


def _report(name, results, values, folder):
    newest = max(results, key=lambda result: result.date)
    machine = load_json(str(Path(folder, "machine.json")), api_version=Machine.api_version)
    threads = {number for name, number in newest.env_vars.items() if name.endswith("_NUM_THREADS")}
    return Report(
        name=name,
        machine={key: str(machine.get(key, "")) for key in MACHINE},
        python=newest.params.get("python", ""),
        threads=", ".join(sorted(threads)),
        commit=newest.commit_hash,
        commits=len({result.commit_hash for result in results}),
        measured=_date(_last_measured(results)),
        values=values,
    )


def read(results_dir, first=None):
    """The Reports on a directory of asv's results: of the machine `first` before others, then the newest."""
    results_dir = Path(results_dir)
    listed = results_dir / "benchmarks.json"
    paths = sorted(iter_results_paths(str(results_dir))) if listed.is_file() else []
    benchmarks = load_json(str(listed), api_version=Benchmarks.api_version) if paths else {}
    machines = {}
    for folder, name, machine in paths:
        result = Results.load(str(Path(folder, name)), machine)
        machines.setdefault(machine, {}).setdefault(result.env_name, []).append(result)
    reports = []
    for machine, environments in machines.items():
        found = {name: _newest(results, benchmarks) for name, results in environments.items()}
        best = max(found, key=lambda name: (len(found[name]), _last_measured(environments[name])))
        if any(value.module != "versions" for value in found[best]):
            reports.append(_report(machine, environments[best], found[best], results_dir / machine))
    if not reports:
        raise FileNotFoundError(f"no results of asv in {results_dir}: run the suite first")
    return sorted(reports, key=lambda report: (report.name == first, report.measured), reverse=True)
