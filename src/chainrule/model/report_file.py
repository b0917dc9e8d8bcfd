"""The report of a fit in a model file: read strictly, and compared with its network.

Fields that files of older versions lack have defaults in `fit_report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule._records import from_json
from chainrule._strict_json import require
from chainrule.heart.network import Network
from chainrule.model.fit_report import FitReport
from chainrule.objectives.objective import decay_of


def report_from(content: Any, net: Network) -> FitReport | None:
    """Return the report of a fit from a model file, None of a model that was not fitted.

    Raises
    ------
    ValueError
        If it is not what `reporting` writes, or not of this network.
    """
    if content == {}:
        return None
    report = from_json(FitReport, content, "training")
    p, K = net.n_parameters, net.layers[-1]
    decay_of(net, report.plan.alpha)
    signs, student, posterior = report.plan.signs, report.student, report.posterior
    require(signs is None or len(signs) == p, "there is a sign of -1, 0 or 1 for each weight")
    if student is not None:
        _require_numbers(student.scale, K, "scale")
        _require_numbers(student.theta, p, "theta")
    for row in () if posterior is None else posterior.influence.rows:
        _require_numbers(row.target, K, "target of an influential row")
        _require_numbers(row.without, K, "without of an influential row")
    return report


def _require_numbers(values: tuple[float, ...], n: int, what: str) -> None:
    require(len(values) == n, f"{what} has {len(values)} numbers, the layers need {n}")


def require_names(
    report: FitReport, targets: Sequence[str], inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    """Raise ValueError unless a report has the targets, inputs and outputs of its model."""
    known = report.posterior
    scores = report.fitted if known is None else known.leave_one_out.scores
    require(not report.fitted or set(report.fitted) == set(targets), "scores are of other targets")
    if known is None:
        return
    require(set(scores) == set(targets), "scores are of other targets")
    require(set(known.sensitivity) == set(outputs), "relevance is of other outputs")
    same = all(set(of) == set(inputs) for of in known.sensitivity.values())
    require(same, "relevance is of other inputs")
