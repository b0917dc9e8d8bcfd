"""A column of text as polars holds it: no cell becomes a Python object unless it is asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule.tables.cells import USUAL, Missing
from chainrule.tables.number_format import PLAIN_IN_POLARS, POINT, NumberFormat
from chainrule.tables.text import Places, Text

if TYPE_CHECKING:
    import polars


class SeriesText(Text):
    """Text in a polars Series of strings, "" where there is nothing; see `Text`."""

    def __init__(
        self,
        series: polars.Series,
        missing: Missing = USUAL,
        form: NumberFormat = POINT,
    ) -> None:
        self.series, self.missing, self.form = series, missing, form

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
        return SeriesText(self.series, self.missing, form)

    @cached_property
    def is_missing(self) -> NDArray[np.bool_]:
        """Where a cell is missing."""
        return self._absent.to_numpy()

    @cached_property
    def _absent(self) -> polars.Series:
        short = self.series.filter(self.series.str.len_bytes() <= 8).unique()
        words = [w for w in short.to_list() if w in self.missing]
        words += [w for w in self.missing.words or () if len(w.encode()) > 8]
        return self.series.is_in(words)

    @property
    def n_present(self) -> int:
        """How many cells are not missing."""
        return len(self.series) - int(self._absent.sum())

    def numbers(self) -> tuple[Array, Places]:
        """Return numbers, NaN where missing, infinite where too large; and where there are none."""
        import polars  # late: only who reads files needs it

        decimal = self.form.decimal
        plain = (self.series.str.contains(PLAIN_IN_POLARS[decimal]) & ~self._absent).to_numpy()
        typed = self.series.str.replace(",", ".", literal=True) if decimal == "," else self.series
        values = np.where(plain, typed.cast(polars.Float64, strict=False).to_numpy(), np.nan)
        rest = np.flatnonzero(~plain & ~self.is_missing)
        if len(rest):
            cells = self.series.gather(rest).to_list()
            values[rest], bad = Text.of(cells, self.missing, self.form).numbers()
            rest = rest[bad]
        return values, rest

    def find(self, pattern: str) -> str | None:
        """Return a cell that is not missing and matches, None if there is none."""
        matching = self._matching(pattern)
        return str(self.series.filter(matching)[0]) if matching.any() else None

    def count(self, pattern: str) -> int:
        """Return how many cells that are not missing match."""
        return int(self._matching(pattern).sum())

    def _matching(self, pattern: str) -> polars.Series:
        return self.series.str.contains(pattern) & ~self._absent
