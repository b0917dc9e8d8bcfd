"""Tables from data frames of any library that narwhals knows: pandas, polars, pyarrow and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import DataError
from chainrule.tables.cells import ONLY_EMPTY, USUAL, Missing, quoted, why_no_word, word_of
from chainrule.tables.dates import DAY
from chainrule.tables.table import EXACT, Column, Table, check_names
from chainrule.tables.text import Text

MICROSECONDS = 1e6  # in a second


def is_frame(data: Any) -> bool:
    """Return whether data is a data frame rather than an array."""
    if isinstance(data, np.ndarray | list | tuple):
        return False
    import narwhals.stable.v2 as nw  # late: an array does not need it

    try:
        return isinstance(nw.from_native(data, pass_through=True), nw.DataFrame | nw.LazyFrame)
    except nw.exceptions.DuplicateError:
        return True  # which of its names are the same is said later


def collected(data: Any) -> Any:
    """Return a lazy data frame as one that is there."""
    import narwhals.stable.v2 as nw  # late: an array does not need it

    try:
        frame = nw.from_native(data)
    except nw.exceptions.DuplicateError:
        return data
    return frame.collect().to_native() if isinstance(frame, nw.LazyFrame) else data


def from_frame(
    data: Any,
    source: str = "the data frame",
    missing: Missing = USUAL,
    text_of: Callable[[Any, Missing], Text] | None = None,
) -> Table:
    """Return a data frame as a table.

    The types of its columns say what they hold. Text is read like that of a file.

    Parameters
    ----------
    data : data frame
    source : str
        For messages.
    missing : Missing
        Which words of columns of text stand for a missing value, besides null.
    text_of : callable, optional
        How a native series of strings becomes a Text, if there is a faster way.

    Raises
    ------
    DataError
        If a column holds what no table can: lists, complex numbers.
    """
    import narwhals.stable.v2 as nw  # late: an array does not need it

    data = collected(data)
    names = names_of(data)
    check_names(source, dict(enumerate(names, start=1)))
    frame: Any = nw.from_native(data)
    if not names:
        raise DataError(f"{source} has no columns; at least 1 is needed")
    columns = {}
    for j, name in enumerate(names):
        column = _column(name, frame[:, j], source, missing, text_of)
        columns[name] = _without_sentinels(column, missing)
    return Table(source, columns)


def names_of(data: Any) -> list[str]:
    """Return the names of the columns, pyarrow's too, as text."""
    columns = getattr(data, "column_names", None)
    return [str(name) for name in (data.columns if columns is None else columns)]


def from_array(X: Array, names: tuple[str, ...], source: str = "X") -> Table:
    """Return a matrix of numbers, NaN where missing, as a table."""
    return Table(source, {name: Column(name, X[:, j], "number") for j, name in enumerate(names)})


def _column(
    name: str,
    series: Any,
    source: str,
    missing: Missing,
    text_of: Callable[[Any, Missing], Text] | None,
) -> Column:
    import narwhals.stable.v2 as nw  # late: an array does not need it

    dtype = series.dtype
    if dtype.is_integer() and _beyond_float64(series):
        words = ["" if is_nothing(v) else str(int(v)) for v in series.to_list()]
        return Column(name, Text.of(words, ONLY_EMPTY))
    if dtype.is_numeric():
        return Column(name, _floats(series), "number")
    if dtype == nw.Boolean:
        return Column(name, _floats(series), "yes/no")
    if dtype == nw.Date or dtype == nw.Datetime:
        days = _floats(series.dt.timestamp("us")) / (MICROSECONDS * DAY)
        return Column(name, days, "date")
    if dtype == nw.Categorical or dtype == nw.Enum:
        _require_categories(name, series, source)
        if text_of is not None:
            return Column(name, text_of(series.cast(nw.String).to_native(), ONLY_EMPTY), "category")
        return Column(name, Text.of(_words(name, series.to_list(), source), ONLY_EMPTY), "category")
    if dtype == nw.String and text_of is not None:
        return Column(name, text_of(series.to_native(), missing))
    if dtype == nw.String or dtype == nw.Object or dtype == nw.Unknown:
        return _mixed(name, series.to_list(), source, missing)
    raise DataError(
        f"{source}: column {quoted(name)} holds {dtype}, of which no input can be made; convert "
        "it, or leave it out"
    )


def _without_sentinels(column: Column, missing: Missing) -> Column:
    """Return a column of numbers in which those that mark a missing value, as -999 may, are NaN."""
    marks = [_number_or_nan(word) for word in missing.words or ()]
    if column.kind != "number" or not marks:
        return column
    values = np.asarray(column.values)
    return Column(column.name, np.where(np.isin(values, marks), np.nan, values), column.kind)


def _number_or_nan(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _beyond_float64(series: Any) -> bool:
    """Return whether whole numbers are so large that float64 cannot tell neighbours apart."""
    bounds = [series.min(), series.max()]
    return any(v is not None and v == v and abs(int(v)) > EXACT for v in bounds)


def _floats(series: Any) -> Array:
    import narwhals.stable.v2 as nw  # late: an array does not need it

    values = series.cast(nw.Float64).to_numpy()
    return np.array(values, dtype=np.float64)


def _float(value: Any) -> float:
    try:
        return float(value)
    except TypeError:  # pandas' NA
        return float("nan")
    except OverflowError:  # a whole number beyond them all
        return float("inf")


def is_nothing(value: Any) -> bool:
    """Return whether a value of a data frame says nothing: None, NaN, NaT, NA."""
    if value is None:
        return True
    try:
        return bool(value != value)  # NaN, NaT
    except TypeError:  # pandas' NA says neither
        return True
    except ValueError:  # an array
        return False


def _mixed(name: str, values: list[Any], source: str, missing: Missing) -> Column:
    """Return a column of Python objects: all numbers, all answers, or text."""
    present = [v for v in values if not is_nothing(v)]
    if present and all(isinstance(v, bool | np.bool_) for v in present):
        return Column(name, _numbers(values), "yes/no")
    if present and all(isinstance(v, int | float | np.number) for v in present):
        return Column(name, _numbers(values), "number")
    return Column(name, Text.of(_words(name, values, source), missing))


def _numbers(values: list[Any]) -> Array:
    return np.array([np.nan if is_nothing(v) else _float(v) for v in values], dtype=np.float64)


def _require_categories(name: str, series: Any, source: str) -> None:
    """Refuse categories, of which only null is missing, that no word tells apart."""
    categories = [str(of).strip() for of in series.cat.get_categories().to_list()]
    for category in categories:
        why = "is empty; rename it, or make it missing" if category == "" else why_no_word(category)
        if why is not None:
            raise DataError(
                f"{source}: column {quoted(name)}: the category {quoted(category)} {why}"
            )
    if len(set(categories)) < len(categories):
        raise DataError(
            f"{source}: column {quoted(name)} has categories that are written the same; rename them"
        )


def _words(name: str, values: Sequence[Any], source: str) -> NDArray[np.object_]:
    words = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        if is_nothing(value):
            words[i] = ""
        elif isinstance(value, str):
            words[i] = value.strip()
        elif isinstance(value, int | float | np.number | np.bool_):
            words[i] = word_of(value)
        elif isinstance(value, bytes) or hasattr(value, "isoformat"):
            words[i] = str(value)
        else:
            raise DataError(
                f"{source}, column {quoted(name)}, row {i + 1} holds a {type(value).__name__}, of "
                "which no input can be made; convert it, or leave it out"
            )
    return words
