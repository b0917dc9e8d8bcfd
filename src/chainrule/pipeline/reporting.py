"""Write the report of a fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule._records import to_json
from chainrule._strict_json import SMALLEST
from chainrule.bayes.architecture import ArchitecturePath, Member
from chainrule.bayes.empirical_bayes import EvidenceResult
from chainrule.bayes.fitted_posterior import FittedPosterior
from chainrule.bayes.leverage import REFIT_ABOVE
from chainrule.bayes.model_selection import SelectionPath
from chainrule.bayes.student_t import StudentTNoise, find_outliers
from chainrule.model.diagnostics import average_partial_effects
from chainrule.model.fit_report import (
    CertificateReport,
    DataReport,
    EvidenceReport,
    FitPlan,
    FitReport,
    HistoryReport,
    InfluenceReport,
    InfluentialRow,
    LeaveOneOutReport,
    OptimizerReport,
    OutlierReport,
    PosteriorReport,
    RefitReport,
    RowWeightReport,
    StartReport,
    StudentReport,
)
from chainrule.model.model import Model
from chainrule.model.selection_report import (
    CandidateReport,
    GrowthReport,
    MemberReport,
    PathReport,
    SelectionReport,
    SizeReport,
    SkipReport,
)
from chainrule.objectives.objective import Objective
from chainrule.optimize.certificate import Certificate
from chainrule.optimize.starts import Restarts
from chainrule.pipeline.plan import Task
from chainrule.rows.protocol import Rows

COVERAGE = 0.95  # of ± 1.96 standard deviations of normal errors
MOST_ROWS_STORED = 10  # rows


def report_of(task: Task, restarts: Restarts, seed: int, numbers: NDArray[np.intp]) -> FitReport:
    """Return the report of a fit before anything is known around its minimum.

    Parameters
    ----------
    task : Task
    restarts : Restarts
    seed : int
    numbers : ndarray of int (n,)
        By which rows are named, counted from 0.
    """
    objective, fit = task.objective, restarts.best
    signs = objective.signs
    return FitReport(
        DataReport(len(objective.w), objective.baseline),
        FitPlan(
            _plain(task.alpha),
            int(seed),
            task.reason,
            None if signs is None else tuple(np.asarray(signs).astype(int).tolist()),
        ),
        _optimizer(restarts),
        SelectionReport(
            *_sizes(task.sizes),
            None if task.skip is None else SkipReport(*task.skip),
            None if task.path is None else _path(task.path, objective),
            _members(task.members) if task.members else None,
        ),
        certificate=_certificate(fit.certificate),
        evidence=None if task.found is None else _evidence(task, task.found, fit.theta),
        student=None if task.tails is None else _student(task.tails, numbers),
    )


def posterior_report(
    task: Task,
    model: Model,
    belief: FittedPosterior,
    data: Rows,
    numbers: NDArray[np.intp],
    seed: int,
) -> PosteriorReport:
    """Return what is known of rows, of fits without them, and of inputs.

    Parameters
    ----------
    task : Task
    model : Model
    belief : FittedPosterior
    data : Rows
        In users' units.
    numbers, seed
        As `report_of` takes them.
    """
    w, targets = data.w, data.map(lambda of: of.Y)
    without, one_by_one = map(model.target_scaling.inverse, (belief.without, belief.one_by_one))
    weighted = task.objective.with_weights(w)
    off = find_outliers(weighted, belief.without - weighted.targets, seed, task.row_weight_unit)
    farthest = np.argsort(-off, kind="stable")[: min(MOST_ROWS_STORED, int(np.sum(off > 0.0)))]
    most_influential = np.argsort(-belief.distance, kind="stable")[:MOST_ROWS_STORED]
    refits, known = belief.refits, belief.posterior
    return PosteriorReport(
        gamma=belief.n_effective,
        variance=belief.variance,
        gamma_per_observation=belief.gamma_per_observation,
        leave_one_out=LeaveOneOutReport(
            model.scores_of(without, targets, w * belief.stands_for),
            None if model.classes else _median_errors(model, targets - without),
            known.covered(COVERAGE, belief.widening) if len(known.scores) else None,
            # a penalty that was given is not looked for
            None
            if refits is None
            else RefitReport(
                refits.n_folds, (refits.anew or bool(task.members)) and task.found is not None
            ),
            belief.first_order,
        ),
        sensitivity=average_partial_effects(model, task.objective.rows.reweighted(w)),
        influence=InfluenceReport(
            float(belief.leverage.max()),
            tuple(
                InfluentialRow(
                    row=int(numbers[i]) + 1,
                    leverage=float(belief.leverage[i]),
                    decides=bool(belief.max_leverage[i] > REFIT_ABOVE),
                    distance=float(belief.distance[i]),
                    target=tuple(targets[i].tolist()),
                    without=tuple(one_by_one[i].tolist()),
                )
                for i in most_influential
            ),
        ),
        outliers=tuple(OutlierReport(int(numbers[i]) + 1, float(off[i])) for i in farthest),
    )


def _median_errors(model: Model, errors: Array) -> dict[str, float]:
    medians = np.median(np.abs(errors), axis=0).tolist()
    return dict(zip(model.target_names, medians, strict=True))


def is_sound(known: PosteriorReport) -> bool:
    """Return whether what is known can be written down: rounding can leave no variance at all."""
    least = min(known.gamma, known.influence.leverage, known.variance)
    return _is_finite(to_json(known)) and least > SMALLEST


def _is_finite(known: object) -> bool:
    """Return whether all numbers are, at any depth."""
    if isinstance(known, dict | list):
        return all(map(_is_finite, known.values() if isinstance(known, dict) else known))
    return not isinstance(known, float) or bool(np.isfinite(known))


def _optimizer(restarts: Restarts) -> OptimizerReport:
    fit = restarts.best
    return OptimizerReport(
        method=fit.method,
        reason=fit.reason,
        cost=fit.cost,
        max_gradient=float(np.max(np.abs(fit.gradient))),
        termination=fit.termination,
        n_evaluations=fit.n_evaluations,
        starts=tuple(
            StartReport(
                _or_none(run.cost),
                run.termination,
                run.n_iterations,
                run.n_evaluations,
                _or_none(run.log_evidence),
            )
            for run in restarts.runs
        ),
        n_agree=restarts.n_agree,
        from_search=restarts.from_search,
        history=HistoryReport(
            tuple(fit.history.cost.tolist()),
            tuple(fit.history.column("max_gradient").tolist()),
        ),
    )


def _certificate(of: Certificate) -> CertificateReport:
    return CertificateReport(
        kind=of.kind,
        relative_gradient=_or_none(of.relative_gradient),
        decrement=_or_none(of.decrement),
        lowest_eigenvalue=_or_none(of.lowest_eigenvalue),
        n_flat=of.n_flat,
        units=tuple(map(str, of.units)),
        unsettled=_or_none(of.unsettled),
    )


def _evidence(task: Task, found: EvidenceResult, theta: Array) -> EvidenceReport:
    priors, best = found.priors, found.best
    return EvidenceReport(
        groups=priors.names,
        alpha=tuple(best.alpha.tolist()),
        gamma=tuple(best.laplace.gamma.tolist()),
        n_weights=tuple(priors.sums(np.ones(len(priors.of))).astype(int).tolist()),
        beta=best.beta / found.row_weight_unit if found.noisy else None,
        log_evidence=_or_none(found.log_evidence(task.objective, theta)),
        ended=best.ended,
        within=best.within,
        steps=tuple(step.log_evidence for step in best.steps),
        n_climbs=found.n_climbs,
        n_rows=found.n_rows,
    )


def _sizes(
    path: SelectionPath | None,
) -> tuple[tuple[SizeReport, ...] | None, GrowthReport | None]:
    if path is None:
        return None, None
    assert path.chosen.penalty is not None
    sizes = tuple(
        SizeReport(of.hidden, of.differ, of.weights, _or_none(of.log_evidence), of.idle)
        for of in path.tried
    )
    return sizes, GrowthReport(path.ended, path.chosen.penalty.n_rows)


def _path(path: ArchitecturePath, objective: Objective) -> PathReport:
    baseline = objective.baseline / float(objective.w.sum())
    unit = baseline if baseline > 0.0 else 1.0
    return PathReport(
        tuple(
            CandidateReport(
                of.widths,
                of.n_weights,
                _or_none(of.log_evidence),
                tuple(level.name for level in of.levels),
                _or_none(1.0 - of.cost / unit),
                of.gain / unit,
                of.standard_error / unit,
            )
            for of in path.tried
        ),
        path.ended,
        path.n_rows,
    )


def _members(members: Sequence[Member]) -> tuple[MemberReport, ...]:
    return tuple(
        MemberReport(of.level.name, of.start + 1, _or_none(of.found.best.log_evidence))
        for of in members
    )


def _student(tails: StudentTNoise, numbers: NDArray[np.intp]) -> StudentReport:
    least = np.argsort(tails.weights, kind="stable")[:MOST_ROWS_STORED]
    return StudentReport(
        degrees=tails.degrees,
        scale=tuple(tails.scale.tolist()),
        theta=tuple(tails.theta.tolist()),
        rows=tuple(
            RowWeightReport(int(numbers[i]) + 1, float(tails.weights[i])) for i in least.tolist()
        ),
    )


def _plain(alpha: float | Sequence[float] | Array) -> float | tuple[float, ...]:
    """Return α as numbers of Python."""
    found = np.asarray(alpha, dtype=np.float64).tolist()
    return tuple(found) if isinstance(found, list) else found


def _or_none(x: float) -> float | None:
    """Return a number, None for one that is not known or not finite."""
    return float(x) if np.isfinite(x) else None
