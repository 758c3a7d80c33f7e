"""How people spell numbers, dates and missing cells: text in, a value or None out."""

from __future__ import annotations

import datetime
import re

# Missing wherever they stand. A mark of the second kind may be a category: it is one only among texts.
MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "#NV", "N.A.", "n.a.", "n.a", "NULL", "Null", "null")
    + ("NaN", "nan", "-NaN", "-nan", "<NA>", "NaT", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
)
# Those that nobody has to be told of.
USUAL = frozenset(("", "NA", "NaN", "nan", "NULL", "null"))
MARKS = frozenset(
    ("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "?", "*", "na", "none", "missing", "unknown")
    + ("not available", "k.a.", "k. a.", "n.d.", "n.v.", "s.d.", "s/o", "nd", "nil")
)
TRUTH = {"true": 1, "false": 0}
SIGNS = r"[$\u20ac\xa3\xa5\u20b9\u20bd\u20a9\xa2]"
CODES = r"(?:US|R|A|C)\$|EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|CAD|AUD|kr\.?|Fr\.|z\u0142"
MONEY = rf"(?P<{{0}}>{SIGNS}|{CODES})"
POINT, COMMA = ".", ","


def _number(decimal: str, comma_or_point: str) -> re.Pattern[str]:
    """A number with this decimal sign: digits in one piece, or in threes; brackets are a minus."""
    group = rf"[{comma_or_point}'\u2019 \xa0\u202f]"
    return re.compile(
        rf"(?P<open>\()?(?P<sign>[+\-\u2212])?\s*(?:{MONEY.format('before')}\s*(?P<sign2>[+\-\u2212])?)?"
        rf"(?P<digits>[1-9]\d{{0,2}}(?P<group>{group})\d{{3}}(?:(?P=group)\d{{3}})*|\d+)?"
        rf"(?:[{decimal}](?P<fraction>\d*))?(?P<exponent>[eE][+-]?\d{{1,4}})?"
        rf"[\s\xa0\u202f]*(?P<unit>%|{MONEY.format('after')})?(?(open)\))",
        re.ASCII,
    )


NUMBERS = {POINT: _number(POINT, COMMA), COMMA: _number(COMMA, POINT)}


def number(text: str, decimal: str, seen: set[str]) -> float | int | None:
    """The number that the text spells; `seen` is told what was left out: signs of money, percent, thousands.

    >>> number("1.234,50 \u20ac", ",", set()), number("(5%)", ".", set()), number("five", ".", set())
    (1234.5, -0.05, None)
    """
    found = NUMBERS[decimal].fullmatch(text)
    if found is None or not (found["digits"] or found["fraction"]):
        return _spelt_out(text)
    digits = found["digits"] or "0"
    if found["group"]:
        digits = digits.replace(found["group"], "")
        seen.add("separators of thousands")
    if found["before"] or found["after"]:
        seen.add("signs of money")
    sign = -1 if "-" in (s := _signs(found)) or "\u2212" in s or found["open"] else 1
    if not (found["fraction"] or found["exponent"] or found["unit"] == "%"):
        return sign * (int(digits) if len(digits) < 300 else float(digits))
    value = sign * float(f"{digits}.{found['fraction'] or '0'}{found['exponent'] or ''}")
    if found["unit"] != "%":
        return value
    seen.add("percent signs: 5% is 0.05")
    return value / 100


def _signs(found: re.Match[str]) -> str:
    return (found["sign"] or "") + (found["sign2"] or "")


def _spelt_out(text: str) -> float | None:
    return float(text) if text.lower().lstrip("+-") in ("inf", "infinity") else None


ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?", re.ASCII)
PARTS = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[T ]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*([AaPp][Mm])?)?",
    re.ASCII,
)
# Which of the three parts of a date are year, month and day.
ORDERS = {"day-first": (2, 1, 0), "month-first": (2, 0, 1), "year-first": (0, 1, 2)}


def date(text: str, order: str) -> datetime.datetime | None:
    """The moment that the text spells, without a zone.

    >>> date("31.12.2024", "day-first"), date("2024-12-31T10:00+02:00", "year-first")
    (datetime.datetime(2024, 12, 31, 0, 0), datetime.datetime(2024, 12, 31, 8, 0))
    """
    try:
        if order == "year-first" and ISO.fullmatch(text):
            moment = datetime.datetime.fromisoformat(text)
            return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
        found = PARTS.fullmatch(text)
        if found is None:
            return None
        parts = found[1], found[3], found[4]
        year, month, day = (parts[i] for i in ORDERS[order])
        if len(year) not in ((4,) if order == "year-first" else (2, 4)) or len(day) > 2 or len(month) > 2:
            return None
        century = (1900 if int(year) >= 69 else 2000) if len(year) == 2 else 0
        hour, minute, second = (int(found[i] or 0) for i in (5, 6, 7))
        if found[8]:
            hour = hour % 12 + 12 * (found[8].lower() == "pm")
        return datetime.datetime(century + int(year), int(month), int(day), hour, minute, second)
    except (ValueError, OverflowError):
        return None
