"""Dates as people write them, and which of day and month comes first.

A style is an order, a mark between the parts, years of four or of two digits, and whether a time
zone is said: D/M/YYYY, M/D/YY, YYYY-MM-DD, YYYY-MM-DD UTC. A column has one style. Dates become
days since 1970-01-01; those with a time zone in UTC.

02/07/2022 is in July or in February. That is decided for a column by the cells that can be read in
one way only, else by the other columns of dates in the file, else by the order of the rows or an
even spacing if one reading has these and the other one has not. If nothing decides, it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError
from chainrule.tables.text import Text

ORDERS = {"dmy": "DMY", "mdy": "MDY", "ymd": "YMD"}
FEWEST_IN_ORDER = 6  # different dates: of fewer, chance puts one column in 60 in order
FEWEST_EVEN = 5  # different dates with the same time between each
PIVOT = 69  # years of two digits from here on are of the 20th century, as POSIX has them
WHY_ORDERED = "in which the rows are in order of time"
WHY_EVEN = "in which the same time lies between all dates"
DAY = 86_400.0  # seconds

_CELL = re.compile(
    r"(?P<a>[0-9]{1,4})(?P<mark>[-./])(?P<b>[0-9]{1,2})(?P=mark)(?P<c>[0-9]{1,4})"
    r"(?:[T ] ?(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?"
    r" ?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_NAMED = re.compile(
    rf"(?:[0-9]{{1,2}}(?:st|nd|rd|th)?[ .-]+(?:{_MONTHS})[a-z]*[ .,-]+[0-9]{{2,4}}"
    rf"|(?:{_MONTHS})[a-z]*[ .-]+[0-9]{{1,2}}(?:st|nd|rd|th)?[ ,.-]+[0-9]{{4}})(?:[T ,].*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class DateStyle:
    """How the dates of a column are written.

    Attributes
    ----------
    order : {"dmy", "mdy", "ymd"}
    mark : {"-", ".", "/"}
    short : bool
        Whether years have two digits.
    zoned : bool
        Whether each says its time zone.
    """

    order: str
    mark: str
    short: bool = False
    zoned: bool = False

    @cached_property
    def name(self) -> str:
        """As it is written in models, such as "D/M/YYYY"."""
        year = "YY" if self.short else "YYYY"
        parts = {"D": "D", "M": "M", "Y": year}
        if self.order == "ymd":
            parts = {"D": "DD", "M": "MM", "Y": year}
        return self.mark.join(parts[p] for p in ORDERS[self.order]) + " UTC" * self.zoned

    @property
    def written(self) -> str:
        """As people are told to write a date."""
        return self.name.replace(" UTC", " with a time zone")


STYLES = {
    style.name: style
    for style in (
        DateStyle(order, mark, short, zoned)
        for order in ORDERS
        for mark in "-./"
        for short in (False, True)
        for zoned in (False, True)
    )
}
ISO = "YYYY-MM-DD"


@dataclass(frozen=True)
class _Written:
    """A cell taken apart, before it is known which part is the day."""

    parts: tuple[str, str, str]
    mark: str
    seconds: float
    zone: float | None

    def days(self, style: DateStyle) -> float | None:
        """Return days since 1970-01-01 in a style, or None if it is no date there."""
        digits = len(self.parts[ORDERS[style.order].index("Y")])
        if style.mark != self.mark or digits != (2 if style.short else 4):
            return None
        value = dict(zip(ORDERS[style.order], map(int, self.parts), strict=True))
        if any(len(part) > 2 for part in self.parts) == style.short:
            return None
        year = value["Y"] + (1900 if value["Y"] >= PIVOT else 2000) * style.short
        try:
            moment = datetime(year, value["M"], value["D"], tzinfo=UTC)
            moment += timedelta(seconds=self.seconds - (self.zone or 0.0))
        except (ValueError, OverflowError):
            return None
        return moment.timestamp() / DAY


def _taken_apart(cell: str) -> _Written | None:
    found = _CELL.fullmatch(cell) if len(cell) <= 60 else None
    if found is None:
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (found["half"] in "pP")
    if hour > 23 or minute > 59 or second > 59 or (found["zone"] and found["hour"] is None):
        return None
    fraction = int((found["fraction"] or "0").ljust(6, "0")[:6]) / 1e6
    zone = None
    if found["zone"]:
        digits = found["zone"].replace(":", "")
        zone = 0.0
        if digits[0] in "+-":
            sign = -1.0 if digits[0] == "-" else 1.0
            zone = sign * (3600.0 * int(digits[1:3]) + 60.0 * int(digits[3:] or 0))
    parts = found["a"], found["b"], found["c"]
    return _Written(parts, found["mark"], 3600 * hour + 60 * minute + second + fraction, zone)


def days(text: Text, style: DateStyle) -> tuple[Array, NDArray[np.intp]]:
    """Return dates as days since 1970-01-01, NaN where missing, and where there are none."""

    def of(word: str) -> float:
        cell = None if word in text.missing else _taken_apart(word)
        if cell is None or not _says_zone(cell, style):
            return np.nan
        day = cell.days(style)
        return np.nan if day is None else day

    values = np.asarray(text.each(of, np.float64), dtype=np.float64)
    return values, np.flatnonzero(np.isnan(values) & ~text.is_missing)


def _says_zone(cell: _Written, style: DateStyle) -> bool:
    """Return whether a cell has a time zone if it has to; Z is allowed where none is said."""
    return (cell.zone is not None) if style.zoned else cell.zone in (None, 0.0)


def mostly_dates(text: Text) -> bool:
    """Return whether a column is meant as dates: at least half of its words are some date.

    With years of two digits all must be, since versions look alike.
    """
    words = text.present
    cells = [_taken_apart(word) for word in words]
    some = [c for c in cells if c is not None and _readings(c)]
    named = sum(_NAMED.fullmatch(word) is not None for word in words)
    if some and all(all(s.short for s in _readings(c)) for c in some):
        return len(some) == len(words)
    return bool(words) and 2 * (len(some) + named) >= len(words)


def _readings(cell: _Written) -> list[DateStyle]:
    """Return the styles in which a cell is a date, those first that are more usual."""
    short = all(len(part) <= 2 for part in cell.parts)
    orders: tuple[str, ...] = ("ymd", "dmy", "mdy")
    if cell.mark == ".":  # nobody writes M.D.Y or YY.M.D
        orders = ("dmy",) if short else ("ymd", "dmy")
    return _valid(cell, orders)


def _valid(cell: _Written, orders: Sequence[str]) -> list[DateStyle]:
    short = all(len(part) <= 2 for part in cell.parts)
    # a Z may stand where others say no time zone, and where they say another one
    zoned = {None: (False,), 0.0: (False, True)}.get(cell.zone, (True,))
    styles = (DateStyle(order, cell.mark, short, z) for order in orders for z in zoned)
    return [style for style in styles if cell.days(style) is not None]


@dataclass(frozen=True)
class Found:
    """The styles that a column admits.

    Attributes
    ----------
    styles : tuple of DateStyle
        More than one where the cells alone decide nothing.
    wrong : str
        A cell that is no date as the others are, if there is no style for all.
    """

    styles: tuple[DateStyle, ...]
    wrong: str = ""


def admitted(text: Text, order: str | None = None) -> Found:
    """Return the styles in which all cells of a column are dates.

    Parameters
    ----------
    text : Text
    order : {"dmy", "mdy", "ymd"}, optional
        Of day, month and year, if it is said.
    """
    if order not in (None, *ORDERS):
        raise ConfigurationError(f"dates is {order!r}; it can be {', '.join(ORDERS)}")
    cells = {word: _taken_apart(word) for word in text.present}
    votes: dict[DateStyle, int] = {}
    for cell in cells.values():
        for style in _styles_of(cell, order):
            votes[style] = votes.get(style, 0) + 1
    best = max(votes.values(), default=0)
    styles = tuple(style for style, count in votes.items() if count == best)
    styles = tuple(s for s in styles if not (s.zoned and replace(s, zoned=False) in styles))
    if best == len(cells) and styles:
        return Found(styles)
    wrong = next(
        (w for w, c in cells.items() if not styles or styles[0] not in _styles_of(c, order)), ""
    )
    return Found(styles, wrong)


def _styles_of(cell: _Written | None, order: str | None) -> list[DateStyle]:
    if cell is None:
        return []
    return _readings(cell) if order is None else _valid(cell, [order])


def decided(
    text: Text, styles: Sequence[DateStyle], others: Sequence[DateStyle]
) -> tuple[DateStyle | None, str]:
    """Return which of several styles a column is written in, and why; None if nothing decides.

    Parameters
    ----------
    text : Text
    styles : sequence of DateStyle
        That all its cells admit.
    others : sequence of DateStyle
        Of the other columns of the table whose own cells have decided.
    """
    read = {style: days(text, style)[0] for style in styles}
    first = read[styles[0]]
    if all(np.array_equal(first, values, equal_nan=True) for values in read.values()):
        return styles[0], ""
    orders = {style.order for style in others}
    fit = [style for style in styles if style.order in orders]
    if len(orders) == 1 and len(fit) == 1:
        return fit[0], "as the other dates of the table are written"
    in_text_order = _monotone(text.codes_in_text_order())
    ordered = [s for s, values in read.items() if _in_order(values)] if not in_text_order else []
    even = [s for s, values in read.items() if _evenly_spaced(values)]
    favored = {s.order for s in (*ordered, *even)} if len(ordered) < 2 and len(even) < 2 else set()
    if len(favored) != 1:
        return None, ""
    style = (ordered or even)[0]
    return style, WHY_ORDERED if ordered else WHY_EVEN


def _in_order(values: Array) -> bool:
    present = values[~np.isnan(values)]
    return len(np.unique(present)) >= FEWEST_IN_ORDER and _monotone(present)


def _monotone(values: NDArray[Any]) -> bool:
    steps = np.diff(values)
    return bool(np.all(steps >= 0) or np.all(steps <= 0))


def _evenly_spaced(values: Array) -> bool:
    """Return whether different dates follow each other by so many days, or so many months."""
    different = np.unique(values[~np.isnan(values)])
    if len(different) < FEWEST_EVEN:
        return False
    if len(np.unique(np.diff(different))) == 1:
        return True
    if np.any(different % 1.0):
        return False
    dates = different.astype(np.int64).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    same_day = len(np.unique(dates - months)) == 1
    return same_day and len(np.unique(np.diff(months))) == 1


def as_date(day: float) -> str:
    """Return days since 1970-01-01 as a date."""
    farthest = 10**9  # days: beyond, a date says nothing
    near = round(min(max(day, -farthest), farthest))
    return str(np.datetime64(0, "D") + np.timedelta64(near, "D"))


def example(cell: str, style: DateStyle) -> str:
    """Return a cell in words, as a style reads it: 7 February 2022."""
    found = _taken_apart(cell)
    day = None if found is None else found.days(style)
    return "no date" if day is None else f"{datetime.fromtimestamp(day * DAY, UTC):%-d %B %Y}"
