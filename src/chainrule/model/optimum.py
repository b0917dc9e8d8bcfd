"""Find the input for which the prediction is highest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError
from chainrule.model.diagnostics import derivatives
from chainrule.model.model import Model
from chainrule.tables import cells, dates
from chainrule.tables.encoding import ColumnType
from chainrule.tables.text import Text

CANDIDATES, FOLLOWED = 2_000, 10  # inputs that are tried, and the best of them that are followed


@dataclass(frozen=True, eq=False)
class Best:
    """The input for which a prediction is highest, or lowest.

    Attributes
    ----------
    inputs : dict of str to float or str
        By the columns of the table, in its words: numbers, words of categories, dates.
    prediction : float
    std : float or None
        Of a new row there, noise included; None for classes.
    at_edge : tuple of str
        Numbers and dates that are at an end of their range: beyond it might be better.
    far : bool
        Whether it is far from all rows that were learned, as what is given can make it.
    """

    inputs: dict[str, float | str]
    prediction: float
    std: float | None
    at_edge: tuple[str, ...]
    far: bool


def best_input(
    model: Model,
    fixed: Mapping[str, Any],
    *,
    minimize: bool = False,
    target: int | str = 0,
) -> Best:
    """Return the input, within the range of the data, for which a prediction is highest.

    Many are tried, and the best of them followed uphill with the exact derivatives. A category is
    one of its words, yes or no is one of them, and nothing is missing.

    Parameters
    ----------
    model : Model
    fixed : mapping of str to float or str
        Columns that are given, by their names: numbers, words, dates as they are written.
    minimize : bool
        Whether to look for the lowest prediction.
    target : int or str
        Which output, by its place or its name.

    Raises
    ------
    ConfigurationError
        If a column or a target has not that name, a value is none of its column, or nothing is
        known of the range of the data.
    """
    for name in fixed:
        if name not in model.column_names:
            known = ", ".join(map(repr, model.column_names))
            raise ConfigurationError(f"there is no column {name!r}; the columns are {known}")
    k, of_other = _place(target, model)
    sign = 1.0 if minimize != of_other else -1.0
    space = _Space(model, fixed)

    def height(X: Array) -> Array:
        return sign * model.outputs_of_inputs(X)[:, k]

    tried = space.candidates()
    order = np.argsort(height(tried), kind="stable")[:FOLLOWED]
    best = tried[order[0]]
    for start in tried[order] if len(space.free) else ():
        moved = _followed(model, start, space, sign, k)
        if height(moved[None, :])[0] < height(best[None, :])[0]:
            best = moved
    prediction = float(sign * height(best[None, :])[0])
    return Best(
        space.in_words(best),
        1.0 - prediction if of_other else prediction,
        None if model.classes else float(model.certainty(best[None, :]).std[0, k]),
        space.at_edge(best),
        bool(model.is_far(best[None, :])[0]),
    )


class _Space:
    """The inputs that a row of the table can become, within the range of those that were learned.

    Attributes
    ----------
    free : ndarray of int
        Inputs that may be any number from `low` to `high`.
    """

    def __init__(self, model: Model, fixed: Mapping[str, Any]) -> None:
        known, scaling = model.known(), model.input_scaling
        self.columns = model.columns
        self.low, self.high = (
            np.array(scaling.inverse(bound[None, :])[0]) for bound in (known.lowest, known.highest)
        )
        self.first = np.cumsum([0, *(len(column.inputs) for column in self.columns)])
        free = []
        # of a category the words that it may be, as places among its inputs
        self.words: dict[int, list[int]] = {}
        for column, i in zip(self.columns, self.first, strict=False):
            if column.kind == "category":
                given = [fixed[column.name]] if column.name in fixed else column.levels
                self.words[i] = [column.levels.index(_word(column, word)) for word in given]
                continue
            if column.indicator:  # nothing is missing
                self.low[i + 1] = self.high[i + 1] = 0.0
            if column.name in fixed:
                self.low[i] = self.high[i] = _number(column, fixed[column.name])
            elif column.kind != "yes/no" and self.high[i] > self.low[i]:
                free.append(i)
        self.free = np.array(free, dtype=np.intp)

    def candidates(self) -> Array:
        """Return inputs spread over their ranges, a quarter of them in its corners."""
        rng = np.random.default_rng(0)
        shape = CANDIDATES, len(self.low)
        corners = np.where(rng.uniform(size=shape) < 0.5, self.low, self.high)
        tried = self.low + (self.high - self.low) * rng.uniform(size=shape)
        tried[: CANDIDATES // 4] = corners[: CANDIDATES // 4]
        for column, i in zip(self.columns, self.first, strict=False):
            if column.kind == "yes/no":
                tried[:, i] = corners[:, i]
            elif column.kind == "category":
                tried[:, i : i + len(column.inputs)] = 0.0
                tried[np.arange(CANDIDATES), i + rng.choice(self.words[i], CANDIDATES)] = 1.0
        return np.asarray(tried)

    def in_words(self, row: Array) -> dict[str, float | str]:
        """Return inputs as the columns of a table."""
        said: dict[str, float | str] = {}
        for column, i in zip(self.columns, self.first, strict=False):
            if column.kind == "category":
                said[column.name] = column.levels[int(np.argmax(row[i : i + len(column.levels)]))]
            elif column.kind == "yes/no":
                said[column.name] = column.levels[int(row[i] >= 0.5)]
            elif column.kind == "date":
                said[column.name] = dates.as_date(float(row[i]))
            else:
                said[column.name] = float(row[i])
        return said

    def at_edge(self, row: Array) -> tuple[str, ...]:
        """Return the columns that are at an end of their range."""
        near = 1e-6 * (self.high - self.low)
        at_end = np.minimum(row - self.low, self.high - row) <= near
        names = dict(zip(self.first, self.columns, strict=False))
        return tuple(names[i].name for i in self.free if at_end[i])


def _followed(model: Model, start: Array, space: _Space, sign: float, k: int) -> Array:
    """Return where the prediction leads uphill from one input, within bounds."""
    free, low = space.free, space.low[space.free]
    width = space.high[free] - low

    def inputs(share: Array) -> Array:
        X = start.copy()
        X[free] = low + share * width
        return X[None, :]

    def cost(share: Array) -> tuple[float, Array]:
        X = inputs(share)
        value = sign * float(model.outputs_of_inputs(X)[0, k])
        return value, sign * derivatives(model, X)[0, k, free] * width

    share, bounds = (start[free] - low) / width, [(0.0, 1.0)] * len(free)
    from scipy import optimize  # late: loading it takes longer than most fits

    found = optimize.minimize(cost, share, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(inputs(found.x)[0])


def _place(target: int | str, model: Model) -> tuple[int, bool]:
    """Return which output a target is, and whether it is the other class of two."""
    names = model.output_names
    if isinstance(target, str) and target in names:
        return names.index(target), False
    if isinstance(target, int | np.integer) and 0 <= target < len(names):
        return int(target), False
    two = [
        f"p({name}={of[0]})" for name, of in zip(model.target_names, model.classes, strict=False)
    ]
    if len(two) == len(names) and target in two:
        return two.index(str(target)), True
    raise ConfigurationError(
        f"there is no output {target!r}; give one of {', '.join(map(repr, names))}, or its place, "
        "counted from 0"
    )


def _word(column: ColumnType, word: Any) -> str:
    text = word if isinstance(word, str) else cells.word_of(word)
    if text not in column.levels:
        raise ConfigurationError(
            f"column {column.name!r} is given as {word!r}; it is one of "
            f"{', '.join(map(repr, column.levels))}"
        )
    return text


def _day(value: str, style: str) -> float:
    """Return a date in the style of its column, or as YYYY-MM-DD, NaN if it is none."""
    cell = Text.of([value.strip()])
    found = [dates.days(cell, dates.STYLES[name])[0][0] for name in (style, dates.ISO)]
    return float(found[0] if np.isfinite(found[0]) else found[1])


def _number(column: ColumnType, value: Any) -> float:
    """Return a given value as an input."""
    if column.kind == "yes/no" and str(value) in column.levels:
        return float(column.levels.index(str(value)))
    if column.kind == "date" and isinstance(value, str):
        value = _day(value, column.style or dates.ISO)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    allowed = {"yes/no": f"one of {', '.join(map(repr, column.levels))}", "date": "a date"}
    if not np.isfinite(number) or (column.kind == "yes/no" and number not in (0.0, 1.0)):
        raise ConfigurationError(
            f"column {column.name!r} is given as {value!r}; give "
            f"{allowed.get(column.kind, 'a finite number')}"
        )
    return number
