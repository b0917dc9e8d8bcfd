"""What the cells of a text column say: numbers, dates, yes and no, or nothing.

A number is ASCII digits with one decimal mark and an exponent, nothing else. Each reader
returns an array with NaN where a cell says nothing, and the places where it says something
that the reader does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", ".", "<na>", "nat"}
NUMBERS = {
    mark: re.compile(rf"[+-]?([0-9]+[{mark}]?[0-9]*|[{mark}][0-9]+)([eE][+-]?[0-9]+)?")
    for mark in ".,"
}
# what may be a number of thousands: groups of three digits
THOUSANDS = {mark: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}([{mark}][0-9]{{3}})+") for mark in ".,"}
ANSWERS = (
    ("no", "yes"),
    ("n", "y"),
    ("false", "true"),
    ("f", "t"),
    ("off", "on"),
    ("nein", "ja"),
    ("non", "oui"),
)
LONGEST_SHOWN = 60  # characters
DAY = 86_400.0  # seconds

_UNIT = re.compile(r"^[€$£¥]\s*|\s*([€$£¥%]|EUR|USD|GBP|CHF)$")

Places = NDArray[np.intp]
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
_ISO = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_TIME})?Z?")
_PARTS = re.compile(rf"([0-9]{{1,2}})([./])([0-9]{{1,2}})[./]([0-9]{{4}})( {_TIME})?")
# day and month may change places: which way round is decided for a whole column
DATE_STYLES = ("YYYY-MM-DD", "D.M.YYYY", "D/M/YYYY", "M/D/YYYY")


def is_missing(cells: Sequence[str]) -> NDArray[np.bool_]:
    """Return where a cell says nothing: empty, NA, N/A, NaN, null, None, ? or a dot."""
    return np.fromiter((cell.lower() in MISSING for cell in cells), dtype=bool, count=len(cells))


def numbers(cells: Sequence[str], decimal: str = ".") -> tuple[Array, Places]:
    """Read numbers.

    Parameters
    ----------
    cells : sequence of str
        Without spaces at their ends.
    decimal : {".", ","}

    Returns
    -------
    values : ndarray (n,)
        Infinite where a number is larger than any float64.
    places : ndarray of int
        Where there is no number, and not nothing.
    """
    is_number = NUMBERS[decimal].fullmatch
    values, places = np.full(len(cells), np.nan), []
    for i, cell in enumerate(cells):
        if is_number(cell):
            values[i] = float(cell if decimal == "." else cell.replace(",", "."))
        elif cell.lower() not in MISSING:
            places.append(i)
    return values, np.array(places, dtype=np.intp)


def date_style(cells: Sequence[str]) -> str | None:
    """Return the style in which all cells are dates, None if they are not.

    Of D/M/YYYY and M/D/YYYY the one that all cells admit; where both do, D/M/YYYY, and
    whoever shows the style lets people see it.
    """
    present = [cell for cell in cells if cell.lower() not in MISSING]
    if not present:
        return None
    for style in DATE_STYLES:
        if not len(dates(present, style)[1]):
            return style
    return None


def dates(cells: Sequence[str], style: str) -> tuple[Array, Places]:
    """Read dates, with or without a time, as days since 1970-01-01."""
    read: Callable[[str], float | None] = _iso if style == "YYYY-MM-DD" else _parts_of(style)
    values, places = np.full(len(cells), np.nan), []
    for i, cell in enumerate(cells):
        day = read(cell)
        if day is not None:
            values[i] = day
        elif cell.lower() not in MISSING:
            places.append(i)
    return values, np.array(places, dtype=np.intp)


def answers(cells: Sequence[str]) -> tuple[str, str] | None:
    """Return how the cells say no and yes, as they are written, or None if they do not."""
    written: dict[str, str] = {}
    for cell in cells:
        lower = cell.lower()
        if lower in MISSING:
            continue
        if written.setdefault(lower, cell) != cell or len(written) > 2:
            return None
    for no, yes in ANSWERS:
        if set(written) == {no, yes}:
            return written[no], written[yes]
    return None


def codes(cells: Sequence[str], levels: Sequence[str]) -> tuple[Array, Places]:
    """Return the position of each cell in `levels`."""
    position = {level: float(k) for k, level in enumerate(levels)}
    values, places = np.full(len(cells), np.nan), []
    for i, cell in enumerate(cells):
        if cell in position:
            values[i] = position[cell]
        elif cell.lower() not in MISSING:
            places.append(i)
    return values, np.array(places, dtype=np.intp)


def cut(text: str) -> str:
    """Return a text as it is shown in messages, the beginning of it if it is long."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def word_of(value: object) -> str:
    """Return a number or a truth value as the word of a category: 1 and 1.0 are the same."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    number = float(value)  # type: ignore[arg-type]
    return str(int(number)) if number % 1.0 == 0.0 else repr(number)


def as_it_should_be(cell: str) -> str:
    """Return what to do about a cell that is a number but for how it is written, or nothing."""
    bare = _UNIT.sub("", cell)
    if bare != cell and any(pattern.fullmatch(bare) for pattern in NUMBERS.values()):
        return f"{cell!r} has a unit: write the number alone, {bare!r}; or "
    for mark, decimal in ((".", ","), (",", "."), (" ", ","), (" ", "."), ("'", ".")):
        plain = bare.replace(mark, "")
        grouped = re.fullmatch(rf"[+-]?[0-9]{{1,3}}([{mark}][0-9]{{3}})+([{decimal}][0-9]+)?", bare)
        if grouped and NUMBERS[decimal].fullmatch(plain):
            return f"{cell!r} has marks of thousands: write {plain!r}; or "
    return ""


def as_date(day: float) -> str:
    """Return days since 1970-01-01 as a date."""
    return str(np.datetime64(0, "D") + np.timedelta64(round(day), "D"))


def _iso(cell: str) -> float | None:
    if not _ISO.fullmatch(cell):
        return None
    try:
        return _days(datetime.fromisoformat(cell.removesuffix("Z")))
    except ValueError:
        return None


def _parts_of(style: str) -> Callable[[str], float | None]:
    mark, day_first = style[1], style.startswith("D")

    def read(cell: str) -> float | None:
        found = _PARTS.fullmatch(cell)
        if found is None or found[2] != mark or cell.count(mark) != 2:
            return None
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        day, month = (first, second) if day_first else (second, first)
        try:
            time = datetime.fromisoformat(f"1970-01-01{found[5] or ' 00:00'}").time()
            return _days(datetime.combine(datetime(year, month, day), time))
        except ValueError:
            return None

    return read


def _days(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp() / DAY
