"""What a column may mean besides what it is taken for: codes, counters, versions, missing words."""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from chainrule.tables import cells
from chainrule.tables.number_format import ambiguous, with_unit
from chainrule.tables.table import EXACT, Column
from chainrule.tables.text import Text

MANY_TO_COUNT = 20  # rows: of fewer, chance may put whole numbers in their order
MANY_DAYS = 5  # different numbers that are all a day written as YYYYMMDD
NO_MISSING = "--missing-values none (missing_values=() in Python)"
A_WORD = re.compile("[A-Za-z]")

LEADING_ZERO = "^[+-]?0[0-9]+$"
EXPONENT_ONLY = "^[0-9]+[eE][0-9]+$"
LONG = "^[+-]?[1-9][0-9]{15,}$"
DAY_IN_DIGITS = "^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$"
ONE_DECIMAL, TWO_DECIMALS_AND_ZERO = "^[0-9]{1,3}[.][0-9]$", "^[0-9]{1,3}[.][1-9]0$"
VERSION = "^[0-9]{1,3}[.][0-9]{1,2}$"


def warnings_of(column: Column, kind: str, said: bool) -> list[str]:
    """Return what may not be meant: codes that are read as numbers, words that mark nothing."""
    name, text = cells.quoted(column.name), column.values
    if isinstance(text, Text) and kind in ("category", "yes/no"):
        found = missing_words(text, f"column {name}")
        if kind == "category" and not said:
            found += _numbers_in_words(column, text) + look_alikes(text, f"column {name}")
        return found
    if kind != "number" or said:
        return []
    doubt = _of_text(column, text) if isinstance(text, Text) else None
    if doubt is None and not isinstance(text, Text) and _beyond_float64(np.asarray(text)):
        doubt = f"column {name} has whole numbers of more than 15 digits, which float64 rounds"
        doubt += f"; if these are labels, say --drop {cells.option(column.name)}"
    return [] if doubt is None else [doubt]


def thousands(column: Column) -> list[str]:
    """Return the doubt that a decimal mark marks thousands: three digits behind it everywhere."""
    text = column.values
    marked = ambiguous(text, text.form) if isinstance(text, Text) else None
    if marked is None or not isinstance(text, Text):
        return []
    mark = text.form.decimal
    plain = text.find("^[+-]?[0-9]+$")
    beside = f" beside {plain!r}" if plain is not None else ""
    return [
        f"column {cells.quoted(column.name)} has {marked!r}{beside}: taken as a decimal {mark!r}; "
        f"if it marks thousands, say --thousands {mark}"
    ]


def missing_words(text: Text, what: str) -> list[str]:
    """Return the doubt that a word which usually marks a missing value is one like the others."""
    words = [w for w in text.words if w in text.missing and A_WORD.search(w)]
    counts = [int(text.each(lambda w, of=of: w == of, np.bool_).sum()) for of in words]  # type: ignore[misc]
    pairs = [(word, n) for word, n in zip(words, counts, strict=True) if n]
    if not pairs or text.missing.words is not None:
        return []
    word, n = pairs[0]
    rows = "1 row" if n == 1 else f"{n} rows"
    return [
        f"{what}: {word!r} in {rows} is taken as a missing value; if it is an ordinary word, "
        f"say {NO_MISSING}"
    ]


def look_alikes(text: Text, what: str) -> list[str]:
    """Return the doubt that two words which look the same are two: a no-break space and a space."""
    seen: dict[str, str] = {}
    for word in text.present:
        same = " ".join(unicodedata.normalize("NFKC", word).replace("\u00ad", "").split())
        if seen.setdefault(same, word) != word:
            return [
                f"{what}: {cells.cut(seen[same])!a} and {cells.cut(word)!a} look the "
                "same and are taken as two words; write them alike if they are one"
            ]
    return []


def _of_text(column: Column, text: Text) -> str | None:
    """Return what numbers that are read from text may mean besides."""
    name, option = cells.quoted(column.name), cells.option(column.name)
    marks = thousands(column)
    if marks:
        return marks[0]
    code = text.find(f"{LEADING_ZERO}|{EXPONENT_ONLY}|{LONG}")  # nearly no column has one
    for pattern, how in (
        (LEADING_ZERO, "is written with leading zeros"),
        (EXPONENT_ONLY, "is written with exponents"),
    ):
        found = None if code is None else text.find(pattern)
        if found is not None:
            return (
                f"column {name} {how} ({cells.quoted(found)}) and taken as a number; if these are "
                f"labels, say --category {option}, or --drop {option}"
            )
    first = _first(text)
    version = re.search(VERSION, first) and text.count(VERSION) == text.n_present
    zero = text.find(TWO_DECIMALS_AND_ZERO) if version and text.find(ONE_DECIMAL) else None
    if zero is not None:
        return (
            f"column {name} has {zero!r}, which is the number {float(zero):g}; if these are "
            f"versions or other labels, say --category {option}"
        )
    if _counts_rows(text):
        return f"column {name} counts the rows; if it only names them, say --drop {option}"
    long = None if code is None else text.find(LONG)
    if long is not None and _beyond_float64(text.numbers[0], long):
        return (
            f"column {name} has whole numbers of more than 15 digits, which float64 rounds; if "
            f"these are labels, say --category {option}, or --drop {option}"
        )
    days = text.count(DAY_IN_DIGITS) if re.search(DAY_IN_DIGITS, first) else 0
    if days and days == text.n_present and len(text.present) >= MANY_DAYS:
        return (
            f"column {name} is taken as a number and looks like dates without marks "
            f"({text.present[0]!r}); write them as YYYY-MM-DD if they are"
        )
    return None


def _first(text: Text) -> str:
    """Return the first cell that is not missing, "" if there is none."""
    there = np.flatnonzero(~text.is_missing)
    return text[int(there[0])] if len(there) else ""


def _numbers_in_words(column: Column, text: Text) -> list[str]:
    """Return the doubt that categories are numbers with a unit."""
    words = text.present
    found = [with_unit(word, text.form) for word in words]
    if not words or None in found or len({unit for _, unit in filter(None, found)}) > 1:
        return []
    return [
        f"column {cells.quoted(column.name)} holds numbers with a unit ({words[0]!r}) and is taken "
        "as categories; for a number write the number alone; if categories are meant, say "
        f"--category {cells.option(column.name)}"
    ]


def _beyond_float64(values: np.ndarray, long: str | None = None) -> bool:
    """Return whether whole numbers are so large that float64 cannot tell neighbours apart."""
    whole = values[np.abs(values) > EXACT]
    return (
        bool(len(whole))
        and bool(np.all(values[~np.isnan(values)] % 1 == 0) or long)
        and bool(np.nanmax(np.abs(values)) <= 2.0**64 or long)
    )


def _counts_rows(text: Text) -> bool:
    """Return whether a column rises by one from each row to the next."""
    values, places = text.numbers
    return len(values) >= MANY_TO_COUNT and not len(places) and bool(np.all(np.diff(values) == 1.0))


def of_classes(column: Column) -> list[str]:
    """Return the warnings about a target of classes."""
    text, what = column.values, f"target {cells.quoted(column.name)}"
    return look_alikes(text, what) if isinstance(text, Text) else []
