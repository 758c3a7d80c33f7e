"""From tables to numbers: every kind of column, what is missing, what is new, and all of it as plain data."""

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from command import mixed_frame
from fastnn.cli.cells import kind_of
from fastnn.cli.inputs import InputError
from fastnn.cli.preprocessing import MOST_CATEGORIES, Preprocessing
from fastnn.cli.target import Target


def learn(**columns):
    return Preprocessing.learn(pd.DataFrame(columns))[0]


def features(preprocessing, **columns):
    return preprocessing.features(pd.DataFrame(columns))


DAY = datetime.date(2024, 5, 17)
KINDS = (
    ([1, 2], "numbers"),
    ([1.5, None], "numbers"),
    ([True, False], "numbers"),
    (pd.Series([True, None], dtype=object), "numbers"),
    (pd.Series([1, None], dtype="Int64"), "numbers"),
    (pd.Series([True, None], dtype="boolean"), "numbers"),
    (pd.Series([Decimal("1.5"), None], dtype=object), "numbers"),
    (["a", None], "texts"),
    (pd.Series(["a", None], dtype="string"), "texts"),
    (pd.Categorical([3, 1]), "texts"),
    (["12", "x"], "texts"),
    (["2024-13-45", "2024-01-01"], "texts"),
    ([datetime.time(12, 30), datetime.time(1)], "texts"),
    (pd.Series([DAY, None], dtype=object), "dates"),
    (pd.to_datetime(["2024-05-17", None]), "dates"),
    (pd.to_datetime(["2024-05-17"]).tz_localize("Europe/Oslo"), "dates"),
    (["2024-05-17", None], "dates"),
    (["2024-05-17T10:00:00+02:00"], "dates"),
    ([None, None], "nothing"),
    ([[1], [2]], "other values"),
    ([1j, 2j], "other values"),
    ([b"x"], "other values"),
)


@pytest.mark.parametrize(("cells", "kind"), KINDS, ids=str)
def test_the_kind_of_a_column(cells, kind):
    assert kind_of(pd.Series(cells)) == kind


def test_numbers_are_scaled_and_the_mean_stands_for_a_missing_one():
    preprocessing = learn(a=[1.0, 3.0, np.nan, 5.0])
    X = features(preprocessing, a=[1.0, 3.0, np.nan, 5.0])
    assert X.dtype == np.float32 and X.shape == (4, 1)
    np.testing.assert_allclose(X[:, 0], [-np.sqrt(1.5), 0, 0, np.sqrt(1.5)], rtol=1e-6)


@pytest.mark.parametrize("scale", (1e-300, 1.0, 1e300))
def test_numbers_of_any_size_are_scaled(scale):
    X = features(learn(a=[-scale, 0, scale]), a=[-scale, 0, scale])
    np.testing.assert_allclose(X[:, 0], [-np.sqrt(1.5), 0, np.sqrt(1.5)], rtol=1e-6)


def test_truth_values_are_numbers_wherever_they_come_from():
    preprocessing = learn(a=pd.Series([True, False, None, False], dtype=object))
    for cells in ([True, False], [1, 0], ["1", "0"], pd.Series([True, False], dtype="boolean")):
        X = features(preprocessing, a=cells)
        assert X[0, 0] > 0 > X[1, 0]


def test_dates_are_days():
    days = ["2024-01-01", "2024-01-02", "2024-01-03"]
    X = features(learn(day=days), day=pd.to_datetime(days))
    np.testing.assert_allclose(X[:, 0], [-np.sqrt(1.5), 0, np.sqrt(1.5)], rtol=1e-6)
    hours = features(learn(day=days), day=["2024-01-02T12:00:00", "2024-01-02T14:00:00+02:00"])
    assert hours[0, 0] == hours[1, 0] == pytest.approx(np.sqrt(1.5) / 2)


def test_texts_are_one_hot_and_a_missing_or_new_one_is_none_of_them():
    preprocessing = learn(city=["Oslo", "Rome", None, "Oslo", "Rome"])
    frame = pd.DataFrame({"city": ["Rome", "Oslo", None, "Lima"]})
    assert preprocessing.features(frame).tolist() == [[0, 1], [1, 0], [0, 0], [0, 0]]
    (note,) = preprocessing.unknown(frame)
    assert "'city' holds 1 texts that the model does not know, such as 'Lima'" in note


