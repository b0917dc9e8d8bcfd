"""Tables from data frames of any library that narwhals knows: pandas, polars, pyarrow and more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import DataError
from chainrule.tables.cells import DAY, MISSING, word_of
from chainrule.tables.table import Column, Table, check_names

MICROSECONDS = 1e6


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


def from_frame(data: Any, source: str = "the data frame") -> Table:
    """Return a data frame as a table.

    The types of its columns say what they hold. Text is read like that of a file.

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
    columns = {name: _column(name, frame[:, j], source) for j, name in enumerate(names)}
    return Table(source, columns)


def names_of(data: Any) -> list[str]:
    """Return the names of the columns, pyarrow's too, as text."""
    columns = getattr(data, "column_names", None)
    return [str(name) for name in (data.columns if columns is None else columns)]


def from_array(X: Array, names: tuple[str, ...], source: str = "X") -> Table:
    """Return a matrix of numbers, NaN where missing, as a table."""
    return Table(source, {name: Column(name, X[:, j], "number") for j, name in enumerate(names)})


def _column(name: str, series: Any, source: str) -> Column:
    import narwhals.stable.v2 as nw  # late: an array does not need it

    dtype = series.dtype
    if dtype.is_numeric():
        return Column(name, _floats(series), "number")
    if dtype == nw.Boolean:
        return Column(name, _floats(series), "yes/no")
    if dtype == nw.Date or dtype == nw.Datetime:
        days = [np.nan if t is None else t / (MICROSECONDS * DAY) for t in _microseconds(series)]
        return Column(name, np.array(days, dtype=np.float64), "date")
    if dtype == nw.Categorical or dtype == nw.Enum:
        return Column(name, _labels(name, series.to_list(), source), "category")
    if dtype == nw.String or dtype == nw.Object or dtype == nw.Unknown:
        return _mixed(name, series.to_list(), source)
    raise DataError(
        f"{source}: column {name!r} holds {dtype}, of which no input can be made; convert it, or "
        "leave it out"
    )


def _microseconds(series: Any) -> list[int | None]:
    found: list[int | None] = series.dt.timestamp("us").to_list()
    return [None if t is None or t != t else t for t in found]


def _floats(series: Any) -> Array:
    return np.array([np.nan if v is None else _float(v) for v in series.to_list()])


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


def _mixed(name: str, values: list[Any], source: str) -> Column:
    """Return a column of Python objects: all numbers, all answers, or text."""
    present = [v for v in values if not is_nothing(v)]
    if present and all(isinstance(v, bool | np.bool_) for v in present):
        return Column(name, _numbers(values), "yes/no")
    if present and all(isinstance(v, int | float | np.number) for v in present):
        return Column(name, _numbers(values), "number")
    return Column(name, _words(name, values, source))


def _numbers(values: list[Any]) -> Array:
    return np.array([np.nan if is_nothing(v) else _float(v) for v in values])


def _labels(name: str, values: list[Any], source: str) -> NDArray[np.object_]:
    """Return labels of a type that says they are: only what is null is missing."""
    words = _words(name, values, source)
    present = {value for value in values if not is_nothing(value)}
    if len({str(value).strip() for value in present}) < len(present):
        raise DataError(
            f"{source}: column {name!r} has categories that are written the same; rename them"
        )
    unclear = [str(v) for v in present if str(v).strip().lower() in MISSING]
    if unclear:
        raise DataError(
            f"{source}: column {name!r} has the category {unclear[0]!r}, which elsewhere means "
            "a missing value; rename it, or make it missing"
        )
    return words


def _words(name: str, values: list[Any], source: str) -> NDArray[np.object_]:
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
                f"{source}, column {name!r}, row {i + 1} holds a {type(value).__name__}, of which "
                "no input can be made; convert it, or leave it out"
            )
    return words
