"""chainrule compare: ours against the mean, a line, scikit-learn's networks and boosted trees."""

from __future__ import annotations

from typing import Any

import click

from chainrule._errors import ConfigurationError
from chainrule.bayes.fitted_posterior import NOISE
from chainrule.cli._columns import ColumnOptions, column_options, columns_of
from chainrule.cli._input import reading_options, table_from
from chainrule.cli._output import Progress, note, say, say_json
from chainrule.cli.fit import activations_of, alphas_of, widths_of
from chainrule.comparison import OURS, Comparison, compare
from chainrule.pipeline.effort import AUTO, EFFORTS, NORMAL
from chainrule.tables.reading import Format

WORDS = {"r2": "R²", "rmse": "rmse", "log_loss": "log loss", "accuracy": "accuracy"}


@click.command(name="compare")
@click.argument("table")
@click.option(
    "--effort",
    default=NORMAL,
    show_default=True,
    type=click.Choice(list(EFFORTS)),
    help="As of fit.",
)
@click.option("--hidden", help="Units of the hidden layers, as of fit; found in each fold anew.")
@click.option("--alpha", help="Penalty, as of fit.")
@click.option("--restarts", type=int, help="Random starts.")
@click.option("--ensemble", type=click.IntRange(min=1), help="How many networks predict together.")
@click.option(
    "--noise", default="varying", show_default=True, type=click.Choice(NOISE), help="As of fit."
)
@click.option("--activation", default="tanh", show_default=True, help="Of the hidden layers.")
@click.option("--skip/--no-skip", default=None, help="As of fit.")
@click.option("--folds", type=int, help="Of the cross-validation. [default: 10 if there are rows]")
@click.option("--seed", default=0, show_default=True, type=int, help="Of folds and starts.")
@column_options
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(
    table: str, folds: int | None, seed: int, as_json: bool, written: Format, **given: Any
) -> None:
    """Cross-validate a network on TABLE, and others on the same rows.

    The others are the mean, linear or logistic regression, scikit-learn's networks and its
    gradient boosting, as they come; its networks get standardized columns.
    """
    hidden, noise = given.pop("hidden"), given.pop("noise")
    options = _options(hidden, given)
    data = table_from(table, written)
    chosen = columns_of(data, ColumnOptions(**given))
    if not chosen.target.classes:
        options["noise"] = noise
    elif noise != NOISE[0]:
        raise ConfigurationError(f"--noise {noise} is that of numbers; classes have none")
    with Progress("comparing") as progress:
        comparison = compare(
            data,
            chosen.types,
            chosen.target,
            folds=folds,
            seed=seed,
            progress=progress.update,
            **options,
        )
    if as_json:
        say_json(_document(comparison))
    else:
        effort = f"effort {options['effort']}"
        say(_page(comparison, effort if hidden is None else f"hidden layers of {hidden}"))
    for result in comparison.results:
        if result.unconverged:
            note(f"{result.name}: {result.unconverged} of {comparison.folds} fits did not converge")


def _page(comparison: Comparison, what: str) -> str:
    measures = list(comparison.results[0].scores)
    head = "".join(f"{WORDS[measure]:>22}" for measure in measures)
    lines = [
        f"{comparison.rows:,} rows, {comparison.folds} folds; mean ± standard error; seconds of "
        f"one fit; {OURS} with {what}",
        f"{'':<20}{head}{'seconds':>12}",
    ]
    for result in comparison.results:
        cells = "".join(
            f"{mean:>12.4g} ± {error:<7.2g}"
            for mean, error in (result.mean_and_error(measure) for measure in measures)
        )
        lines.append(f"{result.name:<20}{cells}{result.seconds:>12.3g}")
    return "\n".join([*lines, comparison.verdict])


def _options(hidden: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the estimators, taken out of what was given."""
    restarts, ensemble, skip = given.pop("restarts"), given.pop("ensemble"), given.pop("skip")
    if None not in (restarts, ensemble) and ensemble > restarts:
        raise ConfigurationError(
            f"--ensemble is {ensemble}, and there are only {restarts} starts; give as many "
            "--restarts, or a smaller ensemble"
        )
    alpha, names = given.pop("alpha"), given.pop("activation")
    widths = None if hidden is None else AUTO if hidden == AUTO else widths_of(hidden)
    n_hidden = len(widths) if isinstance(widths, list) else 1
    listed = activations_of(names, n_hidden)
    return {
        "effort": given.pop("effort"),
        "hidden_layer_sizes": widths,
        "activation": listed if "," in names else names.strip(),
        "skip": "auto" if skip is None else skip,
        "alpha": None if alpha is None else alphas_of(alpha),
        "n_restarts": restarts,
        "ensemble": ensemble,
    }


def _document(comparison: Comparison) -> dict[str, Any]:
    return {
        "rows": comparison.rows,
        "folds": comparison.folds,
        "measure": comparison.measure,
        "verdict": comparison.verdict,
        "results": [
            {
                "name": result.name,
                "seconds": result.seconds,
                "unconverged": result.unconverged,
                **{
                    measure: {
                        "mean": result.mean_and_error(measure)[0],
                        "standard_error": result.mean_and_error(measure)[1],
                        "folds": values,
                    }
                    for measure, values in result.scores.items()
                },
            }
            for result in comparison.results
        ],
    }
