"""fastnn beside others: the cases that the suite measured in turn with a peer, wins and losses."""

from dataclasses import dataclass

from .results import Report, Value
from .text import digits

PEER = "peer"  # the parameter that names who fastnn is compared with
# Who it is where there is no such parameter, by module.
AGAINST = {"ratios": "NumPy", "estimators": "scikit-learn", "course": "the course's code"}


@dataclass(frozen=True)
class Comparison:
    """How many times faster fastnn is, and the seconds of both where the suite has them."""

    speedup: Value
    ours: Value | None
    theirs: Value | None

    @property
    def against(self):
        return self.speedup.case.get(PEER) or AGAINST.get(self.speedup.module, "the other")

    @property
    def case(self):
        return name_of(self.speedup, without=PEER)

    @property
    def verdict(self):
        """Even is what has 1 between its quartiles."""
        if self.speedup.low > 1:
            return "faster"
        return "slower" if self.speedup.high < 1 else "even"

    @property
    def times(self):
        return f"{digits(self.speedup.median)}x"


def name_of(value, without=None):
    """ "30-128-1, batch 32": a word stands for itself, a number has its name; one thread is not mentioned."""
    parts = [
        f"{name} {setting}" if setting.replace(".", "", 1).isdigit() else setting
        for name, setting in value.case.items()
        if name != without and (name, setting) != ("threads", "1")
    ]
    return ", ".join(parts) or value.quantity.partition("_")[2].replace("_", " ")


def comparisons(report: Report):
    """All of them, by class of the suite and by case, so that a case has its peers side by side."""
    by_case = {(value.group, value.quantity, value.params): value for value in report.values}
    found = [
        Comparison(
            speedup,
            by_case.get((speedup.group, "track_seconds", speedup.params)),
            by_case.get((speedup.group, "track_reference_seconds", speedup.params)),
        )
        for speedup in report.of("track_speedup")
    ]
    first = {}
    for place, comparison in enumerate(found):
        first.setdefault((comparison.speedup.group, comparison.case), place)
    return sorted(found, key=lambda c: (c.speedup.group, first[c.speedup.group, c.case]))
