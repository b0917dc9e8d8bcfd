"""chainrule fit: a table in, a trained model out."""

from __future__ import annotations

import re
import sys
from collections import Counter
from typing import Any

import click

from chainrule._errors import ConfigurationError, DataError
from chainrule._files import require_other_file
from chainrule.cli._input import reading_options, table_from
from chainrule.cli._output import Progress, note, say, say_json, tell
from chainrule.heart.activations import ACTIVATIONS
from chainrule.heart.initialisation import SCHEMES
from chainrule.heart.network import Network
from chainrule.heart.outputs import CANONICAL_LOSS, OUTPUTS
from chainrule.model_file import dump_model, save_model
from chainrule.report.summary import summary
from chainrule.tables import targets as targets_
from chainrule.tables.encoding import RULES, ColumnType, encode, find_types, input_names
from chainrule.tables.reading import Format
from chainrule.tables.scaling import KINDS
from chainrule.tables.table import Table, listed
from chainrule.tables.targets import TASKS, Targets, read_targets
from chainrule.training.methods import METHODS
from chainrule.training.model import AUTO, Trained, train

MOST_SHOWN = 30


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
    type=click.Choice(list(CANONICAL_LOSS)),
    help="Output function; the one of the task if left out: identity for numbers, sigmoid for two "
    "classes, softmax for more.",
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
    "--skip/--no-skip",
    default=False,
    show_default=True,
    help="Whether weights lead from the inputs straight to the outputs, past the hidden layers.",
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
    default="auto",
    show_default=True,
    help="L2 penalty ½ alpha Σ W² on the weights (lambda): one number, one for each layer, or by "
    "rule: from the widths of the layers and the noise in the target.",
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
@click.option(
    "--task",
    default="auto",
    show_default=True,
    type=click.Choice(TASKS),
    help="What the target is; auto takes words, answers, and 0 and 1 for classes.",
)
@click.option("--drop", multiple=True, help="Column to leave out; may be given several times.")
@click.option("--number", multiple=True, help="Column that holds numbers, whatever it looks like.")
@click.option("--category", multiple=True, help="Column that holds categories, numbers or not.")
@click.option("--weight", help="Column that says how much each row counts; 2 is the row twice.")
@click.option(
    "--missing",
    default="indicator",
    show_default=True,
    type=click.Choice(RULES),
    help="What to do about missing inputs: take the median and let an input say so, or refuse.",
)
@reading_options
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
    output_name: str | None,
    loss: str | None,
    bias: bool,
    skip: bool,
    as_json: bool,
    allow_unconverged: bool,
    drop: tuple[str, ...],
    number: tuple[str, ...],
    category: tuple[str, ...],
    weight: str | None,
    written: Format,
    **options: Any,
) -> int:
    """Fit a network to TABLE and write the model.

    TABLE is a CSV or TSV, plain or gzipped, or a Parquet file; a folder of them, a pattern in
    quotes; or - for stdin. Every column that is not --target, --weight or --drop is an input;
    what it holds is found out and shown. Exits 1 if training did not converge; the weights are
    then kept in a file of their own, OUT.unconverged.
    """
    if out == "-" and as_json:
        raise ConfigurationError("--out - writes the model to stdout, so --json has no place there")
    require_other_file(out, [table])
    if options["checkpoint"] is not None:
        if options["checkpoint"] in ("", "-"):
            raise ConfigurationError(f"--checkpoint is {options['checkpoint']!r}; give a file name")
        require_other_file(options["checkpoint"], [table, out, f"{out}.unconverged"])
    alphas = _alphas(options["alpha"])
    data = table_from(table, written)
    special = [*targets, *drop, *([weight] if weight is not None else [])]
    data.require([*special, *number, *category])
    _require_different([*special, *number, *category])
    inputs = [name for name in data.names if name not in special]
    if not inputs:
        raise DataError(f"{data.source} has no column left as an input; it needs at least one")
    kinds = dict.fromkeys(number, "number") | dict.fromkeys(category, "category")
    columns, remarks = find_types(data, inputs, kinds=kinds, missing=options.pop("missing"))
    task = options.pop("task")
    if task == "auto" and (output_name, loss) != (None, None):
        task = "regression"  # who names the output wants numbers as they are
    target = read_targets(data, targets, task)
    _tell_types(data, columns, target, targets, remarks)
    if not columns:
        raise DataError(f"{data.source} has no column left as an input; it needs at least one")
    default, units = targets_.layer_for(target.classes) if target.classes else ("identity", None)
    network = Network(
        [len(input_names(columns)), *_widths(hidden), units or len(targets)],
        hidden=_activations(activation, len(_widths(hidden))),
        output=output_name or default,
        loss=loss,
        bias=bias,
        skip=skip,
    )
    X = encode(columns, data).X
    with Progress(f"fitting {network.n_parameters} weights to {len(data)} rows") as progress:
        trained = train(
            X,
            target,
            network,
            columns=columns,
            target_names=targets,
            scale=options["scale"],
            alpha=alphas,
            sample_weight=None if weight is None else data.numbers([weight])[:, 0],
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
        _report(trained, path, as_json)
    if cut_short is not None:
        made = f"{len(trained.restarts.runs)} of {options['restarts']} starts"
        note(f"{cut_short.name} after {made} ({cut_short.inequality})")
    if not trained.fit.converged:
        note(f"training did not converge: {trained.fit.termination}")
    if not kept and out != "-":
        note(f"{out} was not written, the weights are in {path}; --allow-unconverged writes it")
    return 130 if interrupted else 0 if kept else 1


def _tell_types(
    data: Table,
    columns: tuple[ColumnType, ...],
    target: Targets,
    names: tuple[str, ...],
    remarks: tuple[str, ...],
) -> None:
    """Show what was found in a table before anything is fitted to it."""
    tell(f"{data.source}: {len(data):,} rows, {len(data.names):,} columns")
    width = max(len(name) for name in (*names, *(c.name for c in columns[:MOST_SHOWN])))
    for column in columns[:MOST_SHOWN]:
        tell(f"  {column.name:<{width}}  {column}")
    if len(columns) > MOST_SHOWN:
        rest = Counter(column.kind for column in columns[MOST_SHOWN:])
        what = ", ".join(f"{count} {kind}" for kind, count in rest.items())
        tell(f"  … and {len(columns) - MOST_SHOWN} more: {what}")
    for k, name in enumerate(names):
        what = "number"
        if target.classes:
            of = [str(label) for label in target.classes[k]]
            what = f"{len(of)} classes: {listed(of, 5)}"
        tell(f"  {name:<{width}}  target, {what}")
    for remark in remarks:
        note(f"{data.source}: {remark}")


def _report(trained: Trained, path: str, as_json: bool) -> None:
    if as_json:
        say_json(_document(trained, path))
        return
    say(summary(trained.model))
    say(f"wrote {path}")


def _alphas(text: str) -> float | list[float] | str:
    if text == AUTO:
        return text
    try:
        each = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(
            f"--alpha {text!r} is not a number; write auto, 0.1, or 0.1,1 for two layers of weights"
        ) from None
    return each[0] if len(each) == 1 else each


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
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigurationError(f"column {twice!r} is named twice in the options; name it once")


def _document(trained: Trained, path: str) -> dict[str, Any]:
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
        "columns": [column.as_dict() for column in trained.model.columns],
        "classes": [list(of) for of in trained.model.classes],
        "scores": record["scores"],
    }
