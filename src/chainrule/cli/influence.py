"""chainrule influence: what every row of the data has to say."""

from __future__ import annotations

from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule._printable import page
from chainrule.cli._input import inputs_of, model_and_table, one_of, reading_options, targets_of
from chainrule.cli._output import note, say, say_json
from chainrule.heart.network import row_weights
from chainrule.model import diagnostics
from chainrule.model.model import Model
from chainrule.report.knowledge import BY_ITSELF, said_of_row
from chainrule.tables.cells import option, quoted
from chainrule.tables.reading import Format
from chainrule.tables.table import Table

SAME_GAMMA = 1e-3  # of γ
WEIGHTED = ". If the fit had a --weight, say it here too"
Places = NDArray[np.intp]


@click.command(name="influence")
@click.argument("model")
@click.argument("table")
@click.option(
    "--row", type=int, help="Show the votes for the prediction of this row, counted from 1."
)
@click.option("--target", help="Of which target, with --row; the first if left out.")
@click.option(
    "--top",
    default=10,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many rows to show.",
)
@click.option(
    "--weight", help="Column that says how much a row counts. [default: the one of the fit]"
)
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print all rows as JSON.")
def command(
    model: str,
    table: str,
    row: int | None,
    target: str | None,
    top: int,
    weight: str | None,
    as_json: bool,
    written: Format,
) -> None:
    """Show which rows of TABLE have made MODEL what it is; TABLE is what it was fitted to.

    Leverage is how much the target of a row determines its own prediction, from 0 to 1 for each
    target or class; above 0.7 the row alone determines it. The weight shift is how far the weights
    move without the row, in posterior standard deviations. A vote is the derivative of a prediction
    by the target of a row, an element of the hat matrix; the votes of all rows add up to 1 where
    nothing holds the output's bias.
    """
    trained, data = model_and_table(model, table, written)
    weight = _weight(trained, data, model) if weight is None else weight
    whole, w = data, np.ones(len(data))
    if weight is not None:
        w = row_weights(data.numbers([weight])[:, 0], len(data))
    counts = np.flatnonzero(w)  # other rows were not learned
    if len(counts) < len(data):
        data, w = data.rows(counts), w[counts]
    X, Y = inputs_of(trained, data, weight), targets_of(trained, data)
    n, learned = len(data), trained.report and trained.report.data.n_rows
    if n != learned:
        note(f"{model} was fitted to {learned} rows, these are {n}: shown is what they would say")
    if row is None:
        if target is not None:
            raise ConfigurationError("--target says of which target votes are; give --row too")
        found = diagnostics.of_rows(trained, X, Y, w)
        if n == learned:
            _tell_other_rows(trained, found, model, weight)
        order = np.argsort(-found.distance, kind="stable")
        columns: dict[str, Any] = {
            "row": (counts + 1).tolist(),
            "leverage": found.leverage.tolist(),
            "distance": found.distance.tolist(),
            "without": found.without.tolist(),
        }
        lines = _row_lines(trained, found, Y, counts, order[:top])
    else:
        if not 1 <= row <= len(whole):
            raise DataError(f"--row {row} does not exist; {data.source} has rows 1 to {len(whole)}")
        if row - 1 not in counts:
            raise DataError(f"--row {row} counts nothing; choose one with a weight above 0")
        here = int(np.searchsorted(counts, row - 1))
        k = one_of(trained.target_names, target, "target")
        w = w * diagnostics.counts_of_tails(trained, X, Y)
        votes = diagnostics.hat_matrix(trained, X[here : here + 1], X, w)[0, k, :, k]
        name = trained.target_names[k]
        columns = {
            "row": row,
            "target": name,
            "rows": (counts + 1).tolist(),
            "votes": votes.tolist(),
        }
        lines = _vote_lines(name, votes, Y[:, k], counts, row, top)
    if as_json:
        say_json(columns)
    else:
        say(page(lines))


def _tell_other_rows(
    trained: Model, found: diagnostics.OfRows, source: str, weight: str | None
) -> None:
    """Say so if rows cannot be those that were fitted."""
    known = trained.report and trained.report.posterior
    gamma = known.gamma if known else found.gamma
    if abs(found.gamma - gamma) > SAME_GAMMA * gamma:
        note(
            f"these are not the rows that {source} was fitted to: their leverages add up to "
            f"{found.gamma:.2f}, and not to γ = {gamma:.2f}; shown is what they would say"
            f"{WEIGHTED * (weight is None)}"
        )


def _weight(model: Model, data: Table, source: str) -> str | None:
    """Return the column of weights of the fit, if there was one, and say that it is used."""
    name = model.weight_name
    if name is None:
        return None
    if name not in data.names:
        raise DataError(
            f"{data.source} has no column {quoted(name)}, which weighted the rows when {source} "
            "was fitted; add it, or name another one with --weight"
        )
    note(f"rows are weighted by column {quoted(name)}, as in the fit (--weight {option(name)})")
    return name


def _row_lines(
    model: Model, found: diagnostics.OfRows, Y: Array, counts: Places, order: Places
) -> list[str]:
    lines = [
        f"leverages add up to γ = {found.gamma:.2f}",
        f"{'row':>6} {'leverage':>9} {'weight shift':>22} {'target':>12} {'without it':>12}",
    ]
    for i in order:
        target, without = said_of_row(model, Y[i].tolist(), found.without[i].tolist())
        lines.append(
            f"{counts[i] + 1:>6} {found.leverage[i]:>9.3f} {found.distance[i]:>19.2f} sd "
            f"{target:>12} {without:>12}{BY_ITSELF if found.decides[i] else ''}"
        )
    return lines


def _vote_lines(
    target: str, votes: Array, y: Array, counts: Places, row: int, top: int
) -> list[str]:
    order = np.argsort(-np.abs(votes), kind="stable")[:top]
    lines = [
        f"votes for the {target} of row {row}; all {len(votes)} add up to {votes.sum():.4f}",
        f"{'row':>6} {'vote':>9} {'target':>12}",
    ]
    return lines + [f"{counts[i] + 1:>6} {votes[i]:>9.4f} {y[i]:>12.6g}" for i in order]
