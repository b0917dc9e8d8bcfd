"""What a trained model knows, for its page: evidence, sizes, rows without themselves, inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.tables.cells import cut
from chainrule.training.evidence import ENDS
from chainrule.training.growth import ENDS as SIZES_ENDED
from chainrule.training.model import Model

BY_ITSELF = "   decides by itself"
MOST_GROUPS = 40
WIDEST_NAME = 30  # characters
MOST_TARGETS = 4  # that are shown
MOST_NAMED = 5  # rows that are far off
MANY_COLUMNS = 4  # rows for each, below which a little is too sure
# what was measured on simulated tables: see benchmarks/honesty.py
TOO_SURE = {
    "first order": "fresh errors may be 10 to 40% larger",
    "classes": "even so the log loss of fresh rows may be about 4% larger",
    "columns": "even so fresh errors may be about 7% larger, and ± 1.96 standard deviations hold "
    "93%, or 89% with as many columns as rows",
}


def evidence_lines(found: dict[str, Any], n_rows: int) -> Iterable[str]:
    """Return what the evidence has found about priors and noise, the evidence that of all rows."""
    weights, learned = sum(found["weights"]), sum(found["gamma"])
    height = found["log_evidence"]
    shown = "not known" if height is None else f"{height:.2f} nats"
    yield (
        f"evidence     {shown}; the rows determine γ = {learned:.1f} of the {weights} weights that "
        "have a prior"
    )
    how = ENDS[found["ended"]]
    how += f" to {found['within']:.2g} nats" if found["ended"] == "converged" else ""
    n, steps = found["climbs"], len(found["steps"]) - 1
    where = "from one minimum" if n == 1 else f"the highest of those from {n} minima"
    some = f" of {found['rows']} rows" if found["rows"] < n_rows else ""
    yield f"             {how} after {steps} steps, {where}{some}"
    rows = list(zip(found["groups"], found["alpha"], found["gamma"], found["weights"], strict=True))
    yield f"{'priors':<12} {'':<20} {'alpha':>10} {'γ':>7} {'weights':>8}"
    for name, alpha, gamma, n in rows[:MOST_GROUPS]:
        yield f"             {name[:WIDEST_NAME]:<20} {alpha:>10.4g} {gamma:>7.2f} {n:>8}"
    if len(rows) > MOST_GROUPS:
        yield f"             … {len(rows) - MOST_GROUPS} more"


def size_lines(
    sizes: list[dict[str, Any]], growth: dict[str, Any], chosen: int, n_rows: int
) -> Iterable[str]:
    """Return the sizes that were tried, with a bar for how far each is below the best."""
    some = f" of {growth['rows']} rows" if growth["rows"] < n_rows else ""
    heights = [size["log_evidence"] for size in sizes if size["log_evidence"] is not None]
    lowest, range_of = min(heights), max(max(heights) - min(heights), 1e-300)
    what = f"log evidence{some}, mirror images counted; the fewest within 3 nats are chosen"
    yield f"units        {what}"
    for size in sorted(sizes, key=lambda size: int(size["hidden"])):
        what, height = "   chosen" if size["hidden"] == chosen else "", size["log_evidence"]
        if height is None:
            yield f"             {size['hidden']:>3}    not found"
            continue
        bar = "▇" * round(1 + 30 * (height - lowest) / range_of)
        yield f"             {size['hidden']:>3} {height:>12.2f} {bar}{what}"
        for unit in size["idle"][:3]:
            yield f"                 {unit}"
    if why := SIZES_ENDED[growth["ended"]]:
        yield f"             {why}"


def skip_line(heights: dict[str, float]) -> str:
    """Return the evidence without and with a skip layer."""
    without, with_it = heights["without"], heights["with"]
    each = f"{with_it:.2f} nats with one, {without:.2f} without"
    return f"skip layer   log evidence, mirror images counted: {each}"


def left_out_lines(known: dict[str, Any], n_rows: int, model: Model) -> Iterator[str]:
    """Return how rows were left out, where first order is not enough, and what is too sure."""
    share = f"γ is {known.get('share', 0.0):.0%} of the number of targets"
    if "first_order" in known:
        yield f"             by first order, which is too optimistic here: {share}, and"
        yield f"             {known['first_order']}; {TOO_SURE['first order']}"
    if "refits" not in known:
        return
    n, anew = known["refits"]["folds"], known["refits"]["anew"]
    how = ", its penalty looked for anew" if anew else ""
    yield f"             each of {n} folds by a fit to the others{how}, because {share}"
    if model.classes:
        yield f"             {TOO_SURE['classes']}"
    elif n_rows < MANY_COLUMNS * model.network.layers[0]:
        yield f"             {TOO_SURE['columns']}"


def far_off_line(far_off: Sequence[dict[str, Any]], first: int = 1) -> str:
    """Return which rows have targets far from what others predict, rows counted from `first`."""
    named = ", ".join(
        f"row {of['row'] - 1 + first} ({of['off']:.3g} standard deviations)"
        for of in far_off[:MOST_NAMED]
    )
    more = " …" if len(far_off) > MOST_NAMED else ""
    return f"the target is far from what other rows predict: {named}{more}"


def known_lines(model: Model, known: dict[str, Any]) -> Iterator[str]:
    """Return what is known of fits without each row, of the noise, of inputs and of rows."""
    yield from _noise_lines(model)
    if "coverage" in known:
        held = f"{known['coverage']:.1%} of the rows, each by a fit without it"
        yield f"coverage     ± 1.96 standard deviations would have held {held}"
    if known.get("far_off"):
        yield f"far off      {far_off_line(known['far_off'])}"
    yield from _relevance_lines(known["relevance"])
    yield from _influence_lines(model, known["influential"])


def tails_lines(model: Model, tails: dict[str, Any]) -> Iterator[str]:
    """Return what is known of heavy tails."""
    scale = np.array(tails["scale"]) * model.target_scaling.scale
    shown = ", ".join(f"{of:.4g}" for of in scale)
    yield f"tails        Student's t of scale {shown} and {tails['degrees']:.3g} degrees of freedom"
    rows = ", ".join(f"row {of['row']} ({of['counts']:.2g})" for of in tails["rows"])
    yield f"             rows that count least: {rows}"


def _noise_lines(model: Model) -> Iterator[str]:
    posterior = model.posterior
    if posterior is None:
        return
    if len(posterior) > 1:
        same = model.training.get("agreeing", 0) >= len(posterior)
        what = "at the same minimum: as one of them does" if same else "weights are of the best"
        yield f"ensemble     {len(posterior)} networks predict together; {what}"
    if posterior.noise is None:
        return
    sd = np.sqrt(posterior.noise.variance) * model.target_scaling.scale
    how = ", differs from row to row" if posterior.noise.precision else ""
    what = "two thirds within ±" if "tails" in model.training else "standard deviation"
    for k, name in enumerate(model.target_names):
        yield f"{'noise' if k == 0 else '':<12} {cut(name)}: {what} {sd[k]:.4g}{how}"


def _relevance_lines(relevance: dict[str, dict[str, dict[str, float]]]) -> Iterator[str]:
    shown = list(relevance.items())[:MOST_TARGETS]
    for k, (output, inputs) in enumerate(shown):
        words = ", of a word against its others" if any("=" in title for title in inputs) else ""
        head = f"mean d {cut(output)} / d input ± error{words}; mean | | for one scale of it"
        yield f"{'inputs say' if k == 0 else '':<12} {head}"
        ordered = sorted(inputs.items(), key=lambda item: -item[1]["of_spread"])
        most = MOST_GROUPS // len(shown)
        for title, of in ordered[:most]:
            yield (
                f"             {title[:WIDEST_NAME]:<20} {of['effect']:>10.4g} ± "
                f"{of['effect_error']:<9.3g} {of['of_spread']:>10.4g}"
            )
        if len(ordered) > most:
            yield f"             … {len(ordered) - most} more"
    if len(relevance) > len(shown):
        yield f"             … {len(relevance) - len(shown)} more outputs"


def _influence_lines(model: Model, rows: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{'rows say':<12} leverage, how far the weights move without it, target and prediction"
    for row in rows:
        alone = BY_ITSELF if row["decides"] else ""
        target, without = said_of_row(model, row["target"], row["without"])
        yield (
            f"             row {row['row']:<7} {row['leverage']:>8.3f} {row['distance']:>8.2f} sd"
            f"   {target} by others {without}{alone}"
        )


def said_of_row(model: Model, target: Sequence[float], without: Sequence[float]) -> tuple[str, str]:
    """Return the target of a row, and what is predicted for it by a fit without it, in words."""
    if not model.classes:
        target_text, without_text = (
            ", ".join(f"{value:.6g}" for value in of[:MOST_TARGETS]) for of in (target, without)
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
