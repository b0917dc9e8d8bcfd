"""What a trained model knows, for its page: evidence, sizes, rows without themselves, inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from chainrule.statistics.influence import HIGH
from chainrule.training.evidence import ENDS
from chainrule.training.model import Model

MOST_GROUPS = 40
WIDEST_NAME = 30  # characters


def evidence_lines(found: dict[str, Any]) -> Iterable[str]:
    """Return what the evidence has found about priors and noise."""
    weights, learned = sum(found["weights"]), sum(found["gamma"])
    height = found["log_evidence"]
    shown = "not known" if height is None else f"{height:.2f} nats"
    yield (
        f"evidence     {shown}; the data determine γ = {learned:.1f} of the {weights} weights that "
        "have a prior"
    )
    how = ENDS[found["ended"]]
    how += f" to {found['within']:.2g} nats" if found["ended"] == "converged" else ""
    n, steps = found["climbs"], len(found["steps"]) - 1
    where = "from one minimum" if n == 1 else f"the highest of those from {n} minima"
    yield f"             {how} after {steps} steps, {where}, on {found['rows']} rows"
    rows = list(zip(found["groups"], found["alpha"], found["gamma"], found["weights"], strict=True))
    yield f"{'priors':<12} {'':<20} {'alpha':>10} {'γ':>7} {'weights':>8}"
    for name, alpha, gamma, n in rows[:MOST_GROUPS]:
        yield f"             {name[:WIDEST_NAME]:<20} {alpha:>10.4g} {gamma:>7.2f} {n:>8}"
    if len(rows) > MOST_GROUPS:
        yield f"             … {len(rows) - MOST_GROUPS} more"


def size_lines(sizes: list[dict[str, Any]], chosen: int) -> Iterable[str]:
    """Return the sizes that were tried, with a bar for how far each is below the best."""
    heights = [size["log_evidence"] for size in sizes if size["log_evidence"] is not None]
    lowest, range_of = min(heights), max(max(heights) - min(heights), 1e-300)
    yield "units        log evidence, mirror images counted"
    for size in sorted(sizes, key=lambda size: int(size["hidden"])):
        what, height = "   chosen" if size["hidden"] == chosen else "", size["log_evidence"]
        if height is None:
            yield f"             {size['hidden']:>3}    not found"
            continue
        bar = "▇" * round(1 + 30 * (height - lowest) / range_of)
        yield f"             {size['hidden']:>3} {height:>12.2f} {bar}{what}"
        for unit in size["idle"][:3]:
            yield f"                 {unit}"


def known_lines(model: Model, known: dict[str, Any]) -> Iterator[str]:
    """Return what is known of fits without each row, of the noise, of inputs and of rows."""
    yield from _noise_lines(model)
    if "coverage" in known:
        held = f"{known['coverage']:.1%} of the rows, each by a fit without it"
        yield f"coverage     ± 1.96 standard deviations would have held {held}"
    yield from _relevance_lines(model, known["relevance"])
    yield from _influence_lines(known["influential"], len(model.target_names))


def tails_lines(tails: dict[str, float]) -> Iterator[str]:
    """Return what is known of heavy tails."""
    least = f"the row that is farthest off counts {tails['least']:.2g} of one"
    yield f"tails        Student's t with {tails['degrees']:.3g} degrees of freedom; {least}"


def _noise_lines(model: Model) -> Iterator[str]:
    posterior = model.posterior
    if posterior is None:
        return
    if len(posterior) > 1:
        yield f"ensemble     {len(posterior)} networks predict together; weights are of the best"
    if posterior.noise is None:
        return
    sd = np.sqrt(posterior.noise.variance) * model.target_scaling.scale
    how = ", differs from row to row" if posterior.noise.precision else ""
    for k, name in enumerate(model.target_names):
        yield f"{'noise' if k == 0 else '':<12} {name}: standard deviation {sd[k]:.4g}{how}"


def _relevance_lines(model: Model, relevance: dict[str, dict[str, float]]) -> Iterator[str]:
    name = model.output_names[0]
    words = ", of a word against its others" if any("=" in title for title in relevance) else ""
    yield f"{'inputs say':<12} mean d {name} / d input ± error{words}; mean | | for one scale of it"
    ordered = sorted(relevance.items(), key=lambda item: -item[1]["of_spread"])
    for title, of in ordered[:MOST_GROUPS]:
        yield (
            f"             {title[:WIDEST_NAME]:<20} {of['effect']:>10.4g} ± "
            f"{of['effect_error']:<9.3g} {of['of_spread']:>10.4g}"
        )
    if len(ordered) > MOST_GROUPS:
        yield f"             … {len(ordered) - MOST_GROUPS} more"


def _influence_lines(rows: list[dict[str, Any]], n_targets: int) -> Iterator[str]:
    yield f"{'rows say':<12} leverage, how far the weights move without it, target and prediction"
    for row in rows:
        alone = "   decides by itself" if row["leverage"] > HIGH * n_targets else ""
        target = ", ".join(f"{value:.5g}" for value in row["target"][:4])
        without = ", ".join(f"{value:.5g}" for value in row["without"][:4])
        yield (
            f"             row {row['row']:<7} {row['leverage']:>8.3f} {row['distance']:>8.2f} sd"
            f"   {target} by others {without}{alone}"
        )
