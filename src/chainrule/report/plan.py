"""The plan of a fit: what was asked, what was chosen, and why."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule._printable import page
from chainrule.bayes.model_selection import STRONG_EVIDENCE
from chainrule.model.fit_report import FitOptions, FitReport
from chainrule.model.model import Model


def plan(model: Model) -> str:
    """Return the plan of a fit as text; one sentence for a model that was not fitted."""
    if model.report is None:
        return "this model was not fitted, so that nothing was chosen\n"
    return page(_lines(model, model.report))


def _lines(model: Model, report: FitReport) -> Iterator[str]:
    if report.plan.asked is not None:
        yield f"asked        {_asked(report.plan.asked)}"
    yield f"network      {_network(model, report)}"
    skip = report.selection.skip
    if skip is not None:
        what = "chosen" if model.network.skip else "left out"
        yield (
            f"skip layer   {what}: log evidence {skip.with_skip:.2f} nats with one, "
            f"{skip.without:.2f} without; it has to gain {STRONG_EVIDENCE:g}"
        )
    targets = "classes" if model.classes else f"targets {model.target_scaling.kind}"
    yield f"scaling      inputs {model.input_scaling.kind}, {targets}"
    yield f"penalty      {_penalty(report)}"
    yield f"noise        {_noise(model, report)}"
    fit = report.optimizer
    why = "" if fit.reason == "as asked" else f", because of {fit.reason}"
    yield f"optimizer    {fit.method}{why}"
    yield f"starts       {len(fit.starts)}, seed {report.plan.seed}"
    if report.plan.asked is not None:
        yield "repeat       chainrule fit TABLE --like MODEL --out NEW"


def _asked(asked: FitOptions) -> str:
    said = [f"--target {name}" for name in asked.targets]
    said += [f"--effort {asked.effort}"] if asked.effort is not None else []
    for name in ("hidden", "alpha", "restarts", "ensemble"):
        value = getattr(asked, name)
        said += [f"--{name} {value}"] if value is not None else []
    return " ".join([*said, f"--noise {asked.noise}"])


def _network(model: Model, report: FitReport) -> str:
    hidden = model.network.layers[1:-1]
    shown = f"{', '.join(map(str, hidden)) or 'no'} hidden units"
    tried, path = report.selection.sizes, report.selection.path
    if tried is None:
        return f"{shown}, as asked or by default"
    if path is not None and len(path.candidates) > 1:
        widths = "; ".join(", ".join(map(str, of.widths)) for of in path.candidates)
        return f"{shown}: chosen from {widths} by how well they predict rows left out"
    sizes = ", ".join(str(size) for size in sorted(of.hidden for of in tried))
    return f"{shown}: the fewest within {STRONG_EVIDENCE:g} nats of the highest evidence of {sizes}"


def _penalty(report: FitReport) -> str:
    if report.evidence is not None:
        return f"by the evidence, one precision for each of {len(report.evidence.groups)} groups"
    if report.plan.alpha_reason is not None:
        return f"by rule: {report.plan.alpha_reason}"
    return "as given"


def _noise(model: Model, report: FitReport) -> str:
    if report.student is not None:
        return f"Student-t, as asked; ν = {report.student.degrees:.3g} by maximum likelihood"
    noise = None if model.posterior is None else model.posterior.noise
    if noise is None:
        squared = model.network.loss == "squared"
        return "not known, as there is no posterior" if squared else "that of the loss"
    if noise.precision:
        return "differs from row to row: the evidence for that is higher"
    return "the same for all rows"
