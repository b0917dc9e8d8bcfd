"""How the columns of a table become the inputs of a network; it belongs to the model.

    kind        found where all cells are               inputs
    number      numbers                                 the number
    date        dates of one style                      days since 1970-01-01
    yes/no      two words such as no and yes            0 and 1
    category    few words that come again and again     0 and 1 for each of them

A missing number or date is replaced by the median of the rows the model was trained on, a
missing answer by the more frequent one, a missing category by none of them; if any was
missing there, a further input says so, 0 or 1. A category that was not seen in training is
none of those that were. A column that says nothing in any row is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.tables import cells
from chainrule.tables.doubts import doubts
from chainrule.tables.table import EXACT, KINDS, Column, Table, listed

MOST_LEVELS = 50  # of a category that is found by rule
FEW_LEVELS = 10  # so many may come up only once, as long as one comes again
ROWS_PER_LEVEL = 2
FEW_WRONG = 0.1  # of the cells that may be wrong in a column of dates, as these are meant
RULES = ("indicator", "error")  # for missing values
_PLURALS = {"number": "numbers", "yes/no": "yes or no", "date": "dates"}


@dataclass(frozen=True)
class ColumnType:
    """What a column holds, and what stands for what is missing in it.

    Attributes
    ----------
    name : str
    kind : {"number", "date", "yes/no", "category"}
    levels : tuple of str
        The words of a category; no and yes as they are written.
    style : str
        How dates are written.
    fill : float or None
        What stands for a missing value; None if that is refused, and for categories.
    indicator : bool
        Whether an input says that the value was missing.
    """

    name: str
    kind: str = "number"
    levels: tuple[str, ...] = ()
    style: str = ""
    fill: float | None = None
    indicator: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs it becomes."""
        missing = (f"{self.name} missing",) if self.indicator else ()
        if self.kind == "category":
            return (*(f"{self.name}={level}" for level in self.levels), *missing)
        return (self.name, *missing)

    @property
    def refuses_missing(self) -> bool:
        """Whether a missing value is an error."""
        return self.fill is None and self.kind != "category"

    def __str__(self) -> str:
        what = {
            "number": "number",
            "date": f"date, {self.style or 'as typed'}, in days",
            "yes/no": f"{' / '.join(self.levels)}, as 0 / 1",
            "category": f"category of {len(self.levels)}: {_shown(self.levels)}",
        }[self.kind]
        if self.indicator and self.kind == "category":
            return f"{what}; missing is one more"
        if self.indicator:
            return f"{what}; missing ones are {self._fill()}, and one more input says so"
        return what

    def _fill(self) -> str:
        assert self.fill is not None
        if self.kind == "yes/no":
            return self.levels[int(self.fill)]
        return cells.as_date(self.fill) if self.kind == "date" else f"{self.fill:.6g}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**vars(self), "levels": list(self.levels)}


@dataclass(frozen=True, eq=False)
class Encoded:
    """The inputs of a table, and what had to be done to them.

    Attributes
    ----------
    X : ndarray (n, inputs)
    remarks : tuple of str
        What people should know: values that were missing or never seen in training.
    """

    X: Array
    remarks: tuple[str, ...]


def encode(types: Sequence[ColumnType], table: Table) -> Encoded:
    """Turn the columns of a table into inputs; other columns are not looked at.

    Raises
    ------
    DataError
        If a column is missing, or a cell cannot be read: with its place.
    """
    _require(types, table)
    parts, remarks = [], []
    for column_type in types:
        values, unseen = _read(column_type, table)
        missing = np.isnan(values)
        if len(unseen):
            words = dict.fromkeys(str(table.columns[column_type.name].values[i]) for i in unseen)
            if column_type.refuses_missing:
                raise DataError(
                    f"{table.place(column_type.name, int(unseen[0]))}: {next(iter(words))!r} is "
                    f"neither {' nor '.join(map(repr, column_type.levels))}; correct it"
                )
            remarks.append(
                f"column {column_type.name!r}: {listed(list(words), 3)} in {_rows(len(unseen))} "
                f"was not seen in training; it is taken as {_stand_in(column_type)}"
            )
            missing[unseen] = False
        if missing.any():
            if column_type.refuses_missing:
                raise DataError(_refused(column_type, table, np.flatnonzero(missing)))
            if not column_type.indicator:
                remarks.append(
                    f"column {column_type.name!r}: missing in {_rows(missing.sum())}, but never "
                    f"in training; it is taken as {_stand_in(column_type)}"
                )
        parts.append(_inputs(column_type, values, missing))
    return Encoded(np.concatenate(parts, axis=1), tuple(remarks))


