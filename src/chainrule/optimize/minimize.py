"""Minimize an objective from one starting point, by any method.

The method walks; the recorder writes down; the stopping rules stop; and before the
word "converged" is used, `convergence` looks for objections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from chainrule._blas import one_thread
from chainrule._cancellation import INTERRUPTED, TIME_LIMIT, Cancellation
from chainrule._contracts import Array, Evaluation, ObjectiveProtocol, SeedProtocol
from chainrule._errors import DataError, TrainingError
from chainrule.heart.seed_protocol import seed_objective
from chainrule.objectives.objective import Objective
from chainrule.optimize import convergence, native_solvers
from chainrule.optimize.certificate import Certificate, certify, newton_step, relative_step
from chainrule.optimize.curvature import ALWAYS
from chainrule.optimize.history import History
from chainrule.optimize.methods import Choice, choose
from chainrule.optimize.problem import Optimizer
from chainrule.optimize.recorder import ROUNDED_BEST, Callback, Recorder
from chainrule.optimize.stopping import (
    Limits,
    Termination,
    limits,
    relative_gradient,
)

POLISHING_STEPS, POLISHED = 30, 1e-5  # after the end, and what moves a weight by less is none
CUT_SHORT = (INTERRUPTED, TIME_LIMIT)  # who is in a hurry does not wait for curvature


@dataclass(frozen=True)
class Fit:
    """What a minimization found, and how.

    Attributes
    ----------
    theta : ndarray (p,)
        The best finite point seen.
    cost : float
        J there.
    gradient : ndarray (p,)
        dJ/dθ there.
    history : History
        Every iteration, the starting point first.
    termination : Termination
        Why it stopped; ``termination.converged`` says whether this is a minimum.
    n_evaluations : int
        Evaluations of the cost, each with its gradient, until it stopped. Examining the
        end comes on top: second derivatives for ours, up to 20 p evaluations for others.
    method : str
        The method that was used.
    reason : str
        Why that one.
    certificate : Certificate
        Of the point: gradient, what a Newton step would gain, lowest curvature, idle units.
    memory : object
        What the method has learned, with which it can go on; None if it cannot.
    validation : ndarray (iterations + 1,) or None
        The cost of the validation rows at every iteration, where there are such rows.
    claim : Termination or None
        Why it stopped, by the method's own account.
    theta_of_claim : ndarray (p,) or None
        Where that was, before the end was examined: `theta` may be a Newton step away.
    """

    theta: Array
    cost: float
    gradient: Array
    history: History
    termination: Termination
    n_evaluations: int
    method: str
    reason: str
    certificate: Certificate
    memory: Any = field(default=None, repr=False)
    validation: Array | None = field(default=None, repr=False)
    claim: Termination | None = field(default=None, repr=False)
    theta_of_claim: Array | None = field(default=None, repr=False)

    @property
    def converged(self) -> bool:
        """Whether this is a minimum as far as numbers can show."""
        return self.termination.converged

    @property
    def n_iterations(self) -> int:
        """Iterations, the start not counted."""
        return len(self.history) - 1

    def __str__(self) -> str:
        return (
            f"{self.method}: J = {self.cost:.10g}, max|g| = {np.max(np.abs(self.gradient)):.1e} "
            f"after {self.n_iterations} iterations, {self.n_evaluations} evaluations\n"
            f"{self.termination}"
        )


class Finished(Protocol):
    """A run that has ended, by whatever walked."""

    @property
    def theta(self) -> Array:
        """The best finite point."""

    @property
    def J(self) -> float:
        """The cost there."""

    @property
    def g(self) -> Array:
        """The gradient there."""

    @property
    def scale(self) -> float:
        """The cost there is to explain."""

    @property
    def history(self) -> History:
        """Every iteration."""

    @property
    def n_evaluations(self) -> int:
        """Evaluations of the cost."""

    @property
    def claim(self) -> Termination:
        """Why it ended, by its own account."""


def minimize(
    objective: ObjectiveProtocol | SeedProtocol,
    theta: ArrayLike,
    Y: ArrayLike | None = None,
    *,
    method: str | Optimizer = "auto",
    tol: float = 1e-9,
    max_iter: int | None = None,
    max_time: float | None = None,
    callback: Callback | None = None,
) -> Fit:
    """Minimize a cost.

    Called as ``minimize(objective, theta)``, or ``minimize(obj, X, Y)`` for any object
    that speaks the tutorial's protocol; that one starts from the weights it holds and
    ends with the best ones found.

    Parameters
    ----------
    objective : Objective, or an object with getParams, setParams, costFunction, computeGradients
    theta : array_like (p,)
        The start; the inputs X when `objective` is such an object.
    Y : array_like, optional
        The targets, for such an object.
    method : {"auto", "lm", "broyden", "bfgs", "lbfgs", "gd"} or Optimizer, default "auto"
        auto chooses by size: Levenberg-Marquardt for sums of squares with few weights,
        Broyden for more, L-BFGS for many; ``fit.reason`` says why. An optimizer carries its
        own options: ``GradientDescent(step=3.0)``.
    tol : float, default 1e-9
        Converged when max |g_j| max(1, |θ_j|) is at most `tol` times the cost there is to
        explain (``objective.scale``; for objects that cannot say it, their present cost), or
        when a Newton step would gain nothing that counts; and when nothing that is examined
        speaks against a minimum.
    max_iter : int, optional
        Iteration limit: 10,000 if left out.
    max_time : float, optional
        Time limit in seconds.
    callback : callable, optional
        Called as ``callback(theta, iteration)`` at the start and after every iteration.

    Returns
    -------
    Fit

    Raises
    ------
    TrainingError
        If the cost is not finite at the start, or no step lowered it: an untrained
        network is never returned.
    ConfigurationError
        If the method or a limit does not exist.

    Examples
    --------
    >>> import chainrule
    >>> net = chainrule.Network([1, 2, 1])
    >>> X, Y = [[-1.0], [0.0], [0.5], [1.0]], [[0.0], [1.0], [0.3], [0.1]]
    >>> objective = chainrule.Objective(net, X, Y, alpha=0.01)
    >>> fit = chainrule.minimize(objective, net.initial(seed=0))
    >>> fit.converged
    True
    """
    cancellation = Cancellation(max_time)
    rules = limits(tol, max_iter, cancellation)
    if Y is None:
        if isinstance(objective, SeedProtocol) or not hasattr(objective, "evaluate"):
            raise DataError(
                f"{type(objective).__name__} has no evaluate(theta, order); pass an Objective, "
                "or minimize(obj, X, Y) for an object with the tutorial's methods"
            )
        start = np.array(theta, dtype=np.float64)
        with one_thread(), cancellation.listening():
            return _told(_minimize(objective, start, method, rules, callback), cancellation)
    foreign = seed_objective(objective, theta, Y)
    start = foreign.theta
    try:
        with one_thread(), cancellation.listening():
            fit = _told(_minimize(foreign, start, method, rules, callback), cancellation)
    except BaseException:
        foreign.theta = start
        raise
    foreign.theta = fit.theta
    return fit


def _told(fit: Fit, cancellation: Cancellation) -> Fit:
    """Return a fit that says so if it was interrupted when it had ended."""
    if not cancellation.interrupted or fit.termination.name == INTERRUPTED:
        return fit
    return replace(fit, termination=Termination(INTERRUPTED, "while the end was examined"))


def _minimize(
    objective: ObjectiveProtocol,
    theta: Array,
    method: str | Optimizer,
    rules: Limits,
    callback: Callback | None,
) -> Fit:
    chosen = choose(method, objective, len(theta))
    if callback is None:
        return finish(objective, descended(objective, theta, chosen, rules), chosen)
    return run_with_callback(objective, theta, chosen, rules, callback)


def descended(
    objective: ObjectiveProtocol, theta: Array, chosen: Choice, rules: Limits
) -> Finished:
    """Return where an optimizer ends, by its own account: nothing is examined."""
    if native_solvers.possible(chosen.optimizer, objective):
        assert isinstance(objective, Objective)
        runs = native_solvers.Runs(objective, theta[None, :], rules, chosen.optimizer)
        return runs.run(0, runs.walk())
    recorder = Recorder(objective, theta, rules.rules(), None)
    if np.isfinite(recorder.J) and recorder.termination is None:
        recorder.termination, _ = _run(chosen.optimizer, recorder, theta, None)
    return recorder


def run_with_callback(
    objective: ObjectiveProtocol,
    theta: Array,
    chosen: Choice,
    rules: Limits,
    callback: Callback | None = None,
    memory: Any = None,
) -> Fit:
    """Minimize with a callback, or from where an earlier fit stopped: see `minimize`.

    With the `memory` of a Fit it goes on where that one stopped.
    """
    if native_solvers.possible(chosen.optimizer, objective):
        assert isinstance(objective, Objective)
        start = theta if memory is None else memory.theta
        runs = native_solvers.Runs(objective, start[None, :], rules, chosen.optimizer, True)
        if memory is not None:
            runs.resume(0, memory)
        run, memory = runs.follow(0, callback)
        return replace(finish(objective, run, chosen), memory=memory)
    recorder = Recorder(objective, theta, rules.rules(), callback)
    if np.isfinite(recorder.J) and recorder.termination is None:
        recorder.termination, memory = _run(chosen.optimizer, recorder, theta, memory)
    return replace(finish(objective, recorder, chosen), memory=memory)


def finish(objective: ObjectiveProtocol, run: Finished, chosen: Choice, units: bool = True) -> Fit:
    """Return what a run has found as a Fit, its claim examined, and its units if asked for.

    Raises
    ------
    TrainingError
        If it could not even start, or no step lowered the cost.
    """
    claim = run.claim
    if not (np.isfinite(run.J) and np.all(np.isfinite(run.g))):
        raise TrainingError(
            "the cost or its gradient is not finite at the starting point; start from smaller "
            "weights, or scale the data"
        )
    known = Evaluation(run.J, run.g)
    ended = claim.converged or claim.name == "stalled"
    hurry = claim.name in (*CUT_SHORT, "early_stopping")
    own = getattr(objective, "hessian", None) is not None and not hurry
    certificate = certify(objective, run.theta, run.scale, known, ended or own, units)
    termination = convergence.verdict(objective, claim, run.theta, run.J, run.scale, certificate)
    if not termination.converged and run.history[0].cost <= run.J:
        ended = termination.name in CUT_SHORT
        what = "was finished" if ended else f"of {chosen.optimizer.name} lowered the cost"
        error = TrainingError(
            f"nothing was learned: no step {what} from the start, J = {run.J:.6g}. {termination}"
        )
        error.reason = termination.name
        raise error
    theta, J, g = run.theta, run.J, run.g
    if termination.converged and certificate.newton is not None:
        theta, J, g, unsettled = _polished(objective, run, certificate.newton)
        size = relative_gradient(theta, g, run.scale)
        certificate = replace(certificate, relative_gradient=size, unsettled=unsettled)
    if termination.converged:
        termination = convergence.of_weights(objective, termination, theta, certificate)
    return Fit(
        theta=theta,
        cost=J,
        gradient=g,
        history=run.history,
        termination=termination,
        n_evaluations=run.n_evaluations,
        method=chosen.optimizer.name,
        reason=chosen.reason,
        certificate=certificate,
        claim=claim,
        theta_of_claim=run.theta,
    )


def _polished(
    objective: ObjectiveProtocol, run: Finished, newton: Array
) -> tuple[Array, float, Array, float]:
    """Return the point Newton steps further, and how far the last one has moved a weight.

    One step costs next to nothing once second derivatives are known, and makes weights as exact
    as the cost is, however training came close. Where it moves them by more than that, others
    follow, as long as the gradient gets smaller: the cost may be at its minimum to all digits that
    were asked for while weights are not.
    """
    theta, J, g = run.theta, run.J, run.g
    project: Callable[[Array], Array] | None = getattr(objective, "project", None)
    step: Array | None = newton
    unsettled = float("nan")
    affordable = len(theta) <= ALWAYS and getattr(objective, "hessian", None) is not None
    for _ in range(POLISHING_STEPS):
        if step is None:
            return theta, J, g, float("nan")
        unsettled = relative_step(step, theta)
        there = theta + step if project is None else project(theta + step)
        cost, g_there = objective.evaluate(there, 1)
        smaller = bool(np.max(np.abs(g_there)) < np.max(np.abs(g)))
        if not (smaller and cost <= J + ROUNDED_BEST * abs(J)):
            break
        theta, J, g = there, cost, np.asarray(g_there)
        if unsettled <= POLISHED or not affordable:
            break
        step = newton_step(objective, theta, g, run.scale)
    return theta, J, g, unsettled


def _run(
    optimizer: Optimizer, recorder: Recorder, theta: Array, memory: Any
) -> tuple[Termination, Any]:
    """Let the optimizer walk; name what ended it, and return what it has learned."""
    resumed = () if memory is None else (memory,)
    with np.errstate(over="ignore", invalid="ignore"):  # no step is taken that is not finite
        memory = optimizer.run(recorder, theta, *resumed)
    if recorder.termination is not None:
        return recorder.termination, memory
    size = relative_gradient(recorder.theta, recorder.g, recorder.scale)
    return Termination("stalled", f"relative gradient {size:.1e}, and no lower point found"), memory
