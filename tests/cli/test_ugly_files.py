"""Ten ugly files, each with the table that it means: found out, said in a line, and settable."""

import gzip
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from command import FEW, little_measuring, mixed_frame, refuse, run, succeed  # noqa: F401
from fastnn.cli.columns import Rules, read_columns
from fastnn.cli.tables import Text, read_table

N = 60
RANDOM = np.random.default_rng(0)
# The table that all the files hold: prices of at least a thousand, whole; shares; days; names with umlauts.
TRUTH = pd.DataFrame(
    {
        "price": RANDOM.integers(1000, 2_000_000, N).astype(float),
        "share": RANDOM.integers(1, 1000, N) / 1000,
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 366, N), "D"),
        "town": RANDOM.choice(["K\u00f6ln", "Malm\u00f6", "Nice"], N),
        "sold": RANDOM.choice(["yes", "no"], N),
    }
)
GAPS = (3, 17, 40)


def written(price, share, day, sep=",", gap=""):
    """The truth as text, with cells as these functions spell them, and gaps among the prices."""
    frame = pd.DataFrame(
        {
            "price": [gap if i in GAPS else price(x) for i, x in enumerate(TRUTH["price"])],
            "share": [share(x) for x in TRUTH["share"]],
            "day": [x.strftime(day) for x in TRUTH["day"]],
            "town": TRUTH["town"],
            "sold": TRUTH["sold"],
        }
    )
    return frame.to_csv(index=False, sep=sep)


def comma(x):
    return f"{x:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")


def plain(**options):
    return written(lambda x: f"{x:.0f}", str, "%Y-%m-%d", **options)


def excel():
    contents = io.BytesIO()
    frame = TRUTH.copy()
    frame["price"] = frame["price"].astype(object)
    frame.loc[list(GAPS), "price"] = "n.a."
    frame.to_excel(contents, index=False)
    return contents.getvalue()


def indexed():
    return TRUTH.assign(price=TRUTH["price"].where(~TRUTH.index.isin(GAPS))).to_csv()


def of_statistics():
    """Row names without a name above them."""
    header, *rows = plain(gap="NA").splitlines()
    return "\n".join([header, *(f'"row {i}",{row}' for i, row in enumerate(rows)), ""])


UGLY = {
    "decimal commas": (
        written(comma, lambda x: f"{x:.3f}".replace(".", ","), "%d.%m.%Y", sep=";").encode(),
        ("cells separated by ';'", "price: read as numbers, decimal commas, separators of thousands"),
    ),
    "money and percent": (
        written(lambda x: f"${x:,.0f}", lambda x: f"{100 * x:.1f}%", "%m/%d/%Y").encode(),
        ("separators of thousands, signs of money", "share: read as numbers, percent signs: 5% is 0.05",
         "day: read as dates, month-first"),
    ),
    "marks of gaps": (plain(gap="n.a.").encode(), ("price: read as numbers, 3 cells were 'n.a.'",)),
    "day first": (
        written(str, str, "%d/%m/%y", gap="-").encode(),
        ("day: read as dates, day-first", "3 cells were '-'"),
    ),
    "row numbers": (indexed().encode(), ("the first column has no name and numbers or names the rows",)),
    "row names": (of_statistics().encode(), ("the first column has no name",)),
    "byte order mark": (b"\xef\xbb\xbf" + plain().encode(), ()),
    "latin-1": (plain(sep="\t").encode("latin-1"), ("read as cp1252 text, cells separated by '\\t'",)),
    "UTF-16": (plain(sep=";").encode("utf-16"), ("read as utf-16 text",)),
    "UTF-16 without a mark": (plain().encode("utf-16-le"), ("read as utf-16-le text",)),
    "gzip": (gzip.compress(plain().encode()), ()),
    "Excel": (excel(), ("price: read as numbers, 3 cells were 'n.a.'",)),
}  # fmt: skip


@pytest.mark.parametrize("name", UGLY)
def test_what_an_ugly_file_holds(name, tmp_path):
    contents, expected = UGLY[name]
    (tmp_path / "data").write_bytes(contents)
    said = []
    frame, _ = read_columns(
        read_table([str(tmp_path / "data")], Text(), said.append).frame, Rules(), said.append
    )
    assert all(any(line in text for text in said) for line in expected), said
    assert list(frame) == list(TRUTH) and frame["town"].tolist() == TRUTH["town"].tolist()
    assert frame["price"].isna().to_numpy().nonzero()[0].tolist() == list(GAPS)
    np.testing.assert_allclose(frame["price"].astype(float).dropna(), TRUTH["price"].drop(list(GAPS)))
    np.testing.assert_allclose(frame["share"].astype(float), TRUTH["share"])
    assert (pd.to_datetime(frame["day"]).to_numpy() == TRUTH["day"].to_numpy()).all()


@pytest.mark.parametrize("name", ["decimal commas", "money and percent", "Excel"])
def test_an_ugly_file_trains_and_its_model_reads_another_as_it_did(name, tmp_path):
    (tmp_path / "data").write_bytes(UGLY[name][0])
    (tmp_path / "plain.csv").write_text(plain())
    succeed("train", tmp_path / "data", "--target", "sold", "--out", tmp_path / "m", *FEW)
    succeed("train", tmp_path / "plain.csv", "--target", "sold", "--out", tmp_path / "p", *FEW)
    for data in ("data", "plain.csv"):
        answers = [
            succeed("predict", tmp_path / model, tmp_path / data, "--proba", "--quiet")
            for model in ("m", "p")
        ]
        first, second = (pd.read_csv(io.StringIO(text)) for text in answers)
        np.testing.assert_allclose(first["p(yes)"], second["p(yes)"], rtol=1e-5)


