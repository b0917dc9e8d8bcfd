"""A column of text: every distinct word once, and which one each cell holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule.tables.cells import USUAL, Missing
from chainrule.tables.number_format import LONGEST_NUMBER, POINT, NumberFormat

Places = NDArray[np.intp]


class Text:
    """Cells of text.

    Parameters
    ----------
    words : sequence of str
        The distinct ones.
    codes : ndarray of int (n,)
        The position in `words` of each cell.
    missing : Missing
        Which words stand for a missing value.
    form : NumberFormat
        How numbers are written.
    """

    def __init__(
        self,
        words: Sequence[str],
        codes: NDArray[np.int32],
        missing: Missing = USUAL,
        form: NumberFormat = POINT,
    ) -> None:
        self.words, self.codes, self.missing, self.form = words, codes, missing, form

    @classmethod
    def of(
        cls,
        cells: Iterable[str],
        missing: Missing = USUAL,
        form: NumberFormat = POINT,
    ) -> Text:
        """Return the text of these cells."""
        position: dict[str, int] = {}
        codes = [position.setdefault(cell, len(position)) for cell in cells]
        return cls(tuple(position), np.array(codes, dtype=np.int32), missing, form)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, i: int) -> str: ...

    @overload
    def __getitem__(self, i: Places) -> Text: ...

    def __getitem__(self, i: int | Places) -> str | Text:
        if isinstance(i, int | np.integer):
            return str(self.words[int(self.codes[i])])
        return Text(self.words, self.codes[i], self.missing, self.form)

    def written_as(self, form: NumberFormat) -> Text:
        """Return the same text with numbers written in another way."""
        return Text(self.words, self.codes, self.missing, form)

    @cached_property
    def is_missing(self) -> NDArray[np.bool_]:
        """Where a cell is missing."""
        return self.each(lambda word: word in self.missing, np.bool_)

    @property
    def any_filled(self) -> bool:
        """Whether any cell has a letter in it."""
        return any(self.words)

    @property
    def n_present(self) -> int:
        """How many cells are not missing."""
        return int((~self.is_missing).sum())

    @cached_property
    def present(self) -> list[str]:
        """The distinct words that are not missing, in the order in which they come."""
        there = np.bincount(self.codes, minlength=len(self.words)) > 0
        pairs = zip(self.words, there.tolist(), strict=True)
        return [word for word, occurs in pairs if occurs and word not in self.missing]

    def codes_in_text_order(self) -> NDArray[np.int32]:
        """Return the rank of each word that is not missing, in the order of the alphabet."""
        rank = np.argsort(np.argsort(np.array(self.words, dtype=object), kind="stable"))
        return np.asarray(rank[self.codes][~self.is_missing], dtype=np.int32)

    def each(self, of: Callable[[str], object], dtype: type) -> NDArray[Any]:
        """Return a function of the word of every cell, (n,), asked once for each word."""
        values: NDArray[Any] = np.fromiter(
            (of(w) for w in self.words), dtype=dtype, count=len(self.words)
        )
        return np.asarray(values[self.codes])

    @cached_property
    def numbers(self) -> tuple[Array, Places]:
        """Numbers, NaN where missing, infinite where too large; and where there are none."""
        values = np.full(len(self.words), np.nan)
        bad = np.zeros(len(self.words), dtype=bool)
        for k, word in enumerate(self.words):
            if word in self.missing:
                continue
            number = self.form.number(word)
            values[k], bad[k] = (np.nan, True) if number is None else (number, False)
        return values[self.codes], np.flatnonzero(bad[self.codes])

    def find(self, pattern: str, needs: str = "") -> str | None:
        """Return a cell that is not missing and matches, None if there is none."""
        matches = _matcher(pattern)
        return next((word for word in self.present if matches(word)), None)

    def count(self, pattern: str, needs: str = "") -> int:
        """Return how many cells that are not missing match."""
        matches = _matcher(pattern)
        return int(self.each(lambda w: w not in self.missing and matches(w), np.bool_).sum())


def _matcher(pattern: str) -> Callable[[str], bool]:
    search = re.compile(pattern).search
    return lambda word: len(word) <= LONGEST_NUMBER and search(word) is not None
