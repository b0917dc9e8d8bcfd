"""What a cell of text says besides numbers and dates: nothing, yes or no, a word."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule._errors import ConfigurationError

USUALLY_MISSING = frozenset({"na", "n/a", "nan", "null", "none", "?", ".", "<na>", "nat"})
NO_WORDS = "none"  # how an option says that only empty cells are missing
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
LONGEST_WORD = 10_000  # characters of a name, a category or a class


@dataclass(frozen=True)
class Missing:
    """Which cells hold a missing value: the empty ones, and those that say one of these words.

    Attributes
    ----------
    words : tuple of str, optional
        Exactly as they are written. None stands for the usual ones, in capitals or not: NA, N/A,
        NaN, NaT, <NA>, null, none, ? and a dot.
    """

    words: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.words is not None and not all(isinstance(word, str) for word in self.words):
            raise ConfigurationError(
                f"missing_values is {self.words!r}; give words, such as ('NA', '-'), or () for none"
            )

    def __contains__(self, cell: str) -> bool:
        if cell == "":
            return True
        return cell.lower() in USUALLY_MISSING if self.words is None else cell in self.words

    @classmethod
    def of_option(cls, text: str | None) -> Missing | None:
        """Return what an option says: words with commas between, or "none"; None if left out."""
        if text is None:
            return None
        words = [] if text == NO_WORDS else [word.strip() for word in text.split(",")]
        return cls(tuple(word for word in words if word))


USUAL, ONLY_EMPTY = Missing(), Missing(())


def answers(words: Sequence[str]) -> tuple[str, str] | None:
    """Return how words say no and yes, as they are written, or None if they do not."""
    written = {word.lower(): word for word in words}
    if len(words) != 2:
        return None
    for no, yes in ANSWERS:
        if set(written) == {no, yes}:
            return written[no], written[yes]
    return None


def cut(text: str) -> str:
    """Return a text as it is shown in messages, the beginning of it if it is long."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def quoted(cell: object) -> str:
    """Return a cell in quotes as it is shown in messages."""
    return repr(cut(cell)) if isinstance(cell, str) else cut(str(cell))


def option(name: str) -> str:
    """Return a name as it is written behind an option in a shell."""
    return shlex.quote(cut(name))


def word_of(value: object) -> str:
    """Return a number or a truth value as the word of a category: 1 and 1.0 are the same."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    number = float(value)  # type: ignore[arg-type]
    return str(int(number)) if number % 1.0 == 0.0 else repr(number)


def why_no_word(word: str) -> str | None:
    """Return why a text cannot be a name, a category or a class in a model file, or None."""
    if len(word) > LONGEST_WORD:
        return f"has {len(word):,} characters, at most {LONGEST_WORD:,}; shorten it"
    half = next((letter for letter in word if "\ud800" <= letter <= "\udfff"), None)
    if half is not None:
        return f"has {half!r}, which is half a character; rename it"
    return None