def test_whole_numbers_are_the_same_texts_with_and_without_missing_ones():
    preprocessing = learn(code=pd.Categorical(["1", "2", "1", "2"]))
    assert features(preprocessing, code=[1, 2]).tolist() == [[1, 0], [0, 1]]
    assert features(preprocessing, code=[1, None, 2]).tolist() == [[1, 0], [0, 0], [0, 1]]


def test_the_most_frequent_of_many_texts_are_told_apart():
    cells = [f"t{i % 150}" for i in range(400)]
    assert learn(t=cells).n_features == MOST_CATEGORIES
    kept = set(learn(t=cells).columns[0].categories)
    assert {f"t{i}" for i in range(100)} == kept  # three times each, the others twice


def test_columns_of_no_use_are_left_out_and_named():
    frame = mixed_frame().assign(nothing=None, lists=[[1]] * 200, tiny=1e-320)
    preprocessing, notes = Preprocessing.learn(frame)
    assert [column.name for column in preprocessing.columns] == [
        *("size", "rooms", "city", "new", "built", "price", "sold"),
    ]
    assert notes == [
        "left out (text that differs in most rows): 'code'",
        "left out (one value in all rows): 'country', 'tiny'",
        "left out (cells that hold nothing): 'nothing'",
        "left out (cells that hold other values): 'lists'",
    ]
    _, (note,) = Preprocessing.learn(pd.DataFrame({"a": [1, 2], **{f"c{i}": 0 for i in range(9)}}))
    assert note.endswith("'c0', 'c1', 'c2', 'c3', 'c4' and 4 more columns")


def test_a_table_without_a_column_of_use_is_refused():
    with pytest.raises(InputError, match=r"no column to learn from: .*differs in most rows\): 'name'"):
        learn(name=["Ada", "Bob", "Cyd"])
    with pytest.raises(InputError, match="no column to learn from: only the target"):
        Preprocessing.learn(pd.DataFrame(index=range(3)))


def test_columns_are_found_by_name_and_others_passed_over():
    preprocessing, frame = learn(a=[1, 2, 3, 4], b=["x", "y"] * 2), {"a": [1, 2], "b": ["x", "y"]}
    expected = features(preprocessing, **frame)
    assert np.array_equal(features(preprocessing, z=[[], []], b=frame["b"], a=frame["a"]), expected)
    with pytest.raises(InputError, match="no column 'a', 'b', which the model takes; it has 'A'"):
        features(preprocessing, A=[1])


BAD = (
    ({"n": ["1", "x1"]}, "'n' holds 'x1' in row 2; the model takes a finite number"),
    ({"n": [1.0, -np.inf]}, "'n' holds '-inf' in row 2"),
    ({"n": [1.0, 1e300]}, "'n' holds values far beyond"),
    ({"n": ["2024-01-01"]}, "'n' holds dates; the model takes numbers"),
    ({"n": [[1]]}, "'n' holds other values; the model takes numbers"),
    ({"d": [3]}, "'d' holds numbers; the model takes dates"),
    ({"d": ["2024-01-01", "soon"]}, "'d' holds 'soon' in row 2; the model takes a date like"),
)


@pytest.mark.parametrize(("cells", "message"), BAD, ids=str)
def test_cells_that_a_model_cannot_take(cells, message):
    preprocessing = learn(**{"n": {"n": [1, 2]}, "d": {"d": ["2024-01-01", "2024-01-02"]}}[next(iter(cells))])
    with pytest.raises(InputError, match=message):
        features(preprocessing, **cells)


def test_a_column_that_is_missing_throughout_is_filled_in():
    preprocessing = learn(n=[1, 2], d=["2024-01-01", "2024-01-02"], t=["a", None])
    assert not features(preprocessing, n=[None], d=[None], t=[None]).any()


CELLS = (
    st.none() | st.booleans(),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.text(max_size=2),
    st.none() | st.dates(datetime.date(1700, 1, 1), datetime.date(2200, 1, 1)),
)


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(*(st.lists(x, min_size=n, max_size=n) for x in CELLS))))
def test_any_table_is_learnt_or_refused_and_survives_json(columns):
    frame = pd.DataFrame({str(i): pd.Series(cells, dtype=object) for i, cells in enumerate(columns)})
    try:
        preprocessing, _ = Preprocessing.learn(frame)
        X = preprocessing.features(frame)
    except InputError:
        return
    assert (
        X.dtype == np.float32 and X.shape == (len(frame), preprocessing.n_features) and np.isfinite(X).all()
    )
    same = Preprocessing.from_list(json.loads(json.dumps(preprocessing.to_list())))
    assert same == preprocessing and np.array_equal(same.features(frame), X)


