"""chainrule predict: a model and a table in, predictions out."""

from __future__ import annotations

import contextlib
import os
import sys

import click
import numpy as np
from numpy.typing import NDArray

from chainrule._errors import DataError
from chainrule._files import write_atomically
from chainrule.cli._input import inputs_of, model_and_table, reading_options, require_free
from chainrule.cli._output import Progress, csv_text, note, say_json, tell
from chainrule.model.model import Certainty, Model
from chainrule.model.model_file import is_model
from chainrule.report.knowledge import MOST_NAMED
from chainrule.report.summary import score_lines
from chainrule.tables import targets
from chainrule.tables.reading import Format
from chainrule.tables.table import Table


@click.command(name="predict")
@click.argument("model")
@click.argument("table")
@click.option("--out", help="Write the CSV to this file instead of stdout.")
@click.option(
    "--interval",
    "coverage",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    help="Also say between what each number lies with so much probability (0.95), with its "
    "standard deviation, and whether its row is far from those that were learned.",
)
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print the predictions as JSON.")
def command(
    model: str,
    table: str,
    out: str | None,
    coverage: float | None,
    as_json: bool,
    written: Format,
) -> None:
    """Predict the targets of MODEL for every row of TABLE, as CSV.

    Numbers come in their own unit; classes by their names, with the probability of each.
    Columns are taken by name, in any order.
    """
    if out is not None:
        require_free(out, [table], [model])
        _require_text_or_nothing(out)
    with Progress("predicting"):
        trained, data = model_and_table(model, table, written)
        X = inputs_of(trained, data)
        outputs = trained.outputs_of_inputs(X)
        sure = None if coverage is None else trained.certainty(X)
    names, classes, p = trained.target_names, trained.classes, {}
    predicted = dict(zip(names, outputs.T.tolist(), strict=False))
    if classes:
        labels = targets.labels(outputs, classes)
        columns = labels.reshape(len(data), -1).T.tolist()
        predicted = dict(zip(names, columns, strict=True))
        p = _probabilities(names, classes, targets.probabilities(outputs, classes))
    if sure is not None and coverage is not None:
        predicted |= _certainties(trained, sure, coverage)
    if out is not None and out != "-":
        write_atomically(out, csv_text({**predicted, **p}).encode())
    if as_json:
        document = {"rows": len(data), "predictions": predicted}
        say_json(document | ({"probabilities": p} if p else {}))
    elif out is None or out == "-":
        sys.stdout.write(csv_text({**predicted, **p}))
    if sure is not None:
        _tell_far(sure.is_far, data)
    elif classes and trained.posterior is not None:  # probabilities ask for as much anyway
        _tell_far(trained.is_far(X), data)
    if set(trained.target_names) <= set(data.names):
        _tell_scores(trained, data, outputs)


def _require_text_or_nothing(out: str) -> None:
    """Refuse to replace a model, or what is no text, by predictions: a name may be a slip."""
    if os.path.isfile(out):
        with open(out, "rb") as stream:
            beginning = stream.read(1000)
        what = "a model" if is_model(beginning) else "not a text" if b"\0" in beginning else ""
        if what:
            raise DataError(f"{out!r} is {what}, so it is not overwritten; give another name")


def _certainties(trained: Model, sure: Certainty, coverage: float) -> dict[str, list[float]]:
    """Return the columns that say how sure predictions are."""
    lower, upper = trained.interval(sure, coverage)
    columns: dict[str, list[float]] = {}
    for k, name in enumerate(trained.target_names):
        columns[f"{name} lower"] = lower[:, k].tolist()
        columns[f"{name} upper"] = upper[:, k].tolist()
        columns[f"{name} std"] = sure.std[:, k].tolist()
    columns["far"] = sure.is_far.astype(int).tolist()
    return columns


def _tell_far(is_far: NDArray[np.bool_], data: Table) -> None:
    rows = np.flatnonzero(is_far) + 1
    if len(rows):
        named = ", ".join(map(str, rows[:MOST_NAMED])) + " …" * (len(rows) > MOST_NAMED)
        note(
            f"{len(rows)} of {len(data)} rows are far from those that were learned (row {named}): "
            "what is said of them is extrapolated"
        )


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
