"""A table as it was handed in: named columns, each of cells of text or of typed values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import DataError
from chainrule.tables import cells
from chainrule.tables.number_format import PLAIN
from chainrule.tables.number_format import advice as advice_on
from chainrule.tables.text import Places, Text

KINDS = ("number", "yes/no", "date", "category")
EXACT = 2**53  # beyond, neighbouring whole numbers are one float64


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Attributes
    ----------
    name : str
    values : Text or ndarray (n,)
        Text, categories too. Numbers, dates (days since 1970-01-01) and answers (0 and 1): float64,
        NaN where missing.
    kind : str
        "text" where the cells have to be read first, or one of `KINDS` where the type says it.
    """

    name: str
    values: Text | Array
    kind: str = "text"

    def __len__(self) -> int:
        return len(self.values)

    def numbers(self) -> tuple[Array, Places]:
        """Return the column as numbers, NaN where missing, and where it holds none."""
        if isinstance(self.values, Text):
            return self.values.numbers
        return np.asarray(self.values, dtype=np.float64), np.empty(0, dtype=np.intp)

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Where a value is missing."""
        values = self.values
        return values.is_missing if isinstance(values, Text) else np.isnan(values)

    def missing_as(self, i: int) -> str:
        """Return in words what marks the missing value of a row, nothing if its cell is empty."""
        cell = self.values[i]
        return f"{cells.quoted(cell)} marks it" if isinstance(cell, str) and cell else ""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of the same length, and where they came from.

    Attributes
    ----------
    source : str
        For messages.
    columns : dict of str to Column
    lines : ndarray of int, optional
        The line of the file that each row ends on.
    decided : tuple of str
        What was found out about the file rather than said, for people to see.
    parts : tuple of (str, int)
        The files that the rows came from if there were several, and where each begins.
    whole : ndarray of int, optional
        Where each row was in the table that these rows are some of.
    """

    source: str
    columns: dict[str, Column]
    lines: NDArray[np.intp] | None = None
    decided: tuple[str, ...] = ()
    parts: tuple[tuple[str, int], ...] = field(default=())
    whole: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.columns)

    def rows(self, places: NDArray[np.intp]) -> Table:
        """Return some of the rows, as a table of their own."""
        columns = {
            name: replace(column, values=column.values[places])
            for name, column in self.columns.items()
        }
        whole = places if self.whole is None else self.whole[places]
        return replace(
            self,
            columns=columns,
            lines=None if self.lines is None else self.lines[places],
            whole=whole,
        )

    def called(self, names: Sequence[str]) -> Table:
        """Return the same table with other names of its columns."""
        columns = {
            name: replace(column, name=name)
            for name, column in zip(names, self.columns.values(), strict=True)
        }
        return replace(self, columns=columns)

    def require(self, names: Sequence[str]) -> None:
        """Raise DataError unless all columns called `names` exist."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise DataError(
                f"{self.source} has no column {listed(missing)}; its columns are "
                f"{listed(self.names)}"
            )

    def place(self, name: str, i: int) -> str:
        """Return in words where a cell stands; rows are counted from 1."""
        source, first = self.source, 0
        row = i if self.whole is None else int(self.whole[i])
        for part, start in self.parts:
            if start <= row:
                source, first = part, start
        line = "" if self.lines is None else f" (line {self.lines[i]})"
        return f"{source}, column {cells.quoted(name)}, row {row - first + 1}{line}"

    def numbers(self, names: Sequence[str]) -> Array:
        """Return the columns called `names` as a matrix (rows, columns), none of them missing.

        Raises
        ------
        DataError
            If there is no such column, or a cell is not a number: with its place.
        """
        self.require(names)
        matrix = np.empty((len(self), len(names)))
        for j, name in enumerate(names):
            matrix[:, j] = self.read_numbers(name)
            nothing = np.flatnonzero(np.isnan(matrix[:, j]))
            if len(nothing):
                raise DataError(self._nothing(name, nothing))
        return matrix

    def read_numbers(self, name: str, advice: str = "") -> Array:
        """Return one column of numbers, NaN where nothing is said, or raise DataError.

        `advice` says what else can be done about cells that hold none.
        """
        column = self.columns[name]
        values, places = column.numbers()
        if len(places):
            raise DataError(self.not_a_number(name, places) + advice)
        self._require_finite(column, values)
        return values

    def not_a_number(self, name: str, places: NDArray[np.intp]) -> str:
        """Return in words what is wrong with cells that hold no number."""
        i, text = int(places[0]), self.columns[name].values
        assert isinstance(text, Text)
        cell = text[i]
        place, count = f"{self.place(name, i)}: {cells.quoted(cell)}", ""
        if len(places) > 1:
            count = f" (nor are {len(places) - 1} other cells of that column)"
        if cell.lower().lstrip("+-") in ("inf", "infinity"):
            return f"{place} is not finite; replace it, or remove the row"
        if text.form.decimal == "." and PLAIN[","].fullmatch(cell):
            what = advice_on(cell, text.form)
            if "--thousands" in what:
                return f"{place} is not a number{count}; {what}, or write it without the comma"
            comma = "is it a decimal comma? Write a point, or say --decimal ','"
            return f"{place} is not a number{count}; {comma}"
        if cell.lower() in cells.USUALLY_MISSING:
            return (
                f"{place} is not a number{count}; correct it, or say that it marks a missing value"
            )
        what = advice_on(cell, text.form)
        return f"{place} is not a number{count}; {what}{', or ' * bool(what)}correct it"

    def _nothing(self, name: str, places: NDArray[np.intp]) -> str:
        i = int(places[0])
        cell = self.columns[name].values[i]
        marked = isinstance(cell, str) and cell != ""
        what = f"{cells.quoted(cell)} marks a missing value" if marked else "the value is missing"
        many = f" (as in {len(places)} rows)" if len(places) > 1 else ""
        return f"{self.place(name, i)}: {what}{many}; fill it in, or remove the row"

    def _require_finite(self, column: Column, values: Array) -> None:
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            i = int(infinite[0])
            place, cell = self.place(column.name, i), column.values[i]
            if isinstance(cell, str):
                raise DataError(
                    f"{place}: {cells.quoted(cell)} is larger than any float64 (1.8e308); use a "
                    "larger unit"
                )
            raise DataError(f"{place}: {cell} is not finite; replace it, or remove the row")


def check_names(source: str, names: Mapping[int, str]) -> None:
    """Raise an error if columns, called by their numbers, have no names that tell them apart."""
    for j, name in names.items():
        if not name:
            raise DataError(f"{source}: column {j} has no name; give it one")
        why = cells.why_no_word(name)
        if why is not None:
            raise DataError(f"{source}: the name of column {j}, {cells.quoted(name)}, {why}")
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise DataError(
            f"{source}: the column name {listed(twice)} occurs more than once; names must differ"
        )


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return names in words, the first of them if they are many."""
    shown = ", ".join(repr(cells.cut(name)) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
