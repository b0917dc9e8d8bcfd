"""Which columns are what: the options that say so, and what is found in the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.cli._output import note, tell
from chainrule.heart.network import row_weights
from chainrule.tables.cells import cut
from chainrule.tables.column_warnings import of_classes, thousands
from chainrule.tables.dates import ORDERS
from chainrule.tables.encoding import RULES, ColumnType, find_types
from chainrule.tables.table import Table, listed
from chainrule.tables.targets import TASKS, Targets, read_targets

MOST_SHOWN = 30  # columns
FEW_VALUES = 10  # different whole numbers that may be meant as classes

OPTIONS = (
    click.option(
        "--target",
        "targets",
        multiple=True,
        help="Column to predict; may be given several times.",
    ),
    click.option(
        "--task",
        default="auto",
        show_default=True,
        type=click.Choice(TASKS),
        help="What the target is; auto takes words, answers, and 0 and 1 for classes.",
    ),
    click.option("--drop", multiple=True, help="Column to leave out; may be given several times."),
    click.option("--number", multiple=True, help="Column that holds numbers, whatever it says."),
    click.option("--category", multiple=True, help="Column that holds categories."),
    click.option(
        "--dates",
        multiple=True,
        help="What comes first in dates where it cannot be told: dmy, mdy or ymd; of one column "
        "NAME=dmy. May be given several times.",
    ),
    click.option(
        "--missing",
        default="indicator",
        show_default=True,
        type=click.Choice(RULES),
        help="What to do about missing inputs: take the median, with one more input that says "
        "so, or refuse them.",
    ),
)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the columns of a table are used for.

    Attributes
    ----------
    data : Table
        The rows that count.
    types : tuple of ColumnType
        Of the inputs.
    target : Targets
    target_names : tuple of str
    weights : ndarray (n,) or None
    numbers : ndarray of int (n,)
        Which rows of the table they were, counted from 0.
    """

    data: Table
    types: tuple[ColumnType, ...]
    target: Targets
    target_names: tuple[str, ...]
    weights: Array | None
    numbers: NDArray[np.intp]


WEIGHT = click.option(
    "--weight",
    help="Column that says how much a row counts: whole numbers how often it was seen, others only "
    "how rows compare.",
)


def column_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which columns are what: those of `ColumnOptions`, but `weight`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class ColumnOptions:
    """What was said of the columns, by the names of the options."""

    targets: tuple[str, ...]
    task: str
    drop: tuple[str, ...]
    number: tuple[str, ...]
    category: tuple[str, ...]
    dates: tuple[str, ...]
    missing: str
    weight: str | None = None


def columns_of(data: Table, said: ColumnOptions) -> Chosen:
    """Find out what the columns hold, and show it."""
    targets, weight = said.targets, said.weight
    if not targets:
        raise click.UsageError("Missing option '--target'.")
    orders = _orders(said.dates)
    special = [*targets, *said.drop, *([weight] if weight is not None else [])]
    named = [*special, *said.number, *said.category, *filter(None, orders)]
    data.require(named)
    _require_different(named)
    inputs = [name for name in data.names if name not in special]
    if not inputs:
        raise DataError(f"{data.source} has no column left as an input; it needs at least one")
    weights = None if weight is None else row_weights(data.numbers([weight])[:, 0], len(data))
    counts = np.arange(len(data)) if weights is None else np.flatnonzero(weights)
    if weights is not None and not weights.all():
        data, weights = data.rows(counts), weights[counts]
    kinds = dict.fromkeys(said.number, "number") | dict.fromkeys(said.category, "category")
    types, remarks = find_types(
        data, inputs, kinds=kinds, orders=orders, missing=said.missing, weights=weights
    )
    target = read_targets(data, targets, said.task)
    _tell(data, types, target, targets, weight)
    for remark in remarks:
        note(f"{data.source}: {remark}")
    if not types:
        raise DataError(f"{data.source} has no column left as an input; it needs at least one")
    for name in targets:
        column = data.columns[name]
        for doubt in of_classes(column) if target.classes else thousands(column):
            note(f"{data.source}: {doubt}")
        few = set() if target.classes else set(np.unique(data.read_numbers(name)).tolist())
        if 2 < len(few) <= FEW_VALUES and all(value % 1 == 0 for value in few):
            note(
                f"{data.source}: target {name!r} has {len(few)} whole values and is learned as a "
                "number; if these are classes, say --task classification"
            )
    return Chosen(data, types, target, targets, weights, counts)


def _orders(dates: tuple[str, ...]) -> dict[str | None, str]:
    """Return the order of dates by column, that of all others under None."""
    orders: dict[str | None, str] = {}
    for text in dates:
        name, _, order = text.rpartition("=")
        if order not in ORDERS:
            raise ConfigurationError(
                f"--dates {text!r} is not an order; write {', '.join(ORDERS)}, or NAME=dmy for one "
                "column"
            )
        if orders.setdefault(name or None, order) != order:
            what = f"of column {name!r} " if name else ""
            raise ConfigurationError(
                f"--dates {what}is given twice, as {orders[name or None]} and {order}"
            )
    return orders


def _require_different(names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigurationError(f"column {twice!r} is named twice in the options; name it once")


def _tell(
    data: Table,
    types: tuple[ColumnType, ...],
    target: Targets,
    names: tuple[str, ...],
    weight: str | None,
) -> None:
    tell(f"{data.source}: {len(data):,} rows, {len(data.names):,} columns")
    shown = [(cut(column.name), str(column)) for column in types[:MOST_SHOWN]]
    for k, name in enumerate(names):
        what = "number"
        if target.classes:
            of = [str(label) for label in target.classes[k]]
            what = f"{len(of)} classes: {listed(of, 5)}"
        shown.append((cut(name), f"target, {what}"))
    if weight is not None:
        shown.append((cut(weight), "weight of each row"))
    width = max(len(name) for name, _ in shown)
    for name, what in shown:
        tell(f"  {name:<{width}}  {what}")
    if len(types) > MOST_SHOWN:
        rest = Counter(column.kind for column in types[MOST_SHOWN:])
        kinds = ", ".join(f"{count} {kind}" for kind, count in rest.items())
        tell(f"  … and {len(types) - MOST_SHOWN} more inputs: {kinds}")
