"""What becomes of a table's columns: numbers, dates, texts, flags, and those that say nothing."""

import datetime
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from fastnn.tabular.encoders import Detail, Numbers, described, is_numbering, restored
from fastnn.tabular.frames import as_days, as_floats, as_texts, columns_of, kind_of, known_cells, names_of
from fastnn.tabular.preprocessing import MOST_FEATURES, Preprocessing, affordable

DETAIL = Detail(bins=4, waves=3)
N = 60
RANDOM = np.random.default_rng(5)


def table():
    values = RANDOM.standard_normal(N)
    gaps = values.copy()
    gaps[::7] = np.nan
    return pd.DataFrame(
        {
            "number": values,
            "gaps": gaps,
            "flag": RANDOM.random(N) > 0.5,
            "two": np.where(RANDOM.random(N) > 0.5, 3.0, 8.0),
            "colour": RANDOM.choice(["red", "green", "blue"], N),
            "yes": RANDOM.choice(["yes", "no"], N),
            "day": pd.date_range("2024-01-31", periods=N, freq="17h"),
            "class": pd.Categorical(RANDOM.choice([1, 2, 3], N)),
            "constant": 4.0,
            "empty": np.full(N, np.nan),
            "row": np.arange(N) + 1000,
            "name": [f"name {i}" for i in range(N)],
        }
    )


def learnt(frame, **options):
    return Preprocessing.learn(frame, DETAIL, np.random.default_rng(0), **options)


def test_columns_of_many_categories():
    letters = RANDOM.choice(list("abcdefghijkl"), N)
    frame = pd.DataFrame({"number": RANDOM.standard_normal(N), "many": letters, "few": letters < "g"})
    preprocessing, _ = learnt(frame.astype({"few": str}).assign(more=RANDOM.permutation(letters)))
    assert preprocessing.categories() == ((8, 12), (21, 12)) and preprocessing.n_features == 33
    assert learnt(frame[["number"]])[0].categories() == ()


def test_each_kind_of_column():
    frame = table()
    preprocessing, remarks = learnt(frame)
    kinds = {encoder.name: encoder.kind for encoder in preprocessing.encoders}
    assert kinds == {
        "number": "numbers", "gaps": "numbers", "flag": "flag", "two": "flag", "colour": "texts",
        "yes": "texts", "day": "dates", "class": "texts",
    }  # fmt: skip
    assert remarks == [
        "left out (one value in all rows): 'constant'",
        "left out (no value in any row): 'empty'",
        "left out (a number of each row): 'row'",
        "left out (text that differs in most rows): 'name'",
    ]
    X = preprocessing.features(frame)
    assert X.dtype == np.float32 and X.shape == (N, preprocessing.n_features) and np.isfinite(X).all()
    parts = preprocessing.parts()
    colour = X[:, parts[4]]
    assert colour.shape == (N, 3) and (colour.sum(axis=1) == 1).all()
    assert set(X[:, parts[2]].ravel()) == set(X[:, parts[5]].ravel()) == {-1.0, 1.0}
    assert (X[frame["gaps"].isna(), parts[1]][:, :-1] == 0).all() and (X[::7, parts[1]][:, -1] == 1).all()


def test_numbers_are_what_the_docstring_says():
    v = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 100, np.nan, 1.5])
    encoder = Numbers.learn("v", v, DETAIL, np.random.default_rng(1))
    low, median, high = np.nanquantile(v, (0.25, 0.5, 0.75))
    assert encoder.median == median and encoder.spread == high - low and encoder.missing
    X = encoder.features(v)
    z = (v - median) / (high - low)
    z /= np.sqrt(1 + (z / 3) ** 2)
    good = ~np.isnan(v)
    np.testing.assert_allclose(X[good, 0], z[good])
    assert abs(X[9, 0]) < 3
    for bin_ in range(4):
        start, end = encoder.edges[bin_ : bin_ + 2]
        np.testing.assert_allclose(X[good, 1 + bin_], 0.5 * np.clip((v[good] - start) / (end - start), 0, 1))
    for wave in range(3):
        wanted = np.sqrt(2) * np.cos(encoder.rates[wave] * z + encoder.phases[wave])
        np.testing.assert_allclose(X[good, 5 + wave], wanted[good])
    assert (X[10] == [0] * 8 + [1]).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
