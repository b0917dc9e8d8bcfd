"""chainrule show: what is in a model file."""

from __future__ import annotations

import click

from chainrule._contracts import Array
from chainrule._records import to_json
from chainrule.cli._input import model_from
from chainrule.cli._output import say, say_json
from chainrule.model.diagnostics import errors_of_weights
from chainrule.report.plan import plan
from chainrule.report.summary import summary, termination_of


@click.command(name="show")
@click.argument("model")
@click.option("--plan", "as_plan", is_flag=True, help="Print what was chosen in the fit, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(model: str, as_plan: bool, as_json: bool) -> None:
    """Print a summary of MODEL: network, scaling, training, weights."""
    trained = model_from(model)
    if as_plan and not as_json:
        say(plan(trained))
        return
    if not as_json:
        say(summary(trained))
        return
    stop = termination_of(trained)
    training = {} if trained.report is None else to_json(trained.report)
    say_json(
        {
            **trained.network.as_dict(),
            "parameters": trained.network.n_parameters,
            "inputs": {"names": trained.input_names, **trained.input_scaling.as_dict()},
            "targets": {"names": trained.target_names, **trained.target_scaling.as_dict()},
            "columns": [column.as_dict() for column in trained.columns],
            "classes": trained.classes,
            "converged": stop.converged if stop else None,
            "training": {key: value for key, value in training.items() if key != "history"},
            "weights": _by_name(*trained.network.weights(trained.theta)),
            "errors": _by_name(*errors_of_weights(trained)),
        }
    )


def _by_name(W: dict[int, Array], b: dict[int, Array]) -> dict[str, Array]:
    return {f"W[{l}]": W[l] for l in W} | {f"b[{l}]": b[l] for l in b}
