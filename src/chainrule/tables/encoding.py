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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.tables import cells, dates
from chainrule.tables.column_warnings import NO_MISSING, warnings_of
from chainrule.tables.date_columns import style_of
from chainrule.tables.number_format import advice
from chainrule.tables.table import EXACT, KINDS, Column, Table, listed
from chainrule.tables.text import Text

MOST_LEVELS = 50  # of a category that is found by rule
FEW_LEVELS = 10  # so many may come up only once, as long as one comes again
ROWS_PER_LEVEL = 2  # on the average, below which texts are names and not levels
MOST_LEVELS_EVER = 10_000  # of a category that is asked for
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
            return f"{what}; missing counts as one more"
        if self.indicator:
            return (
                f"{what}; missing values are set to {self._fill()}, and one more input marks them"
            )
        return what

    def _fill(self) -> str:
        assert self.fill is not None
        if self.kind == "yes/no":
            return self.levels[int(self.fill)]
        return dates.as_date(self.fill) if self.kind == "date" else f"{self.fill:.6g}"

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
                    f"{table.place(column_type.name, int(unseen[0]))}: "
                    f"{cells.quoted(next(iter(words)))} is neither "
                    f"{' nor '.join(map(cells.quoted, column_type.levels))}; correct it"
                )
            remarks.append(
                f"column {cells.quoted(column_type.name)}: {listed(list(words), 3)} in "
                f"{_rows(len(unseen))} was not seen in training; it is taken as "
                f"{_stand_in(column_type)}"
            )
            missing[unseen] = False
        if missing.any():
            if column_type.refuses_missing:
                raise DataError(_refused(column_type, table, np.flatnonzero(missing)))
            if not column_type.indicator:
                remarks.append(
                    f"column {cells.quoted(column_type.name)}: missing in {_rows(missing.sum())}, "
                    f"but never in training; it is taken as {_stand_in(column_type)}"
                )
        parts.append(_inputs(column_type, values, missing))
    return Encoded(np.concatenate(parts, axis=1), tuple(remarks))