@pytest.mark.parametrize("dtype", [np.float64, object])
def test_numbers_of_any_size(scale, dtype):
    v = scale * np.random.default_rng(0).standard_normal(100)
    encoder = Numbers.learn("v", v.astype(dtype), DETAIL, np.random.default_rng(1))
    assert np.isfinite(encoder.features(v)).all()
    far = encoder.features(np.array([np.inf, -np.inf, 1e308, -1e308]))
    assert np.isfinite(far).all() and (np.abs(far) <= 3).all()


def test_order_more_columns_and_unknown_cells():
    frame = table()
    preprocessing, _ = learnt(frame)
    X = preprocessing.features(frame)
    mixed = frame[frame.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(preprocessing.features(mixed), X)
    strange = frame.assign(colour="violet", gaps=np.nan)
    part = preprocessing.parts()[4]
    assert (preprocessing.features(strange)[:, part] == 0).all()
    with pytest.raises(ValueError, match="no column 'colour', which the model takes"):
        preprocessing.features(frame.drop(columns="colour"))
    with pytest.raises(ValueError, match="column 'number' holds 'x' in row 0: the model has learnt numbers"):
        preprocessing.features(frame.assign(number="x"))
    with pytest.raises(ValueError, match="'day' holds what is no date"):
        preprocessing.features(frame.assign(day="yesterday"))


def test_plain_data_gives_it_back():
    frame = table()
    preprocessing, _ = learnt(frame)
    text = json.dumps(preprocessing.to_dict())
    again = Preprocessing.from_dict(json.loads(text))
    assert again == preprocessing
    np.testing.assert_array_equal(again.features(frame), preprocessing.features(frame))


@pytest.mark.parametrize(
    "change",
    [
        {"spread": 0.0}, {"spread": float("nan")}, {"edges": [1.0, 1.0]}, {"edges": [1.0]}, {"rates": [1.0]},
        {"name": 5}, {"kind": "other"}, {"median": "x"}, {"more": 1},
    ],
)  # fmt: skip
def test_descriptions_that_cannot_be(change):
    description = described(Numbers("a", 0.0, 1.0))
    assert restored(description) == Numbers("a", 0.0, 1.0)
    with pytest.raises((ValueError, KeyError, TypeError)):
        restored(description | change)


def test_categories_by_wish():
    X = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]] * 10)
    assert [e.kind for e in learnt(X)[0].encoders] == ["numbers", "numbers"]
    assert [e.kind for e in learnt(X, categories=[1])[0].encoders] == ["numbers", "texts"]
    with pytest.raises(ValueError, match="categories has 'a'; the columns are"):
        learnt(X, categories=["a"])


def test_two_columns_of_one_name():
    frame = pd.DataFrame(np.arange(6.0).reshape(3, 2), columns=["a", "a"])
    with pytest.raises(ValueError, match="more than one column is called 'a': rename them"):
        learnt(frame)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (np.array([1, 2]), "numbers"),
        (np.array([True, False]), "numbers"),
        (np.array([None, 2, True], object), "numbers"),
        (np.array(["1.5", "2"]), "numbers"),
        (np.array(["1.5", None], object), "numbers"),
        (np.array(["a", "2"]), "texts"),
        (np.array(["a", 2, None], object), "texts"),
        (np.array(["2024-01-31", "2024-02-01T10:00"]), "dates"),
        (np.array([datetime.date(2024, 1, 31), None], object), "dates"),
        (np.array(["2024-01-31"], "datetime64[ns]"), "dates"),
        (np.array([5], "timedelta64[s]"), "numbers"),
        (np.array([None, np.nan, pd.NA, pd.NaT], object), "nothing"),
        (np.array([np.nan]), "nothing"),
    ],
)
def test_kinds(cells, kind):
    assert kind_of("a", cells) == kind


