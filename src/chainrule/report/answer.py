"""The answer in plain words, with which a summary begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from chainrule.model.fit_report import FitReport, Sensitivities
from chainrule.model.model import Model
from chainrule.model.scores import ClassScores, NumberScores, Scores
from chainrule.tables.cells import cut

MOST_TARGETS_NAMED = 3  # in the first sentence
MOST_INPUTS = 4  # that matter most
MATTERS = 0.25  # of the importance of the most important input
TOO_FEW_FOR_LOO = 10  # below which leave-one-out says little
UNSEEN, SEEN = "on rows it has not seen", "on the rows it was fitted to"


def answer(model: Model) -> str:
    """Return how well a model predicts, whether its fit can be trusted, and what matters most.

    Empty for a model that was not fitted.
    """
    report = model.report
    if report is None:
        return ""
    known, n = report.posterior, report.data.n_rows
    if known is None or n < TOO_FEW_FOR_LOO:
        scores, rows = report.fitted, SEEN
    else:
        scores, rows = known.leave_one_out.scores, UNSEEN
    robust = None if known is None or report.student is None else known.leave_one_out.median_error
    parts = list(_predictions(scores, rows, robust))
    if n < TOO_FEW_FOR_LOO:
        parts.append(f"{n} rows are too few to say how well it predicts others")
    if report.outliers and report.student is None:
        worst = report.outliers[0]
        parts.append(
            f"row {worst.row} is an outlier ({worst.off:.3g} standard deviations): check it"
        )
    parts += _fit(report)
    if known is not None and n >= TOO_FEW_FOR_LOO and any(map(_says_something, scores.values())):
        parts += _importance(model, known.sensitivity)
    return "; ".join(parts) + "."


def _says_something(of: NumberScores | ClassScores) -> bool:
    """Return whether predictions are better than those without inputs."""
    if isinstance(of, NumberScores):
        return of.r2 > 0.0
    return of.log_loss < of.log_loss_of_constant


def _predictions(scores: Scores, rows: str, robust: dict[str, float] | None) -> Iterator[str]:
    for k, (name, of) in enumerate(list(scores.items())[:MOST_TARGETS_NAMED]):
        verb = "Predicts" if k == 0 else "predicts"
        where, unseen = (f" {rows}", " it has not seen") if k == 0 else ("", "")
        if not isinstance(of, NumberScores):
            always = f"always guessing the commonest class: {of.accuracy_of_constant:.0%}"
            yield f"{verb} {cut(name)} correctly in {of.accuracy:.0%} of cases{where} ({always})"
        elif robust is not None:  # outliers are part of the noise, and of rmse nearly all
            yield f"{verb} {cut(name)} to within ±{robust[name]:.2g} for half of the rows{unseen}"
        elif of.r2 > 0.0:
            yield f"{verb} {cut(name)} to about ±{of.rmse:.2g}{where} (R² {of.r2:.2f})"
        else:
            yield f"{verb} {cut(name)} no better than its mean does, to ±{of.rmse:.2g}{where}"
    if len(scores) > MOST_TARGETS_NAMED:
        yield f"and {len(scores) - MOST_TARGETS_NAMED} more targets"


def _fit(report: FitReport) -> Iterator[str]:
    fit, n = report.optimizer, len(report.optimizer.starts)
    if fit.from_search:
        yield "no start reached the minimum that the search for the penalty had found"
    elif n > 1 and report.selection.members is not None:
        yield f"{n} networks with their own penalties predict"
    elif n > 1:
        some = f"{fit.n_agree} of {n} starts agree" if fit.n_agree else "the starts disagree"
        yield f"all {n} starts agree" if fit.n_agree == n else some
    is_minimum = report.certificate is not None and report.certificate.kind == "minimum"
    if is_minimum and fit.termination.converged:
        yield "the fit is a true minimum"
    else:
        yield f"the fit is no minimum ({fit.termination.name})"


def _importance(model: Model, sensitivity: Sensitivities) -> Iterator[str]:
    """Return which columns matter most: by the importance of their inputs, all outputs together."""
    found: dict[str, float] = {column.name: 0.0 for column in model.columns}
    column_of = {name: column.name for column in model.columns for name in column.inputs}
    for inputs in sensitivity.values():
        most = max((of.of_spread for of in inputs.values()), default=0.0)
        for name, of in inputs.items() if most > 0.0 else ():
            column = column_of[name]
            found[column] = max(found[column], of.of_spread / most)
    order = sorted(found, key=lambda name: -found[name])
    named = [name for name in order if found[name] >= MATTERS][:MOST_INPUTS]
    if len(named) and len(found) > 1 and np.isfinite(list(found.values())).all():
        yield f"{_listed([cut(name) for name in named])} matter{'s' * (len(named) == 1)} most"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
