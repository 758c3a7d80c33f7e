"""fastnn beside others: the cases that the suite measured in turn with a peer, wins and losses."""

from dataclasses import dataclass

from .results import Report, Value
from .text import digits

SIDE = "against"  # the parameter that names who was measured
OURS, PEAK = "fastnn", "FMA peak"


@dataclass(frozen=True)
class Comparison:
    """fastnn beside another in one case."""

    ratio: Value  # our time over the other's, as the suite has it
    ours: Value | None  # our seconds

    @property
    def against(self):
        return self.ratio.case[SIDE]

    @property
    def case(self):
        return name_of(self.ratio, without=SIDE)

    @property
    def verdict(self):
        """Even is what has 1 between its quartiles."""
        if self.ratio.high < 1:
            return "faster"
        return "slower" if self.ratio.low > 1 else "even"

    @property
    def times(self):
        return f"{digits(1 / self.ratio.median)}x"


def name_of(value, without=None):
    """ "30-128-1, batch 32": a word stands for itself, a number has its name; one thread is not mentioned."""
    parts = [
        f"{name} {setting}" if setting.replace(".", "", 1).isdigit() else setting
        for name, setting in value.case.items()
        if name != without and (name, setting) != ("threads", "1")
    ]
    return ", ".join(parts) or value.quantity.partition("_")[2].replace("_", " ")


def beside(report: Report):
    """All pairs, the FMA peak among them, by class of the suite and by case, whose peers stand together."""
    seconds = {(v.group, v.params): v for v in report.of("track_seconds")}
    found = []
    for ratio in report.of("track_ratio"):
        side = ratio.case.get(SIDE)
        if side not in (None, OURS) and ratio.median > 0:
            ours = tuple((name, repr(OURS) if name == SIDE else value) for name, value in ratio.params)
            found.append(Comparison(ratio, seconds.get((ratio.group, ours))))
    first = {}
    for place, comparison in enumerate(found):
        first.setdefault((comparison.ratio.group, comparison.case), place)
    return sorted(found, key=lambda c: (c.ratio.group, first[c.ratio.group, c.case]))


def comparisons(report: Report):
    """Those with other libraries."""
    return [comparison for comparison in beside(report) if comparison.against != PEAK]
