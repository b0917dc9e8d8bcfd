"""Models and tables as commands take them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from chainrule._contracts import Array
from chainrule._errors import DataError, ModelFileError
from chainrule.cli._output import note
from chainrule.model_file import load_model, parse_model
from chainrule.report.summary import termination_of
from chainrule.tables.reading import Table, read_table
from chainrule.training.model import Model


def table_from(path: str) -> Table:
    """Read a table from a file, or from stdin for "-"."""
    return read_table("stdin", _stdin()) if path == "-" else read_table(path)


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


def model_and_table(model_path: str, table_path: str) -> tuple[Model, Table]:
    """Read both; only one of them can be stdin."""
    if model_path == table_path == "-":
        raise ModelFileError("model and table cannot both come from stdin; give one as a file")
    return model_from(model_path), table_from(table_path)


def inputs_of(model: Model, table: Table) -> Array:
    """Return the columns the model wants, by name, and say what was reordered or left out."""
    table.require(model.input_names)
    known = {*model.input_names, *model.target_names}
    extra = [name for name in table.names if name not in known]
    if extra:
        note(f"{table.source}: columns the model does not use: {', '.join(extra)}")
    order = [name for name in table.names if name in model.input_names]
    if order != list(model.input_names):
        note(f"{table.source}: columns taken by name, in the order {', '.join(model.input_names)}")
    return table.numbers(model.input_names)


def targets_of(model: Model, table: Table) -> Array:
    """Return the target columns of a table that must have them."""
    return table.numbers(model.target_names)


def one_of(names: Sequence[str], wanted: str | None, what: str) -> int:
    """Return the position of `wanted` in `names`; the first if none is wanted."""
    if wanted is None:
        return 0
    if wanted not in names:
        raise DataError(f"the model has no {what} {wanted!r}; it has {', '.join(map(repr, names))}")
    return list(names).index(wanted)
