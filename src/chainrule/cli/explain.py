"""chainrule explain: the worked example."""

from __future__ import annotations

import click

from chainrule._errors import DataError
from chainrule.cli._input import inputs_of, model_and_table, reading_options, targets_of
from chainrule.cli._output import say, say_json
from chainrule.report.trace_json import trace_json
from chainrule.report.worked_example import worked_example
from chainrule.tables.reading import Format


@click.command(name="explain")
@click.argument("model")
@click.argument("table")
@click.option("--row", type=int, help="The row to explain, counted from 1; all rows if left out.")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print the trace as JSON.")
def command(model: str, table: str, row: int | None, as_json: bool, written: Format) -> None:
    """Print the forward and the backward pass of MODEL on TABLE, with the numbers in them.

    For one row every sum is written out; for all rows every quantity is a matrix. A table
    without the target gets the forward pass only.
    """
    trained, data = model_and_table(model, table, written)
    X = inputs_of(trained, data)
    has_targets = set(trained.target_names) <= set(data.names)
    Y = targets_of(trained, data) if has_targets else None
    rows = list(range(1, len(data) + 1))
    if row is not None:
        if not 1 <= row <= len(data):
            raise DataError(f"--row {row} does not exist; {data.source} has rows 1 to {len(data)}")
        rows = [row]
        X, Y = X[row - 1 : row], None if Y is None else Y[row - 1 : row]
    trace = trace_json(trained, X, Y, rows)
    if as_json:
        say_json(trace)
    else:
        say(worked_example(trace))
