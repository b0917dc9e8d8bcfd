"""chainrule best: the inputs for which a prediction is highest."""

from __future__ import annotations

import click

from chainrule._errors import ConfigurationError
from chainrule.cli._input import model_from
from chainrule.cli._output import say, say_json
from chainrule.training.insight import Best, best_input


@click.command(name="best")
@click.argument("model")
@click.option(
    "--fix",
    "fixed",
    multiple=True,
    help="An input that is given, as NAME=NUMBER; may be given several times.",
)
@click.option("--minimize", is_flag=True, help="Look for the lowest prediction instead.")
@click.option("--target", help="Which target, or p(target=class); the first if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    model: str, fixed: tuple[str, ...], minimize: bool, target: str | None, as_json: bool
) -> None:
    """Find the inputs, within the range of the data, for which MODEL predicts the most.

    Inputs that end at an edge of their range are named: beyond it might be better still, but no
    row says so.
    """
    trained = model_from(model)
    given = dict(map(_pair, fixed))
    found = best_input(trained, given, minimize=minimize, target=0 if target is None else target)
    name = trained.output_names[0] if target is None else target
    if as_json:
        say_json(
            {
                "target": name,
                "prediction": found.prediction,
                "std": found.std,
                "inputs": found.inputs,
                "at_edge": list(found.at_edge),
                "fixed": given,
            }
        )
        return
    say("\n".join(_lines(found, name, given, "lowest" if minimize else "highest")))


def _lines(found: Best, name: str, given: dict[str, float], which: str) -> list[str]:
    sure = "" if found.std is None else f" ± {found.std:.4g}"
    lines = [f"{which} {name}: {found.prediction:.6g}{sure}"]
    for title, value in found.inputs.items():
        what = "   given" if title in given else "   end of its range" * (title in found.at_edge)
        lines.append(f"  {title:<20} {value:.6g}{what}")
    return lines


def _pair(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    try:
        return name, float(value if equals else "")
    except ValueError:
        raise ConfigurationError(
            f"--fix {text!r} is not NAME=NUMBER; write --fix sleep=8, say"
        ) from None