def test_cells_that_are_none_of_these():
    with pytest.raises(TypeError, match="column 'a' holds .* a string or a real number"):
        kind_of("a", np.array([{"b": 1}, 2], object))
    with pytest.raises(ValueError, match="Complex data not supported"):
        kind_of("a", np.array([1j]))


def test_cells_as_values():
    assert known_cells(np.array([1, None, pd.NA, "x", np.nan], object)).tolist() == [1, 0, 0, 1, 0]
    assert as_texts(np.array([3, 3.0, "3", b"3", None], object)) == ["3", "3", "3", "3", None]
    np.testing.assert_array_equal(as_floats("a", np.array(["1", None], object)), [1.0, np.nan])
    day = datetime.datetime(1970, 1, 3, 12, tzinfo=datetime.UTC)
    cells = np.array([day, "1970-01-03T12:00+00:00", datetime.date(1970, 1, 2), None], object)
    np.testing.assert_array_equal(as_days("a", cells), [2.5, 2.5, 1.0, np.nan])


def test_other_libraries_tables():
    arrow = pytest.importorskip("pyarrow")
    frame = arrow.table({"a": [1.0, None, 3.0], "b": ["x", None, "y"]})
    assert names_of(frame) == ["a", "b"]
    a, b = columns_of(frame)
    np.testing.assert_array_equal(a, [1.0, np.nan, 3.0])
    assert as_texts(b) == ["x", None, "y"]


def test_sparse_rows_whose_indices_lead_elsewhere():
    X = sparse.csr_array(np.eye(3))
    np.testing.assert_array_equal(np.stack(columns_of(X), axis=1), np.eye(3))
    X.indices[1] = 1 << 20
    with pytest.raises(ValueError, match="X.indices run from 0 to 1048576, expected 0 to 2"):
        columns_of(X)


class Other:
    """A DataFrame of a library that has neither iloc nor dtypes, as polars."""

    columns = ("a", "b")

    def __getitem__(self, name):
        return np.array([1.0, 2.0]) if name == "a" else np.array(["x", "y"])


def test_a_frame_without_positions():
    assert names_of(Other()) == ["a", "b"]
    assert [column.tolist() for column in columns_of(Other())] == [[1.0, 2.0], ["x", "y"]]


def test_numbers_of_rows_are_seen_in_a_part_of_the_rows():
    rows = np.random.default_rng(0).permutation(1000)[:750].astype(float)
    assert is_numbering(rows)
    assert not is_numbering(rows + 0.5) and not is_numbering(rows**2) and not is_numbering(rows // 2)


def test_many_columns_get_less_detail():
    assert affordable(Detail(), 10) == Detail()
    for n in (1, 80, 200, 1000, 5000):
        detail = affordable(Detail(), n)
        assert detail.bins != 1 and n * (1 + detail.bins + detail.waves) <= max(MOST_FEATURES, n)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocessing, _ = learnt(np.array([[1e308, np.inf], [-1e308, 1.0], [3.0, np.nan]]))
        assert np.isfinite(preprocessing.features(np.array([[np.inf, -np.inf]]))).all()


@pytest.mark.parametrize(
    "values", ([0.0, 5e-324], [0.0, 5e-324, 1e-323], [-1e308, 1e308], [-1e308, 1.5, 1e308])
)
def test_numbers_that_cannot_be_told_apart_are_left_out(values):
    cells = np.resize(np.array(values), N)
    assert "too large, or too close" in Numbers.learn("x", cells, DETAIL, np.random.default_rng(0))
