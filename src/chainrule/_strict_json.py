"""Reading JSON strictly: everything is what it must be, or a ValueError says what is not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from chainrule._contracts import Array

_LONGEST_NAME = 10_000


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that occurs twice: for ``object_pairs_hook``."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def no_constant(text: str) -> float:
    """Refuse NaN and infinity: for ``parse_constant``."""
    raise ValueError(f"{text} is not a finite number")


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
        found = sorted(value) if isinstance(value, dict) else type(value).__name__
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
    """Return a text that can be printed."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise ValueError(f"expected a text of at most {_LONGEST_NAME:,} characters")
    if not value.isprintable():
        raise ValueError(f"{value!r} has characters that cannot be printed")
    return value


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