TARGETS = (
    (["b", "a"] * 9, "binary", ("a", "b")),
    (["b", "a", "c"] * 9, "multi-class", ("a", "b", "c")),
    ([True, False] * 9, "binary", ("False", "True")),
    ([1.0, 0.0] * 9, "binary", ("0", "1")),
    ([10, 9, -2] * 9, "multi-class", ("-2", "9", "10")),
    ([0.5, 1.5] * 9, "regression", ()),
    (list(range(21)) * 9, "regression", ()),
    ([1, 2, 3], "regression", ()),
)


@pytest.mark.parametrize(("cells", "task", "labels"), TARGETS, ids=str)
def test_the_task_is_read_from_the_target(cells, task, labels):
    column = pd.Series(cells, name="y")
    target = Target.learn(column)
    assert (target.task, target.labels) == (task, labels)
    assert Target.from_dict(json.loads(json.dumps(target.to_dict()))) == target
    codes = target.codes(column)
    if task == "regression":
        np.testing.assert_allclose(target.predictions(codes[:, None])["prediction"], cells)
        assert codes.mean() == pytest.approx(0, abs=1e-12) and codes.std() == pytest.approx(1)
    else:
        outputs = codes[:, None] if task == "binary" else np.eye(len(labels))[codes.astype(int)]
        columns = target.predictions(outputs)
        assert list(columns) == ["prediction", *(f"p({label})" for label in labels)]
        assert columns["prediction"].tolist() == [
            str(cell) if isinstance(cell, bool | str) else str(int(cell)) for cell in cells
        ]


def test_the_task_can_be_given():
    assert Target.learn(pd.Series([1, 2] * 9), "regression").mean == 1.5
    assert Target.learn(pd.Series([1, 2] * 9), "multi-class").n_out == 2
    assert Target.learn(pd.Series(range(40)).repeat(2), "multi-class").n_out == 40


BAD_TARGETS = (
    (["a"] * 9, None, "has one class, 'a'"),
    ([2.5] * 9, None, "has one value in all rows"),
    (["a", "b", "c"], None, "has 3 classes in 3 rows"),
    (["a", "b", "c"] * 9, "binary", "has 3 classes; --task binary takes 2"),
    (["a", "b"] * 9, "regression", "holds 'a' in row 1; the model takes a finite number"),
    ([1.5, np.inf], None, "holds 'inf' in row 2"),
    (["2024-01-01", "2024-01-02"], None, "holds dates"),
    ([[1], [2]], None, "holds other values"),
)


@pytest.mark.parametrize(("cells", "task", "message"), BAD_TARGETS, ids=str)
def test_a_target_of_no_use_is_refused(cells, task, message):
    with pytest.raises(InputError, match=message):
        Target.learn(pd.Series(cells, name="y"), task)


def test_a_class_that_the_model_does_not_know():
    target = Target.learn(pd.Series(["a", "b"] * 9, name="y"))
    with pytest.raises(InputError, match="'y' holds 'c'; the model knows a, b"):
        target.codes(pd.Series(["a", "c"]))


ABSURD = (None, 1, "x", [1], [[]], [{}], [{"kind": "numbers"}], [{"kind": "x", "name": "a"}])
NUMBERS = {"kind": "numbers", "name": "a", "mean": 0.0, "scale": 1.0}
TEXTS = {"kind": "texts", "name": "a", "categories": ["x"]}
WRONG = (
    *({"scale": value} for value in (0.0, -1.0, np.inf, np.nan, "1", None, [])),
    *({"mean": value} for value in (np.inf, np.nan, "1", None)),
    *({"categories": value} for value in (["x", "x"], [1], None, 3, [None])),
    {"more": 1},
)


def test_descriptions_that_are_none_are_refused():
    for absurd in ABSURD:
        with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
            Preprocessing.from_list(absurd)
    for wrong in WRONG:
        with pytest.raises((TypeError, ValueError)):
            Preprocessing.from_list([{**(TEXTS if "categories" in wrong else NUMBERS), **wrong}])
    good = {"name": "y", "task": "binary", "labels": ["a", "b"], "mean": 0.0, "scale": 1.0}
    assert Target.from_dict(good).n_out == 1
    for wrong in (
        {"task": "x"},
        {"labels": ["a"]},
        {"labels": ["a", "a"]},
        {"labels": [1, 2]},
        {"scale": 0},
        {"x": 1},
    ):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Target.from_dict({**good, **wrong})