def find_types(
    table: Table,
    names: Sequence[str],
    *,
    kinds: Mapping[str, str] | None = None,
    missing: str = "indicator",
    weights: Array | None = None,
) -> tuple[tuple[ColumnType, ...], tuple[str, ...]]:
    """Find out what columns hold.

    Parameters
    ----------
    table : Table
    names : sequence of str
        Of the columns.
    kinds : mapping of str to str, optional
        What some of them are known to hold.
    missing : {"indicator", "error"}
    weights : ndarray (n,), optional
        What each row counts for what stands for a missing value.

    Returns
    -------
    types : tuple of ColumnType
    remarks : tuple of str
        What people should know: columns left out because nothing is in them, and such.

    Raises
    ------
    DataError
        If a column holds text that is no category, or a kind is not what it holds.
    """
    if missing not in RULES:
        raise ConfigurationError(f"missing is {missing!r}; choose one of {', '.join(RULES)}")
    table.require([*names, *(kinds or {})])
    types, remarks, texts = [], [], []
    for name in names:
        column = table.columns[name]
        kind = kind_of(column, table)
        if kind != "empty":  # of nothing, nothing can be said
            kind = (kinds or {}).get(name, kind)
        if kind not in (*KINDS, "empty", "text"):
            raise ConfigurationError(
                f"column {name!r} is said to hold {kind!r}; choose one of {', '.join(KINDS)}"
            )
        if kind == "empty":
            remarks.append(f"column {name!r} is empty and left out")
        elif kind == "text":
            texts.append(name)
        else:
            types.append(_learned(_known(column, kind), table, missing, weights))
            remarks += doubts(column, kind, (kinds or {}).get(name) is not None, table.decimal)
    if texts:
        raise DataError(_only_text(table, texts))
    return tuple(types), tuple(remarks)


def learn_types(types: Sequence[ColumnType], table: Table) -> tuple[ColumnType, ...]:
    """Learn categories and what is missing anew, from some rows, of columns that are known."""
    _require(types, table)
    anew = []
    for known in types:
        levels = () if known.kind == "category" else known.levels
        rule = "error" if known.refuses_missing else "indicator"
        anew.append(_learned(replace(known, levels=levels), table, rule))
    return tuple(anew)


def kind_of(column: Column, table: Table) -> str:
    """Return what a column holds by the rule, "empty", or "text" if it is none of `KINDS`."""
    if column.kind != "text":
        values: Any = column.values
        nothing = cells.is_missing(values) if column.kind == "category" else np.isnan(values)
        return "empty" if nothing.all() else column.kind
    values = column.values
    n = int((~cells.is_missing(values)).sum())
    if n == 0:
        return "empty"
    not_numbers = len(cells.numbers(values, table.decimal)[1])
    if not_numbers == 0:
        return "number"
    if cells.answers(values):
        return "yes/no"
    if cells.date_style(values):
        return "date"
    if not_numbers <= n / 2:
        return "number"  # and those that are none will be named
    d = len(_levels(values))
    repeated = d <= MOST_LEVELS and d * ROWS_PER_LEVEL <= n
    return "category" if repeated or (d <= FEW_LEVELS and d < n) else "text"


