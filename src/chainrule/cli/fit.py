"""chainrule fit: a table in, a trained model out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import click
from click.core import ParameterSource

from chainrule._cancellation import Cancellation
from chainrule._errors import ConfigurationError, WriteError
from chainrule._files import keep_aside, open_descriptor
from chainrule._records import to_json
from chainrule.bayes.architecture import MOST_HIDDEN_LAYERS
from chainrule.bayes.empirical_bayes import EVIDENCE, RULE
from chainrule.bayes.fitted_posterior import NOISE
from chainrule.bayes.student_t import STUDENT
from chainrule.cli._columns import WEIGHT, Chosen, ColumnOptions, column_options, columns_of
from chainrule.cli._input import (
    model_from,
    reading_options,
    require_free,
    require_model_or_nothing,
    table_from,
)
from chainrule.cli._output import Progress, note, say, say_json
from chainrule.heart.activations import ACTIVATIONS
from chainrule.heart.initialisation import SCHEMES
from chainrule.heart.network import Network
from chainrule.heart.outputs import CANONICAL_LOSS, OUTPUTS
from chainrule.model.fit_report import FitOptions
from chainrule.model.model import Model
from chainrule.model.model_file import dump_model, save_model
from chainrule.optimize.checkpoint import require_checkpoint
from chainrule.optimize.methods import METHODS
from chainrule.pipeline.effort import AUTO, EFFORTS, NORMAL, UNITS, Work, resolved
from chainrule.pipeline.fit import Trained, train
from chainrule.pipeline.settings import FitControl, FitData, FitSettings
from chainrule.report.knowledge import outlier_line
from chainrule.report.summary import summary
from chainrule.tables.cells import Missing
from chainrule.tables.encoding import encode, input_names
from chainrule.tables.reading import Format
from chainrule.tables.scaling import KINDS
from chainrule.tables.targets import layer_for


@click.command(name="fit")
@click.argument("table")
@click.option(
    "--out",
    required=True,
    help="Where to write the model (JSON); - for stdout.",
)
@click.option(
    "--effort",
    default=NORMAL,
    show_default=True,
    type=click.Choice(list(EFFORTS)),
    help="How much work is spent on what is left out of --hidden, --alpha, --restarts and "
    "--ensemble: fast is 10 units, the penalty by rule and 3 starts; normal finds the penalty by "
    "the evidence; best finds depth and width too, and lets 6 networks predict together.",
)
@click.option(
    "--hidden",
    help="Units of the hidden layers: 3, or 8,4 for two layers, or 0 for none; auto for the fewest "
    "of one layer, or none, whose evidence is within 3 nats of the highest, and for more layers or "
    "units as long as rows that were left out are predicted better.",
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
    default=None,
    help="Whether weights lead from the inputs straight to the outputs, past the hidden layers; if "
    "left out the evidence decides where weights are many.",
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
    help="L2 penalty ½ alpha Σ W² on the weights (lambda): by the evidence, one for each "
    "input; one number, or one for each layer; or by rule: from the widths of the layers and the "
    "noise.",
)
@click.option(
    "--method",
    default="auto",
    show_default=True,
    type=click.Choice(METHODS),
    help="How to minimize.",
)
@click.option("--restarts", type=int, help="Random starts; the best is kept.")
@click.option(
    "--ensemble",
    type=click.IntRange(min=1),
    help="How many networks predict together; 1 for the best alone, which is what is shown.",
)
@click.option(
    "--noise",
    default="varying",
    show_default=True,
    type=click.Choice(NOISE),
    help="Whether the noise of numbers may differ from row to row, or has heavy tails (student), "
    "so that rows that are far off count less.",
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
@column_options
@WEIGHT
@reading_options
@click.option(
    "--allow-unconverged",
    is_flag=True,
    help="Write the model and exit 0 even if training did not converge.",
)
@click.option(
    "--like",
    help="A model whose options are taken where none are given here: the same table gives the same "
    "model.",
)
@click.option("--full", is_flag=True, help="Print long lists of scalings and weights too.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    table: str,
    out: str,
    like: str | None,
    full: bool,
    as_json: bool,
    allow_unconverged: bool,
    written: Format,
    **given: Any,
) -> int:
    """Fit a network to TABLE and write the model.

    TABLE is a CSV or TSV, plain or gzipped, or a Parquet file; a folder of them, a pattern in
    quotes; or - for stdin. Every column that is not --target, --weight or --drop is an input;
    what it holds is found out and shown. Exits 1 if training did not converge; the weights are
    then kept in a file of their own, OUT.unconverged.
    """
    if out == "-" and as_json:
        raise ConfigurationError("--out - writes the model to stdout, so --json has no place there")
    out = "-" if out != "-" and open_descriptor(out) == 1 else out
    max_time, checkpoint = given.pop("max_time"), given.pop("checkpoint")
    _require_free(out, table, checkpoint)
    asked = _asked(given, like)
    work = _work(asked)
    data = table_from(table, written)
    task = "as_given" if asked.task == "auto" and (asked.output_name or asked.loss) else asked.task
    columns = {of.name: getattr(asked, of.name) for of in fields(ColumnOptions)}
    chosen = columns_of(data, ColumnOptions(**{**columns, "task": task}))
    settings = _settings(asked, work, chosen)
    auto = not isinstance(settings.network, Network)
    n_weights = settings.first_network.n_parameters
    what = "the size of a network" if auto else f"{n_weights} weights"
    with Progress(f"fitting {what} to {len(chosen.data)} rows") as progress:
        rows = FitData(
            encode(chosen.types, chosen.data).X,
            chosen.target,
            chosen.target_names,
            columns=chosen.types,
            sample_weight=chosen.weights,
            row_numbers=chosen.numbers,
        )
        trained = train(rows, settings, FitControl(max_time, progress.update, checkpoint))
    trained = replace(trained, model=_noted(trained.model, asked, written))
    interrupted = trained.restarts.interrupted
    kept = not interrupted and (trained.fit.converged or allow_unconverged)
    saving = Cancellation()
    with saving.listening():
        path = _saved(trained.model, out, kept)
    if out != "-":
        _report(trained, path, as_json, full)
    _tell_end(
        trained,
        asked,
        settings.n_restarts,
        "the model" if out == "-" else out,
        None if kept else path,
    )
    if saving.interrupted:
        note(f"interrupted after {path} was written")
    return 130 if interrupted or saving.interrupted else 0 if kept else 1


def _asked(given: dict[str, Any], like: str | None) -> FitOptions:
    """Return the options that were given, and those of a model for the others."""
    if like is None:
        return FitOptions(**given)
    model = model_from(like)
    asked = None if model.report is None else model.report.plan.asked
    if asked is None:
        raise ConfigurationError(
            f"--like {like}: this model does not say how it was asked for; give one that this "
            "version of 'chainrule fit' has written"
        )
    source = click.get_current_context().get_parameter_source
    said = {name: value for name, value in given.items() if source(name) != ParameterSource.DEFAULT}
    return replace(asked, **said)


def _work(asked: FitOptions) -> Work:
    """Return what is to be done: what was asked for, and what the effort says of the rest."""
    hidden = asked.hidden
    return resolved(
        asked.effort or NORMAL,
        hidden=hidden if hidden is None or hidden == AUTO else widths_of(hidden),
        alpha=None if asked.alpha is None else alphas_of(asked.alpha),
        n_restarts=asked.restarts,
        ensemble=asked.ensemble,
    )


def _settings(asked: FitOptions, work: Work, chosen: Chosen) -> FitSettings:
    """Return the settings of the fit by the names of the pipeline."""
    output, units = "identity", len(chosen.target_names)
    if chosen.target.classes:
        output, units = layer_for(chosen.target.classes)
        if asked.output_name not in (None, output):
            raise ConfigurationError(
                f"--output is {asked.output_name!r}, and these classes are learned with "
                f"{output!r}; leave it out, or say --task regression if they are numbers"
            )
    n_inputs = len(input_names(chosen.types))

    one_for_all = len(asked.activation.split(",")) == 1

    def network_of(widths: Sequence[int]) -> Network:
        return Network(
            [n_inputs, *widths, units],
            hidden=activations_of(asked.activation, len(widths)),
            output=asked.output_name or output,
            loss=asked.loss,
            bias=asked.bias,
            skip=bool(asked.skip),
        )

    return FitSettings(
        network_of if work.hidden == AUTO else network_of(work.hidden),
        scale=asked.scale,
        alpha=work.alpha,
        noise=asked.noise,
        skip=asked.skip is None,
        ensemble=work.ensemble,
        brief=work.brief,
        most_layers=MOST_HIDDEN_LAYERS if one_for_all else 1,
        or_else_ensemble=asked.ensemble or 1,
        or_else=network_of(UNITS) if work.hidden == AUTO and asked.hidden is None else None,
        n_restarts=work.n_restarts,
        seed=asked.seed,
        scheme=asked.init,
        method=asked.method,
        max_iter=asked.max_iter,
    )


def _noted(model: Model, asked: FitOptions, written: Format) -> Model:
    """Return a model that says how it was asked for, and how its table was read."""
    report = model.report and replace(model.report, plan=replace(model.report.plan, asked=asked))
    missing = written.missing or Missing()
    return replace(model, report=report, missing=missing, weight_name=asked.weight)


def _tell_end(
    trained: Trained, asked: FitOptions, n_starts: int, out: str, aside: str | None
) -> None:
    """Say what was not as it should be; `aside` is where weights are that were not asked for."""
    report = trained.model.report
    if trained.restarts.cut_short is not None:
        note(trained.restarts.why_cut_short(n_starts))
    if report is not None and report.outliers and asked.noise != STUDENT:
        note(f"{outlier_line(report.outliers)}. Check these rows, or use --noise student")
    if not trained.fit.converged:
        note(f"training did not converge: {trained.fit.termination}")
    if aside is not None:
        note(f"{out} was not written, the weights are in {aside}; --allow-unconverged writes it")


def _require_free(out: str, table: str, checkpoint: str | None) -> None:
    """Refuse what could not be written, or would replace a file, before there is work to lose."""
    for name in () if out == "-" or not _is_file(out) else (out, _aside(out)):
        require_free(name, [table])
        require_model_or_nothing(name)
    if checkpoint is None:
        return
    if checkpoint in ("", "-"):
        raise ConfigurationError(f"--checkpoint is {checkpoint!r}; give a file name")
    require_free(checkpoint, [table], [] if out == "-" else [out, _aside(out)])
    require_checkpoint(checkpoint)


def _is_file(out: str) -> bool:
    return os.path.isfile(out) or not os.path.exists(out)


def _aside(out: str) -> str:
    """Return the name of the file for weights that are not what was asked for."""
    return f"{out}.unconverged"


def _saved(model: Model, out: str, kept: bool) -> str:
    """Write a model where it was asked for, or else beside; return where it is."""
    if kept and out == "-":
        sys.stdout.write(dump_model(model).decode())
        return out
    if kept or (out != "-" and _is_file(out)):
        path = out if kept else _aside(out)
        try:
            save_model(model, path)
        except WriteError as error:
            elsewhere = keep_aside(dump_model(model), path)
            if elsewhere is None:
                raise
            raise WriteError(f"{error}; the model is kept in {elsewhere}") from None
        return path
    elsewhere = keep_aside(dump_model(model), "model.unconverged")
    if elsewhere is None:
        raise WriteError("the weights could not be written anywhere: no folder takes files")
    return elsewhere


def _report(trained: Trained, path: str, as_json: bool, full: bool) -> None:
    if as_json:
        say_json(_document(trained, path))
        return
    say(summary(trained.model, full))
    say(f"wrote {path}")


def alphas_of(text: str) -> float | list[float] | str:
    """Return α for each layer, or by what it is found."""
    if text in (EVIDENCE, RULE):
        return text
    try:
        each = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(
            f"--alpha {text!r} is not a number; write {EVIDENCE}, {RULE}, 0.1, or 0.1,1 for two "
            "layers of weights"
        ) from None
    return each[0] if len(each) == 1 else each


def widths_of(hidden: str) -> list[int]:
    """Return the widths of the hidden layers; 0 is none."""
    if not re.fullmatch(r"-?[0-9]{1,9}(,-?[0-9]{1,9})*", hidden):
        raise ConfigurationError(
            f"--hidden {hidden!r} is not a list of widths; write 3, or 8,4 for two layers, or auto"
        )
    widths = [int(width) for width in hidden.split(",")]
    return [] if widths == [0] else widths


def activations_of(names: str, n_hidden: int) -> list[str]:
    """Return one activation for each hidden layer, if one was named for all."""
    listed = [name.strip() for name in names.split(",")]
    return listed * n_hidden if len(listed) == 1 else listed


def _document(trained: Trained, path: str) -> dict[str, Any]:
    fit, record = trained.fit, to_json(trained.model.report)
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
        "from_search": trained.restarts.from_search,
        "rows": record["rows"],
        "weights": trained.model.network.n_parameters,
        "inputs": list(trained.model.input_names),
        "columns": [column.as_dict() for column in trained.model.columns],
        "classes": [list(of) for of in trained.model.classes],
        "scores": record["scores"],
        "hidden": list(trained.model.network.layers[1:-1]),
        "evidence": record.get("evidence"),
        "sizes": record.get("sizes"),
        "growth": record.get("growth"),
        "skip": record.get("skip"),
        "path": record.get("path"),
        "members": record.get("members"),
        "passes": trained.passes,
        "known": record.get("known"),
        "alpha_reason": record.get("alpha_reason"),
        "tails": record.get("tails"),
        "no_posterior": record.get("no_posterior"),
    }
