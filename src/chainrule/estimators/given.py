"""Targets as they are given to estimators: numbers or labels, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from chainrule._errors import DataError
from chainrule.tables.cells import quoted, why_no_word
from chainrule.tables.frames import collected, from_frame, is_frame, is_nothing
from chainrule.tables.table import Column, Table
from chainrule.tables.text import Text


def numbered(letter: str, n: int) -> tuple[str, ...]:
    """Return n names: x1, x2, …"""
    return tuple(f"{letter}{i + 1}" for i in range(n))


def require_whole(A: Any, name: str) -> None:
    """Refuse arrays of which a part would be lost: behind a mask, or imaginary."""
    if isinstance(A, np.ma.MaskedArray) and np.ma.is_masked(A):
        raise DataError(f"{name} is a masked array; its mask would be lost, so fill or drop rows")
    kind = getattr(getattr(A, "dtype", None), "kind", "")
    if kind == "c":
        raise DataError(f"Complex data not supported: {name} must hold real numbers")
    if kind in ("M", "m"):
        raise DataError(f"{name} holds dates; give them in a data frame, whose columns say so")


def require_present(X: Any, missing: str) -> None:
    """Refuse a matrix with values that are missing or infinite, with their place."""
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "f":
        return
    bad = np.argwhere(np.isinf(X) if missing == "indicator" else ~np.isfinite(X))
    if len(bad):
        i, j = bad[0]
        what = "NaN" if np.isnan(X[i, j]) else "infinity"
        way = "have them replaced (missing='indicator')" if what == "NaN" else "replace them"
        raise DataError(
            f"Input X contains {what}: row {i}, column {j}, counted from 0, {len(bad)} in all; "
            f"remove these rows, or {way}"
        )


def require_given(estimator: Any, y: Any) -> None:
    """Refuse to fit without a target."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None"
        )
    require_whole(y, "y")


def free_name(name: str, taken: Sequence[str]) -> str:
    """Return a name for a target that no column has."""
    while name in taken:
        name += "_"
    return name


def numbers_of(estimator: Any, y: Any) -> tuple[Table, bool]:
    """Return y as a table of numbers to be, and whether it was one column, (n,)."""
    require_given(estimator, y)
    if is_frame(y):
        return from_frame(y, "y"), False
    Y = np.asarray(y)
    if Y.ndim not in (1, 2) or Y.size == 0:
        raise DataError(f"y has shape {Y.shape}; give (rows,) or (rows, targets)")
    name = str(getattr(y, "name", None) or "y")
    names = (name,) if Y.ndim == 1 else numbered("y", Y.shape[1])
    columns = {}
    for name, values in zip(names, Y.reshape(len(Y), -1).T, strict=True):
        if Y.dtype.kind in "biuf":
            values = values.astype(np.float64)
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad):
                what = "NaN" if np.isnan(values[bad[0]]) else "infinity"
                raise DataError(
                    f"Input y contains {what}: column {name!r}, row {bad[0]} counted from 0, "
                    f"{len(bad)} in all; remove these rows"
                )
            columns[name] = Column(name, values, "number")
        else:
            words = ("" if v is None else str(v).strip() for v in values)
            columns[name] = Column(name, Text.of(words))
    return Table("y", columns), Y.ndim == 1


def labels_of(estimator: Any, y: Any) -> NDArray[Any]:
    """Return labels as an array, (n,), or 0 and 1, (n, labels)."""
    require_given(estimator, y)
    y = _of_frame(y)
    if not hasattr(y, "toarray") and np.asarray(y).dtype == object:
        y = np.asarray(y)
        _require_labels(y.ravel().tolist())
        y = _in_own_type(y.tolist()) if y.ndim == 1 else y
    labels = check_array(y, ensure_2d=False, dtype=None, input_name="y", accept_sparse="csr")
    labels = labels.toarray() if hasattr(labels, "toarray") else labels
    check_classification_targets(labels)
    if type_of_target(labels) == "multilabel-indicator":
        return np.asarray(labels)
    return np.asarray(column_or_1d(labels, warn=True))


def _of_frame(y: Any) -> Any:
    """Return a series or a data frame as an array of what its cells are; others as they are.

    Columns that may hold null would become floats, in which large whole numbers are the same.
    """
    if is_frame(y):
        frame: Any = nw.from_native(collected(y))
        columns = [_of_series(frame[:, j]) for j in range(frame.shape[1])]
        return columns[0] if len(columns) == 1 else np.column_stack(columns)
    if isinstance(y, np.ndarray | list | tuple):
        return y
    series = nw.from_native(y, pass_through=True, allow_series=True)
    return _of_series(series) if isinstance(series, nw.Series) else y


def _of_series(series: Any) -> NDArray[Any]:
    native = series.to_native()
    if isinstance(getattr(native, "dtype", None), np.dtype):  # pandas as it always was
        return np.asarray(native)
    labels = series.to_list()
    missing = [i for i, label in enumerate(labels) if is_nothing(label)]
    if missing:
        raise DataError(_missing_labels(missing))
    return _in_own_type(labels)


def _in_own_type(labels: list[Any]) -> NDArray[Any]:
    """Return labels as an array of their type, words and labels of several types as objects."""
    if len({type(label) for label in labels}) == 1 and not isinstance(labels[0], str):
        return np.array(labels)
    words = np.empty(len(labels), dtype=object)
    words[:] = labels
    return words


def _missing_labels(rows: Sequence[int]) -> str:
    return (
        f"Input y contains NaN or None: row {rows[0]} counted from 0, {len(rows)} in all; remove "
        "these rows"
    )


def _require_labels(given: Sequence[Any]) -> None:
    """Refuse labels that are missing, or of which some are words and some are not."""
    missing = [i for i, label in enumerate(given) if is_nothing(label)]
    if missing:
        raise DataError(_missing_labels(missing))
    if len({isinstance(label, str) for label in given}) > 1:
        raise DataError("Unknown label type: y holds words and others; make them all words")
    for i, label in enumerate(given):
        why = why_no_word(label) if isinstance(label, str) else None
        if why is not None:
            raise DataError(f"y, row {i} counted from 0: the class {quoted(label)} {why}")