def test_what_is_found_out_can_be_told(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes("a|b|y\n1.234|x|\u00e4\n2.345|gone|\u00f6\n".encode("latin-1") * 1)
    text, rules = Text("|", "latin-1"), Rules(decimal=",", na=("gone",), types={"b": "texts"})
    said = []
    frame, _ = read_columns(read_table([str(path)], text, said.append).frame, rules, said.append)
    assert frame["a"].tolist() == [1234, 2345] and frame["b"].tolist() == ["x", None]
    assert frame["y"].tolist() == ["\u00e4", "\u00f6"] and said == [
        "a: read as numbers, decimal commas, separators of thousands"
    ]
    for sep in (";", ","):  # told wrongly, it is done all the same
        assert len(read_table([str(path)], Text(sep, "latin-1"), said.append).frame.columns) == 1
    assert "--encoding 'none'" in refuse("train", path, "--target", "y", "--encoding", "none")
    assert "cannot be read as utf-8" in refuse("train", path, "--target", "y", "--encoding", "utf-8")


@pytest.mark.slow
def test_several_files_and_standard_input(tmp_path, monkeypatch):
    lines = plain().splitlines(keepends=True)
    (tmp_path / "a-1.csv").write_text("".join(lines[:31]))
    (tmp_path / "a-2.csv").write_text("".join([lines[0], *lines[31:]]))
    (tmp_path / "b.csv").write_text("other,sold\n1,yes\n")
    said = []
    for data in ([f"{tmp_path}/a-*.csv"], [f"{tmp_path}/a-1.csv", f"{tmp_path}/a-2.csv"]):
        frame = read_table(data, Text(), said.append).frame
        assert frame["town"].tolist() == TRUTH["town"].tolist()
    assert said == ["2 files with 60 rows"] * 2
    line = refuse("train", tmp_path / "a-1.csv", tmp_path / "b.csv", "--target", "sold")
    assert "do not have the same columns: one lacks 'day', 'other'" in line
    command = [sys.executable, "-m", "fastnn", "train", "-", "--target", "sold", *map(str, FEW), "--json"]
    done = subprocess.run(command, input=plain().encode(), capture_output=True)
    assert done.returncode == 0 and b'"trained_rows": 48' in done.stdout, done.stderr


def test_columns_can_be_chosen(tmp_path):
    (tmp_path / "d.csv").write_text(plain())
    data = "train", tmp_path / "d.csv", "--target", "sold", "--out", tmp_path / "m", *FEW
    from fastnn import load_pipeline

    for options, columns in (
        (("--drop", "town,day"), ["price", "share"]),
        (("--drop", "town", "--drop", "day"), ["price", "share"]),
        (("--features", "day, town"), ["day", "town"]),
    ):
        succeed(*data, *options)
        assert load_pipeline(tmp_path / "m").columns == columns
    succeed(*data, "--types", "price=texts")
    kinds = {x.name: x.kind for x in load_pipeline(tmp_path / "m").estimator.preprocessing_.encoders}
    assert kinds["price"] == "texts"
    result = run("predict", tmp_path / "m", tmp_path / "d.csv", "--keep", "town,price")
    kept = pd.read_csv(io.StringIO(result.stdout))
    assert list(kept) == ["town", "price", "prediction"] and kept["town"].tolist() == TRUTH["town"].tolist()
    assert "--keep: there is no column 'x'" in refuse(
        "predict", tmp_path / "m", tmp_path / "d.csv", "--keep", "x"
    )


def test_a_gzip_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    from fastnn.cli import sources

    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 5_000_000))
    monkeypatch.setattr(sources, "available_bytes", lambda: 1e6)
    assert "d.csv.gz' takes 0.02 GB of memory or more" in refuse(
        "train", tmp_path / "d.csv.gz", "--target", "y"
    )


CSV = "size,city,sold\n" + "".join(
    f"{i},{'Oslo' if i % 2 else 'Rome'},{'no' if i < 9 else 'yes'}\n" for i in range(18)
)
DIALECTS = (
    CSV,
    CSV.replace(",", ";"),
    CSV.replace(",", "\t").replace("\n", "\r\n"),
    CSV.replace("Oslo", '"Oslo"'),
    "\ufeff" + CSV,
    CSV.rstrip(),
)


@pytest.mark.parametrize("number", range(len(DIALECTS)))
def test_dialects_of_csv(number, tmp_path):
    (tmp_path / "d").write_bytes(DIALECTS[number].encode())
    (tmp_path / "plain.csv").write_text(CSV)
    frames = [read_table([str(tmp_path / name)], Text(), str).frame for name in ("d", "plain.csv")]
    pd.testing.assert_frame_equal(*frames)


def test_row_numbers_in_a_parquet_file_are_no_column(tmp_path):
    mixed_frame().query("rooms > 2").to_parquet(tmp_path / "d")
    mixed_frame().query("rooms > 2").set_index("code").to_parquet(tmp_path / "e")
    frames = [read_table([str(tmp_path / name)], Text(), str).frame for name in "de"]
    assert list(frames[0]) == list(mixed_frame()) and sorted(frames[1]) == sorted(mixed_frame())


@pytest.mark.slow
def test_types_are_read_from_all_rows(tmp_path):
    rows = [f"{i},{i % 7}\n" for i in range(200_000)]
    (tmp_path / "d.csv").write_text("x,y\n" + "".join(rows) + "0.5,late\n")
    said = []
    frame, _ = read_columns(read_table([str(tmp_path / "d.csv")], Text(), str).frame, Rules(), said.append)
    assert frame["x"].dtype == np.float64 and frame["x"].iloc[-1] == 0.5
    assert np.isnan(frame["y"].iloc[-1]) and said == ["y: read as numbers, 1 cell was 'late'"]
