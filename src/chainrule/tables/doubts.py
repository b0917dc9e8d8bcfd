"""What a column of numbers may mean besides: identifiers, counters of rows, marks of thousands."""

from __future__ import annotations

import numpy as np

from chainrule.tables import cells
from chainrule.tables.table import EXACT, Column

MANY_TO_COUNT = 20  # rows: of fewer, chance may put whole numbers in their order


def doubts(column: Column, kind: str, said: bool, decimal: str) -> list[str]:
    """Return what may not be meant: identifiers that are read as numbers."""
    if kind != "number" or said:
        return []
    name = column.name
    if column.kind == "text":
        words = _written(column)
        marks = thousands(column, decimal)
        if marks:
            return marks
        zeros = [w for w in words if len(w) > 1 and w[0] == "0" and w.isdigit()]
        if zeros:
            return [
                f"column {name!r} is written with leading zeros ({zeros[0]!r}) and taken as a "
                f"number; if these are labels, say --category {name}, or --drop {name}"
            ]
        if _counts_rows(column):
            return [f"column {name!r} counts the rows; if it only names them, say --drop {name}"]
        large = any(w.isdigit() and len(w) > 15 and int(w) > EXACT for w in words)
    else:
        values = np.asarray(column.values)
        whole = values[np.abs(values) > EXACT]
        large = (
            bool(len(whole))
            and bool(np.all(values[~np.isnan(values)] % 1 == 0))
            and bool(np.nanmax(np.abs(values)) <= 2.0**64)
        )
    if large:
        return [
            f"column {name!r} has whole numbers of more than 15 digits, which float64 rounds; if "
            f"these are labels, say --drop {name}"
        ]
    return []


def thousands(column: Column, decimal: str) -> list[str]:
    """Return the doubt that a decimal mark marks thousands: three digits behind it everywhere."""
    words = _written(column) if column.kind == "text" else []
    marked = [w for w in words if decimal in w]
    if not marked or not all(cells.THOUSANDS[decimal].fullmatch(w) for w in marked):
        return []
    other = next((f" beside {word!r}" for word in words if decimal not in word), "")
    return [
        f"column {column.name!r} has {marked[0]!r}{other}: taken as a decimal {decimal!r}; if it "
        "marks thousands, write the numbers without it"
    ]


def _written(column: Column) -> list[str]:
    return [w.lstrip("+-") for w in column.values if w.lower() not in cells.MISSING]


def _counts_rows(column: Column) -> bool:
    """Return whether a column rises by one from each row to the next."""
    try:
        values = np.asarray(column.values, dtype=np.float64)
    except ValueError:
        return False
    return len(values) >= MANY_TO_COUNT and bool(np.all(np.diff(values) == 1.0))
