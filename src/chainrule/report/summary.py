"""One page about a fitted model: how good it is, what it is, and how it was fitted."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

import numpy as np

from chainrule._contracts import Array
from chainrule._printable import page
from chainrule.model.diagnostics import errors_of_weights
from chainrule.model.fit_report import CertificateReport, FitReport
from chainrule.model.model import Model
from chainrule.model.scores import NumberScores, Scores
from chainrule.optimize.starts import agreement
from chainrule.optimize.stopping import Termination
from chainrule.report.answer import answer
from chainrule.report.knowledge import (
    WIDEST_NAME,
    evidence_lines,
    known_lines,
    loo_lines,
    path_lines,
    size_lines,
    skip_line,
    tails_lines,
)
from chainrule.tables.cells import cut
from chainrule.tables.scaling import Scaling

ENOUGH_ROWS_PER_WEIGHT = 10  # below, the summary says that rows are few
MOST_COLUMNS = 40  # that are listed
MOST_CLASSES_SHOWN = 12  # of the confusion table
WIDEST_LINE = 96  # characters
MOST_SHORT_COLUMNS, MOST_SHORT_WEIGHTS = 12, 20  # beyond, only --full lists them
LONG = "--full and `chainrule show` list them"
POINTS = {"minimum": "local minimum", "saddle": "saddle point", "not_stationary": "not stationary"}


def termination_of(model: Model) -> Termination | None:
    """Return why the training of a model stopped, if it was trained."""
    return None if model.report is None else model.report.optimizer.termination


def summary(model: Model, full: bool = True) -> str:
    """Return the page as text: the answer in plain words, then the sections.

    Unless it is to be full, long lists of scalings and weights are left out.
    """
    return page(_lines(model, full))


def _lines(model: Model, full: bool) -> Iterable[str]:
    net, report = model.network, model.report
    if report is not None:
        yield from textwrap.wrap(answer(model), WIDEST_LINE)
        yield ""
    functions = [*(net.functions[l].name for l in range(2, net.n_layers)), net.output]
    widths = [str(net.layers[0])] + [
        f"{width} {f}" for width, f in zip(net.layers[1:], functions, strict=True)
    ]
    p = net.n_parameters
    yield (
        f"network      {' → '.join(widths)}   {p} weights, {net.pair.loss} loss"
        + ("" if net.bias else ", no biases")
        + (", with a skip layer" if net.skip else "")
    )
    if full or len(model.columns) <= MOST_SHORT_COLUMNS:
        yield from _input_lines(model)
    else:
        kind = model.input_scaling.kind
        yield f"inputs       {len(model.columns)} columns, {kind} scaling; {LONG}"
    yield from _target_lines(model)
    if report is not None:
        yield from _training_lines(model, report, p)
        tried = report.selection
        if tried.sizes is not None and tried.growth is not None:
            chosen = net.layers[1] if net.n_layers > 2 else 0
            yield from size_lines(tried.sizes, tried.growth, chosen, report.data.n_rows)
        if tried.path is not None and len(tried.path.candidates) > 1:
            yield from path_lines(tried.path, tuple(net.layers[1:-1]))
        if tried.skip is not None:
            yield skip_line(tried.skip)
        if report.student is not None:
            yield from tails_lines(model, report.student)
        if report.posterior is not None:
            yield from known_lines(model, report.posterior)
        if report.no_posterior is not None:
            yield f"posterior    none: {report.no_posterior}"
    if not full and p > MOST_SHORT_WEIGHTS:
        yield f"weights      {p}; {LONG}"
        return
    W, b = net.weights(model.theta)
    errors = errors_of_weights(model)
    for l in W:
        yield from _weight_lines(model, l, W[l], b.get(l), *(of.get(l) for of in errors))


def _input_lines(model: Model) -> Iterable[str]:
    scaling = model.input_scaling
    yield f"inputs       {_how(scaling)}"
    scales = _scales(scaling)
    for column in model.columns[:MOST_COLUMNS]:
        several = len(column.inputs) > 1
        plain = column.kind == "number" and not several
        what = "" if plain else f"{column}"
        if column.kind == "date" and not several:
            what += " since 1970-01-01"
        yield f"             {cut(column.name):<20} {next(scales) if not several else what}" + (
            f"   {what}" if what and not several else ""
        )
        if several:
            for name in column.inputs:
                yield f"               {cut(name):<18} {next(scales)}"
    if len(model.columns) > MOST_COLUMNS:
        yield f"             … {len(model.columns) - MOST_COLUMNS} more columns"


def _target_lines(model: Model) -> Iterable[str]:
    if not model.classes:
        scaling = model.target_scaling
        yield f"targets      {_how(scaling)}"
        for name, scale in zip(model.target_names, _scales(scaling), strict=True):
            yield f"             {cut(name):<20} {scale}"
        return
    yield "targets      classes, learned as 0 and 1"
    for name, of in zip(model.target_names, model.classes, strict=True):
        shown = ", ".join(cut(str(label)) for label in of[:MOST_CLASSES_SHOWN])
        shown += " …" if len(of) > MOST_CLASSES_SHOWN else ""
        yield f"             {cut(name):<20} {len(of)} classes: {shown}"


def _how(scaling: Scaling) -> str:
    how = "as they are" if scaling.kind == "none" else "(value - center) / scale"
    return f"{scaling.kind} scaling: {how}"


def _scales(scaling: Scaling) -> Iterator[str]:
    for center, scale in zip(scaling.center, scaling.scale, strict=True):
        yield "constant: ignored" if scale == 0 else f"center {center:.6g}, scale {scale:.6g}"


def _training_lines(model: Model, report: FitReport, p: int) -> Iterable[str]:
    rows, fit, alpha = report.data.n_rows, report.optimizer, report.plan.alpha
    yield f"data         {rows} rows, {rows / p:.2g} per weight"
    if rows < ENOUGH_ROWS_PER_WEIGHT * p:
        yield (
            f"             fewer than {ENOUGH_ROWS_PER_WEIGHT} rows per weight: the fitted scores "
            "are too optimistic, trust those of rows it has not seen"
        )
    yield from score_lines(report.fitted)
    if report.posterior is not None:
        yield from score_lines(report.posterior.leave_one_out.scores, "unseen rows")
        yield from loo_lines(report.posterior, rows, model)
    each = alpha if isinstance(alpha, tuple) else (alpha,)
    shown = f"alpha = {', '.join(f'{a:g}' for a in each)}" if len(each) <= 10 else "its penalty"
    yield (
        f"cost         J = {fit.cost:.8g} with {shown}; "
        f"predicting the mean costs {report.data.baseline_cost:.6g}"
    )
    if report.evidence is not None:
        yield from evidence_lines(report.evidence, rows)
    if report.plan.alpha_reason is not None:
        yield f"             alpha by rule: {report.plan.alpha_reason}"
    from_search, n = fit.from_search, len(fit.history.cost) - 1
    how = f"{fit.method}: {n} iterations, {fit.n_evaluations} evaluations"
    how = "the minimum at which the penalty was found" if from_search else how
    yield f"training     {how}, max|g| = {fit.max_gradient:.1e}"
    if fit.reason != "as asked":
        yield f"             chosen by size: {fit.reason}"
    starts = len(fit.starts)
    if starts > 1 or from_search:
        judged = [run.log_evidence for run in fit.starts if run.log_evidence is not None]
        on = "highest evidence" if judged else "lowest cost"
        if report.selection.members is None:
            yield f"             {agreement(fit.n_agree, starts, on, from_search)}"
        costs = [run.cost for run in fit.starts if run.cost is not None]
        middle, most = np.median(costs), max(costs)
        of_starts = " of the starts" if from_search else ""
        shown = f"lowest {min(costs):.6g}, median {middle:.6g}, highest {most:.6g}"
        yield f"             J{of_starts}: {shown}"
        if judged:
            low, middle, most = min(judged), np.median(judged), max(judged)
            shown = f"lowest {low:.2f}, median {middle:.2f}, highest {most:.2f}"
            yield f"             evidence{of_starts}: {shown}"
    yield f"             {fit.termination}"
    if report.certificate is not None:
        yield from _certificate_lines(report.certificate)


def _certificate_lines(certificate: CertificateReport) -> Iterable[str]:
    numbers = ", ".join(
        f"{words} {number:.1e}"
        for number, words in (
            (certificate.relative_gradient, "relative gradient"),
            (certificate.decrement, "Newton decrement"),
            (certificate.lowest_eigenvalue, "smallest eigenvalue of the Hessian"),
        )
        if number is not None
    )
    yield f"point        {POINTS.get(certificate.kind, certificate.kind)}: {numbers}"
    for unit in certificate.units:
        yield f"             {unit}"


def score_lines(scores: Scores, what_rows: str = "fitted") -> Iterable[str]:
    """Return how good it is on the rows it was fitted to, or others."""
    for k, (name, of) in enumerate(scores.items()):
        if isinstance(of, NumberScores):
            what = f"rmse {of.rmse:.6g}, R² {of.r2:.6f}, largest error {of.max_error:.6g}"
            what += "; no better than the mean" if of.r2 <= 0.0 else ""
        else:
            what = (
                f"accuracy {of.accuracy:.4f}, log loss {of.log_loss:.4f}; always the same: "
                f"{of.accuracy_of_constant:.4f}, {of.log_loss_of_constant:.4f}"
            )
            what += "; no better" if of.log_loss >= of.log_loss_of_constant else ""
        yield f"{what_rows if k == 0 else '':<12} {cut(name)}: {what}"


def _weight_lines(
    model: Model,
    l: int,
    W: Array,
    b: Array | None,
    errors: Array | None,
    errors_of_b: Array | None,
) -> Iterable[str]:
    """Return the weights of a layer, each with its standard error below it if that is known."""
    net = model.network
    sources = model.input_names if l <= 1 else [f"a[{l}][{i + 1}]" for i in range(len(W))]
    if W.size > 200:
        yield f"W[{l}]         {W.shape[0]} x {W.shape[1]} weights, max |W| = {np.abs(W).max():.4g}"
        return
    last = l in (0, net.n_layers - 1)
    heads = [f"unit {j + 1}" for j in range(W.shape[1])]
    if last:
        many = len(model.classes) == 1 and len(model.classes[0]) > 2
        heads = list(map(str, model.classes[0] if many else model.output_names))
    left = min(max([18, *map(len, sources)]), WIDEST_NAME)
    wide = min(max([12, *map(len, heads)]), WIDEST_NAME)
    yield f"{f'W[{l}]':<{left + 2}} " + " ".join(f"{head[:wide]:>{wide}}" for head in heads)

    def line(name: str, row: Array, form: str = ".5g") -> str:
        return f"  {name[:left]:<{left}} " + " ".join(f"{w:{wide}{form}}" for w in row)

    for i, (name, row) in enumerate(zip(sources, W, strict=True)):
        yield line(name, row)
        if errors is not None:
            yield line("  ±", errors[i], ".2g")
    if b is not None:
        yield line(f"b[{l}]", b)
        if errors_of_b is not None:
            yield line("  ±", errors_of_b, ".2g")
