"""chainrule fit: a table in, a trained model out."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from chainrule._errors import ConfigurationError, DataError
from chainrule._files import require_other_file
from chainrule.cli._input import table_from
from chainrule.cli._output import Progress, note, say, say_json
from chainrule.heart.activations import ACTIVATIONS
from chainrule.heart.initialisation import SCHEMES
from chainrule.heart.network import Network
from chainrule.heart.outputs import CANONICAL_LOSS, OUTPUTS
from chainrule.model_file import dump_model, save_model
from chainrule.report.summary import scores, summary
from chainrule.tables.scaling import KINDS
from chainrule.training.methods import METHODS
from chainrule.training.model import Trained, train


@click.command(name="fit")
@click.argument("table")
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    help="Column to predict; may be given several times.",
)
@click.option(
    "--out",
    required=True,
    help="Where to write the model (JSON); - for stdout.",
)
@click.option(
    "--hidden",
    default="3",
    show_default=True,
    help="Units of the hidden layers: 3, or 8,4 for two layers, or 0 for none.",
)
@click.option(
    "--activation",
    default="tanh",
    show_default=True,
    help=f"Of the hidden layers, one or one for each: {', '.join(ACTIVATIONS)}.",
)
@click.option(
    "--output",
    "output_name",
    default="identity",
    show_default=True,
    type=click.Choice(list(CANONICAL_LOSS)),
    help="Output function.",
)
@click.option(
    "--loss",
    type=click.Choice(sorted({loss for _, loss in OUTPUTS})),
    help="Loss; the canonical one of the output if left out.",
)
@click.option(
    "--bias/--no-bias", default=True, show_default=True, help="Whether units have biases."
)
@click.option(
    "--scale",
    default="standard",
    show_default=True,
    type=click.Choice(KINDS),
    help="Scaling of inputs and targets; it becomes part of the model.",
)
@click.option(
    "--alpha",
    default=1e-4,
    show_default=True,
    type=float,
    help="L2 penalty ½ alpha Σ W² on the weights (lambda).",
)
@click.option(
    "--method",
    default="auto",
    show_default=True,
    type=click.Choice(METHODS),
    help="How to minimize.",
)
@click.option(
    "--restarts", default=10, show_default=True, type=int, help="Random starts; the best is kept."
)
@click.option("--seed", default=0, show_default=True, type=int, help="Of the random starts.")
@click.option(
    "--init",
    default="auto",
    show_default=True,
    type=click.Choice(list(SCHEMES)),
    help="How starting weights are drawn; normal is N(0, 1), as in the tutorial.",
)
@click.option("--max-iter", type=int, help="Iterations for each start. [default: 10000]")
@click.option("--max-time", type=float, help="Seconds for all starts together.")
@click.option(
    "--checkpoint",
    type=click.Path(),
    help="File to write now and then, and to take training up from if it is there: by the same "
    "command, but for --max-time and what is printed.",
)
@click.option("--drop", multiple=True, help="Column to leave out; may be given several times.")
@click.option(
    "--allow-unconverged",
    is_flag=True,
    help="Write the model and exit 0 even if training did not converge.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    table: str,
    targets: tuple[str, ...],
    out: str,
    hidden: str,
    activation: str,
    output_name: str,
    loss: str | None,
    bias: bool,
    as_json: bool,
    allow_unconverged: bool,
    drop: tuple[str, ...],
    **options: Any,
) -> int:
    """Fit a network to TABLE (CSV or TSV, plain or gzipped; - for stdin) and write the model.

    Every column that is neither --target nor --drop is an input. Exits 1 if training did
    not converge; the weights are then kept in a file of their own, OUT.unconverged.
    """
    if out == "-" and as_json:
        raise ConfigurationError("--out - writes the model to stdout, so --json has no place there")
    require_other_file(out, [table])
    if options["checkpoint"] is not None:
        if options["checkpoint"] in ("", "-"):
            raise ConfigurationError(f"--checkpoint is {options['checkpoint']!r}; give a file name")
        require_other_file(options["checkpoint"], [table, out, f"{out}.unconverged"])
    data = table_from(table)
    data.require([*targets, *drop])
    _require_different([*targets, *drop])
    inputs = tuple(name for name in data.names if name not in {*targets, *drop})
    if not inputs:
        raise DataError(f"{data.source} has no column left as an input; it needs at least one")
    network = Network(
        [len(inputs), *_widths(hidden), len(targets)],
        hidden=_activations(activation, len(_widths(hidden))),
        output=output_name,
        loss=loss,
        bias=bias,
    )
    X, Y = data.numbers(inputs), data.numbers(targets)
    with Progress(f"fitting {network.n_parameters} weights to {len(data)} rows") as progress:
        trained = train(
            X,
            Y,
            network,
            input_names=inputs,
            target_names=targets,
            scale=options["scale"],
            alpha=options["alpha"],
            n_restarts=options["restarts"],
            seed=options["seed"],
            scheme=options["init"],
            method=options["method"],
            max_iter=options["max_iter"],
            max_time=options["max_time"],
            progress=progress.update,
            checkpoint=options["checkpoint"],
        )
    cut_short = trained.restarts.cut_short
    interrupted = cut_short is not None and cut_short.name == "interrupted"
    kept = not interrupted and (trained.fit.converged or allow_unconverged)
    path = out if kept else f"{out}.unconverged"
    if out == "-" and kept:
        sys.stdout.write(dump_model(trained.model).decode())
    elif out != "-":
        save_model(trained.model, path)
        _report(trained, scores(trained.model, X, Y), path, as_json)
    if cut_short is not None:
        made = f"{len(trained.restarts.runs)} of {options['restarts']} starts"
        note(f"{cut_short.name} after {made} ({cut_short.inequality})")
    if not trained.fit.converged:
        note(f"training did not converge: {trained.fit.termination}")
    if not kept and out != "-":
        note(f"{out} was not written, the weights are in {path}; --allow-unconverged writes it")
    return 130 if interrupted else 0 if kept else 1


def _report(trained: Trained, score: dict[str, Any], path: str, as_json: bool) -> None:
    if as_json:
        say_json(_document(trained, score, path))
        return
    say(summary(trained.model))
    for name, of in score.items():
        say(f"on the rows it was fitted to: {name} rmse {of['rmse']:.6g}, R² {of['r2']:.6f}")
    say(f"wrote {path}")


def _widths(hidden: str) -> list[int]:
    if not re.fullmatch(r"-?[0-9]+(,-?[0-9]+)*", hidden):
        raise ConfigurationError(
            f"--hidden {hidden!r} is not a list of widths; write 3, or 8,4 for two layers"
        )
    widths = [int(width) for width in hidden.split(",")]
    return [] if widths == [0] else widths


def _activations(names: str, n_hidden: int) -> list[str]:
    listed = [name.strip() for name in names.split(",")]
    return listed * n_hidden if len(listed) == 1 else listed


def _require_different(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ConfigurationError("--target and --drop name a column twice; name each once")


def _document(trained: Trained, score: dict[str, Any], path: str) -> dict[str, Any]:
    fit, record = trained.fit, trained.model.training
    return {
        "model": path,
        "converged": fit.converged,
        "termination": {**record["termination"], "sentence": fit.termination.sentence},
        "cost": fit.cost,
        "max_gradient": record["max_gradient"],
        "method": fit.method,
        "reason": fit.reason,
        "certificate": record["certificate"],
        "iterations": fit.n_iterations,
        "evaluations": fit.n_evaluations,
        "restarts": record["restarts"],
        "agreeing": trained.restarts.n_agree,
        "rows": record["rows"],
        "weights": trained.model.network.n_parameters,
        "inputs": list(trained.model.input_names),
        "scores": score,
    }
