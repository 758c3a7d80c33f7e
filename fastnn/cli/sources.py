"""Where a table comes from: files, several by a glob, standard input; its bytes, unpacked, and their text."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import sys
import zlib
from pathlib import Path
from typing import IO

from fastnn.cli.inputs import InputError
from fastnn.cli.memory import available_bytes, require_room

STDIN = "-"
GZIP, BOM8 = b"\x1f\x8b", b"\xef\xbb\xbf"
BOMS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# A file is read, and unpacked, so many bytes at a time, to see in time that it is too much.
PIECE = 1 << 26
DELIMITERS = ",;\t|"
SAMPLE = 1 << 16


def files_of(data: list[str]) -> list[str]:
    """The names of the files; a name that is none may be a pattern such as sales-*.csv."""
    result: list[str] = []
    for name in data:
        if name == STDIN or Path(name).exists() or not glob.has_magic(name):
            result.append(name)
            continue
        found = sorted(glob.glob(name))
        if not found:
            raise InputError(f"no file is called as {name!r} says")
        result += found
    return result


def contents_of(name: str) -> bytes:
    """All bytes of a file, which may be a pipe or a device without an end; unpacked, if gzip packed it."""
    if name == STDIN:
        if sys.stdin is None:
            raise InputError("standard input is closed")
        contents = _all_of(name, sys.stdin.buffer)
    else:
        if Path(name).is_dir():
            raise InputError(f"{name!r} is a folder, not a file")
        if not Path(name).exists():
            raise InputError(f"there is no file {name!r}")
        with open(name, "rb") as file:
            if file.seekable():
                require_room(name, file.seek(0, 2), available_bytes())
                file.seek(0)
            contents = _all_of(name, file)
    if contents.startswith(GZIP):
        try:
            contents = _all_of(name, gzip.GzipFile(fileobj=io.BytesIO(contents)))
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{name!r} cannot be unpacked: {error}") from None
    if not contents:
        raise InputError(f"{name!r} is empty")
    return contents


def _all_of(name: str, file: IO[bytes] | gzip.GzipFile) -> bytes:
    free, pieces, size = available_bytes(), [], 0
    while piece := file.read(PIECE):
        pieces.append(piece)
        size += len(piece)
        require_room(name, size, free)
    return b"".join(pieces)


def as_utf8(name: str, contents: bytes, encoding: str | None) -> tuple[bytes, str | None]:
    """The text as UTF-8, and the encoding that it was in, where that was another."""
    found = encoding or _encoding(contents)
    if found is None:
        raise InputError(f"{name!r} is no text, nor a Parquet or an Excel file")
    try:
        text = contents.removeprefix(BOM8) if found == "utf-8" else contents
        decoded = text.decode(found)
    except LookupError:
        raise InputError(
            f"--encoding {found!r} is none that Python knows, such as utf-8 or latin-1"
        ) from None
    except (UnicodeError, ValueError) as error:
        raise InputError(f"{name!r} cannot be read as {found}: {error}") from None
    if "\0" in decoded:
        raise InputError(f"{name!r} is no text, nor a Parquet or an Excel file")
    return (text, None) if found == "utf-8" else (decoded.removeprefix("\ufeff").encode(), found)


def _encoding(contents: bytes) -> str | None:
    for mark, name in BOMS.items():
        if contents.startswith(mark):
            return name
    start = contents[:SAMPLE]
    if b"\0" in start:  # UTF-16 without a mark has a zero in each second byte of most letters
        shares = [start[i::2].count(b"\0") / max(1, len(start) // 2) for i in (0, 1)]
        if max(shares) > 0.4 and min(shares) < 0.05:
            return "utf-16-be" if shares[0] > shares[1] else "utf-16-le"
        return None
    try:
        contents.decode()
        return "utf-8"
    except UnicodeDecodeError:
        return "latin-1" if any(0x81 == x or x in b"\x8d\x8f\x90\x9d" for x in start) else "cp1252"


def layout_of(text: bytes, separator: str | None) -> tuple[str, int, bool]:
    """The separator of a table's cells, the columns of its header, and whether rows have one cell more.

    Rows have one cell more where a program of statistics writes row names, and no name above them.
    """
    sample = text[:SAMPLE].decode(errors="ignore").splitlines(keepends=True)
    if len(text) > SAMPLE and len(sample) > 1:
        del sample[-1]

    def widths(delimiter: str) -> list[int]:
        try:
            return [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            return []

    found = {mark: widths(mark) for mark in ([separator] if separator else DELIMITERS)}

    def fit(mark: str) -> tuple[bool, int]:
        header, *rows = found[mark] or [1]
        steady = sum(width in (header, header + 1) for width in rows) >= 0.9 * len(rows)
        return steady and header > 1, header

    best = max(found, key=fit)
    header, *rows = found[best] or [1]
    return best, header, bool(rows) and all(width == header + 1 for width in rows)
