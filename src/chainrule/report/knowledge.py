"""The part of the summary about evidence, posterior, leave-one-out, sensitivity and influence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from chainrule.bayes.evidence import ENDS
from chainrule.bayes.model_selection import ENDS as SIZES_ENDED
from chainrule.model.fit_report import (
    EvidenceReport,
    InfluentialRow,
    OutlierReport,
    PosteriorReport,
    Sensitivities,
    StudentReport,
)
from chainrule.model.model import Model
from chainrule.model.selection_report import GrowthReport, PathReport, SizeReport, SkipReport
from chainrule.tables.cells import cut

BY_ITSELF = "   this row alone determines its prediction"
MOST_GROUPS = 40  # of weights with a prior
WIDEST_NAME = 30  # characters
MOST_TARGETS_SHOWN = 4  # of a row, in one line
MOST_NAMED = 5  # rows in one sentence
MANY_COLUMNS = 4  # rows for each, below which a little is too sure
# what was measured on simulated tables: see benchmarks/honesty.py
TOO_SURE = {
    "first order": "errors on new rows may be up to 30% larger, and ± 1.96 standard deviations "
    "hold 86 to 94%",
    "classes": "even so the log loss of new rows may be about 2% larger",
    "classes, columns": "even so the log loss of new rows may be about 4% larger",
    "columns": "even so errors on new rows may be about 8% larger, and ± 1.96 standard deviations "
    "hold 93%; with 50 rows of 50 columns 92%, and 95% intervals 93%",
}


def evidence_lines(found: EvidenceReport, n_rows: int) -> Iterable[str]:
    """Return what the evidence has found about priors and noise, the evidence that of all rows."""
    weights, learned = sum(found.n_weights), sum(found.gamma)
    height = found.log_evidence
    shown = "not known" if height is None else f"{height:.2f} nats"
    yield (
        f"evidence     {shown}; effective parameters γ = {learned:.1f} of the {weights} weights "
        "that have a prior"
    )
    how = ENDS[found.ended]
    how += f" to {found.within:.2g} nats" if found.ended == "converged" else ""
    n, steps = found.n_climbs, len(found.steps) - 1
    where = "from one minimum" if n == 1 else f"the highest of those from {n} minima"
    some = f" of {found.n_rows} rows" if found.n_rows < n_rows else ""
    yield f"             {how} after {steps} steps, {where}{some}"
    rows = list(zip(found.groups, found.alpha, found.gamma, found.n_weights, strict=True))
    yield f"{'priors':<12} {'':<20} {'alpha':>10} {'γ':>7} {'weights':>8}"
    for name, alpha, gamma, n in rows[:MOST_GROUPS]:
        yield f"             {name[:WIDEST_NAME]:<20} {alpha:>10.4g} {gamma:>7.2f} {n:>8}"
    if len(rows) > MOST_GROUPS:
        yield f"             … {len(rows) - MOST_GROUPS} more"


def size_lines(
    sizes: Sequence[SizeReport], growth: GrowthReport, chosen: int, n_rows: int
) -> Iterable[str]:
    """Return the sizes that were tried, with a bar for how far each is below the best."""
    some = f" of {growth.n_rows} rows" if growth.n_rows < n_rows else ""
    heights = [size.log_evidence for size in sizes if size.log_evidence is not None]
    lowest, range_of = min(heights), max(max(heights) - min(heights), 1e-300)
    what = f"log evidence{some}, mirror images counted; the fewest within 3 nats are chosen"
    yield f"units        {what}"
    for size in sorted(sizes, key=lambda size: size.hidden):
        what, height = "   chosen" if size.hidden == chosen else "", size.log_evidence
        if height is None:
            yield f"             {size.hidden:>3}    not found"
            continue
        bar = "▇" * round(1 + 30 * (height - lowest) / range_of)
        yield f"             {size.hidden:>3} {height:>12.2f} {bar}{what}"
        for unit in size.idle[:3]:
            yield f"                 {unit}"
    if why := SIZES_ENDED[growth.ended]:
        yield f"             {why}"


def skip_line(heights: SkipReport) -> str:
    """Return the evidence without and with a skip layer."""
    each = f"{heights.with_skip:.2f} nats with one, {heights.without:.2f} without"
    return f"skip layer   log evidence, mirror images counted: {each}"


def loo_lines(known: PosteriorReport, n_rows: int, model: Model) -> Iterator[str]:
    """Return how rows were left out, where first order is not enough, and what is too sure."""
    share = f"γ is {known.gamma_per_observation:.0%} of the number of targets"
    loo = known.leave_one_out
    if loo.first_order is not None:
        yield f"             first-order leave-one-out, too optimistic here: {share}, and"
        yield f"             {loo.first_order}; {TOO_SURE['first order']}"
    if loo.refits is None:
        return
    how = ", each with a new search for its penalty" if loo.refits.anew else ""
    yield f"             {loo.refits.n_folds}-fold refits{how}, because {share}"
    few = n_rows < MANY_COLUMNS * model.network.layers[0]
    if model.classes:
        yield f"             {TOO_SURE['classes, columns' if few else 'classes']}"
    elif few:
        yield f"             {TOO_SURE['columns']}"


def outlier_line(outliers: Sequence[OutlierReport], first: int = 1) -> str:
    """Return which rows have targets far from what others predict, rows counted from `first`."""
    named = ", ".join(
        f"row {of.row - 1 + first} ({of.off:.3g} standard deviations)"
        for of in outliers[:MOST_NAMED]
    )
    more = " …" if len(outliers) > MOST_NAMED else ""
    return f"the target is far from what other rows predict: {named}{more}"


def known_lines(model: Model, known: PosteriorReport) -> Iterator[str]:
    """Return what is known of fits without each row, of the noise, of inputs and of rows."""
    yield from _noise_lines(model)
    if known.leave_one_out.coverage is not None:
        held = f"{known.leave_one_out.coverage:.1%}"
        yield f"coverage     leave-one-out coverage of ± 1.96 standard deviations: {held}"
    if known.outliers:
        yield f"outliers     {outlier_line(known.outliers)}"
    yield from _relevance_lines(known.sensitivity)
    yield from _influence_lines(model, known.influence.rows)


def _together(model: Model) -> str:
    """Return in words what several networks have in common."""
    if model.report is None or model.posterior is None:
        return "weights are of the best"
    members = model.report.selection.members
    if members is not None:
        levels = " and ".join(sorted({of.level for of in members}))
        return f"each with its own penalty, found from {levels}; the first is shown"
    same = model.report.optimizer.n_agree >= len(model.posterior)
    return "at the same minimum: as one of them does" if same else "weights are of the best"


def path_lines(path: PathReport, chosen: tuple[int, ...]) -> Iterator[str]:
    """Return the networks whose depth and width were compared on rows that were left out."""
    yield f"layers       share explained of {path.n_rows} rows by fits that have not seen them,"
    yield "             ± standard error of the gain; weights, log evidence"
    for of in path.candidates:
        widths = ", ".join(map(str, of.widths))
        what = "   chosen" if of.widths == chosen else ""
        if of.explained is None:
            yield f"             {widths:<14} {'given up: worse':>20} {of.n_weights:>8}"
            continue
        height = "not known" if of.log_evidence is None else f"{of.log_evidence:.2f}"
        shown = f"{of.explained:.6f} ± {of.standard_error:.6f}"
        yield f"             {widths:<14} {shown:>20} {of.n_weights:>8} {height:>12}{what}"
    if why := SIZES_ENDED[path.ended]:
        yield f"             {why}"


def tails_lines(model: Model, tails: StudentReport) -> Iterator[str]:
    """Return what is known of heavy tails."""
    scale = np.array(tails.scale) * model.target_scaling.scale
    shown = ", ".join(f"{of:.4g}" for of in scale)
    yield f"Student-t    noise of scale {shown} and ν = {tails.degrees:.3g} degrees of freedom"
    rows = ", ".join(f"row {of.row} ({of.counts:.2g})" for of in tails.rows)
    yield f"             rows that count least: {rows}"


def _noise_lines(model: Model) -> Iterator[str]:
    posterior = model.posterior
    if posterior is None:
        return
    if len(posterior) > 1:
        yield f"ensemble     {len(posterior)} networks predict together; {_together(model)}"
    if posterior.noise is None:
        return
    sd = np.sqrt(posterior.noise.variance) * model.target_scaling.scale
    how = ", differs from row to row" if posterior.noise.precision else ""
    is_student = model.report is not None and model.report.student is not None
    what = "two thirds within ±" if is_student else "standard deviation"
    for k, name in enumerate(model.target_names):
        yield f"{'noise' if k == 0 else '':<12} {cut(name)}: {what} {sd[k]:.4g}{how}"


def _relevance_lines(relevance: Sensitivities) -> Iterator[str]:
    shown = list(relevance.items())[:MOST_TARGETS_SHOWN]
    for k, (output, inputs) in enumerate(shown):
        words = (
            "; of a word: from the mean of all words"
            if any("=" in title for title in inputs)
            else ""
        )
        head = f"average partial effect on {cut(output)} ± posterior sd{words}; importance"
        yield f"{'sensitivity' if k == 0 else '':<12} {head}"
        ordered = sorted(inputs.items(), key=lambda item: -item[1].of_spread)
        most = MOST_GROUPS // len(shown)
        for title, of in ordered[:most]:
            yield (
                f"             {title[:WIDEST_NAME]:<20} {of.effect:>10.4g} ± "
                f"{of.effect_error:<9.3g} {of.of_spread:>10.4g}"
            )
        if len(ordered) > most:
            yield f"             … {len(ordered) - most} more"
    if len(relevance) > len(shown):
        yield f"             … {len(relevance) - len(shown)} more outputs"


def _influence_lines(model: Model, rows: Sequence[InfluentialRow]) -> Iterator[str]:
    head = "leverage, weight shift without the row, target, leave-one-out prediction"
    yield f"{'influence':<12} {head}"
    for row in rows:
        remark = BY_ITSELF if row.decides else ""
        target, without = said_of_row(model, row.target, row.without)
        yield (
            f"             row {row.row:<7} {row.leverage:>8.3f} {row.distance:>8.2f} sd"
            f"   {target}, without it {without}{remark}"
        )


def said_of_row(model: Model, target: Sequence[float], without: Sequence[float]) -> tuple[str, str]:
    """Return the target of a row, and what is predicted for it by a fit without it, in words."""
    if not model.classes:
        target_text, without_text = (
            ", ".join(f"{value:.6g}" for value in of[:MOST_TARGETS_SHOWN])
            for of in (target, without)
        )
        return target_text, without_text
    labels, chances = [], []
    if len(model.classes) == 1 and len(model.classes[0]) > 2:
        k = int(np.argmax(target))
        labels, chances = [model.classes[0][k]], [without[k]]
    else:
        for of, said, p in zip(model.classes, target, without, strict=True):
            labels.append(of[int(said >= 0.5)])
            chances.append(p if said >= 0.5 else 1.0 - p)
    return ", ".join(cut(str(label)) for label in labels), ", ".join(
        f"p = {p:.3g}" for p in chances
    )
