"""Tables from files, read strictly: delimited text, plain or gzipped, and Parquet.

Every row has as many cells as there are names. What is found out about a file rather than
said, its delimiter, decimal mark and encoding, is kept in `decided` for people to see.
Nothing is shifted, guessed or dropped in silence: what does not fit is refused with its
file, line and column.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule._errors import ConfigurationError, DataError
from chainrule._files import read_bytes
from chainrule.tables import cells
from chainrule.tables.frames import from_frame
from chainrule.tables.table import Column, Table, check_names, listed

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
_LONGEST_CELL = 131_072
_LARGEST_UNZIPPED = 2**29
_SNIFFED = 1000  # rows
_TABLES = (".csv", ".tsv", ".parquet", ".csv.gz", ".tsv.gz")
_ENCODINGS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "latin-1": "cp1252"}
_ALSO_CALLED = {"utf8": "utf-8", "utf-8-sig": "utf-8", "utf16": "utf-16"}
_ALSO_CALLED |= dict.fromkeys(("latin1", "iso-8859-1", "cp1252", "windows-1252"), "latin-1")
_PACKERS = {
    b"\x1f\x8b": "gzip twice",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}


@dataclass(frozen=True)
class Format:
    """How a delimited text is written, as far as it is said; None is found out.

    Attributes
    ----------
    delimiter : str, optional
        One character.
    decimal : {".", ","}, optional
    encoding : {"utf-8", "utf-16", "latin-1"}, optional
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ConfigurationError(f"delimiter is {self.delimiter!r}; give one character")
        if self.decimal not in (None, ".", ","):
            raise ConfigurationError(f"decimal is {self.decimal!r}; it can be . or ,")
        if self.decimal is not None and self.decimal == self.delimiter:
            raise ConfigurationError(f"delimiter and decimal are both {self.decimal!r}")
        if self.encoding is not None and _called(self.encoding) not in _ENCODINGS:
            raise ConfigurationError(
                f"encoding is {self.encoding!r}; it can be {', '.join(_ENCODINGS)}"
            )


def read_table(path: str, content: bytes | None = None, written: Format = Format()) -> Table:
    """Read a table from a file, from all tables in a folder, or from all that a pattern names.

    The first line of a text names the columns. The delimiter (comma, semicolon, tab or bar) is
    the one that occurs most in it. The decimal mark is a comma if some cells are numbers with
    one and none has a point, but not where commas are the delimiter. Text that is not UTF-8 is
    read as Latin-1.

    Parameters
    ----------
    path : str
    content : bytes, optional
        What to parse instead of the file; `path` then only serves for messages.
    written : Format

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If it cannot be read, or breaks a rule: with the line.
    """
    if content is None and _is_several(path):
        files = _files_of(path)
        return _joined(path, [_read_one(name, read_bytes(name), written) for name in files])
    return _read_one(path, read_bytes(path) if content is None else content, written)


def _is_several(path: str) -> bool:
    pattern = any(mark in path for mark in "*?[") and not os.path.exists(path)
    return pattern or os.path.isdir(path)


def _files_of(path: str) -> list[str]:
    if os.path.isdir(path):
        found = [os.path.join(path, name) for name in os.listdir(path)]
        found = [name for name in found if name.lower().endswith(_TABLES)]
    else:
        found = glob.glob(path, recursive=True)
    found = sorted(name for name in found if os.path.isfile(name))
    if not found:
        raise DataError(f"{path}: there is no table there (files ending in {', '.join(_TABLES)})")
    return found


def _joined(source: str, tables: Sequence[Table]) -> Table:
    first = tables[0]
    for table in tables[1:]:
        if set(table.names) != set(first.names):
            only = sorted(set(table.names) ^ set(first.names))
            raise DataError(
                f"{table.source} and {first.source} do not have the same columns (they differ in "
                f"{listed(only)}); tables that are read together need the same"
            )
        if table.decimal != first.decimal:
            raise DataError(
                f"{table.source} has decimal mark {table.decimal!r}, {first.source} has "
                f"{first.decimal!r}; say which it is with --decimal"
            )
    columns = {}
    for name in first.names:
        parts = [table.columns[name] for table in tables]
        if len({part.kind for part in parts}) > 1:
            raise DataError(f"{source}: column {name!r} does not hold the same in all files")
        columns[name] = Column(name, np.concatenate([p.values for p in parts]), parts[0].kind)
    lines = [table.lines for table in tables]
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])]).tolist()
    return Table(
        source,
        columns,
        None if any(part is None for part in lines) else np.concatenate(lines),  # type: ignore[arg-type]
        first.decimal,
        (
            f"{len(tables)} file{'s' * (len(tables) > 1)}",
            *dict.fromkeys(d for table in tables for d in table.decided),
        ),
        tuple((table.source, start) for table, start in zip(tables, starts, strict=True)),
    )


def _read_one(path: str, content: bytes, written: Format) -> Table:
    if content[:4] == b"PAR1":
        return _parquet(path, content)
    text, decided = _decode(path, content, written.encoding)
    if not text.strip():
        raise DataError(f"{path} is empty; a table has a line of column names and rows of numbers")
    return _parse(path, text, written, decided)


def _parquet(path: str, content: bytes) -> Table:
    import polars  # late: only who reads Parquet needs it

    try:
        frame = polars.read_parquet(io.BytesIO(content))
    except Exception as error:  # whatever is damaged has an exception of its own
        raise DataError(f"{path} is a Parquet file that cannot be read: {error}") from None
    return from_frame(frame, path)


