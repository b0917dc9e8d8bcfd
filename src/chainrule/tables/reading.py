"""Tables from files, read strictly: delimited text, plain or gzipped, and Parquet.

Every row has as many cells as there are names. What is found out about a file rather than
said, its delimiter, decimal mark and encoding, is kept in `decided` for people to see.
Nothing is shifted, guessed or dropped in silence: what does not fit is refused with its
file, line and column.
"""

from __future__ import annotations

import csv
import glob
import io
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule._errors import ConfigurationError, DataError
from chainrule._files import read_bytes
from chainrule.tables import cells
from chainrule.tables.cells import Missing
from chainrule.tables.decoding import ENCODINGS, called, decoded
from chainrule.tables.frames import from_frame
from chainrule.tables.number_format import PLAIN, find_format, require_marks
from chainrule.tables.series_text import SeriesText, joined
from chainrule.tables.table import Column, Table, check_names, listed
from chainrule.tables.text import Text

if TYPE_CHECKING:
    import polars

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
MOST_CELLS = 50_000_000  # 3 GB of memory
BYTES_OF_CELL = 60  # of memory while a table is read
_LONGEST_CELL = 131_072  # characters, the limit of Python's csv
_LONGEST_LINE_OF_NAMES = 2**26  # bytes
_BLOCK = 10_000  # rows that are Python objects at once
_TABLES = (".csv", ".tsv", ".parquet", ".csv.gz", ".tsv.gz")


