"""What is to be predicted: numbers, or one of several classes.

    task              targets                        network
    regression        columns of numbers             one output for each
    classification    one column of two classes      one sigmoid, the probability of the second
                      one column of more             softmax, one output for each class
                      several columns of two         one sigmoid for each column

A column of numbers is classes only if these are 0 and 1, or if classification is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.tables import cells
from chainrule.tables.column_warnings import NO_MISSING, missing_words
from chainrule.tables.encoding import as_words, codes, find_types, kind_of
from chainrule.tables.number_format import advice
from chainrule.tables.table import EXACT, Table, listed
from chainrule.tables.text import Text

Label = str | int | float | bool
Classes = tuple[tuple[Label, ...], ...]

TASKS = ("auto", "regression", "classification")
AS_GIVEN = "as_given"  # for who names the output: words are classes, numbers stay numbers
MOST_CLASSES = 1000  # beyond, a column holds names
LONG_CODE = "^[+-]?[0-9]{20,}$"  # beyond the whole numbers that a model file holds exactly
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
    kinds = [kind_of(table.columns[name]) for name in names]
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
            text = table.columns[name].values
            unlike = missing_words(text, "") if isinstance(text, Text) else []
            raise DataError(
                f"target {cells.quoted(name)} has one class in every row ({cells.quoted(of[0])}); "
                f"there is nothing to learn{unlike[0] if unlike else ''}"
            )
        if len(of) > MOST_CLASSES or (len(of) > 2 and len(of) * 2 > len(table)):
            text = table.columns[name].values
            words = isinstance(of[0], str) and isinstance(text, Text)
            how = advice(str(of[0]), text.form) if words and isinstance(text, Text) else ""
            raise DataError(
                f"target {name!r} has {len(of)} different values in {len(table)} rows, too many to "
                f"be classes; {how}{'; ' * bool(how)}numbers are learned as such with --task "
                "regression"
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
    values = column.values
    if kind == "yes/no" and not isinstance(values, Text):
        return tuple(bool(v) for v in np.unique(values[~np.isnan(values)]))
    if kind == "yes/no" and isinstance(values, Text):
        return cells.answers(values.present) or ()
    if kind == "number" and isinstance(values, Text):
        table.read_numbers(name)  # or say where there is none
        if values.find(LONG_CODE) is not None:
            return tuple(sorted(values.present))
        return _in_one_type({_number(word, values) for word in values.present})
    if kind == "number":
        numbers = table.read_numbers(name)
        return _in_one_type(set(numbers[~np.isnan(numbers)].tolist()))
    types, _ = find_types(table, [name], kinds={name: "category"})
    return types[0].levels


def _number(word: str, text: Text) -> int | float:
    """Return the number that a word is, exactly if it is a whole one."""
    if re.fullmatch("[+-]?[0-9]{1,19}", word):
        return int(word)
    number = text.form.number(word)
    assert number is not None
    return int(number) if number % 1.0 == 0.0 and abs(number) < EXACT else number


def _in_one_type(numbers: set[int | float]) -> tuple[Label, ...]:
    """Return numbers by their size: whole ones if all are."""
    whole = all(isinstance(v, int) or (v % 1.0 == 0.0 and abs(v) < EXACT) for v in numbers)
    return tuple(sorted(int(v) if whole else float(v) for v in numbers))


def _codes(table: Table, name: str, of: Sequence[Label]) -> NDArray[np.intp]:
    column = table.columns[name]
    values = column.values
    if all(isinstance(label, str) for label in of):
        position, _ = codes(as_words(column, table), list(map(str, of)))
    elif isinstance(values, Text):
        position = _codes_of_numbers(table, name, values, of)
    else:
        numbers = table.read_numbers(name)
        at = {float(label): float(k) for k, label in enumerate(of)}
        position = np.array([at.get(value, np.nan) for value in numbers.tolist()])
    places = np.flatnonzero(np.isnan(position))
    if len(places):
        raise DataError(_no_class(table, name, places, of))
    return position.astype(np.intp)


def _codes_of_numbers(table: Table, name: str, text: Text, of: Sequence[Label]) -> Array:
    """Return the positions of labels that are numbers or truth values, NaN where there is none."""
    at = {label: float(k) for k, label in enumerate(of)}
    if all(isinstance(label, bool) for label in of):
        at |= {str(label).lower(): position for label, position in at.items()}
        return _each(text, lambda word: at.get(word.lower(), np.nan))
    table.read_numbers(name)  # or say where there is none
    return _each(text, lambda word: at.get(_number(word, text), np.nan))


def _each(text: Text, of: Callable[[str], float]) -> Array:
    found = text.each(lambda w: np.nan if w in text.missing else of(w), np.float64)
    return np.asarray(found, dtype=np.float64)


def _no_class(table: Table, name: str, places: NDArray[np.intp], of: Sequence[Label]) -> str:
    i = int(places[0])
    column = table.columns[name]
    if column.is_missing[i]:
        marked = column.missing_as(i)
        about = "; ".join(filter(None, [marked, f"as in {len(places)} rows" * (len(places) > 1)]))
        advice = f". If it is a class, say {NO_MISSING}" if marked else ""
        return (
            f"{table.place(name, i)}: the value is missing{f' ({about})' * bool(about)}; fill it "
            f"in, or remove the row{advice}"
        )
    return (
        f"{table.place(name, i)}: {cells.quoted(column.values[i])} is not a class of the model; it "
        f"must be one of {listed(list(map(str, of)))}"
    )
