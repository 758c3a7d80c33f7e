"""Parquet files as a source of chunks: the same fit as on the arrays, in little memory."""

import numpy as np
import pandas as pd
import pytest

from fastnn import Network
from fastnn.data import parquet
from processes import run_apart

ROWS = 700


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((ROWS, 3)), columns=["a", "b", "c"]).astype(np.float32)
    frame["n"] = rng.integers(0, 9, ROWS)
    return frame.assign(y=frame.a - frame.c, w=rng.uniform(0.5, 2, ROWS))


@pytest.fixture
def files(frame, tmp_path):
    frame[:400].to_parquet(tmp_path / "1.parquet", row_group_size=150)
    frame[400:].to_parquet(tmp_path / "2.parquet")
    return tmp_path


def joined(source):
    return [np.concatenate(parts) for parts in zip(*source(), strict=True)]


def test_rows_come_in_order_and_in_their_type(files, frame):
    pattern, names = str(files / "*.parquet"), ["a", "b", "c", "n"]
    source = parquet(pattern, "y", weight="w", rows=128)
    for _ in range(2):  # it can be read again
        X, y, weights = joined(source)
        np.testing.assert_array_equal(X, frame[names])
        np.testing.assert_array_equal(y, frame.y)
        np.testing.assert_array_equal(weights, frame.w)
    X, y = joined(parquet([files / "2.parquet", files / "1.parquet"], ["y", "c"], columns=["b", "a"]))
    turned = pd.concat([frame[400:], frame[:400]])
    assert X.dtype == y.dtype == np.float32 and max(len(x) for x, *_ in source()) <= 128
    np.testing.assert_array_equal(X, turned[["b", "a"]])
    np.testing.assert_array_equal(y, turned[["y", "c"]])


def test_a_fit_is_that_on_chunks_of_arrays(files):
    source = parquet(str(files / "*.parquet"), "y", columns=["a", "b", "c"], rows=100)
    nets = [Network([3, 8, 1], seed=0) for _ in range(2)]
    histories = [
        net.fit(chunks, epochs=3) for net, chunks in zip(nets, (source, list(source())), strict=True)
    ]
    assert nets[0].params.tobytes() == nets[1].params.tobytes()
    assert histories[0].cost == histories[1].cost


def test_mistakes(files, frame, tmp_path):
    pattern = str(files / "*.parquet")
    with pytest.raises(FileNotFoundError, match="no file is called .*nothing"):
        parquet(str(files / "nothing*"), "y")
    with pytest.raises(ValueError, match="has 0 columns 'z', expected one"):
        parquet(pattern, "z")
    with pytest.raises(ValueError, match="files is an empty list"):
        parquet([], "y")
    with pytest.raises(ValueError, match="no column is left for X"):
        parquet(pattern, "y", columns=[])
    with pytest.raises(ValueError, match="rows=0"):
        parquet(pattern, "y", rows=0)
    frame.assign(b="text").to_parquet(tmp_path / "texts.parquet")
    with pytest.raises(TypeError, match="column 'b' of .*texts.parquet' has type .*string, expected numbers"):
        parquet(tmp_path / "texts.parquet", "y")
    frame.assign(c=frame.c.where(frame.n > 3)).to_parquet(tmp_path / "gaps.parquet")
    frame.assign(n=frame.n.astype("Int64").where(frame.n > 3)).to_parquet(tmp_path / "gaps2.parquet")
    for name, column in (("gaps", "c"), ("gaps2", "n")):
        net = Network([4, 3, 1], seed=0)
        before = net.params.copy()
        with pytest.raises(ValueError, match=f"column '{column}' of .*{name}.parquet' has gaps"):
            net.fit(parquet(tmp_path / f"{name}.parquet", "y", columns=["a", "b", "c", "n"]))
        np.testing.assert_array_equal(net.params, before)


def read_two_gigabytes(path):
    """Two epochs over rows that would take 2 GB take a few chunks' memory."""
    import resource

    import pyarrow as pa
    from pyarrow import parquet as files

    n_columns, group, groups = 16, 1 << 17, 256
    names = [f"x{i}" for i in range(n_columns)]
    values = np.random.default_rng(0).standard_normal((n_columns, 64), dtype=np.float32)
    table = pa.table({name: np.resize(v, group) for name, v in zip(names, values, strict=True)})
    with files.ParquetWriter(path, table.schema) as writer:
        for _ in range(groups):
            writer.write_table(table)
    assert n_columns * group * groups * 4 >= 2 << 30
    net = Network([n_columns - 1, 4, 1], seed=0)
    net.fit(values.T[:, 1:].copy(), values[0], batch_size=8192)  # compiled
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    net.fit(parquet(path, "x0", columns=names[1:]), epochs=1, batch_size=8192)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 256 << 10, f"{grown} KiB"


@pytest.mark.slow
def test_two_gigabytes(tmp_path):
    run_apart(read_two_gigabytes, str(tmp_path / "rows.parquet"))
