"""Any bytes are a table or are refused, any table is learnt or is refused."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command import FEW, little_measuring, mixed_frame, refuse, run, succeed  # noqa: F401
from fastnn.cli.columns import Rules, kind_in, read_columns
from fastnn.cli.inputs import InputError
from fastnn.cli.tables import Text, read_table


@given(
    st.binary(max_size=200)
    | st.text(st.sampled_from('ab,;"\n\r\t|01-.e \u00e9'), max_size=60).map(str.encode)
)
@settings(max_examples=300)
def test_any_bytes_are_a_table_or_are_refused(tmp_path_factory, contents):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(contents)
    try:
        frame = read_table([str(path)], Text(), str).frame
    except InputError:
        return
    assert len(frame) and frame.columns.is_unique
    read, _ = read_columns(frame, Rules(), str)
    assert all(kind_in(name, read[name]) for name in read) and list(read) == list(frame)


CELL = st.sampled_from(
    ["", "1", "-2.5", "1e400", "inf", "nan", "NA", "true", "x", "2024-01-01", "12:30", '"a,b"', "\u00e9"]
)


@given(st.data())
@settings(max_examples=60)
@pytest.mark.slow
def test_any_csv_trains_or_is_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    width, kinds = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    cells = [data.draw(st.lists(CELL, min_size=kinds, max_size=kinds)) for _ in range(width)]
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    rows = [",".join(random.choice(column) for column in cells) for _ in range(data.draw(st.integers(1, 30)))]
    header = ",".join(["y", "a", "b", "c"][:width])
    (folder / "d.csv").write_text("\n".join([header, *rows, ""]))
    result = run("train", folder / "d.csv", "--target", "y", "--out", folder / "m", *FEW)
    if result.exit_code == 0:
        predicted = run("predict", folder / "m", folder / "d.csv")
        assert predicted.exit_code == 0, predicted.output
    else:
        assert result.exit_code == 2 and len(result.stderr.splitlines()) <= 8, result.output
        assert os.listdir(folder) == ["d.csv"]