def _parse(path: str, text: str, written: Format, decided: list[str]) -> Table:
    delimiter, skipped = _delimiter(text, written.delimiter)
    csv.field_size_limit(_LONGEST_CELL)
    stream = io.StringIO(text, newline="")
    if skipped:
        stream.readline()
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows, lines = [], []
    try:
        names = [name.strip() for name in next(reader)]
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num + skipped)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num + skipped}: {error}") from None
    except StopIteration:
        raise DataError(f"{path} has a line that names the delimiter, and nothing else") from None
    empty = 0
    while rows and not any(cell.strip() for cell in rows[-1]):
        empty += len(rows.pop()) > 1
        lines.pop()
    if empty:
        decided.append(f"{empty} row{'s' * (empty > 1)} of empty cells at the end left out")
    _check_rows(path, names, rows, lines, delimiter)
    columns = {}
    kept = {}
    for j, name in enumerate(names):
        values = np.array([row[j].strip() for row in rows], dtype=object)
        if not name and (j == 0 or not any(values)):
            what = "taken as names of rows and " if any(values) else ""
            decided.append(f"column {j + 1} has no name, {what}left out")
            continue
        kept[j + 1] = name
        columns[name] = Column(name, values)
    _check_names(path, names, kept)
    decimal = written.decimal or _decimal(columns, delimiter)
    if written.delimiter is None and delimiter != ",":
        decided.append(f"delimiter {_DELIMITERS[delimiter]}")
    if written.decimal is None and decimal != ".":
        decided.append("decimal comma")
    return Table(path, columns, np.array(lines, dtype=np.intp), decimal, tuple(decided))


def _check_rows(
    path: str, names: list[str], rows: list[list[str]], lines: list[int], delimiter: str
) -> None:
    if not rows and not all(cells.NUMBERS["."].fullmatch(name) for name in names):
        raise DataError(f"{path} has column names but no rows; at least 1 is needed")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(names):
            known = _DELIMITERS.get(delimiter, repr(delimiter))
            raise DataError(
                f"{path}, line {line}: {len(row)} cells where the first line has {len(names)} "
                f"names (delimiter: {known}); every row needs one cell per name"
            )


def _decode(path: str, content: bytes, encoding: str | None) -> tuple[str, list[str]]:
    """Return the text, and what was found out about it."""
    if content[:2] == b"\x1f\x8b":
        content = _unzip(path, content)
    for mark, packer in _PACKERS.items():
        if content.startswith(mark):
            raise DataError(f"{path} is packed by {packer}; unpack it, or pack it by gzip once")
    if content[:4] == b"PK\x03\x04":
        raise DataError(f"{path} is an Excel workbook or another zip file; save the table as CSV")
    marked = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else None
    asked = _called(encoding or marked or "utf-8")
    decided = ["encoding UTF-16"] if marked and not encoding else []
    try:
        text = content.decode(_ENCODINGS[asked])
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = content[error.start]
        if encoding or marked or b"\0" in content:
            raise DataError(
                f"{path}, line {line}: byte 0x{byte:02x} is not {asked}; say another --encoding "
                f"({', '.join(_ENCODINGS)}), or save the table as UTF-8 text"
            ) from None
        try:
            text = content.decode(_ENCODINGS["latin-1"])
        except UnicodeDecodeError as other:
            line, byte = content[: other.start].count(b"\n") + 1, content[other.start]
            raise DataError(
                f"{path}, line {line}: byte 0x{byte:02x} is neither utf-8 nor latin-1; save the "
                "table as UTF-8 text"
            ) from None
        decided.append("encoding Latin-1 (it is not UTF-8)")
    if "\0" in text:
        raise DataError(f"{path} is not text: it has a zero byte; give a delimited text file")
    return text, decided


def _called(encoding: str) -> str:
    """Return our name of an encoding that may be called by another one."""
    lower = encoding.lower().replace("_", "-")
    return _ALSO_CALLED.get(lower, lower)


def _unzip(path: str, content: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            text = stream.read(_LARGEST_UNZIPPED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file: {error}") from None
    if len(text) > _LARGEST_UNZIPPED:
        raise DataError(
            f"{path} unzips to more than {_LARGEST_UNZIPPED:,} bytes; unzip it first if it is meant"
        )
    return text


def _delimiter(text: str, asked: str | None) -> tuple[str, int]:
    """Return the delimiter, and how many lines go before the names: the one of Excel's "sep=;"."""
    first_line = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    excel = re.fullmatch(r'"?sep=(.)"?[,;\t]*', first_line)
    if excel:
        return asked or excel[1], 1
    if asked:
        return asked, 0
    unquoted = re.sub(r'"[^"]*"', "", first_line)
    count = Counter(c for c in unquoted if c in ",;\t|")
    return (count.most_common(1)[0][0] if count else ","), 0


def _decimal(columns: dict[str, Column], delimiter: str) -> str:
    """Return the decimal mark: a comma if numbers are written with one, and none with a point.

    Where commas also stand between cells, one inside a cell may be of thousands: it is refused.
    """
    if delimiter == ",":
        return "."
    with_comma = with_point = 0
    for column in columns.values():
        for cell in column.values[:_SNIFFED]:
            with_comma += "," in cell and bool(cells.NUMBERS[","].fullmatch(cell))
            with_point += "." in cell and bool(cells.NUMBERS["."].fullmatch(cell))
    return "," if with_comma and not with_point else "."


def _check_names(path: str, names: Sequence[str], kept: dict[int, str]) -> None:
    if all(cells.NUMBERS["."].fullmatch(name) for name in names):
        raise DataError(
            f"{path}: the first line ({listed(names)}) holds numbers, not column names; "
            "add a line of names"
        )
    check_names(path, kept)
    if not kept:
        raise DataError(f"{path} has no column with a name; give them names in the first line")