def plain(names: Sequence[str]) -> tuple[ColumnType, ...]:
    """Return columns of numbers that are never missing."""
    return tuple(ColumnType(name) for name in names)


def input_names(types: Sequence[ColumnType]) -> tuple[str, ...]:
    """Return the names of all inputs.

    Raises
    ------
    DataError
        If two of them are the same.
    """
    names = tuple(name for column_type in types for name in column_type.inputs)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"two inputs are called {listed(twice)}; rename a column")
    return names


def _require(types: Sequence[ColumnType], table: Table) -> None:
    missing = [t.name for t in types if t.name not in table.columns]
    if missing:
        raise DataError(
            f"{table.source} has no column {listed(missing)}, which the model needs; its columns "
            f"are {listed(table.names)}"
        )


def _levels(values: Collection[Any]) -> list[str]:
    """Return the words of a column, in the order of the alphabet, numbers by their size."""
    words = {str(v) for v in values} - {""}
    words = {word for word in words if word.lower() not in cells.MISSING}
    numbers, places = cells.numbers(list(words))
    if len(places) == 0:
        return [word for _, word in sorted(zip(numbers.tolist(), words, strict=True))]
    return sorted(words)


def _known(column: Column, kind: str) -> ColumnType:
    """Return what does not depend on which rows there are: how answers and dates are written."""
    values: Any = column.values
    levels: tuple[str, ...] = ()
    style = ""
    if kind == "yes/no" and column.kind == "text":
        found = cells.answers(values)
        if found is None:
            raise DataError(f"column {column.name!r} does not hold two answers such as no and yes")
        levels = found
    elif kind == "yes/no":
        levels = ("false", "true")
    elif kind == "date" and column.kind == "text":
        style = cells.date_style(values) or ""
        if not style:
            raise DataError(
                f"column {column.name!r} does not hold dates of one style; write them as "
                f"{cells.DATE_STYLES[0]}"
            )
    return ColumnType(column.name, kind, levels, style)


def _learned(
    known: ColumnType, table: Table, rule: str, weights: Array | None = None
) -> ColumnType:
    """Return a column with its categories, and what stands for what is missing in it."""
    if known.kind == "category":
        words = _as_words(table.columns[known.name], table)
        known = replace(known, levels=known.levels or tuple(_levels(words)))
    read, _ = _read(known, table)
    missing = np.isnan(read)
    if rule == "error":
        if missing.any():
            raise DataError(_refused(known, table, np.flatnonzero(missing)))
        return known
    fill = None
    if known.kind != "category":
        w = np.ones(len(read)) if weights is None else weights
        middle = _median(read[~missing], w[~missing]) if not missing.all() else 0.0
        fill = float(middle >= 0.5) if known.kind == "yes/no" else float(middle)
    return replace(known, fill=fill, indicator=bool(missing.any()))


def _median(values: Array, weights: Array) -> float:
    """Return the median of values that count so often, without a sum that may overflow."""
    order = np.argsort(values)
    counted = np.cumsum(weights[order])
    half = 0.5 * counted[-1]
    lower, upper = np.searchsorted(counted, half), np.searchsorted(counted, half, side="right")
    ordered = values[order]
    return float(0.5 * ordered[lower] + 0.5 * ordered[min(upper, len(ordered) - 1)])


def _as_words(column: Column, table: Table) -> Sequence[str]:
    """Return the cells as words: numbers as `cells.word_of` writes them."""
    if column.values.dtype == object:
        return column.values  # type: ignore[return-value]
    if np.any(np.abs(column.values) > EXACT):
        raise DataError(
            f"{table.source}: column {column.name!r} has numbers beyond 2**53, of which some are "
            "one in float64, so they cannot be categories; make them text"
        )
    words = column.values != 0.0 if column.kind == "yes/no" else column.values
    pairs = zip(column.values, words, strict=True)
    return ["" if np.isnan(value) else cells.word_of(word) for value, word in pairs]


