"""Frozen dataclasses as JSON and back: every field is there, of its type, and nothing else.

The key of a field is its name, unless its type is annotated with another `Key`. A field that is
`ABSENT` has no key while it is None, and the keys of a record that is `INLINED` stand beside those
of the record that holds it. A function in the annotation reads the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from chainrule._strict_json import (
    a_name,
    a_share,
    a_truth,
    list_of,
    number,
    object_of,
    object_with,
    positive,
    whole,
)

Positive = Annotated[float, positive]
Share = Annotated[float, a_share]
T = TypeVar("T")

_READERS: dict[Any, Callable[[Any, str], Any]] = {
    float: number,
    int: whole,
    bool: a_truth,
    str: lambda value, _: a_name(value),
}


@dataclass(frozen=True)
class Key:
    """The key of a field, where it is not its name."""

    name: str


class Place(Enum):
    """Where a field is, if not always under its key."""

    ABSENT = "without a key while it is None"
    INLINED = "its own keys beside the others"


ABSENT, INLINED = Place


@dataclass(frozen=True)
class _Entry:
    """A field of a record."""

    name: str
    hint: Any
    key: str
    place: Place | None
    required: bool


def to_json(value: Any) -> Any:
    """Return a record, or what holds records, as plain data."""
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if not is_dataclass(value):
        return value
    found: dict[str, Any] = {}
    for of in _entries(type(value)):
        item = getattr(value, of.name)
        if of.place is INLINED:
            found |= to_json(item)
        elif item is not None or of.place is not ABSENT:
            found[of.key] = to_json(item)
    return found


def from_json(record: type[T], content: Any, what: str) -> T:
    """Return a record from plain data.

    Raises
    ------
    ValueError
        If a key is missing or unknown, or a value is not what it must be.
    """
    required, optional = _keys(record)
    return _built(record, object_with(content, what, required, optional))


def _built(record: type[T], content: dict[str, Any]) -> T:
    given = {}
    for of in _entries(record):
        if of.place is INLINED:
            given[of.name] = _built(_plain(of.hint), content)
        elif of.key in content:
            given[of.name] = _read(of.hint, content[of.key], of.key)
    return record(**given)


def _entries(record: type) -> list[_Entry]:
    hints, found = get_type_hints(record, include_extras=True), []
    for of in fields(record):
        marks = getattr(hints[of.name], "__metadata__", ())
        key = next((mark.name for mark in marks if isinstance(mark, Key)), of.name)
        place = next((mark for mark in marks if isinstance(mark, Place)), None)
        required = of.default is MISSING and of.default_factory is MISSING
        found.append(_Entry(of.name, hints[of.name], key, place, required))
    return found


def _keys(record: type) -> tuple[set[str], set[str]]:
    """Return the keys that a record must have, and those that it may have."""
    required: set[str] = set()
    optional: set[str] = set()
    for of in _entries(record):
        if of.place is INLINED:
            inner = _keys(_plain(of.hint))
            required, optional = required | inner[0], optional | inner[1]
        else:
            (required if of.required else optional).add(of.key)
    return required, optional


def _plain(hint: Any) -> Any:
    """Return a type without what is noted of it."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _read(hint: Any, value: Any, what: str) -> Any:
    """Return what a value stands for, by the type of its field."""
    for mark in getattr(hint, "__metadata__", ()):
        if callable(mark):
            return mark(value, what)
    hint = _plain(hint)
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and NoneType in inside:
            return None
        return _read(_one_of(inside, value), value, what)
    if origin is tuple:
        return tuple(list_of(value, what, lambda item: _read(inside[0], item, what)))
    if origin is dict:
        items = object_of(value, what).items()
        return {a_name(key): _read(inside[1], item, what) for key, item in items}
    if isinstance(hint, type) and is_dataclass(hint):
        return from_json(hint, value, what)
    return _READERS[hint](value, what)


def _one_of(hints: tuple[Any, ...], value: Any) -> Any:
    """Return the type that is meant: of several records the one that has these keys."""
    known = [hint for hint in hints if hint is not NoneType]
    if isinstance(value, dict) and len(known) > 1:
        return next((hint for hint in known if _keys(hint)[0] == set(value)), known[0])
    return known[0]
