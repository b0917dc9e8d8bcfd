"""chainrule predict: a model and a table in, predictions out."""

from __future__ import annotations

import contextlib
import sys

import click
import numpy as np

from chainrule._errors import DataError
from chainrule._files import require_other_file, write_atomically
from chainrule.cli._input import inputs_of, model_and_table, reading_options
from chainrule.cli._output import Progress, csv_text, say_json, tell
from chainrule.report.summary import score_lines
from chainrule.tables import targets
from chainrule.tables.reading import Format
from chainrule.tables.table import Table
from chainrule.training.model import Model


@click.command(name="predict")
@click.argument("model")
@click.argument("table")
@click.option("--out", help="Write the CSV to this file instead of stdout.")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print the predictions as JSON.")
def command(model: str, table: str, out: str | None, as_json: bool, written: Format) -> None:
    """Predict the targets of MODEL for every row of TABLE, as CSV.

    Numbers come in their own unit; classes by their names, with the probability of each.
    Columns are taken by name, in any order.
    """
    if out is not None:
        require_other_file(out, [model, table])
    with Progress("predicting"):
        trained, data = model_and_table(model, table, written)
        outputs = trained.outputs_of_inputs(inputs_of(trained, data))
    names, classes, p = trained.target_names, trained.classes, {}
    predicted = dict(zip(names, outputs.T.tolist(), strict=False))
    if classes:
        labels = targets.labels(outputs, classes)
        columns = labels.reshape(len(data), -1).T.tolist()
        predicted = dict(zip(names, columns, strict=True))
        p = _probabilities(names, classes, targets.probabilities(outputs, classes))
    if out is not None and out != "-":
        write_atomically(out, csv_text({**predicted, **p}).encode())
    if as_json:
        document = {"rows": len(data), "predictions": predicted}
        say_json(document | ({"probabilities": p} if p else {}))
    elif out is None or out == "-":
        sys.stdout.write(csv_text({**predicted, **p}))
    if set(trained.target_names) <= set(data.names):
        _tell_scores(trained, data, outputs)


def _tell_scores(trained: Model, data: Table, outputs: np.ndarray) -> None:
    """Say how good the predictions are where the truth is in the table."""
    with contextlib.suppress(DataError):  # it need not be there in every row
        for line in score_lines(trained.scores_of(outputs, trained.targets(data))):
            tell(f"{data.source}: {line.removeprefix('fitted').strip()}")


def _probabilities(
    names: tuple[str, ...], classes: targets.Classes, p: np.ndarray
) -> dict[str, list[float]]:
    """Return the columns of probabilities under their names."""
    if len(classes) == 1:
        titles = [f"p({names[0]}={label})" for label in classes[0]]
    else:
        titles = [f"p({name}={of[1]})" for name, of in zip(names, classes, strict=True)]
    return dict(zip(titles, p.T.tolist(), strict=True))
