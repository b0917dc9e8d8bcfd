"""chainrule best: the inputs for which a prediction is highest."""

from __future__ import annotations

import click

from chainrule._errors import ConfigurationError
from chainrule._printable import page
from chainrule.cli._input import model_from
from chainrule.cli._output import note, say, say_json
from chainrule.model.optimum import Best, best_input
from chainrule.tables.cells import cut


@click.command(name="best")
@click.argument("model")
@click.option(
    "--fix",
    "fixed",
    multiple=True,
    help="A column that is given, as NAME=VALUE in the words of the table; several may be.",
)
@click.option("--minimize", is_flag=True, help="Look for the lowest prediction instead.")
@click.option("--target", help="Which target, or p(target=class); the first if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    model: str, fixed: tuple[str, ...], minimize: bool, target: str | None, as_json: bool
) -> None:
    """Find the inputs, within the range of the data, for which MODEL predicts the most.

    What ± says is the standard deviation of a new row there, noise included. Inputs that end at an
    edge of their range are named: beyond it might be better still, but no row says so.
    """
    trained = model_from(model)
    given = _given(fixed, trained.column_names)
    found = best_input(trained, given, minimize=minimize, target=0 if target is None else target)
    name = trained.output_names[0] if target is None else target
    if found.far:
        note("this is far from the rows that were learned: what is said of it is extrapolated")
    if as_json:
        say_json({"target": name, **vars(found), "fixed": given})
        return
    say(page(_lines(found, name, given, "lowest" if minimize else "highest")))


def _lines(found: Best, name: str, given: dict[str, str], which: str) -> list[str]:
    sure = "" if found.std is None else f"; a new row there ± {found.std:.4g}"
    lines = [f"{which} {name}: {found.prediction:.6g}{sure}"]
    for title, value in found.inputs.items():
        shown = cut(value) if isinstance(value, str) else f"{value:.6g}"
        what = "   given" if title in given else "   end of its range" * (title in found.at_edge)
        lines.append(f"  {cut(title):<20} {shown}{what}")
    return lines


def _given(fixed: tuple[str, ...], columns: tuple[str, ...]) -> dict[str, str]:
    """Return what is given for each column; the name of one may have an = in it."""
    given: dict[str, str] = {}
    for text in fixed:
        ends = [i for i, letter in enumerate(text) if letter == "="]
        if not ends:
            raise ConfigurationError(f"--fix {text!r} is not NAME=VALUE; write --fix sleep=8, say")
        end = next((i for i in ends if text[:i] in columns), ends[0])
        name, value = text[:end], text[end + 1 :]
        if given.setdefault(name, value) != value:
            raise ConfigurationError(f"--fix {name} is given twice, as {given[name]} and {value}")
    return given
