"""Text that is safe to print in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

# what could move the cursor, recolor or reorder a terminal: control characters of
# both sets, but not newline, other ends of lines, and the marks that turn the direction of writing
_UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str, newlines: bool = True) -> str:
    """Return text with everything escaped that could command a terminal."""
    if not newlines:
        text = text.replace("\n", "\\n")
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def page(lines: Iterable[str]) -> str:
    """Return lines as a text in which each is one line, whatever names are in it."""
    return "\n".join(printable(line, newlines=False) for line in lines)
