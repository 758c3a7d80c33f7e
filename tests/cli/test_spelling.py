"""Numbers, dates and gaps as people spell them, a column at a time."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.cli.columns import Rules, read_columns
from fastnn.cli.inputs import InputError
from fastnn.cli.spelling import date, number

POINTS = (
    ("1", 1), ("-2.5", -2.5), ("+.5", 0.5), ("7.", 7), ("1e3", 1000.0), ("1,234", 1234), ("inf", np.inf),
    ("1,234,567.5", 1234567.5), ("1'234", 1234), ("1 234.5", 1234.5), ("1\u202f234", 1234), ("$5", 5),
    ("-$5", -5), ("$-5", -5), ("5 \u20ac", 5), ("EUR 1,000", 1000), ("(1,000)", -1000), ("12%", 0.12),
    ("12.5 %", 0.125), ("\u22123", -3),
    *((text, None) for text in ("", "-", "%", "$", "1,23", "12,34,567", "1.2.3", "a", "1a", "1 23", "(5")),
    *((text, None) for text in ("0x10", "1e", "--5", "5)", "1,2345")),
)  # fmt: skip
COMMAS = (
    ("1,5", 1.5), ("1.234", 1234), ("1.234.567,5", 1234567.5), ("1 234,5", 1234.5), ("-,5", -0.5),
    ("3,14 \u20ac", 3.14), ("5,5%", 0.055), ("7", 7), ("1.5", None), ("1,2,3", None),
)  # fmt: skip


@pytest.mark.parametrize(("text", "value"), POINTS, ids=str)
def test_numbers_with_a_point(text, value):
    assert number(text, ".", set()) == (pytest.approx(value) if value is not None else None)


@pytest.mark.parametrize(("text", "value"), COMMAS, ids=str)
def test_numbers_with_a_comma(text, value):
    assert number(text, ",", set()) == (pytest.approx(value) if value is not None else None)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_is_read(x):
    assert number(str(x), ".", set()) == x and number(str(x).replace(".", ","), ",", set()) == x


@given(st.text(max_size=12) | st.text(st.sampled_from("0123456789.,'- \u20ac%()eE+"), max_size=12))
def test_any_text_is_a_number_or_none(text):
    for decimal in ".,":
        value = number(text, decimal, set())
        assert value is None or isinstance(value, int | float)
    for order in ("day-first", "month-first", "year-first"):
        assert date(text, order) is None or isinstance(date(text, order), datetime.datetime)


def test_dates():
    day = datetime.datetime(2024, 12, 31)
    for text, order in (
        ("31.12.2024", "day-first"), ("31/12/24", "day-first"), ("12/31/2024", "month-first"),
        ("2024-12-31", "year-first"), ("2024/12/31", "year-first"),
    ):  # fmt: skip
        assert date(text, order) == day
    assert date("31.12.2024 9:05 PM", "day-first") == datetime.datetime(2024, 12, 31, 21, 5)
    assert date("12/31/2024", "day-first") is None and date("31.12/2024", "day-first") is None
    assert date("2024-01-01T10:00:00+02:00", "year-first") == datetime.datetime(2024, 1, 1, 8)
    assert date("2024-13-45", "year-first") is None


def read(rules=None, **columns):
    """What becomes of columns of texts, their values as lists; and what is said."""
    notes = []
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    result, _ = read_columns(frame, rules or Rules(), notes.append)
    return {name: result[name].tolist() for name in result}, notes


def test_a_column_that_leaves_it_open_is_read_as_the_others_are():
    open_ = ["1.234", "2.500", "3.750"]
    assert read(a=open_)[0]["a"] == [1.234, 2.5, 3.75]
    values, notes = read(a=open_, b=["1,5", "2,25", "3,1"])
    assert values == {"a": [1234, 2500, 3750], "b": [1.5, 2.25, 3.1]}
    assert notes == [
        "a: read as numbers, decimal commas, separators of thousands", "b: read as numbers, decimal commas",
    ]  # fmt: skip
    assert read(Rules(decimal="."), a=open_, b=["1,5", "2,25", "3,1"])[0]["a"] == [1.234, 2.5, 3.75]
    assert read(Rules(habits={"a": ","}), a=open_)[0]["a"] == [1234, 2500, 3750]
    assert read(a=["1,234", "2,500"])[0]["a"] == [1234, 2500]


def test_marks_of_missing_cells_are_said():
    cells = [str(i) for i in range(20)] + ["n.a."] * 12 + ["-"] + [None, ""]
    values, notes = read(price=cells)
    assert np.isnan(values["price"][20:]).all() and values["price"][:20] == list(range(20))
    assert notes == ["price: read as numbers, 12 cells were 'n.a.', 1 cell was '-'"]
    assert read(t=["a", "-", "b", "-", "NA"])[0]["t"] == ["a", "-", "b", "-", None]
    values, notes = read(Rules(na=("x", "y")), t=["a", "x", "b"], n=["1", "y", "2"])
    assert values["t"] == ["a", None, "b"] and notes[-1] == "n: read as numbers, 1 cell was 'y'"


def test_a_column_of_numbers_is_never_given_up_in_silence():
    few = [str(i) for i in range(19)] + ["see note"]
    values, notes = read(n=few)
    assert np.isnan(values["n"][19]) and notes == ["n: read as numbers, 1 cell was 'see note'"]
    many = [str(i) for i in range(10)] + ["a", "b", "c", "d", "d"]
    values, notes = read(n=many)
    assert values["n"] == many
    assert notes == [
        "n: read as texts: 5 of 15 cells are no numbers, such as 'd'; "
        "--types n=numbers takes these as missing"
    ]
    values, notes = read(Rules(types={"n": "numbers"}), n=many)
    assert np.isnan(values["n"][10:]).all()
    assert notes == [
        "n: read as numbers, 2 cells were 'd', 1 cell was 'a', 1 cell was 'b', "
        "1 cells were others; all these are missing"
    ]
    assert read(Rules(types={"n": "texts"}), n=["1", "2"])[0]["n"] == ["1", "2"]


def test_dates_that_leave_the_order_open():
    values, notes = read(d=["01/02/2024", "03/04/2024"])
    assert values["d"][0] == pd.Timestamp("2024-02-01")
    assert notes == ["d: read as dates, day-first, as nothing says otherwise"]
    assert read(d=["01/02/2024", "03/14/2024"])[0]["d"][0] == pd.Timestamp("2024-01-02")
    assert read(d=["01/02/2024", "2/3/2024"], e=["1/31/2024", None])[0]["d"][0] == pd.Timestamp("2024-01-02")
    month = Rules(types={"d": "month-first"})
    assert read(month, d=["01/02/2024"])[0]["d"] == [pd.Timestamp("2024-01-02")]
    assert read(d=["2024-13-45", "2024-01-01"])[0]["d"] == ["2024-13-45", "2024-01-01"]


def test_what_is_no_text_stays():
    frame = pd.DataFrame(
        {"i": [1, 2], "f": [0.5, None], "b": [True, False], "d": pd.to_datetime(["2024-01-01", None]),
         "c": pd.Categorical(["1", "2"]), "l": [[1], [2]]}
    )  # fmt: skip
    result, habits = read_columns(frame, Rules(), print)
    pd.testing.assert_frame_equal(result, frame)
    assert habits == {}
    assert read(t=["True", "false", None])[0]["t"] == [True, False, None]
    assert read(m=[1, "2", None])[0]["m"][:2] == [1, 2]
    with pytest.raises(InputError, match="column 'd' holds dates, and numbers are to be there"):
        read_columns(frame, Rules(types={"d": "numbers"}), print)


def test_whole_numbers_stay_whole():
    big = 2**53
    values, _ = read(n=[str(big), str(big + 1)])
    assert values["n"] == [big, big + 1]
