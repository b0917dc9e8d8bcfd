"""What is to be predicted: numbers, or one of several classes.

    task              targets                        network
    regression        columns of numbers             one output for each
    classification    one column of two classes      one sigmoid, the probability of the second
                      one column of more             softmax, one output for each class
                      several columns of two         one sigmoid for each column

A column of numbers is classes only if these are 0 and 1, or if classification is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.tables import cells
from chainrule.tables.encoding import ColumnType, encode, find_types, kind_of
from chainrule.tables.table import Table, listed

Label = str | int | float | bool
Classes = tuple[tuple[Label, ...], ...]

TASKS = ("auto", "regression", "classification")
AS_GIVEN = "as_given"  # for who names the output: words are classes, numbers stay numbers
MOST_CLASSES = 1000
# the smallest and the largest probability: no finite data can be sure
INSIDE = float(np.finfo(np.float64).tiny), float(np.nextafter(1.0, 0.0))


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as a network learns them.

    Attributes
    ----------
    Y : ndarray (n, outputs)
    classes : tuple of tuple
        The classes of each target column; empty for numbers.
    """

    Y: Array
    classes: Classes = ()


def read_targets(
    table: Table, names: Sequence[str], task: str = "auto", classes: Classes | None = None
) -> Targets:
    """Return the target columns of a table.

    Parameters
    ----------
    table : Table
    names : sequence of str
    task : {"auto", "regression", "classification"}
    classes : tuple of tuple, optional
        The classes of a model, empty for numbers, where they are known.

    Raises
    ------
    DataError
        If a value is missing, or does not fit the task: with its place.
    """
    if task not in (*TASKS, AS_GIVEN):
        raise ConfigurationError(f"task is {task!r}; choose one of {', '.join(TASKS)}")
    table.require(names)
    if classes is None:
        classes = _find_classes(table, names, task)
    if not classes:
        return Targets(table.numbers(names))
    columns = [_codes(table, name, of) for name, of in zip(names, classes, strict=True)]
    return Targets(one_hot(np.column_stack(columns), classes), classes)


def layer_for(classes: Classes) -> tuple[str, int]:
    """Return the output function that predicts these classes, and its units."""
    if len(classes) == 1 and len(classes[0]) > 2:
        return "softmax", len(classes[0])
    return "sigmoid", len(classes)


def one_hot(codes: NDArray[np.intp], classes: Classes) -> Array:
    """Return positions of classes, (n, columns), as what a network learns."""
    if len(classes) == 1 and len(classes[0]) > 2:
        return np.asarray(codes == np.arange(len(classes[0])), dtype=np.float64)
    return codes.astype(np.float64)


def labels(outputs: Array, classes: Classes) -> NDArray[np.object_] | NDArray[np.generic]:
    """Return the most probable class of each row, (n,), or of each row and target, (n, targets)."""
    if len(classes) == 1:
        of = _array(classes[0])
        most = outputs.argmax(axis=1) if len(of) > 2 else (outputs[:, 0] > 0.5).astype(int)
        return np.asarray(of[most])
    chosen = [_array(of)[(outputs[:, k] > 0.5).astype(int)] for k, of in enumerate(classes)]
    if len({column.dtype.kind for column in chosen}) > 1:
        chosen = [column.astype(object) for column in chosen]
    return np.column_stack(chosen)


def probabilities(outputs: Array, classes: Classes) -> Array:
    """Return the probability of each class, (n, classes); of several targets, that of the second.

    Strictly between 0 and 1.
    """
    p = (
        np.column_stack([1.0 - outputs, outputs])
        if layer_for(classes) == ("sigmoid", 1)
        else outputs
    )
    return np.clip(p, *INSIDE)


def _array(of: Sequence[Label]) -> NDArray[np.generic]:
    """Return labels as an array of their own type, of objects if these differ."""
    if len({type(label) for label in of}) == 1:
        return np.array(of)
    mixed = np.empty(len(of), dtype=object)
    mixed[:] = of
    return mixed


def _find_classes(table: Table, names: Sequence[str], task: str) -> Classes:
    kinds = [kind_of(table.columns[name], table) for name in names]
    for name, kind in zip(names, kinds, strict=True):
        if kind == "empty":
            raise DataError(f"target {name!r} is missing in every row; there is nothing to learn")
        if kind == "date":
            raise DataError(
                f"target {name!r} holds dates; predict a number instead, such as days since one"
            )
    if task == "regression":
        return ()
    numbers = all(kind == "number" for kind in kinds)
    if numbers and task == AS_GIVEN:
        return ()
    if numbers and task == "auto" and not all(_zero_and_one(table, name) for name in names):
        return ()
    found = tuple(_labels(table, name, kind) for name, kind in zip(names, kinds, strict=True))
    for name, of in zip(names, found, strict=True):
        if len(of) < 2:
            raise DataError(
                f"target {name!r} has one class in every row ({of[0]!r}); there is nothing to learn"
            )
        if len(of) > MOST_CLASSES or (len(of) > 2 and len(of) * 2 > len(table)):
            advice = cells.as_it_should_be(str(of[0])) if isinstance(of[0], str) else ""
            raise DataError(
                f"target {name!r} has {len(of)} different values in {len(table)} rows, too many to "
                f"be classes; {advice}numbers are learned as such with --task regression"
            )
        if len(names) > 1 and len(of) > 2:
            raise DataError(
                f"target {name!r} has {len(of)} classes; several targets at once must have two "
                "classes each, so give one --target"
            )
    return found


def _zero_and_one(table: Table, name: str) -> bool:
    values = table.read_numbers(name)
    present = values[~np.isnan(values)]
    return bool(len(present)) and set(np.unique(present).tolist()) == {0.0, 1.0}


def _labels(table: Table, name: str, kind: str) -> tuple[Label, ...]:
    column = table.columns[name]
    if kind == "yes/no":
        if column.kind != "text":
            values = np.asarray(column.values)
            return tuple(bool(v) for v in np.unique(values[~np.isnan(values)]))
        return cells.answers(column.values) or ()  # type: ignore[arg-type]
    if kind == "number":
        values = table.read_numbers(name)
        values = np.unique(values[~np.isnan(values)])
        whole = bool(np.all(values % 1 == 0)) and bool(np.all(np.abs(values) < 2.0**53))
        return tuple(int(v) if whole else v for v in values.tolist())
    types, _ = find_types(table, [name], kinds={name: "category"})
    return types[0].levels


def _codes(table: Table, name: str, of: Sequence[Label]) -> NDArray[np.intp]:
    if all(isinstance(label, str) for label in of):
        known = ColumnType(name, "category", tuple(map(str, of)))
        hot = encode([known], table).X
        places = np.flatnonzero(~hot.any(axis=1))
        codes = hot.argmax(axis=1)
    else:
        values = table.read_numbers(name)
        numbers = np.array([float(label) for label in of])
        codes = np.searchsorted(numbers, values).clip(max=len(of) - 1)
        places = np.flatnonzero(numbers[codes] != values)
    if len(places):
        i = int(places[0])
        cell = table.columns[name].values[i]
        if str(cell).lower() in cells.MISSING or cell != cell:
            many = f" (as in {len(places)} rows)" if len(places) > 1 else ""
            raise DataError(
                f"{table.place(name, i)}: the value is missing{many}; fill it in, or remove the row"
            )
        what = f"{cell!r} is not a class of the model"
        raise DataError(
            f"{table.place(name, i)}: {what}; it must be one of {listed(list(map(str, of)))}"
        )
    return np.asarray(codes, dtype=np.intp)
