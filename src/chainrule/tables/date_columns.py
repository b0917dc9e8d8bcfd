"""In which style the dates of a column are written, and the sentences where that cannot be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule._errors import DataError
from chainrule.tables import cells, dates
from chainrule.tables.table import Column, Table
from chainrule.tables.text import Text


def style_of(
    column: Column, table: Table, orders: Mapping[str, str | None], kinds: Mapping[str, str]
) -> tuple[dates.DateStyle, list[str]]:
    """Return how the dates of a column are written, and what people should know of it.

    Parameters
    ----------
    column : Column
        Of text.
    table : Table
    orders : mapping of str to str or None
        Of day, month and year, for columns of which it is said.
    kinds : mapping of str to str
        What the columns hold: other dates of the table may decide.

    Raises
    ------
    DataError
        If a cell is no date, or cannot be told apart.
    """
    text, name = column.values, column.name
    assert isinstance(text, Text)
    found = dates.admitted(text, orders.get(name))
    if found.wrong or not found.styles:
        raise DataError(_no_dates(table, column, found))
    if len(found.styles) == 1:
        return found.styles[0], _centuries(found.styles[0], name)
    others: list[dates.DateStyle] = []
    for other, kind in kinds.items():
        words = table.columns[other].values
        if other != name and kind == "date" and isinstance(words, Text):
            of_other = dates.admitted(words, orders.get(other))
            others += of_other.styles if len(of_other.styles) == 1 and not of_other.wrong else ()
    style, why = dates.decided(text, found.styles, others)
    shown = _two_readings(text, found.styles)
    if style is None:
        ways = " or ".join(f"--dates {cells.option(name)}={of.order}" for of in found.styles)
        raise DataError(
            f"{table.source}: column {cells.quoted(name)} holds dates whose day and month "
            f"cannot be told apart: {shown}. Choose with {ways}, or write them as {dates.ISO}; in "
            "a data frame, convert them to dates"
        )
    if not why:
        return style, _centuries(style, name)
    rest = [f"--dates {cells.option(name)}={of.order}" for of in found.styles if of != style]
    return style, [
        f"column {cells.quoted(name)} is read as {style.name}, {why}; {shown}; {rest[0]} reads it "
        "the other way",
        *_centuries(style, name),
    ]


def _centuries(style: dates.DateStyle, name: str) -> list[str]:
    """Return what years of two digits are taken for."""
    if not style.short:
        return []
    first = 1900 + dates.PIVOT
    return [
        f"column {cells.quoted(name)} is read as dates, {style.name}: years of two digits are from "
        f"{first} to {first + 99}"
    ]


def _two_readings(text: Text, styles: Sequence[dates.DateStyle]) -> str:
    """Return a cell that says something else in each style, and what."""
    read = {word: [dates.example(word, style) for style in styles] for word in text.present[:1000]}
    word = next((word for word, ways in read.items() if len(set(ways)) > 1), text.present[0])
    return f"{cells.quoted(word)} is {' or '.join(dict.fromkeys(read[word]))}"


def _no_dates(table: Table, column: Column, found: dates.Found) -> str:
    """Return what is wrong with a column that is meant as dates."""
    text, name = column.values, column.name
    assert isinstance(text, Text)
    i = int(np.flatnonzero(text.each(lambda w: w == found.wrong, np.bool_))[0])
    cell, place = cells.quoted(found.wrong), table.place(name, i)
    if not found.styles:
        return (
            f"{place}: {cell} is not a date that can be read; write dates as {dates.ISO}, or take "
            f"the column as categories (--category {cells.option(name)}), or leave it out (--drop)"
        )
    by_itself = dates.admitted(Text.of([found.wrong]))
    if by_itself.styles and not by_itself.wrong:
        mixed = " or ".join(style.written for style in by_itself.styles)
        return (
            f"{place}: {cell} is a date written as {mixed}, and most of the column is written as "
            f"{found.styles[0].written}; write all of them as {dates.ISO}"
        )
    return (
        f"{place}: {cell} is not a date as the others are ({found.styles[0].written}); correct it"
    )
