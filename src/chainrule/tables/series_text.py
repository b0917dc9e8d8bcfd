"""A column of text as polars holds it: no cell becomes a Python object unless it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule.tables.cells import USUAL, USUALLY_MISSING, Missing
from chainrule.tables.number_format import PLAIN_IN_POLARS, POINT, NumberFormat
from chainrule.tables.text import Places, Text

if TYPE_CHECKING:
    import polars


LONGEST_USUAL = max(len(word) for word in USUALLY_MISSING)
HEAD = 1_000  # rows that are searched before all of them


class SeriesText(Text):
    """Text in a polars Series of strings, "" where there is nothing; see `Text`."""

    def __init__(
        self,
        series: polars.Series,
        missing: Missing = USUAL,
        form: NumberFormat = POINT,
    ) -> None:
        self.series, self.missing, self.form = series, missing, form
        self._marks: dict[str, bool] = {}

    @cached_property
    def _distinct(self) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        import polars  # late: only who reads files needs it

        words = self.series.unique(maintain_order=True)
        codes = self.series.replace_strict(
            words, polars.Series(range(len(words)), dtype=polars.Int32), return_dtype=polars.Int32
        )
        return tuple(words.to_list()), codes.to_numpy()

    @property
    def words(self) -> tuple[str, ...]:  # type: ignore[override]
        """The distinct words."""
        return self._distinct[0]

    @property
    def codes(self) -> NDArray[np.int32]:  # type: ignore[override]
        """The position in `words` of each cell."""
        return self._distinct[1]

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, int | np.integer):
            return self.series[int(i)]
        return SeriesText(self.series.gather(i), self.missing, self.form)

    def written_as(self, form: NumberFormat) -> Text:
        """Return the same text with numbers written in another way."""
        text = SeriesText(self.series, self.missing, form)
        text._marks = self._marks
        if "_absent" in vars(self):
            vars(text)["_absent"] = self._absent
        return text

    @cached_property
    def is_missing(self) -> NDArray[np.bool_]:
        """Where a cell is missing."""
        return self._absent.to_numpy()

    @cached_property
    def _absent(self) -> polars.Series:
        words = self.missing.words
        if words is None:
            short = self.series.filter(self.series.str.len_bytes() <= LONGEST_USUAL).unique()
            words = tuple(word for word in short.to_list() if word in self.missing)
        return self.series.is_in(["", *words])

    @property
    def any_filled(self) -> bool:
        """Whether any cell has a letter in it."""
        return bool((self.series != "").any())

    @property
    def n_present(self) -> int:
        """How many cells are not missing."""
        return len(self.series) - int(self._absent.sum())

    @cached_property
    def numbers(self) -> tuple[Array, Places]:
        """Numbers, NaN where missing, infinite where too large; and where there are none."""
        import polars  # late: only who reads files needs it

        decimal = self.form.decimal
        plain = (self.series.str.contains(PLAIN_IN_POLARS[decimal]) & ~self._absent).to_numpy()
        typed = self.series.str.replace(",", ".", literal=True) if decimal == "," else self.series
        values = np.where(plain, typed.cast(polars.Float64, strict=False).to_numpy(), np.nan)
        rest = np.flatnonzero(~plain & ~self.is_missing)
        if len(rest):
            others = SeriesText(self.series.gather(rest))
            distinct = Text(others.words, others.codes, self.missing, self.form)
            values[rest], bad = distinct.numbers
            rest = rest[bad]
        return values, rest

    def find(self, pattern: str, needs: str = "") -> str | None:
        """Return a cell that is not missing and matches, None if there is none."""
        if needs and not self._has(needs):
            return None
        for part in (self[np.arange(min(HEAD, len(self)))], self):  # mostly the first rows have one
            matching = part._matching(pattern)
            if matching.any():
                return str(part.series.filter(matching)[0])
        return None

    def count(self, pattern: str, needs: str = "") -> int:
        """Return how many cells that are not missing match."""
        return 0 if needs and not self._has(needs) else int(self._matching(pattern).sum())

    def _has(self, mark: str) -> bool:
        if mark not in self._marks:
            self._marks[mark] = bool(self.series.str.contains(mark, literal=True).any())
        return self._marks[mark]

    def _matching(self, pattern: str) -> polars.Series:
        return self.series.str.contains(pattern) & ~self._absent


def joined(parts: Sequence[Text]) -> Text:
    """Return the cells of all parts, one after the other; what the first says holds for all."""
    first = parts[0]
    if not any(isinstance(part, SeriesText) for part in parts):
        position: dict[str, int] = {}
        codes = []
        for part in parts:
            new = [position.setdefault(word, len(position)) for word in part.words]
            codes.append(np.array(new, dtype=np.int32)[part.codes])
        return Text(tuple(position), np.concatenate(codes), first.missing, first.form)
    import polars  # late: small tables do not need it

    series = [
        part.series
        if isinstance(part, SeriesText)
        else polars.Series([part[i] for i in range(len(part))], dtype=polars.String)
        for part in parts
    ]
    return SeriesText(polars.concat(series), first.missing, first.form)
