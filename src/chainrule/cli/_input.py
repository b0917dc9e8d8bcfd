"""Models and tables as commands take them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import click

from chainrule._contracts import Array
from chainrule._errors import DataError, ModelFileError
from chainrule._files import open_descriptor, require_other_file, require_writable
from chainrule.cli._output import note
from chainrule.model.model import Model
from chainrule.model.model_file import is_model, load_model, parse_model
from chainrule.report.summary import termination_of
from chainrule.tables.cells import Missing
from chainrule.tables.reading import MOST_CELLS, Format, files_of, is_table, read_table
from chainrule.tables.table import Table, listed

_MARKS = {"tab": "\t", "\\t": "\t", "space": " ", "apostrophe": "'", "none": ""}


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a text is written; they arrive as one, `written`."""

    @wraps(command)
    def run(*args: Any, delimiter: str | None, thousands: str | None, **rest: Any) -> Any:
        written = Format(
            delimiter=_MARKS.get(delimiter or "", delimiter),
            decimal=rest.pop("decimal"),
            encoding=rest.pop("encoding"),
            thousands=_MARKS.get(thousands or "none", thousands) if thousands is not None else None,
            missing=Missing.of_option(rest.pop("missing_values")),
            most_cells=rest.pop("max_cells"),
        )
        return command(*args, written=written, **rest)

    for name, what in (
        (
            "missing-values",
            "Words that mark a missing value, with commas between, exactly as they are written; "
            "none if only empty cells do. [default: NA, N/A, NaN, null, none, ? and such]",
        ),
        ("encoding", "Of the text: utf-8, utf-16, latin-1. [default: found]"),
        ("thousands", "Between groups of three digits: , . ' _ space, or none. [default: found]"),
        ("decimal", "Decimal mark: . or , [default: found]"),
        ("delimiter", "Between cells: one character, or tab. [default: found]"),
    ):
        run = click.option(f"--{name}", help=what)(run)
    most = click.IntRange(min=1)
    what = "How many cells a table may have, so that it fits into memory."
    return click.option("--max-cells", default=MOST_CELLS, show_default=True, type=most, help=what)(
        run
    )


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


def require_free(out: str, tables: Sequence[str] = (), files: Sequence[str] = ()) -> None:
    """Raise DataError if writing `out` would replace an input, or could not be done at all.

    Of a table that is a folder or a pattern every file is compared.
    """
    if out == "-":
        return
    sources = [name for table in tables for name in ([table] if table == "-" else files_of(table))]
    require_other_file(out, [*files, *sources])
    require_writable(out)
    folder = os.path.dirname(os.path.realpath(out))
    for table in tables:
        if os.path.isdir(table) and os.path.realpath(table) == folder and is_table(out):
            note(f"{out} is in the folder {table}: the next command that reads it reads {out} too")


def require_model_or_nothing(out: str) -> None:
    """Raise DataError if a file is there already that is no model: it would be lost."""
    if os.path.isfile(out) and open_descriptor(out) is None:
        with open(out, "rb") as stream:
            beginning = stream.read(200)
        if beginning and not is_model(beginning):
            raise DataError(
                f"{out!r} already exists and is not a model, so it is not overwritten; give "
                "another name, or remove it"
            )


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
    model = model_from(model_path)
    written = written or Format()
    if written.missing is None:  # what marked a missing value in training marks one here
        written = replace(written, missing=model.missing)
    return model, table_from(table_path, written)


def inputs_of(model: Model, table: Table, weight: str | None = None) -> Array:
    """Return the columns the model wants, by name, and say what was reordered or left out."""
    encoded = model.encoded(table)
    names = model.column_names
    used = {*names, *model.target_names, model.weight_name, weight}
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
