"""Minimize from all starts, and compare with the minimum at which the penalty was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from chainrule._cancellation import INTERRUPTED, Cancellation
from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes import empirical_bayes, model_selection
from chainrule.bayes.evidence import TOLERANCE
from chainrule.objectives.objective import Objective
from chainrule.optimize.early_stopping import Validation
from chainrule.optimize.methods import choose
from chainrule.optimize.minimize import CUT_SHORT, descended
from chainrule.optimize.multistart import (
    Monitor,
    StartOptions,
    minimize_from_starts,
    stopped_at,
)
from chainrule.optimize.saddles import leave_saddles
from chainrule.optimize.starts import Restarts
from chainrule.optimize.stopping import Termination, limits
from chainrule.pipeline.plan import Task
from chainrule.pipeline.settings import FitControl, FitSettings

ENDED = ("converged", "no_better_than_mean")


def minimize_task(
    task: Task,
    settings: FitSettings,
    control: FitControl,
    cancellation: Cancellation,
    validation: Validation | None = None,
) -> Restarts:
    """Return the minima from all starts, and which is the best.

    That is the minimum of the search for the penalty if no start has come as high, or there was no
    time for better.
    """
    objective, found = task.objective, task.found
    seed, monitor = settings.seed, control.monitor
    # rows that decide when to stop decide which start is the best, too
    criterion = task.criterion if validation is None else None
    see: Monitor | None = None
    if monitor is not None:
        see = lambda r, theta, row: monitor(r, replace(task.model, theta=theta), row)  # noqa: E731
    options = StartOptions(
        settings.scheme,
        settings.method,
        settings.tol,
        settings.max_iter,
        cancellation,
        control.checkpoint,
        validation,
        see,
        control.resume,
        criterion,
    )

    def stopped(name: str) -> Restarts:
        assert found is not None
        begin = objective.admitted(objective.net.initial(seed=seed))
        why = Termination(name, "while the penalty was looked for")
        return stopped_at(objective, found.best.theta, begin, why)

    if task.interrupted:
        return stopped(INTERRUPTED)
    try:
        restarts = minimize_from_starts(objective, settings.n_restarts, seed, options)
    except TrainingError as error:
        if found is None or error.reason not in CUT_SHORT:
            raise
        return stopped(error.reason)
    ended = restarts.best.termination.name
    in_search = np.inf if found is None else objective.cost(found.best.theta)
    if ended in CUT_SHORT and in_search < restarts.best.cost:
        return stopped(ended)
    if found is None or criterion is None or restarts.cut_short is not None:
        return restarts
    try:
        best = _or_of_search(restarts, objective, found, seed, criterion, cancellation)
    except TrainingError:
        best = restarts
    if cancellation.interrupted and best.cut_short is None:
        why = Termination(INTERRUPTED, "while the best of the starts was looked for")
        best = replace(best, cut_short=why)
    return best


def _or_of_search(
    restarts: Restarts,
    objective: Objective,
    found: empirical_bayes.EvidenceResult,
    seed: int,
    criterion: Callable[[Array], float],
    cancellation: Cancellation,
) -> Restarts:
    """Return the minima, the best being that of the search if no start has come as high.

    Where weights are many, starts at random may all end in minima of an evidence that is lower by
    many nats, and so too sure.
    """
    if restarts.best.termination.name not in ENDED or cancellation.reason:
        return restarts
    chosen = choose("auto", objective, len(found.best.theta))
    rules = limits(TOLERANCE, None, cancellation)
    end = descended(objective, found.best.theta, chosen, rules)
    if end.claim.name not in CUT_SHORT:
        # a search that ended at the edge of its minimum may be a rounding beyond it
        end = leave_saddles(objective, end, chosen, rules)
    if end.claim.name in CUT_SHORT:
        return replace(restarts, cut_short=end.claim)
    if not criterion(end.theta) > criterion(restarts.best.theta) + model_selection.STRONG_EVIDENCE:
        return restarts
    begin = objective.admitted(objective.net.initial(seed=seed))
    best = stopped_at(objective, end.theta, begin, end.claim).best
    if best.termination.name not in ENDED:
        return restarts
    return replace(restarts, best=best, n_agree=0, from_search=True)


def predicting(restarts: Restarts, n: int) -> list[Array]:
    """Return the n minima that predict together, the best first."""
    best = restarts.best.theta
    others = [restarts.theta[r] for r in restarts.ranked]
    if restarts.from_search:
        return [best]  # the others have been found to be too sure
    # the best comes again among them, perhaps a Newton step away
    again = next((k for k, at in enumerate(others) if np.allclose(at, best, atol=1e-6)), 0)
    return [best, *others[:again], *others[again + 1 :]][:n]
