"""Tables: the built-in data, and files of text, Parquet and Excel, as DataFrames; and back to files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fastnn.cli.excel import is_excel, read_excel
from fastnn.cli.inputs import InputError, Say, some
from fastnn.cli.memory import available_bytes, require_room
from fastnn.cli.sources import DELIMITERS, as_utf8, contents_of, files_of, layout_of
from fastnn.datasets import DATASETS, load
from fastnn.files import write_bytes
from fastnn.tabular.frames import repeated_in

if TYPE_CHECKING:
    import pandas as pd

PARQUET_SUFFIXES, PARQUET_MAGIC = (".parquet", ".pq"), b"PAR1"
PANDAS_INDEX = "__index_level_"
# Of row numbers that a table has been saved with, by pandas or a spreadsheet.
UNNAMED = re.compile(r"(Unnamed: \d+)?")
# In some languages a spreadsheet takes the wide forms of = + - @ for them.
BEGIN_FORMULAS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
NUMBER = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?", re.IGNORECASE)
# Types are inferred over one block; arrow wants its size below 2 GB.
LARGEST_BLOCK = 1 << 30
# Parquet is unpacked so many bytes at a time, to see in time that it is too much.
PIECE, MOST_ROWS = 1 << 26, 1 << 12
SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}


class Table(NamedTuple):
    """A table, and the column to predict where that is known."""

    frame: pd.DataFrame
    target: str | None


@dataclass(frozen=True)
class Text:
    """What is told of a file's text: the separator of cells and the encoding; None where it is found out."""

    sep: str | None = None
    encoding: str | None = None

    @property
    def separator(self) -> str | None:
        if self.sep is None:
            return None
        mark = SEPARATORS.get(self.sep, self.sep)
        if len(mark) != 1 or not mark.isascii() or mark in '"\r\n\0':
            raise InputError(f"--sep {self.sep!r}: give one character such as ';', or tab")
        return mark


def read_table(data: Sequence[str], text: Text, say: Say) -> Table:
    """The built-in data of that name, or else the files, one below the other; cells of text as texts."""
    text.separator  # noqa: B018  (which says what it cannot be)
    built_in = [name for name in data if name in DATASETS]
    if built_in and len(data) > 1:
        raise InputError(f"{built_in[0]!r} is built-in data: give it alone, or ./{built_in[0]} for a file")
    if built_in:
        return _built_in(built_in[0])
    files = files_of(list(data))
    if len(files) == 1 and not Path(files[0]).exists() and files[0] != "-":
        raise InputError(f"there is no file {files[0]!r}, and the built-in data are {', '.join(DATASETS)}")
    frames = [_file(name, text, say) for name in files]
    if len(frames) == 1:
        return Table(frames[0], None)
    for name, frame in zip(files, frames, strict=True):
        odd = sorted(set(frames[0].columns) ^ set(frame.columns))
        if odd:
            raise InputError(f"{files[0]!r} and {name!r} do not have the same columns: one lacks {some(odd)}")
    import pandas as pd

    frame = pd.concat(frames, ignore_index=True)
    say(f"{len(files)} files with {len(frame):,} rows")
    return Table(frame, None)


def _built_in(name: str) -> Table:
    import numpy as np
    import pandas as pd

    data = load(name)
    frame = pd.DataFrame(data.X, columns=list(data.feature_names))
    frame[data.target_name] = np.array(data.class_names)[data.y] if data.class_names else data.y
    return Table(frame, data.target_name)


def _file(name: str, text: Text, say: Say) -> pd.DataFrame:
    import pyarrow as pa

    contents = contents_of(name)
    try:
        if contents.startswith(PARQUET_MAGIC) or name.lower().endswith(PARQUET_SUFFIXES):
            frame = _from_parquet(name, contents)
        elif is_excel(name, contents):
            frame = read_excel(name, contents, say)
        else:
            frame = _from_csv(name, contents, text, say)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{name!r} cannot be read: {error}") from None
    frame = _named(name, frame.set_axis([column.strip() for column in frame.columns], axis=1), say)
    repeated = repeated_in(frame.columns)
    if repeated:
        raise InputError(f"{name!r} has more than one column {repeated[0]!r}; rename them")
    if not len(frame):
        raise InputError(f"{name!r} has a header, but no rows")
    return frame


