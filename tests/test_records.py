"""Records as JSON and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import pytest

from chainrule._records import ABSENT, INLINED, Key, Positive, Share, from_json, to_json


@dataclass(frozen=True)
class Inner:
    size: Annotated[int, Key("of_size")]
    share: Share = 0.5


@dataclass(frozen=True)
class Other:
    name: str


@dataclass(frozen=True)
class Record:
    inner: Annotated[Inner, INLINED]
    height: float | None
    reason: Annotated[str | None, ABSENT] = None
    parts: tuple[Inner, ...] = ()
    either: dict[str, Inner | Other] = field(default_factory=dict)
    width: Positive = 1.0
    is_good: bool = True


PLAIN = {
    "of_size": 3,
    "share": 0.25,
    "height": None,
    "parts": [{"of_size": 1, "share": 0.5}],
    "either": {"a": {"of_size": 2, "share": 1.0}, "b": {"name": "x"}},
    "width": 2.0,
    "is_good": False,
}


def test_there_and_back():
    record = from_json(Record, PLAIN, "record")
    assert record.inner == Inner(3, 0.25)
    assert record.parts == (Inner(1),)
    assert record.either == {"a": Inner(2, 1.0), "b": Other("x")}
    assert to_json(record) == PLAIN
    assert to_json(from_json(Record, {**PLAIN, "reason": "why"}, "record"))["reason"] == "why"


def test_what_has_a_default_may_be_left_out():
    assert from_json(Record, {"of_size": 1, "height": 2.0}, "record") == Record(Inner(1), 2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"of_size": -1}, "of_size must be a whole number"),
        ({"of_size": 1.0}, "of_size must be a whole number"),
        ({"share": 1.5}, "share is 1.5, and has to be from 0 to 1"),
        ({"height": "1"}, "height must be a number"),
        ({"height": True}, "height must be a number"),
        ({"width": 0.0}, "width is 0.0, and has to be positive"),
        ({"parts": {}}, "parts must be a list"),
        ({"parts": [{}]}, "parts must have exactly the keys"),
        ({"either": {"a": {"of_size": 1, "name": "x"}}}, "either must have exactly the keys"),
        ({"is_good": 1}, "is_good must be true or false"),
        ({"reason": ""}, "expected a name"),
        ({"more": 1}, "record must have exactly the keys"),
    ],
)
def test_everything_else_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        from_json(Record, PLAIN | changes, "record")