def find_types(
    table: Table,
    names: Sequence[str],
    *,
    kinds: Mapping[str, str] | None = None,
    orders: Mapping[str | None, str] | None = None,
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
    orders : mapping of str or None to {"dmy", "mdy", "ymd"}, optional
        Of day, month and year in columns that hold dates; None stands for all others.
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
    of_dates = dict(orders or {})
    usual_order = of_dates.pop(None, None)
    asked = {**(kinds or {}), **dict.fromkeys(filter(None, of_dates), "date")}
    table.require([*names, *asked])
    order_of = {name: of_dates.get(name, usual_order) for name in table.names}
    types, remarks, texts = [], [], []
    found = {name: kind_of(table.columns[name]) for name in names}
    for name in names:
        column = table.columns[name]
        # of nothing, nothing can be said
        kind = "empty" if found[name] == "empty" else asked.get(name, found[name])
        if kind not in (*KINDS, "empty", "text"):
            raise ConfigurationError(
                f"column {cells.quoted(name)} is said to hold {kind!r}; choose one of "
                f"{', '.join(KINDS)}"
            )
        if kind == "empty":
            remarks.append(f"column {cells.quoted(name)} is empty and left out")
        elif kind == "text":
            texts.append(name)
        else:
            known, remark = _known(column, kind, table, order_of, found)
            types.append(_learned(known, table, missing, weights))
            remarks += remark + warnings_of(column, kind, asked.get(name) is not None)
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


def kind_of(column: Column) -> str:
    """Return what a column holds by the rule, "empty", or "text" if it is none of `KINDS`."""
    text = column.values
    if not isinstance(text, Text) or column.kind != "text":
        return "empty" if column.is_missing.all() else column.kind
    n = text.n_present
    if n == 0:
        return "empty"
    not_numbers = len(text.numbers[1])
    if not_numbers == 0:
        # (1), (2) and so on count something; among plain numbers they are negative ones
        return "category" if text.count(r"^[(].*[)]$") == n else "number"
    if not_numbers <= n / 2:
        return "number"  # and those that are none will be named
    words = text.present
    if cells.answers(words):
        return "yes/no"
    if dates.mostly_dates(text):
        return "date"
    d = len(words)
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


def levels_of(text: Text) -> tuple[str, ...]:
    """Return the words of a column, in the order of the alphabet, numbers by their size."""
    words = text.present
    values = [text.form.number(word) for word in words]
    if None not in values:
        return tuple(word for _, word in sorted(zip(values, words, strict=True)))
    return tuple(sorted(words))


def _known(
    column: Column,
    kind: str,
    table: Table,
    orders: Mapping[str, str | None],
    found: Mapping[str, str],
) -> tuple[ColumnType, list[str]]:
    """Return what does not depend on which rows there are, and what people should know of it."""
    text, name = column.values, column.name
    if kind == "yes/no":
        levels = cells.answers(text.present) if isinstance(text, Text) else ("false", "true")
        if levels is None:
            raise DataError(
                f"column {cells.quoted(name)} does not hold two answers such as no and yes"
            )
        return ColumnType(name, kind, levels), []
    if kind == "date" and isinstance(text, Text):
        style, remarks = style_of(column, table, orders, found)
        return ColumnType(name, kind, style=style.name), remarks
    return ColumnType(name, kind), []


def _learned(
    known: ColumnType, table: Table, rule: str, weights: Array | None = None
) -> ColumnType:
    """Return a column with its categories, and what stands for what is missing in it."""
    if known.kind == "category":
        words = as_words(table.columns[known.name], table)
        known = replace(known, levels=known.levels or _require_levels(table, known.name, words))
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


def _require_levels(table: Table, name: str, words: Text) -> tuple[str, ...]:
    """Return the words of a category, all of them such as a model can hold."""
    levels = levels_of(words)
    if len(levels) > MOST_LEVELS_EVER:
        raise DataError(
            f"{table.source}: column {cells.quoted(name)} has {len(levels):,} different words, at "
            f"most {MOST_LEVELS_EVER:,} can be categories; leave it out (--drop)"
        )
    for level in levels:
        why = cells.why_no_word(level)
        if why is not None:
            i = int(np.flatnonzero(words.each(lambda w, of=level: w == of, np.bool_))[0])  # type: ignore[misc]
            raise DataError(f"{table.place(name, i)}: the category {cells.quoted(level)} {why}")
    return levels


def as_words(column: Column, table: Table) -> Text:
    """Return the cells as words: numbers as `cells.word_of` writes them."""
    values = column.values
    if isinstance(values, Text):
        return values
    if np.any(np.abs(values) > EXACT):
        raise DataError(
            f"{table.source}: column {cells.quoted(column.name)} has numbers beyond 2**53, of "
            "which some are one in float64, so they cannot be categories; make them text"
        )
    words = values != 0.0 if column.kind == "yes/no" else values
    pairs = zip(values.tolist(), words.tolist(), strict=True)
    written = ("" if value != value else cells.word_of(word) for value, word in pairs)
    return Text.of(written, cells.ONLY_EMPTY)


def codes(text: Text, levels: Sequence[str]) -> tuple[Array, NDArray[np.intp]]:
    """Return the position of each cell in `levels`, NaN where missing, and where it is in none.

    A word of `levels` is not missing, whatever it says.
    """
    position = {level: float(k) for k, level in enumerate(levels)}
    values = np.asarray(text.each(lambda w: position.get(w, np.nan), np.float64), dtype=np.float64)
    return values, np.flatnonzero(np.isnan(values) & ~text.is_missing)


def _read(column_type: ColumnType, table: Table) -> tuple[Array, NDArray[np.intp]]:
    """Return a column as numbers or positions, NaN for nothing, and where is an unseen word."""
    name, kind = column_type.name, column_type.kind
    column = table.columns[name]
    nowhere = np.empty(0, dtype=np.intp)
    if kind == "category":
        return codes(as_words(column, table), column_type.levels)
    if column.kind == "category":
        raise DataError(
            f"{table.source}, column {cells.quoted(name)} holds categories; the model needs a "
            f"{kind}"
        )
    if not isinstance(column.values, Text):
        values = table.read_numbers(name)
        present = values[~np.isnan(values)]
        answers = bool(np.all((present == 0.0) | (present == 1.0)))
        number_or_answer = {kind, column.kind} == {"number", "yes/no"} and answers
        if len(present) and column.kind != kind and not number_or_answer:
            raise DataError(
                f"{table.source}, column {cells.quoted(name)} holds {_PLURALS[column.kind]}; the "
                f"model needs {_PLURALS[kind]}"
            )
        return values, nowhere
    text = column.values
    if kind == "number":
        advice = ", or fit with the column taken as categories (--category), or without it (--drop)"
        return table.read_numbers(name, advice), nowhere
    if kind == "yes/no":
        lower = {level.lower(): float(k) for k, level in enumerate(column_type.levels)}
        values = np.asarray(text.each(lambda w: lower.get(w.lower(), np.nan), np.float64))
        return values.astype(np.float64), np.flatnonzero(np.isnan(values) & ~text.is_missing)
    style = dates.STYLES[column_type.style or dates.ISO]
    values, places = dates.days(text, style)
    if len(places):
        i = int(places[0])
        raise DataError(
            f"{table.place(name, i)}: {cells.quoted(text[i])} is not a date; write it as "
            f"{style.written}"
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
    i = int(places[0])
    marked = table.columns[column_type.name].missing_as(i)
    about = "; ".join(filter(None, [marked, f"as in {len(places)} rows" * (len(places) > 1)]))
    word = f" If it is an ordinary word, say {NO_MISSING}." if marked else ""
    return (
        f"{table.place(column_type.name, i)}: the value is missing{f' ({about})' * bool(about)}; "
        "fill it in, remove the row, or have it replaced (missing='indicator', --missing indicator)"
        f"{'.' * bool(word)}{word}"
    )


def _only_text(table: Table, names: Sequence[str]) -> str:
    name = names[0]
    words = table.columns[name].values
    assert isinstance(words, Text)
    levels = levels_of(words)
    how = advice(levels[0], words.form)
    also = f"; so do {listed(names[1:])}" if len(names) > 1 else ""
    return (
        f"{table.source}: column {cells.quoted(name)} holds text, {len(levels)} different ones in "
        f"{len(table)} rows ({_shown(levels)}){also}; {how}{', or ' * bool(how)}leave it out "
        f"(--drop {cells.option(name)}), or take it as categories (--category "
        f"{cells.option(name)}; in a data frame, make it a categorical)"
    )


def _shown(words: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(cells.cut(word) for word in words[:most])
    return shown + (" …" if len(words) > most else "")
