"""chainrule influence: what every row of the data has to say."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, DataError
from chainrule.cli._input import inputs_of, model_and_table, reading_options, targets_of
from chainrule.cli._output import note, say, say_json
from chainrule.heart.network import row_weights
from chainrule.report.knowledge import decides, said_of_row
from chainrule.tables.reading import Format
from chainrule.training import insight
from chainrule.training.model import Model

SAME = 1e-3  # of γ


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
@click.option("--weight", help="Column that says how much a row counts, as it was given to fit.")
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

    Leverage is how far the target of a row decides its own prediction: beyond 0.7, for each target,
    it decides by itself. A vote is how far a prediction rises, about, if the target of a row had
    been higher by 1; the votes of all rows add up to 1 where nothing holds the output's bias.
    """
    trained, data = model_and_table(model, table, written)
    X, Y = inputs_of(trained, data), targets_of(trained, data)
    w = np.ones(len(data)) if weight is None else row_weights(data.numbers([weight])[:, 0], len(X))
    n, learned = int(np.sum(w > 0)), trained.training.get("rows")
    if n != learned:
        note(f"{model} was fitted to {learned} rows, these are {n}: shown is what they would say")
    if row is None:
        if target is not None:
            raise ConfigurationError("--target says of which target votes are; give --row too")
        found = insight.of_rows(trained, X, Y, w)
        gamma = trained.training["known"]["gamma"]
        if n == learned and abs(found.gamma - gamma) > SAME * gamma:
            note(
                f"these are not the rows that {model} was fitted to: their leverages add up to "
                f"{found.gamma:.2f}, and not to γ = {gamma:.2f}; shown is what they would say"
            )
        order = np.argsort(-found.distance, kind="stable")
        columns: dict[str, Any] = {
            "leverage": found.leverage.tolist(),
            "distance": found.distance.tolist(),
            "without": found.without.tolist(),
        }
        lines = _row_lines(trained, found, Y, order[:top])
    else:
        if not 1 <= row <= len(data):
            raise DataError(f"--row {row} does not exist; {data.source} has rows 1 to {len(data)}")
        w = w * insight.counts_of_tails(trained, X, Y)
        k, name = _place(target, trained.target_names)
        votes = insight.votes(trained, X[row - 1 : row], X, w)[0, k, :, k]
        columns = {"row": row, "target": name, "votes": votes.tolist()}
        lines = _vote_lines(name, votes, Y[:, k], row, top)
    if as_json:
        say_json(columns)
    else:
        say("\n".join(lines))


def _place(target: str | None, names: tuple[str, ...]) -> tuple[int, str]:
    """Return which target is meant, and its name."""
    name = names[0] if target is None else target
    if name not in names:
        known = ", ".join(map(repr, names))
        raise ConfigurationError(f"--target {name!r} is none of this model; it has {known}")
    return names.index(name), name


def _row_lines(
    model: Model, found: insight.OfRows, Y: Array, order: np.ndarray[Any, Any]
) -> list[str]:
    lines = [
        f"leverages add up to γ = {found.gamma:.2f}",
        f"{'row':>6} {'leverage':>9} {'moves the weights by':>22} {'target':>12} {'by others':>12}",
    ]
    for i in order:
        target, without = said_of_row(model, Y[i].tolist(), found.without[i].tolist())
        lines.append(
            f"{i + 1:>6} {found.leverage[i]:>9.3f} {found.distance[i]:>19.2f} sd "
            f"{target:>12} {without:>12}{decides(float(found.leverage[i]), model)}"
        )
    return lines


def _vote_lines(target: str, votes: Array, y: Array, row: int, top: int) -> list[str]:
    order = np.argsort(-np.abs(votes), kind="stable")[:top]
    lines = [
        f"votes for the {target} of row {row}; all {len(votes)} add up to {votes.sum():.4f}",
        f"{'row':>6} {'vote':>9} {'target':>12}",
    ]
    return lines + [f"{i + 1:>6} {votes[i]:>9.4f} {y[i]:>12.6g}" for i in order]
