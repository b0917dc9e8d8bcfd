"""chainrule show: what is in a model file."""

from __future__ import annotations

import click

from chainrule.cli._input import model_from
from chainrule.cli._output import say, say_json
from chainrule.report.summary import summary, termination_of
from chainrule.tables.scaling import Scaling


@click.command(name="show")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(model: str, as_json: bool) -> None:
    """Print a summary of MODEL: network, scaling, training, weights."""
    trained = model_from(model)
    if not as_json:
        say(summary(trained))
        return
    W, b = trained.network.weights(trained.theta)
    stop = termination_of(trained)
    say_json(
        {
            "layers": trained.network.layers,
            "hidden": trained.network.hidden,
            "output": trained.network.output,
            "loss": trained.network.loss,
            "bias": trained.network.bias,
            "parameters": trained.network.n_parameters,
            "inputs": trained.input_names,
            "targets": trained.target_names,
            "input_scaling": _scaling(trained.input_scaling),
            "target_scaling": _scaling(trained.target_scaling),
            "converged": stop.converged if stop else None,
            "training": {key: value for key, value in trained.training.items() if key != "history"},
            "weights": {f"W[{l}]": W[l] for l in W} | {f"b[{l}]": b[l] for l in b},
        }
    )


def _scaling(scaling: Scaling) -> dict[str, object]:
    return {"kind": scaling.kind, "center": scaling.center, "scale": scaling.scale}
