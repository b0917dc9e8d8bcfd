"""Minimize from several starting points, and keep the best minimum.

Start r always begins at the same weights, however many there are, and where it ends does
not depend on who else runs beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chainrule._blas import one_thread
from chainrule._cancellation import INTERRUPTED, Cancellation
from chainrule._contracts import Array
from chainrule._errors import ConfigurationError, TrainingError
from chainrule.heart.initialisation import Starts
from chainrule.objectives.objective import Objective
from chainrule.optimize import native_solvers
from chainrule.optimize.checkpoint import Checkpoint, fingerprint
from chainrule.optimize.early_stopping import Validation, ValidationMonitor
from chainrule.optimize.history import Iteration
from chainrule.optimize.idle_units import idle_units_of_rows
from chainrule.optimize.methods import Choice, choose
from chainrule.optimize.minimize import CUT_SHORT, Fit, finish, run_with_callback
from chainrule.optimize.problem import Optimizer
from chainrule.optimize.recorder import Callback, Recorder
from chainrule.optimize.saved_starts import FAILED, packed, unpacked
from chainrule.optimize.starts import Restart, Restarts
from chainrule.optimize.stopping import Limits, Termination, cancelled, limits

Monitor = Callable[[int, Array, Iteration], Termination | None]
Criterion = Callable[[Array], float]

UNEXAMINED = "unexamined"
FORMAT = 3  # of checkpoints; another number for any change of what is in them
BATCH = 10_000  # starts that the native core is given at once
AGREE = 1e-6  # of the lowest cost
NOTHING = 1e-9  # of the cost there is to explain
AGREEING_NATS = 1e-2  # of the evidence


@dataclass(frozen=True, eq=False)
class StartOptions:
    """How starts are drawn, minimized, watched and compared.

    Attributes
    ----------
    scheme : str
        As `Network.initial` takes it.
    method, tol, max_iter
        As `minimize` takes them.
    cancellation : Cancellation, optional
        Of what the starts are a part; without it Ctrl-C ends them, and what has been found is kept.
    checkpoint : path, optional
        A file that is written about every second, and from which training resumes if it is there:
        starts that had ended are not made again. Levenberg-Marquardt in the native core resumes in
        the middle of a start, other methods begin that one again; either way the result is the same
        as if nothing had happened.
    validation : Validation, optional
        Rows that decide when to stop each start, and which is the best.
    monitor : callable, optional
        Called as ``monitor(start, theta, iteration)`` at every iteration; a Termination that it
        returns ends that start.
    resume : sequence of Fit or None, optional
        The `fits` of an earlier training of this objective: every start goes on where it stopped,
        by as many iterations as the limits say. An empty sequence begins one that can be resumed.
    criterion : callable, optional
        ``criterion(theta)`` is the log evidence at a minimum: the highest is the best.
    """

    scheme: str = "auto"
    method: str | Optimizer = "auto"
    tol: float = 1e-9
    max_iter: int | None = None
    cancellation: Cancellation | None = None
    checkpoint: str | Path | None = None
    validation: Validation | None = None
    monitor: Monitor | None = None
    resume: Sequence[Fit | None] | None = None
    criterion: Criterion | None = None

    @property
    def one_by_one(self) -> bool:
        """Whether each start has to be seen on its way."""
        given = (self.validation, self.monitor, self.resume)
        return any(of is not None for of in given)


def minimize_from_starts(
    objective: Objective, n_restarts: int, seed: int, options: StartOptions | None = None
) -> Restarts:
    """Minimize from `n_restarts` random starts.

    Parameters
    ----------
    objective : Objective
    n_restarts : int
    seed : int
    options : StartOptions, optional

    Raises
    ------
    TrainingError
        If every start failed; it says how the last one did.
    DataError
        If the checkpoint belongs to another training.
    """
    if n_restarts < 1:
        raise ConfigurationError(f"restarts is {n_restarts}; it must be at least 1")
    options = options or StartOptions()
    net, scheme, checkpoint = objective.net, options.scheme, options.checkpoint
    cancellation = options.cancellation or Cancellation()
    rules = limits(options.tol, options.max_iter, cancellation)
    theta = Starts(net, seed, scheme)
    chosen = choose(options.method, objective, net.n_parameters)
    seen = options.one_by_one
    fast = native_solvers.possible(chosen.optimizer, objective) and not seen
    way = _all_at_once if fast else _one_by_one
    kept = None
    if checkpoint is not None:
        data = [objective.decay, objective.admitted(np.zeros(net.n_parameters))]
        rest = (net, objective.is_fixed.any(), chosen.optimizer, rules.tol, rules.max_iter)
        kind = FORMAT, way.__name__, n_restarts, seed, scheme
        kept = Checkpoint(checkpoint, fingerprint(objective.rows.fingerprint, *data, *rest, *kind))
    mine = options.cancellation is None
    with one_thread(), cancellation.listening() if mine else nullcontext():
        return way(_Task(objective, theta, n_restarts, chosen, rules, kept, options))


def stopped_at(objective: Objective, theta: Array, start: Array, why: Termination) -> Restarts:
    """Return what is known of a minimization that was stopped at a point.

    Raises
    ------
    TrainingError
        If the cost is not lower there than at the start.
    """
    recorder = Recorder(objective, start, ())
    recorder.accept(theta)
    recorder.termination = why
    fit = finish(objective, recorder, choose("auto", objective, len(theta)))
    return Restarts(fit, (_summary(fit),), 0, why, theta=theta[None, :])


@dataclass(frozen=True)
class _Task:
    """What is to be done."""

    objective: Objective
    starts: Starts
    n: int
    chosen: Choice
    rules: Limits
    kept: Checkpoint | None
    options: StartOptions

    @property
    def cancellation(self) -> Cancellation:
        """What may end it before its end."""
        return self.rules.cancellation

    def scores(self, theta: Array, costs: Array) -> Array:
        """Return what is to be lowest, costs or minus the log evidence; NaN where it failed."""
        criterion = self.options.criterion
        if criterion is None:
            return costs
        pairs = zip(theta, np.isfinite(costs), strict=True)
        return np.array([-criterion(at) if known else np.nan for at, known in pairs])

    def agreeing_with(self, lowest: float) -> float:
        """Return the highest score that agrees with the lowest."""
        if self.options.criterion is not None:
            return lowest + AGREEING_NATS
        return lowest + AGREE * abs(lowest) + NOTHING * self.objective.scale


# ---------------------------------------------------------------- all at once, in the native core


def _all_at_once(task: _Task) -> Restarts:
    batches, cut_short = _batches(task)
    size = task.n if task.kept is not None else BATCH
    ended = native_solvers.joined([batch.ended() for batch in batches])

    def fit_of(r: int, units: bool = False) -> Fit:
        run = batches[r // size].run(r % size)
        return finish(task.objective, replace(run, cut_short=cut_short), task.chosen, units)

    theta = np.concatenate([batch.ends() for batch in batches])
    scores = task.scores(theta, ended.cost)
    failure = TrainingError("no start was made")
    # a fit with nothing left to explain needs no second look, and there may be thousands
    examined: dict[int, Fit] = {}
    # what is higher than the lowest cannot be the best, and how it ended is of no use
    lowest = np.inf
    ranked = _ranked(task, ended.doubtful, scores)
    for k, r in enumerate(ranked):
        if (examined and task.cancellation.reason) or scores[r] > task.agreeing_with(lowest):
            ended.names[ranked[k:]] = UNEXAMINED
            break
        if ended.claimed[r] and any(fit.converged for fit in examined.values()):
            continue  # it agrees with a minimum
        try:
            examined[r] = fit_of(r)
            ended.names[r] = examined[r].termination.name
            lowest = min(lowest, scores[r])
        except TrainingError as error:
            failure, ended.names[r] = error, FAILED
            ended.cost[r] = scores[r] = np.nan
    if cut_short is None and task.cancellation.interrupted:
        cut_short = Termination(INTERRUPTED, "while the starts were examined")
    best, n_agree = _best(task, scores, ended.names, failure)
    evidence = np.full(len(scores), np.nan) if task.options.criterion is None else -scores
    columns = (ended.cost, ended.names, ended.n_iterations, ended.n_evaluations, evidence)
    table = zip(*(column.tolist() for column in columns), strict=True)
    runs = tuple(Restart(*row) for row in table if row[1] != native_solvers.NOT_MADE)
    winner = _with_units(task.objective, examined[best]) if best in examined else fit_of(best, True)
    n_ended = sum(batch.n_ended for batch in batches)
    return Restarts(winner, runs, n_agree, cut_short, n_ended, theta=theta)


def _batches(task: _Task) -> tuple[list[native_solvers.Runs], Termination | None]:
    """Let all starts walk to their ends, in batches; return what cut them short, if anything."""
    batches: list[native_solvers.Runs] = []
    size = task.n if task.kept is not None else BATCH

    def made() -> int:
        return sum(map(len, batches))

    def pause() -> None:
        task.cancellation.tell(f"{made():,} of {task.n:,} starts: {batches[-1].progress()}")
        if task.kept is not None and task.kept.due:
            task.kept.save(batches[-1].snapshot())

    cut_short = None
    while cut_short is None and made() < task.n:
        theta = task.objective.admitted(task.starts.take(min(size, task.n - made())))
        batch = native_solvers.Runs(task.objective, theta, task.rules, task.chosen.optimizer)
        batches.append(batch)
        saved = None if task.kept is None else task.kept.load()
        if saved is not None:
            batch.restore(saved)
        cut_short = batch.walk(pause)
        if task.kept is not None:
            task.kept.save(batch.snapshot())
        if made() < task.n:
            cut_short = cut_short or cancelled(task.cancellation, "between two of them")
    return batches, cut_short


def _ranked(task: _Task, is_doubtful: NDArray[np.bool_], scores: Array) -> list[int]:
    """Return the doubtful starts: those that agree with the lowest in turn, the rest by score."""
    doubtful = np.flatnonzero(is_doubtful)
    score = scores[doubtful]
    agree = score <= task.agreeing_with(np.fmin.reduce(score, initial=np.inf))
    order = np.argsort(np.where(agree, -np.inf, score), kind="stable")
    found: list[int] = doubtful[order].tolist()
    return found


def _with_units(objective: Objective, fit: Fit) -> Fit:
    """Return a fit with its idle units looked for: only those of the best are of interest."""
    units = idle_units_of_rows(objective.net, fit.theta, objective.rows)
    return replace(fit, certificate=replace(fit.certificate, units=units))


# ---------------------------------------------------------------- one after the other


def _one_by_one(task: _Task) -> Restarts:
    objective, kept, p = task.objective, task.kept, task.objective.net.n_parameters
    saved = kept.load() if kept is not None else None
    fits = [] if saved is None else unpacked(saved, objective, task.chosen, task.n)
    failure, cut_short = TrainingError("no start was made"), None
    task.starts.take(len(fits))
    for r in range(len(fits), task.n):
        cut_short = cancelled(task.cancellation, f"before start {r + 1}") if fits else None
        if cut_short is not None:
            break
        try:
            fit = _one(task, r)
        except TrainingError as error:
            failure = error
            if error.reason in CUT_SHORT:
                cut_short = Termination(error.reason, f"in start {r + 1}")
                break
            fits.append(None)
            continue
        fits.append(fit)
        if fit.termination.name in CUT_SHORT:
            cut_short = fit.termination
            break
        if kept is not None and kept.due:
            kept.save(packed(fits, p))
    if cut_short is None and task.cancellation.interrupted:
        cut_short = Termination(INTERRUPTED, "while the last start was examined")
    whole = [fit for fit in fits if fit is None or fit.termination.name not in CUT_SHORT]
    if kept is not None:
        kept.save(packed(whole, p))
    runs = tuple(_summary(fit) for fit in fits)
    costs = np.array([run.cost for run in runs])
    ends = np.array([np.full(p, np.nan) if fit is None else fit.theta for fit in fits])
    names = np.array([run.termination for run in runs], dtype=object)
    if task.options.validation is not None:
        costs = np.array([_lowest_validated(fit) for fit in fits])
        names[names == "early_stopping"] = "converged"
    else:
        costs = task.scores(ends, costs)
        if task.options.criterion is not None:
            pairs = zip(runs, costs.tolist(), strict=True)
            runs = tuple(replace(run, log_evidence=-score) for run, score in pairs)
    best, n_agree = _best(task, costs, names, failure)
    winner = fits[best]
    assert winner is not None
    resume = task.options.resume
    kept_fits: tuple[Fit | None, ...] = ()
    if resume is not None:  # a start that was not reached is as far as it was before
        rest = resume[len(fits) :] if resume else [None] * (task.n - len(fits))
        kept_fits = (*fits, *rest)
    return Restarts(winner, runs, n_agree, cut_short, len(whole), kept_fits, ends)


def _one(task: _Task, r: int) -> Fit:
    """Return the fit from the next start, or from where an earlier one had stopped."""
    validation, objective = task.options.validation, task.objective
    rows = None if validation is None else ValidationMonitor(validation)
    theta = objective.admitted(task.starts.take(1)[0])
    before = task.options.resume[r] if task.options.resume else None
    tell = _teller(task, r, rows)
    if before is None:
        fit = run_with_callback(objective, theta, task.chosen, task.rules, tell)
    else:
        fit = _further(task, before, tell)
    return fit if rows is None else rows.finish(fit, objective)


def _teller(task: _Task, r: int, rows: ValidationMonitor | None) -> Callback:
    """Return what is to be done at every iteration of start r."""

    def tell(theta: Array, row: Iteration) -> Termination | None:
        at = f"iteration {row.iteration}, J = {row.cost:.6g}"
        task.cancellation.tell(f"start {r + 1} of {task.n}, {at}")
        ended = None if task.options.monitor is None else task.options.monitor(r, theta, row)
        return ended or (None if rows is None else rows(theta, row))

    return tell


def _further(task: _Task, fit: Fit, tell: Callback) -> Fit:
    """Return a fit that goes on where another stopped, with the history of both."""
    if fit.termination.name not in ("max_iter", *CUT_SHORT):
        return fit  # it had come to its end
    try:
        more = run_with_callback(
            task.objective, fit.theta, task.chosen, task.rules, tell, fit.memory
        )
    except TrainingError:
        return fit  # there is nothing lower: it stays as good as it was
    return replace(
        more,
        history=fit.history.followed_by(more.history),
        n_evaluations=fit.n_evaluations + more.n_evaluations,
    )


def _lowest_validated(fit: Fit | None) -> float:
    return float("nan") if fit is None or fit.validation is None else float(np.min(fit.validation))


def _summary(fit: Fit | None) -> Restart:
    if fit is None:
        return Restart(float("nan"), FAILED, 0, 0)
    return Restart(fit.cost, fit.termination.name, fit.n_iterations, fit.n_evaluations)


# ---------------------------------------------------------------- which is the best


def _best(
    task: _Task,
    scores: Array,
    names: NDArray[np.object_],
    failure: TrainingError,
) -> tuple[int, int]:
    """Return the best start and how many agree with it, or raise if all have failed."""
    if not np.any(np.isfinite(scores)):
        failure.reason = task.cancellation.reason or failure.reason
        raise failure
    agreeing = scores <= task.agreeing_with(float(np.nanmin(scores)))
    converged = agreeing & (names == "converged")
    # the first that converged: which of those that agree is lower by a rounding is chance
    best = np.argmax(converged) if converged.any() else np.nanargmin(scores)
    return int(best), int(converged.sum())
