"""Tables from delimited text, read strictly.

A number is ASCII digits with a point and an exponent, nothing else. Every row has as
many cells as there are names. Nothing is shifted, guessed or dropped in silence:
what does not fit is refused with its file, line and column.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import DataError
from chainrule._files import read_bytes

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "."}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_LONGEST_CELL = 131_072
_LARGEST_UNZIPPED = 2**29


@dataclass(frozen=True, eq=False)
class Table:
    """A table as it was read: names and cells of text.

    Attributes
    ----------
    source : str
        Where it came from, for messages.
    names : tuple of str
    rows : list of list of str
    lines : list of int
        The line of the file each row ends on.
    """

    source: str
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.rows)

    def numbers(self, names: Sequence[str]) -> Array:
        """Return the columns called `names` as a matrix (rows, columns).

        Raises
        ------
        DataError
            If there is no such column, or a cell is not a number: with its line.
        """
        self.require(names)
        return np.array([self._column(name) for name in names], dtype=np.float64).T.reshape(
            len(self), len(names)
        )

    def require(self, names: Sequence[str]) -> None:
        """Raise DataError unless all columns called `names` exist."""
        missing = [name for name in names if name not in self.names]
        if missing:
            raise DataError(
                f"{self.source} has no column {_listed(missing)}; its columns are "
                f"{_listed(self.names)}"
            )

    def _column(self, name: str) -> list[float]:
        j = self.names.index(name)
        numbers = []
        for i, row in enumerate(self.rows):
            cell = row[j].strip()
            if not _NUMBER.fullmatch(cell):
                raise DataError(self._not_a_number(name, i, cell))
            number = float(cell)
            if not np.isfinite(number):
                raise DataError(
                    f"{self._place(name, i)}: {cell!r} is larger than any float64 (1.8e308); "
                    "use a larger unit"
                )
            numbers.append(number)
        return numbers

    def _place(self, name: str, i: int) -> str:
        return f"{self.source}, column {name!r}, row {i + 1} (line {self.lines[i]})"

    def _not_a_number(self, name: str, i: int, cell: str) -> str:
        place = self._place(name, i)
        if cell.lower() in _MISSING:
            what = "the value is missing" if cell == "" else f"{cell!r} marks a missing value"
            return f"{place}: {what}; fill it in, or remove the row"
        if cell.lower().lstrip("+-") in ("inf", "infinity"):
            return f"{place}: {cell!r} is not finite; replace it, or remove the row"
        if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", cell):
            return f"{place}: {cell!r} is not a number; is it a decimal comma? Write a point"
        return (
            f"{place}: {cell!r} is not a number; only numbers can be used, so replace it, or "
            f"leave the column out with --drop"
        )


def read_table(path: str, content: bytes | None = None) -> Table:
    """Read a table from a delimited text file, plain or gzipped.

    The first line names the columns. The delimiter (comma, semicolon or tab) is the
    one that occurs most in it.

    Parameters
    ----------
    path : str
    content : bytes, optional
        What to parse instead of the file; `path` then only serves for messages.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If it cannot be read, or breaks a rule: with the line.
    """
    text = _decode(path, read_bytes(path) if content is None else content)
    if not text.strip():
        raise DataError(f"{path} is empty; a table has a line of column names and rows of numbers")
    delimiter = _delimiter(re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0])
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    rows, lines = [], []
    try:
        names = tuple(name.strip() for name in next(reader))
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
        lines.pop()
    _check_names(path, names)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(names):
            raise DataError(
                f"{path}, line {line}: {len(row)} cells where the first line has {len(names)} "
                f"names (delimiter: {_DELIMITERS[delimiter]}); every row needs one cell per name"
            )
    if not rows:
        raise DataError(f"{path} has column names but no rows; at least 1 is needed")
    return Table(path, names, rows, lines)


def _decode(path: str, content: bytes) -> str:
    if content[:2] == b"\x1f\x8b":
        content = _unzip(path, content)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not {encoding[:6]}; save "
            "the table as UTF-8 text"
        ) from None
    if "\0" in text:
        raise DataError(f"{path} is not text: it has a zero byte; give a delimited text file")
    return text


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


def _delimiter(first_line: str) -> str:
    unquoted = re.sub(r'"[^"]*"', "", first_line)
    count = Counter(c for c in unquoted if c in _DELIMITERS)
    return count.most_common(1)[0][0] if count else ","


def _check_names(path: str, names: tuple[str, ...]) -> None:
    if all(_NUMBER.fullmatch(name) for name in names):
        raise DataError(
            f"{path}: the first line ({_listed(names)}) holds numbers, not column names; "
            "add a line of names"
        )
    for j, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"{path}: column {j} has no name; give it one in the first line")
        if not name.isprintable():
            raise DataError(
                f"{path}: the name of column {j}, {name!r}, has characters that cannot be printed; "
                "rename it"
            )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}: the column name {_listed(twice)} occurs more than once; names must differ"
        )


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