def _read(column_type: ColumnType, table: Table) -> tuple[Array, NDArray[np.intp]]:
    """Return a column as numbers or positions, NaN for nothing, and where is an unseen word."""
    name, kind = column_type.name, column_type.kind
    column = table.columns[name]
    nowhere = np.empty(0, dtype=np.intp)
    if kind == "category":
        return cells.codes(_as_words(column, table), column_type.levels)
    if column.kind == "category":
        raise DataError(
            f"{table.source}, column {name!r} holds categories; the model needs a {kind}"
        )
    if column.kind != "text":
        values = table.read_numbers(name)
        present = values[~np.isnan(values)]
        answers = bool(np.all((present == 0.0) | (present == 1.0)))
        number_or_answer = {kind, column.kind} == {"number", "yes/no"} and answers
        if len(present) and column.kind != kind and not number_or_answer:
            raise DataError(
                f"{table.source}, column {name!r} holds {_PLURALS[column.kind]}; the model needs "
                f"{_PLURALS[kind]}"
            )
        return values, nowhere
    if kind == "number":
        advice = ", or fit with the column taken as categories (--category), or without it (--drop)"
        return table.read_numbers(name, advice), nowhere
    words: Sequence[str] = column.values  # type: ignore[assignment]
    if kind == "yes/no":
        lower = {level.lower(): level for level in column_type.levels}
        return cells.codes([lower.get(w.lower(), w) for w in words], column_type.levels)
    values, places = cells.dates(words, column_type.style or cells.DATE_STYLES[0])
    if len(places):
        i = int(places[0])
        raise DataError(
            f"{table.place(name, i)}: {words[i]!r} is not a date; write it as "
            f"{column_type.style or cells.DATE_STYLES[0]}"
        )
    return values, nowhere


def _inputs(column_type: ColumnType, values: Array, missing: NDArray[np.bool_]) -> Array:
    if column_type.kind == "category":
        hot = values[:, None] == np.arange(len(column_type.levels))
        parts = [hot.astype(np.float64)]
    else:
        fill = np.nan if column_type.fill is None else column_type.fill
        parts = [np.where(np.isnan(values), fill, values)[:, None]]
    if column_type.indicator:
        parts.append(missing[:, None].astype(np.float64))
    return np.concatenate(parts, axis=1)


def _rows(n: Any) -> str:
    return "1 row" if n == 1 else f"{n} rows"


def _stand_in(column_type: ColumnType) -> str:
    if column_type.kind == "category":
        return "none of those that were"
    return f"{column_type._fill()}, the middle of training"


def _refused(column_type: ColumnType, table: Table, places: NDArray[np.intp]) -> str:
    many = f" (as in {len(places)} rows)" if len(places) > 1 else ""
    return (
        f"{table.place(column_type.name, int(places[0]))}: the value is missing{many}; fill it in, "
        "remove the row, or have it replaced (missing='indicator', --missing indicator)"
    )


def _only_text(table: Table, names: Sequence[str]) -> str:
    name = names[0]
    words = [str(value) for value in table.columns[name].values]
    for style in cells.DATE_STYLES:
        days, places = cells.dates(words, style)
        if 0 < len(places) <= FEW_WRONG * int((~np.isnan(days)).sum()):
            i = int(places[0])
            return (
                f"{table.place(name, i)}: {cells.cut(words[i])!r} is not a date as the others are "
                f"({style}); correct it"
            )
    words = _levels(words)
    also = f"; so do {listed(names[1:])}" if len(names) > 1 else ""
    return (
        f"{table.source}: column {name!r} holds text, {len(words)} different ones in "
        f"{len(table)} rows ({_shown(words)}){also}; {cells.as_it_should_be(words[0])}leave it out "
        f"(--drop {name}), or take it as categories (--category {name}; in a data frame, make it "
        "a categorical)"
    )


def _shown(words: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(words[:most])
    return shown + (" …" if len(words) > most else "")
