"""Numbers and names, to read."""

import math

SCALES = {
    "seconds": ((1, "s"), (1e-3, "ms"), (1e-6, "\N{MICRO SIGN}s"), (1e-9, "ns")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes")),
}


def digits(number):
    """Three significant digits: 0.0123, 1.23, 12.3, 12,300; and 1.23e-12."""
    number = float(f"{number:.3g}")
    if number == 0 or not 1e-4 <= abs(number) < 1e9:
        return f"{number:g}"
    return f"{number:,.{max(0, 2 - math.floor(math.log10(abs(number))))}f}"


def _scale(number, unit):
    """The size and the name of the unit that suits a time or a size in bytes."""
    number = float(f"{abs(number):.3g}")
    return next((pair for pair in SCALES[unit] if number >= pair[0]), SCALES[unit][-1])


def quantity(number, unit, digits=digits):
    """A number with its unit; times and sizes in the unit that suits them."""
    if unit in SCALES:
        size, short = _scale(number, unit)
        return f"{digits(number / size)} {short}"
    if unit in ("x", "unit", ""):
        return digits(number) + unit.removeprefix("unit")
    return f"{digits(number)} {unit}"


def spread(low, high, unit):
    """From quartile to quartile: "1.24 to 1.31", with a unit where it is a short one."""
    if low == high:
        return ""
    if unit in SCALES:
        size, short = _scale(high, unit)
        return f"{digits(low / size)} to {digits(high / size)} {short}"
    return f"{digits(low)} to {digits(high)}{'x' if unit == 'x' else ''}"
