"""Models and tables as commands take them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from chainrule._contracts import Array
from chainrule._errors import DataError, ModelFileError
from chainrule.cli._output import note
from chainrule.model_file import load_model, parse_model
from chainrule.report.summary import termination_of
from chainrule.tables.reading import Format, read_table
from chainrule.tables.table import Table, listed
from chainrule.training.model import Model


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a text is written; they arrive as one, `written`."""

    @wraps(command)
    def run(
        *args: Any, delimiter: str | None, decimal: str | None, encoding: str | None, **rest: Any
    ) -> Any:
        tab = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
        return command(*args, written=Format(tab, decimal, encoding), **rest)

    for name, what in (
        ("encoding", "Of the text: utf-8, utf-16, latin-1. [default: found]"),
        ("decimal", "Decimal mark: . or , [default: found]"),
        ("delimiter", "Between cells: one character, or tab. [default: found]"),
    ):
        run = click.option(f"--{name}", help=what)(run)
    return run


def table_from(path: str, written: Format | None = None) -> Table:
    """Read a table from a file, folder or pattern, or from stdin for "-"; say what was found."""
    written = written or Format()
    if path == "-":
        table = read_table("stdin", _stdin(), written)
    else:
        table = read_table(path, None, written)
    if table.decided:
        note(f"{table.source}: {', '.join(table.decided)}")
    return table


def model_from(path: str) -> Model:
    """Read a model from a file, or from stdin for "-"."""
    model = parse_model(_stdin(), "stdin") if path == "-" else load_model(path)
    stop = termination_of(model)
    if stop is not None and not stop.converged:
        note(f"the training of this model did not converge: {stop}")
    return model


def _stdin() -> bytes:
    if sys.stdin is None:
        raise DataError("there is no standard input to read; give a file")
    return sys.stdin.buffer.read()


def model_and_table(
    model_path: str, table_path: str, written: Format | None = None
) -> tuple[Model, Table]:
    """Read both; only one of them can be stdin."""
    if model_path == table_path == "-":
        raise ModelFileError("model and table cannot both come from stdin; give one as a file")
    return model_from(model_path), table_from(table_path, written)


def inputs_of(model: Model, table: Table, weight: str | None = None) -> Array:
    """Return the columns the model wants, by name, and say what was reordered or left out."""
    encoded = model.encoded(table)
    names = model.column_names
    used = {*names, *model.target_names, weight}
    extra = [name for name in table.names if name not in used]
    if extra:
        note(f"{table.source}: columns the model does not use: {listed(extra)}")
    order = [name for name in table.names if name in names]
    if order != list(names):
        note(f"{table.source}: columns taken by name, in the order {listed(names)}")
    for remark in encoded.remarks:
        note(f"{table.source}: {remark}")
    return encoded.X


def targets_of(model: Model, table: Table) -> Array:
    """Return the target columns of a table that must have them."""
    return model.targets(table)


def one_of(names: Sequence[str], wanted: str | None, what: str) -> int:
    """Return the position of `wanted` in `names`; the first if none is wanted."""
    if wanted is None:
        return 0
    if wanted not in names:
        raise DataError(f"the model has no {what} {wanted!r}; it has {', '.join(map(repr, names))}")
    return list(names).index(wanted)
