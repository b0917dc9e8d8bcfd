"""How numbers are written: the decimal mark, the mark of thousands, and unambiguous variants.

A number is ASCII digits with one decimal mark and an exponent. Variants that can mean nothing
else are read too: typographic minus signs, U+2212 and its relatives; and, among plain numbers,
parentheses around a negative one. Whether 1,234 is a thousand or a little more than one is decided
for a whole file by the cells that can be read in one way only, or by an option; otherwise the cell
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chainrule._errors import ConfigurationError
from chainrule.tables.cells import quoted

DECIMALS = {".": "point", ",": "comma"}
# spaces of typography count as a space, the apostrophe of typography as an apostrophe
THOUSANDS = {",": "commas", ".": "points", " ": "spaces", "'": "apostrophes", "_": "underscores"}
MINUS = "\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d"
_SPACES = "\u00a0\u2007\u2009\u202f\u2002\u2003\u2004\u2005\u2006\u2008"
_APOSTROPHES = "\u2019\u02bc\uff07"

_SIGN = f"[(]?[+{MINUS}-]?"
_EXPONENT = "([eE][+-]?[0-9]+)?"
# possessive, so that a cell of many digits that is no number costs no more than one that is
PLAIN = {
    mark: re.compile(rf"[+-]?(?:[0-9]++[{mark}]?[0-9]*+|[{mark}][0-9]++){_EXPONENT}")
    for mark in ".,"
}
PLAIN_IN_POLARS = {
    mark: rf"^[+-]?([0-9]+[{mark}]?[0-9]*|[{mark}][0-9]+){_EXPONENT}$" for mark in ".,"
}
_PLAIN_TYPED = str.maketrans(dict.fromkeys(MINUS, "-"))
_SPACE_TYPED = str.maketrans(
    dict.fromkeys(_SPACES, " ") | dict.fromkeys(_APOSTROPHES, "'") | dict.fromkeys(MINUS, "-")
)

# patterns that Python and polars read alike; a mark stands for m, the other one for o
ANY_NUMBER = (
    rf"^{_SIGN}([0-9]+[.,]?[0-9]*|[.,][0-9]+|[0-9]{{1,3}}([.,][0-9]{{3}})+([.,][0-9]*)?)"
    rf"{_EXPONENT}[)]?$"
)
_AMBIGUOUS = "^{sign}[1-9][0-9]{{0,2}}[{m}][0-9]{{3}}[)]?$"
_SURELY_DECIMAL = (
    "^{sign}([0-9]*[{m}]([0-9]{{0,2}}|[0-9]{{4,}})"  # not three digits behind the mark
    "|(0[0-9]*|[0-9]{{4,}})?[{m}][0-9]*"  # not one to three in front of it
    "|[0-9]*[{m}][0-9]*[eE][+-]?[0-9]+"
    "|[1-9][0-9]{{0,2}}([{o}][0-9]{{3}})+[{m}][0-9]*)[)]?$"  # groups marked by the other one
)
_SURELY_THOUSANDS = (
    "^{sign}[1-9][0-9]{{0,2}}(([{m}][0-9]{{3}}){{2,}}([{o}][0-9]*)?"  # twice in one cell
    "|[{m}][0-9]{{3}}[{o}][0-9]*)[)]?$"  # or before a decimal mark
)
_GROUPED_BY = {
    " ": f"^{_SIGN}[1-9][0-9]{{0,2}}([ {_SPACES}][0-9]{{3}})+([.,][0-9]*)?[)]?$",
    "'": f"^{_SIGN}[1-9][0-9]{{0,2}}(['{_APOSTROPHES}][0-9]{{3}})+([.][0-9]*)?[)]?$",
}
FEWEST_COMMAS = 2  # cells with a decimal comma where commas separate cells: one may be a slip
LONGEST_NUMBER = 400  # characters that are searched for marks: 1e-308 written out has 310

_OF_UNIT = "[A-Za-zµμ°Ω]+[0-9²³]?"
_UNIT = re.compile(
    r"(?P<before>[€$£¥₹]|EUR|USD|GBP|CHF|JPY)?\s?(?P<number>[+−-]?[0-9][0-9.,' \u00a0\u202f]*"
    rf"(?:[eE][+-]?[0-9]+)?)(?P<after>[€$£¥₹%‰]|{_OF_UNIT}(?:/{_OF_UNIT})?)?"
)
_HEXADECIMAL = re.compile("0[xX][0-9A-Fa-f]+")


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a table are written.

    Attributes
    ----------
    decimal : {".", ","}
    thousands : {"", ",", ".", " ", "'", "_"}
        What stands between groups of three digits, if anything does.
    refine : bool
        Whether it was said, or a cell leaves no choice of the decimal mark.
    """

    decimal: str = "."
    thousands: str = ""
    refine: bool = field(default=False, compare=False)
    _grouped: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pattern = None
        if self.thousands:
            m, d = re.escape(self.thousands), self.decimal
            pattern = re.compile(rf"[+-]?[0-9]{{1,3}}({m}[0-9]{{3}})+([{d}][0-9]*)?{_EXPONENT}")
        object.__setattr__(self, "_grouped", pattern)

    def number(self, cell: str) -> float | None:
        """Return the number that a cell holds, infinite if it is too large, or None."""
        plain = PLAIN[self.decimal]
        if plain.fullmatch(cell):
            return float(cell if self.decimal == "." else cell.replace(",", "."))
        if cell.startswith("(") and cell.endswith(")") and cell[1:2].isdigit():
            return self.number("-" + cell[1:-1])
        bare = cell.translate(_SPACE_TYPED if self._grouped else _PLAIN_TYPED)
        if self._grouped and self._grouped.fullmatch(bare):
            bare = bare.replace(self.thousands, "")
        return self.number(bare) if bare != cell and plain.fullmatch(bare) else None

    def in_words(self, decimal: bool = True, thousands: bool = True) -> list[str]:
        """Return what is not usual about its decimal mark and its mark of thousands, in words."""
        found = ["decimal comma"] if decimal and self.decimal == "," else []
        marked = thousands and self.thousands
        return found + ([f"thousands marked by {THOUSANDS[self.thousands]}"] if marked else [])


