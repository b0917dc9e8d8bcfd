"""chainrule check: is the gradient of this model right on this table?"""

from __future__ import annotations

import click
import numpy as np

from chainrule.cli._input import inputs_of, model_and_table, reading_options, targets_of
from chainrule.cli._output import Progress, note, say, say_json
from chainrule.heart.gradient_check import check_gradient
from chainrule.tables.reading import Format

MOST_ROWS_CHECKED = 1000  # their equations are those of all
BESIDE = 0.1  # by how much at most weights are moved, to check off the minimum too


@click.command(name="check")
@click.argument("model")
@click.argument("table")
@click.option(
    "--step",
    type=float,
    help="One step for all weights, such as 1e-4; chosen for each if left out.",
)
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def command(model: str, table: str, step: float | None, as_json: bool, written: Format) -> int:
    """Compare the gradient of MODEL on TABLE with differences of its cost.

    At the optimum the gradient is zero and a ratio of zeros says nothing, so the check
    is made beside it: every weight moved by a tenth. Exits 1 if a layer is wrong.
    """
    trained, data = model_and_table(model, table, written)
    X, Y = inputs_of(trained, data), targets_of(trained, data)
    if len(X) > MOST_ROWS_CHECKED:
        rows = f"the first {MOST_ROWS_CHECKED} of {len(X)} rows"
        note(f"checking on {rows}: the equations are the same")
    objective = trained.objective(X[:MOST_ROWS_CHECKED], Y[:MOST_ROWS_CHECKED])
    theta = trained.theta
    nudge = np.random.default_rng(0).uniform(-BESIDE, BESIDE, len(theta))
    with Progress(f"checking {len(theta)} derivatives"):
        check = check_gradient(objective, theta + nudge * (1 + np.abs(theta)), step=step)
    if as_json:
        say_json(
            {
                "passed": check.passed,
                "ratio": check.ratio,
                "by_layer": check.by_layer,
                "broken": check.broken,
                "undecided": check.undecided,
                "verdicts": check.verdicts,
                "tolerance": check.tolerance,
                "gradient": check.gradient,
                "numeric": check.numeric,
            }
        )
    else:
        say(str(check))
    return 0 if check.passed else 1
