"""Reading JSON strictly: everything is what it must be, or a ValueError says what is not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from chainrule._contracts import Array

SMALLEST = 1e-290  # of what has to be positive
_LONGEST_NAME = 30_000  # an input is called by its column and its category, of 10,000 each
_LONGEST_SHOWN, _MOST_SHOWN = 60, 40  # characters of a value, and entries, that a message shows
_LARGEST_WHOLE = 2**64  # beyond, a whole number in JSON is no count of ours


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that occurs twice: for ``object_pairs_hook``."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def no_constant(text: str) -> float:
    """Refuse NaN and infinity: for ``parse_constant``."""
    raise ValueError(f"{text} is not a finite number")


def no_huge_number(text: str) -> int:
    """Refuse whole numbers beyond 64 bits: for ``parse_int``."""
    if len(text) > 20 or not -_LARGEST_WHOLE < int(text) < _LARGEST_WHOLE:
        raise ValueError(f"{text[:_LONGEST_SHOWN]} is a whole number of more than 64 bits")
    return int(text)


def object_of(value: Any, what: str) -> dict[str, Any]:
    """Return an object."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object")
    return value


def object_with(
    value: Any, what: str, keys: set[str], optional: Collection[str] = ()
) -> dict[str, Any]:
    """Return an object that has exactly these keys, besides optional ones."""
    if not isinstance(value, dict) or set(value) - set(optional) != keys:
        found = (
            [key[:_LONGEST_SHOWN] for key in sorted(value)[:_MOST_SHOWN]]
            if isinstance(value, dict)
            else type(value).__name__
        )
        raise ValueError(f"{what} must have exactly the keys {sorted(keys)}, found {found}")
    return value


def list_of(value: Any, what: str, each: Callable[[Any], Any]) -> list[Any]:
    """Return a list, with `each` made of its items."""
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list")
    return [each(item) for item in value]


def a_name(value: Any) -> str:
    """Return a text that is not empty."""
    if value == "":
        raise ValueError("expected a name, found an empty text")
    return a_text(value)


def a_text(value: Any) -> str:
    """Return a text of whole characters."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise ValueError(f"expected a text of at most {_LONGEST_NAME:,} characters")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("a text has half a character")
    return value


def a_truth(value: Any, what: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be true or false")
    return value


def one_of(value: Any, what: str, known: Collection[str]) -> str:
    """Return a name that is known."""
    if a_name(value) not in known:
        raise ValueError(f"unknown {what} {value[:_LONGEST_SHOWN]!r}")
    return str(value)


def whole(value: Any, what: str) -> int:
    """Return a whole number of at least 0."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"{what} must be a whole number of at least 0")
    return value


def number(value: Any, what: str) -> float:
    """Return a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{what} must be a number")
    found = float(value)
    if not np.isfinite(found):
        raise ValueError(f"{what} must be finite")
    return found


def positive(value: Any, what: str) -> float:
    """Return a number that is greater than 0, and not so small that its square is lost."""
    found = number(value, what)
    if not found > SMALLEST:
        raise ValueError(f"{what} is {found}, and has to be positive")
    return found


def a_share(value: Any, what: str) -> float:
    """Return a number from 0 to 1."""
    found = number(value, what)
    if not 0.0 <= found <= 1.0:
        raise ValueError(f"{what} is {found}, and has to be from 0 to 1")
    return found


def numbers(value: Any, shape: tuple[int, ...], what: str) -> Array:
    """Return finite numbers of that shape."""
    rows = list_of(value, what, lambda row: row)
    if len(shape) == 1:
        found = np.array([number(x, what) for x in rows], dtype=np.float64)
        if found.shape != shape:
            raise ValueError(f"{what} has {len(rows)} numbers, the layers need {shape[0]}")
        return found
    if len(rows) != shape[0]:
        raise ValueError(f"{what} has {len(rows)} rows, the layers need {shape[0]}")
    return np.array([numbers(row, shape[1:], what) for row in rows]).reshape(shape)


def require(holds: bool, message: str) -> None:
    """Raise ValueError with a message unless something holds."""
    if not holds:
        raise ValueError(message)