POINT = NumberFormat()


class Cells(Protocol):
    """What has to be known of a column of text."""

    def find(self, pattern: str, needs: str = "") -> str | None:
        """Return a cell that matches; none if no cell has the mark that is needed."""

    def count(self, pattern: str, needs: str = "") -> int:
        """Return how many cells match; none if no cell has the mark that is needed."""

    @property
    def n_present(self) -> int:
        """How many cells are not missing."""


def require_marks(decimal: str | None, thousands: str | None, delimiter: str | None) -> None:
    """Raise ConfigurationError if these marks cannot be told apart."""
    if decimal not in (None, *DECIMALS):
        raise ConfigurationError(f"decimal is {decimal!r}; it can be . or ,")
    if thousands not in (None, "", *THOUSANDS):
        raise ConfigurationError(
            f"thousands is {thousands!r}; it can be {' '.join(THOUSANDS)}, space or none"
        )
    if decimal is not None and decimal == delimiter:
        raise ConfigurationError(f"delimiter and decimal are both {decimal!r}")
    if thousands and thousands == decimal:
        raise ConfigurationError(f"decimal and thousands are both {decimal!r}")


def find_format(
    columns: Sequence[Cells],
    delimiter: str,
    decimal: str | None = None,
    thousands: str | None = None,
) -> NumberFormat:
    """Return how the numbers of a file are written, by the cells that leave no choice.

    Parameters
    ----------
    columns : sequence of Cells
        Only those that hold numbers in most of their cells count.
    delimiter : str
        Between cells: a comma there is hardly a decimal mark.
    decimal, thousands : str, optional
        What is said, not found.
    """
    numeric = [c for c in columns if c.n_present and 2 * c.count(ANY_NUMBER) >= c.n_present]
    said = decimal is not None or thousands is not None
    if decimal is None:
        decimal = _decimal(numeric, delimiter, thousands)
    if thousands is None:
        thousands = _thousands(columns, numeric, decimal)
    return NumberFormat(decimal, thousands, said or _settles(numeric, decimal))


def _settles(numeric: Sequence[Cells], decimal: str) -> bool:
    """Return whether some cell can only be read with this decimal mark."""
    other = "," if decimal == "." else "."
    return _any(numeric, _SURELY_DECIMAL, decimal) or _any(numeric, _SURELY_THOUSANDS, other)


def _pattern(of: str, mark: str) -> str:
    return of.format(sign=_SIGN, m=mark, o="," if mark == "." else ".")


def _count(columns: Sequence[Cells], of: str, mark: str) -> int:
    return sum(column.count(_pattern(of, mark), mark) for column in columns)


def _any(columns: Sequence[Cells], of: str, mark: str) -> bool:
    return any(column.find(_pattern(of, mark), mark) is not None for column in columns)


