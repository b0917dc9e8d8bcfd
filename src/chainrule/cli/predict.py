"""chainrule predict: a model and a table in, predictions out."""

from __future__ import annotations

import sys

import click

from chainrule._files import require_other_file, write_atomically
from chainrule.cli._input import inputs_of, model_and_table
from chainrule.cli._output import Progress, csv_text, say_json


@click.command(name="predict")
@click.argument("model")
@click.argument("table")
@click.option("--out", help="Write the CSV to this file instead of stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print the predictions as JSON.")
def command(model: str, table: str, out: str | None, as_json: bool) -> None:
    """Predict the targets of MODEL for every row of TABLE, in their own unit, as CSV.

    Columns are taken by name, in any order.
    """
    if out is not None:
        require_other_file(out, [model, table])
    with Progress("predicting"):
        trained, data = model_and_table(model, table)
        predicted = trained.predict(inputs_of(trained, data))
    if out is not None and out != "-":
        write_atomically(out, csv_text(trained.target_names, predicted).encode())
    if as_json:
        columns = zip(trained.target_names, predicted.T.tolist(), strict=True)
        say_json({"rows": len(data), "predictions": dict(columns)})
    elif out is None or out == "-":
        sys.stdout.write(csv_text(trained.target_names, predicted))