def _named(name: str, frame: pd.DataFrame, say: Say) -> pd.DataFrame:
    """Columns without a name are row numbers, or nothing, and go; or they are called by their place."""
    names, gone = list(frame.columns), set()
    for place, column in enumerate(names):
        if not UNNAMED.fullmatch(column):
            continue
        cells = frame.iloc[:, place]
        if not (cells.notna() & (cells.astype(str).str.strip() != "")).any():
            gone.add(place)
        elif place == 0 and cells.is_unique:
            gone.add(place)
            say(f"{name}: the first column has no name and numbers or names the rows: it is left out")
        elif not column:
            names[place] = f"column {place + 1}"
            say(f"{name}: a column without a name is called {names[place]!r}")
    return frame.set_axis(names, axis=1).iloc[:, [i for i in range(len(names)) if i not in gone]]


def _from_parquet(name: str, contents: bytes) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.BufferReader(contents))
    table = pa.Table.from_batches(_unpacked(name, file), file.schema_arrow)
    # Row numbers that pandas left there.
    table = table.drop_columns([x for x in set(table.column_names) if x.startswith(PANDAS_INDEX)])
    repeated = repeated_in(table.column_names)
    if repeated:
        raise InputError(f"{name!r} has more than one column {repeated[0]!r}; rename them")
    return table.to_pandas(ignore_metadata=True, date_as_object=False)


def _unpacked(data: str, file: Any) -> Iterator[Any]:
    """The batches of rows of a Parquet file, which may be a thousand times as large as it."""
    free, row = available_bytes(), sum(_least_bits(field.type) for field in file.schema_arrow) / 8
    least = file.metadata.num_rows * row
    require_room(data, least, free)
    unpacked = 0
    for batch in file.iter_batches(batch_size=max(1, min(MOST_ROWS, int(PIECE / (row + 1))))):
        unpacked += batch.nbytes
        require_room(data, max(least, unpacked), free)
        yield batch


def _least_bits(kind: Any) -> int:
    """Of a cell of an arrow type."""
    try:
        return int(kind.bit_width)
    except ValueError:  # texts and lists have an offset each
        return 32


def _from_csv(name: str, contents: bytes, told: Text, say: Say) -> pd.DataFrame:
    """All cells as texts, None where one is empty."""
    import pyarrow as pa
    from pyarrow import csv

    text, encoding = as_utf8(name, contents, told.encoding)
    separator, width, named_rows = layout_of(text, told.separator)
    if named_rows:
        text, width = separator.encode() + text, width + 1
    found = [f"as {encoding} text"] if encoding and not told.encoding else []
    if separator not in DELIMITERS[:1] and width > 1 and not told.sep:
        found.append(f"cells separated by {separator!r}")
    if found:
        say(f"{name}: read {', '.join(found)}")
    table = csv.read_csv(
        pa.BufferReader(text),
        read_options=csv.ReadOptions(
            block_size=min(len(text) + 1, LARGEST_BLOCK), autogenerate_column_names=True
        ),
        parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={f"f{i}": pa.string() for i in range(width)},
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
    header = ["" if (cell := column[0].as_py()) is None else str(cell) for column in table.columns]
    return table.slice(1).to_pandas().set_axis(header, axis=1)


def no_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The texts that a spreadsheet would take for formulas with a ' before them; numbers as they are."""

    def harmless(cell: Any) -> Any:
        formula = isinstance(cell, str) and cell.startswith(BEGIN_FORMULAS) and not NUMBER.fullmatch(cell)
        return f"'{cell}" if formula else cell

    texts = [name for name in frame.columns if frame[name].dtype.kind not in "biuf"]
    return frame.assign(**{name: frame[name].map(harmless) for name in texts})


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a CSV file, or Parquet where the name ends so, atomically."""
    contents = BytesIO()
    if path.suffix.lower() in PARQUET_SUFFIXES:
        frame.to_parquet(contents, index=False)
    else:
        frame.to_csv(contents, index=False)
    write_bytes(path, contents.getvalue())