def _decimal(numeric: Sequence[Cells], delimiter: str, thousands: str | None) -> str:
    if delimiter == ".":
        return ","
    if thousands in (".", ","):
        return "," if thousands == "." else "."
    for_point, for_comma = _settles(numeric, "."), _settles(numeric, ",")
    if delimiter == ",":  # who writes decimal commas separates cells by something else, mostly
        n = _count(numeric, _SURELY_DECIMAL, ",") + _count(numeric, _SURELY_THOUSANDS, ".")
        return "," if n >= FEWEST_COMMAS and not for_point else "."
    if for_comma or for_point:
        return "," if for_comma and not for_point else "."
    either = _any(numeric, _AMBIGUOUS, ","), _any(numeric, _AMBIGUOUS, ".")
    return "," if either[0] and not either[1] else "."


def _thousands(columns: Sequence[Cells], numeric: Sequence[Cells], decimal: str) -> str:
    other = "," if decimal == "." else "."
    # once the decimal mark is certain, the other one can only mark thousands
    marked = _any(numeric, _SURELY_THOUSANDS, other) or _any(numeric, _AMBIGUOUS, other)
    if marked and _settles(numeric, decimal) and not _settles(numeric, other):
        return other
    for mark, pattern in _GROUPED_BY.items():
        for column in columns:
            grouped = 0 if column.find(pattern) is None else column.count(pattern)
            if grouped and grouped + column.count(ANY_NUMBER) == column.n_present:
                return mark
    return ""


def ambiguous(column: Cells, form: NumberFormat) -> str | None:
    """Return a cell with three digits behind what may be a decimal mark, or mark thousands.

    None if other cells settle that it is a decimal mark.
    """
    if form.refine or column.find(_pattern(_SURELY_DECIMAL, form.decimal)) is not None:
        return None
    return column.find(_pattern(_AMBIGUOUS, form.decimal), form.decimal)


def advice(cell: str, form: NumberFormat) -> str:
    """Return how a cell that is no number could be read or written, "" if that is not known."""
    if len(cell) > LONGEST_NUMBER:
        return ""
    bare, shown = cell.translate(_SPACE_TYPED), quoted(cell)
    other = "," if form.decimal == "." else "."
    readings = []
    for decimal, mark in ((form.decimal, other), (other, form.decimal), (form.decimal, "'"),
                          (form.decimal, " "), (other, " "), (form.decimal, "_")):  # fmt: skip
        reading = NumberFormat(decimal, mark)
        value = reading.number(bare)
        if value is not None and reading._grouped and reading._grouped.fullmatch(bare):
            said = f"--thousands {'space' if mark == ' ' else mark}"
            said += f" --decimal {decimal}" if decimal != form.decimal else ""
            readings.append(f"{value:.15g} ({said})")
            break
    if PLAIN[other].fullmatch(bare):
        readings.append(f"{NumberFormat(other).number(bare):.15g} (--decimal {other})")
    if readings:
        if len(readings) > 1:
            return f"{shown} could be {' or '.join(readings)}; choose one"
        thousands = "--thousands" in readings[0]
        what = "marks of thousands" if thousands else f"a decimal {DECIMALS[other]}"
        return f"{shown} has {what}: to read it as {readings[0]}, say so"
    if re.fullmatch(r"[0-9.]+[-−]", cell):
        return f"{shown} has its sign at the end: write {'-' + cell[:-1]!r}"
    if re.fullmatch(r"[+-]?[0-9.]+[dD][+-]?[0-9]+", cell):
        return f"{shown} is an exponent of Fortran: write {re.sub('[dD]', 'e', cell)!r}"
    if _HEXADECIMAL.fullmatch(cell):
        return f"{shown} is hexadecimal: write {int(cell, 16)}"
    found = with_unit(cell, form)
    if found is not None:
        return f"{shown} has a unit: write the number alone, {found[0]!r}"
    return ""


def with_unit(cell: str, form: NumberFormat) -> tuple[str, str] | None:
    """Return the number alone and its unit, currency or %, None if a cell is no such number."""
    short = len(cell) <= LONGEST_NUMBER and not _HEXADECIMAL.fullmatch(cell)
    found = _UNIT.fullmatch(cell) if short else None
    if found is None or not (found["before"] or found["after"]):
        return None
    number = str(found["number"]).strip(" \u00a0\u202f")
    for reading in (form, NumberFormat(".", ","), NumberFormat(",", ".")):
        if reading.number(number) is not None:
            return number, f"{found['before'] or ''}{found['after'] or ''}"
    return None
