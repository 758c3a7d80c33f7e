"""Sheets of Excel files as rows of cells."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

from fastnn.cli.inputs import InputError, Say
from fastnn.cli.memory import available_bytes, require_room

if TYPE_CHECKING:
    import pandas as pd

ZIP, WORKBOOK, OLD_EXCEL = b"PK\x03\x04", "xl/workbook.xml", b"\xd0\xcf\x11\xe0"
# A cell takes so many bytes of memory or more, and is looked at so many rows at a time.
CELL_BYTES, PIECE = 64, 1000


def is_excel(name: str, contents: bytes) -> bool:
    """Whether it is a workbook; other packed files and those of old versions are refused."""
    if contents.startswith(OLD_EXCEL):
        raise InputError(f"{name!r} is a file of an old Excel: save it as .xlsx or CSV")
    if not contents.startswith(ZIP):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as packed:
            names = packed.namelist()
            size = sum(member.file_size for member in packed.infolist())
    except zipfile.BadZipFile as error:
        raise InputError(f"{name!r} cannot be read: {error}") from None
    if WORKBOOK not in names:
        raise InputError(f"{name!r} is a zip file, and no Excel file: unpack it")
    require_room(name, size, available_bytes())
    return True


def read_excel(name: str, contents: bytes, say: Say) -> pd.DataFrame:
    """The first sheet that holds anything, below its first row, which holds the columns' names."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise InputError(f"{name!r} is an Excel file, which needs openpyxl: pip install openpyxl") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and the like
            book = load_workbook(io.BytesIO(contents), read_only=True, data_only=True)
            for sheet in book.worksheets:
                rows = _rows(name, sheet)
                if rows:
                    if len(book.worksheets) > 1:
                        say(f"{name}: read is the sheet {sheet.title!r} of {len(book.worksheets)}")
                    return _frame(rows)
    except InputError:
        raise
    except Exception as error:  # a file may be spoilt in as many ways as openpyxl has lines
        raise InputError(f"{name!r} cannot be read: {type(error).__name__}: {error}") from None
    raise InputError(f"{name!r} is empty")


def _rows(name: str, sheet: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    free, cells = available_bytes(), 0
    for row in sheet.iter_rows(values_only=True):
        cells += len(row) + 1
        if len(rows) % PIECE == 0:
            require_room(name, cells * CELL_BYTES, free)
        if any(cell is not None for cell in row):
            rows.append(row)
    return rows


def _frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    header = ["" if cell is None else str(cell) for cell in rows[0]]
    width = max(map(len, rows))
    header += [""] * (width - len(header))
    cells = [(*row, *[None] * (width - len(row))) for row in rows[1:]]
    frame = pd.DataFrame({i: pd.Series([row[i] for row in cells], dtype=object) for i in range(width)})
    for i in frame:  # numbers are numbers, but texts and what is mixed stay as they are
        values = frame[i].dropna()
        if not any(isinstance(value, str) for value in values):
            frame[i] = frame[i].infer_objects()
    return frame.set_axis(header, axis=1)
