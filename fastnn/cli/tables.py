"""Tables: the built-in data, and CSV and Parquet files, as DataFrames; and back to files."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fastnn.cli.inputs import InputError
from fastnn.datasets import DATASETS, load
from fastnn.storage import write_bytes

if TYPE_CHECKING:
    import pandas as pd

PARQUET_SUFFIXES, PARQUET_MAGIC = (".parquet", ".pq"), b"PAR1"
PANDAS_INDEX = "__index_level_"
DELIMITERS = ",;\t|"
# Types are inferred over one block; arrow wants its size below 2 GB.
LARGEST_BLOCK = 1 << 30


class Table(NamedTuple):
    """A table, and the column to predict where that is known."""

    frame: pd.DataFrame
    target: str | None


def read_table(data: str) -> Table:
    """The built-in data of that name, or else the CSV or Parquet file."""
    if data in DATASETS:
        return _built_in(data)
    path = Path(data)
    if path.is_dir():
        raise InputError(f"{data!r} is a folder, not a file")
    if not path.exists():
        raise InputError(f"there is no file {data!r}, and the built-in data are {', '.join(DATASETS)}")
    contents = path.read_bytes()
    if not contents:
        raise InputError(f"{data!r} is empty")
    table = _arrow_table(data, contents)
    names = table.column_names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{data!r} has more than one column {repeated[0]!r}; rename them")
    if table.num_rows == 0:
        raise InputError(f"{data!r} has a header, but no rows")
    return Table(table.to_pandas(ignore_metadata=True, date_as_object=False), None)


def _built_in(name: str) -> Table:
    import numpy as np
    import pandas as pd

    data = load(name)
    frame = pd.DataFrame(data.X, columns=list(data.feature_names))
    frame[data.target_name] = np.array(data.class_names)[data.y] if data.class_names else data.y
    return Table(frame, data.target_name)


def _arrow_table(data: str, contents: bytes) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        if contents.startswith(PARQUET_MAGIC) or data.lower().endswith(PARQUET_SUFFIXES):
            table = parquet.ParquetFile(pa.BufferReader(contents)).read()
            # Row numbers that pandas left there.
            return table.drop_columns([x for x in set(table.column_names) if x.startswith(PANDAS_INDEX)])
        return _from_csv(data, contents)
    except UnicodeDecodeError:
        raise InputError(f"{data!r} is not UTF-8 text; convert it") from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{data!r} cannot be read: {error}") from None


def _from_csv(data: str, contents: bytes) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    if b"\0" in contents:
        raise InputError(f"{data!r} is neither CSV text nor a Parquet file")
    header = re.split(rb"[\r\n]", contents, maxsplit=1)[0].decode()
    table = csv.read_csv(
        pa.BufferReader(contents),
        read_options=csv.ReadOptions(block_size=min(len(contents) + 1, LARGEST_BLOCK)),
        parse_options=csv.ParseOptions(delimiter=max(DELIMITERS, key=header.count), newlines_in_values=True),
        convert_options=csv.ConvertOptions(strings_can_be_null=True),
    )
    for field in table.schema:
        if pa.types.is_binary(field.type):
            raise InputError(f"{data!r} is not UTF-8 text in column {field.name!r}; convert it")
    return table


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a CSV file, or Parquet where the name ends so, atomically."""
    contents = BytesIO()
    if path.suffix.lower() in PARQUET_SUFFIXES:
        frame.to_parquet(contents, index=False)
    else:
        frame.to_csv(contents, index=False)
    write_bytes(path, contents.getvalue())