@dataclass(frozen=True)
class Format:
    """How a delimited text is written, as far as it is said; None is found out.

    Attributes
    ----------
    delimiter : str, optional
        One character.
    decimal : {".", ","}, optional
    encoding : {"utf-8", "utf-16", "latin-1"}, optional
    thousands : {",", ".", " ", "'", "_", ""}, optional
        What stands between groups of three digits; "" if nothing does.
    missing : Missing, optional
        Which words stand for a missing value; the usual ones if left out.
    most_cells : int
        How many cells a table may have: more would not fit into the memory of most machines.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    thousands: str | None = None
    missing: Missing | None = None
    most_cells: int = MOST_CELLS

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            why = _why_no_delimiter(self.delimiter)
            if why:
                raise ConfigurationError(f"delimiter is {self.delimiter!r}; {why}")
        require_marks(self.decimal, self.thousands, self.delimiter)
        if self.encoding is not None and called(self.encoding) not in ENCODINGS:
            raise ConfigurationError(
                f"encoding is {self.encoding!r}; it can be {', '.join(ENCODINGS)}"
            )


def read_table(path: str, content: bytes | None = None, written: Format = Format()) -> Table:
    """Read a table from a file, from all tables in a folder, or from all that a pattern names.

    The first line of a text that is not blank names the columns. The delimiter (comma, semicolon,
    tab or bar) is the one that occurs most in it. The marks of decimals and of thousands are those
    of cells that can be read in one way only. Text that is not UTF-8 is read as Latin-1.

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
        If it cannot be read, breaks a rule, or is too large: with the line.
    """
    if content is None and _is_several(path):
        files = files_of(path)
        return _joined(path, [_read_one(name, read_bytes(name), written) for name in files])
    return _read_one(path, read_bytes(path) if content is None else content, written)


def files_of(path: str) -> list[str]:
    """Return the files that are read for a path: of a folder or a pattern all, else itself.

    Raises
    ------
    DataError
        If a folder or a pattern leads to none.
    """
    if not _is_several(path):
        return [path]
    if os.path.isdir(path):
        found = [os.path.join(path, name) for name in os.listdir(path)]
        found = [name for name in found if is_table(name)]
    else:
        found = glob.glob(path, recursive=True)
    found = sorted(name for name in found if os.path.isfile(name))
    if not found:
        raise DataError(f"{path}: there is no table there (files ending in {', '.join(_TABLES)})")
    return found


def is_table(name: str) -> bool:
    """Return whether a file of this name is read with the folder that it is in."""
    return name.lower().endswith(_TABLES)


def _is_several(path: str) -> bool:
    pattern = any(mark in path for mark in "*?[") and not os.path.exists(path)
    return pattern or os.path.isdir(path)


def _joined(source: str, tables: Sequence[Table]) -> Table:
    first = tables[0]
    for table in tables[1:]:
        if set(table.names) != set(first.names):
            only = sorted(set(table.names) ^ set(first.names))
            raise DataError(
                f"{table.source} and {first.source} do not have the same columns (they differ in "
                f"{listed(only)}); tables that are read together need the same"
            )
    columns = {}
    for name in first.names:
        parts = [table.columns[name] for table in tables]
        if len({part.kind for part in parts}) > 1:
            raise DataError(
                f"{source}: column {cells.quoted(name)} does not hold the same in all files"
            )
        _require_one_format(tables, parts)
        texts = [part.values for part in parts if isinstance(part.values, Text)]
        values = joined(texts) if texts else np.concatenate([part.values for part in parts])
        columns[name] = Column(name, values, parts[0].kind)
    lines = [table.lines for table in tables]
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])]).tolist()
    return Table(
        source,
        columns,
        None if any(part is None for part in lines) else np.concatenate(lines),  # type: ignore[arg-type]
        (
            f"{len(tables)} file{'s' * (len(tables) > 1)}",
            *dict.fromkeys(d for table in tables for d in table.decided),
        ),
        tuple((table.source, start) for table, start in zip(tables, starts, strict=True)),
    )


def _require_one_format(tables: Sequence[Table], parts: Sequence[Column]) -> None:
    """Raise DataError if the numbers of one column are written in different ways."""
    first = parts[0].values
    for table, part in zip(tables, parts, strict=True):
        if not (isinstance(first, Text) and isinstance(part.values, Text)):
            continue
        ours, theirs = part.values.form, first.form
        for mark, option in (("decimal", "decimal mark"), ("thousands", "mark of thousands")):
            one, other = getattr(ours, mark), getattr(theirs, mark)
            if one != other:
                raise DataError(
                    f"{table.source} has {option} {one!r}, {tables[0].source} has {other!r}; say "
                    f"which it is with --{mark}"
                )


def _read_one(path: str, content: bytes, written: Format) -> Table:
    if content[:4] == b"PAR1":
        return _parquet(path, content, written)
    text, decided = decoded(path, content, written.encoding)
    if not text.strip():
        raise DataError(f"{path} is empty; a table has a line of column names and rows of numbers")
    return _parse(path, text, written, decided)


def _parquet(path: str, content: bytes, written: Format) -> Table:
    import polars  # late: only who reads files needs it

    def text_of(series: polars.Series, missing: Missing) -> Text:
        return SeriesText(series.fill_null("").str.strip_chars(), missing)

    try:
        lazy = polars.scan_parquet(io.BytesIO(content))
        n_rows = int(lazy.select(polars.len()).collect().item())
        _require_cells(path, n_rows * len(lazy.collect_schema()), written.most_cells)
        lengths = lazy.select(polars.col(polars.String).str.len_bytes().max()).collect()
        for name, longest in lengths.to_dict(as_series=False).items():
            if longest[0] is not None and longest[0] > _LONGEST_CELL:
                raise DataError(
                    f"{path}: column {cells.quoted(name)} has a cell of {longest[0]:,} bytes, at "
                    f"most {_LONGEST_CELL:,} are read; leave it out"
                )
        frame = lazy.collect()
    except DataError:
        raise
    except Exception as error:  # whatever is damaged has an exception of its own
        raise DataError(f"{path} is a Parquet file that cannot be read: {error}") from None
    return from_frame(frame, path, written.missing or Missing(), text_of)


def _require_cells(path: str, n: int, most: int) -> None:
    if n > most:
        raise DataError(
            f"{path} has {n:,} cells, at most {most:,} are read; leave out rows or columns, or "
            f"raise the limit by --max-cells {n}: a cell takes about {BYTES_OF_CELL} bytes"
        )


def _parse(path: str, text: bytes, written: Format, decided: list[str]) -> Table:
    delimiter, skipped = _delimiter(path, text, written)
    _require_cells(path, text.count(delimiter.encode()) + text.count(b"\n"), written.most_cells)
    csv.field_size_limit(_LONGEST_CELL)
    stream = io.TextIOWrapper(io.BytesIO(text), "utf-8", newline="")
    for _ in range(skipped):
        stream.readline()
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows = _Rows(reader, skipped)
    try:
        names = rows.names()
        _check_names_differ_from_numbers(path, names)
        columns, lines = _columns(rows.blocks(path, delimiter), written.missing or Missing())
    except csv.Error as error:
        what = str(error)
        if "field limit" in what:
            what = f"a cell has more than {_LONGEST_CELL:,} characters; is a quote missing?"
        raise DataError(f"{path}, line {rows.line}: {what}") from None
    except StopIteration:
        raise DataError(f"{path} has a line that names the delimiter, and nothing else") from None
    if not columns:
        raise DataError(f"{path} has column names but no rows; at least 1 is needed")
    if rows.n_empty:
        n = rows.n_empty
        decided.append(f"{n} row{'s' * (n > 1)} of empty cells at the end left out")
    texts = _named(path, names, columns, decided)
    form = find_format(list(texts.values()), delimiter, written.decimal, written.thousands)
    named = {name: Column(name, of.written_as(form)) for name, of in texts.items()}
    if written.delimiter is None and delimiter != ",":
        decided.append(f"delimiter {DELIMITERS.get(delimiter, repr(delimiter))}")
    decided += form.in_words(written.decimal is None, written.thousands is None)
    return Table(path, named, lines, tuple(decided))


@dataclass(frozen=True, eq=False)
class _Block:
    """Some rows: the cells of each column, and the line that each row ends on."""

    columns: list[tuple[str, ...]]
    lines: NDArray[np.intp]

    def series(self) -> list[polars.Series]:
        """Return the columns as strings that are no Python objects."""
        import polars  # late: a small table does not need it

        columns = [polars.Series(cells, dtype=polars.String) for cells in self.columns]
        return [column.str.strip_chars() for column in columns]


class _Rows:
    """The rows of a delimited text, a block of them at a time as Python objects.

    Parameters
    ----------
    reader : csv reader
    skipped : int
        Lines before those that it reads.
    """

    def __init__(self, reader: Iterator[list[str]], skipped: int) -> None:
        self._reader, self._skipped = reader, skipped
        self._names: list[str] = []
        self.n_empty = 0

    @property
    def line(self) -> int:
        """The line of the file that has been read last."""
        return int(self._reader.line_num) + self._skipped  # type: ignore[attr-defined]

    def names(self) -> list[str]:
        """Return the names of the columns, from the first line that is not blank."""
        self._names = [name.strip() for name in next(self._reader)]
        while not any(self._names):
            self._names = [name.strip() for name in next(self._reader)]
        return self._names

    def blocks(self, path: str, delimiter: str) -> Iterator[_Block]:
        """Return all rows but those at the end in which every cell is empty."""
        rows: list[list[str]] = []
        lines: list[int] = []
        empty: list[tuple[list[str], int]] = []
        reader: Any = self._reader
        for row in reader:
            # the first cell of nearly every row says at once that it is not empty
            if not (row and row[0]) and not any(cell.strip() for cell in row):
                empty.append((row, self.line))
                continue
            for blank, line in empty:  # they are not at the end
                rows.append(blank)
                lines.append(line)
            empty = []
            rows.append(row)
            lines.append(reader.line_num + self._skipped)
            if len(rows) >= _BLOCK:
                yield self._block(path, delimiter, rows, lines)
                rows, lines = [], []
        self.n_empty = sum(len(row) > 1 for row, _ in empty)
        if rows:
            yield self._block(path, delimiter, rows, lines)

    def _block(self, path: str, delimiter: str, rows: list[list[str]], lines: list[int]) -> _Block:
        n = len(self._names)
        wrong = next((i for i, row in enumerate(rows) if len(row) != n), None)
        if wrong is not None:
            raise DataError(
                f"{path}, line {lines[wrong]}: {len(rows[wrong])} cells where the first line has "
                f"{n} names (delimiter: {DELIMITERS.get(delimiter, repr(delimiter))}); every row "
                "needs one cell per name"
            )
        return _Block(list(zip(*rows, strict=True)), np.array(lines, dtype=np.intp))


def _columns(blocks: Iterator[_Block], missing: Missing) -> tuple[list[Text], NDArray[np.intp]]:
    """Return the columns of all blocks as text, and the line of each row."""
    first, second = next(blocks, None), next(blocks, None)
    if first is None:
        return [], np.empty(0, dtype=np.intp)
    if second is None:
        texts = [Text.of((cell.strip() for cell in cells), missing) for cells in first.columns]
        return texts, first.lines
    import polars  # late: a small table does not need it

    series, lines = [], []
    for block in chain([first, second], blocks):
        series.append(block.series())
        lines.append(block.lines)
    columns = [polars.concat(parts) for parts in zip(*series, strict=True)]
    return [SeriesText(column, missing) for column in columns], np.concatenate(lines)


def _named(path: str, names: list[str], texts: list[Text], decided: list[str]) -> dict[str, Text]:
    """Return the columns that have a name; one without is left out if it is empty or the first."""
    named: dict[str, Text] = {}
    kept = {}
    for j, (name, text) in enumerate(zip(names, texts, strict=True)):
        if name:
            kept[j + 1] = name
            named[name] = text
            continue
        filled = text.any_filled
        if j > 0 and filled:
            kept[j + 1] = name  # which is refused
            continue
        what = "taken as names of rows and " if filled else ""
        decided.append(f"column {j + 1} has no name, {what}left out")
    check_names(path, kept)
    if not kept:
        raise DataError(f"{path} has no column with a name; give them names in the first line")
    return named


def _delimiter(path: str, text: bytes, written: Format) -> tuple[str, int]:
    """Return the delimiter, and how many lines go before the names: the one of Excel's "sep=;"."""
    blank = len(text) - len(text.lstrip(b"\r\n"))
    line, *_ = re.split(rb"[\r\n]", text[blank : blank + _LONGEST_LINE_OF_NAMES], maxsplit=1)
    if len(line) == _LONGEST_LINE_OF_NAMES:
        raise DataError(
            f"{path}: the first line has more than {_LONGEST_LINE_OF_NAMES:,} bytes; it is no line "
            "of column names"
        )
    first_line = line.decode()
    excel = re.fullmatch(r'"?sep=(.)"?[,;\t]*', first_line)
    if excel:
        why = _why_no_delimiter(excel[1])
        if why and written.delimiter is None:
            raise DataError(
                f"{path}: the first line says that the delimiter is {excel[1]!r}; {why}"
            )
        return written.delimiter or excel[1], 1 + text[:blank].count(b"\n")
    if written.delimiter:
        return written.delimiter, 0
    unquoted = re.sub(r'"[^"]*"', "", first_line)
    count = Counter(c for c in unquoted if c in ",;\t|")
    return (count.most_common(1)[0][0] if count else ","), 0


def _why_no_delimiter(delimiter: str) -> str:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        return "give one character"
    if delimiter.isalnum():
        return "a letter or a digit cannot be told from what is in the cells; give another"
    return ""


def _check_names_differ_from_numbers(path: str, names: Sequence[str]) -> None:
    if all(PLAIN["."].fullmatch(name) for name in names):
        raise DataError(
            f"{path}: the first line ({listed(names)}) holds numbers, not column names; "
            "add a line of names"
        )
