"""One run of an optimizer on an objective: count, record, stop.

The recorder stands between the two: it evaluates no point twice, counts, keeps the
history and the best finite point seen, and asks the stopping rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from chainrule._cancellation import INTERRUPTED
from chainrule._contracts import Array, Evaluation, ObjectiveProtocol, Residuals
from chainrule._errors import ConfigurationError
from chainrule.optimize.history import History, Iteration
from chainrule.optimize.stopping import SENTENCES, Rule, State, Termination

# of J: a cost higher by less is as low as the best
ROUNDED_BEST = 64 * float(np.finfo(np.float64).eps)
MOST_FOR_HESSIAN = 1_000  # weights, beyond which a step with p x p numbers is what costs
TRACE = float(np.sqrt(np.finfo(np.float64).eps))

Callback = Callable[[Array, Iteration], "Termination | None"]


def asked(callback: Callback, theta: Array, row: Iteration) -> Termination | None:
    """Return what a callback says to end a run, if it does.

    A StopIteration or a KeyboardInterrupt that it raises ends the run too.
    """
    try:
        said = callback(theta, row)
    except (StopIteration, KeyboardInterrupt):
        return Termination(INTERRUPTED, f"the callback, iteration {row.iteration}")
    if not isinstance(said, Termination):
        return None
    if said.name not in SENTENCES:
        raise ConfigurationError(
            f"the callback returned a Termination called {said.name!r}; give one of "
            f"{', '.join(SENTENCES)}"
        )
    return said


class Recorder:
    """What an optimizer sees of the problem, and what is left when it has finished.

    Parameters
    ----------
    objective : ObjectiveProtocol
    theta : ndarray (p,)
        The starting point; it is evaluated and becomes row 0 of the history.
    rules : sequence of Rule
    callback : callable, optional
        Called as ``callback(theta, iteration)`` for every row of the history. It may return a
        Termination, which ends the run.

    Attributes
    ----------
    theta, J, g
        The best finite point seen so far.
    scale : float
        The cost against which gradients are measured. An objective that cannot say how much
        there is to explain is measured against its present cost, and a trace of that at
        the start so that a perfect fit can be recognized.
    termination : Termination or None
        Set when a rule fired.
    """

    def __init__(
        self,
        objective: ObjectiveProtocol,
        theta: Array,
        rules: Sequence[Rule],
        callback: Callback | None = None,
    ) -> None:
        self._objective = objective
        self._rules = rules
        self._callback = callback
        self._started = time.perf_counter()
        self._known: dict[bytes, Evaluation] = {}
        self._before: dict[bytes, Evaluation] = {}
        self._rows: list[Iteration] = []
        self._last = theta
        self._worst = -np.inf
        self._scale: float | None = getattr(objective, "scale", None)
        self.n_evaluations = 0
        self.termination: Termination | None = None
        self.J = np.inf
        self.theta, self.g = theta, np.full_like(theta, np.nan)
        self._start = self._evaluate(theta).J
        if np.isfinite(self.J):
            self.accept(theta)

    @property
    def scale(self) -> float:
        """The cost against which gradients are measured, greater than 0."""
        if self._scale is not None:
            return self._scale
        return abs(self.J) + TRACE * abs(self._start) or 1.0

    @property
    def claim(self) -> Termination:
        """Why it ended, by its own account."""
        return self.termination or Termination("stalled", "no step was made")

    @property
    def history(self) -> History:
        """The iterations so far."""
        return History(tuple(self._rows))

    @property
    def n_iterations(self) -> int:
        """Iterations so far; the start is not one."""
        return max(len(self._rows) - 1, 0)

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """Return J and g at `theta`.

        A cost that is not finite is replaced by one far worse than any seen, with no
        gradient, so that a line search turns back without computing with NaN.
        """
        J, g = self._evaluate(theta)
        if np.isfinite(J) and np.all(np.isfinite(g)):
            return J, g
        return self._worst + 10 * (1 + abs(self._worst)), np.zeros_like(g)

    def cost(self, theta: Array) -> float:
        """Return J at `theta`, infinite where it is not a number."""
        known = self._known.get(np.asarray(theta).tobytes())
        if known is not None:
            return known.J if np.isfinite(known.J) else np.inf
        self.n_evaluations += 1
        J = self._objective.evaluate(theta, 0).J
        return J if np.isfinite(J) else np.inf

    def gauss_newton(self, theta: Array) -> Evaluation:
        """Return J, g and the Gauss-Newton H at `theta`."""
        return self._objective.evaluate(theta, 2)

    def hessian(self, theta: Array, dear: bool = False) -> Array | None:
        """Return the exact Hessian at `theta` if the objective has it and it costs little.

        With `dear` it may cost as much as a gradient for each weight.
        """
        hessian: Callable[[Array], Array] | None = getattr(self._objective, "hessian", None)
        worth_it = dear or getattr(self._objective, "hessian_costs_little", False)
        affordable = hessian is not None and worth_it and len(theta) <= MOST_FOR_HESSIAN
        return hessian(theta) if affordable and hessian is not None else None

    def residuals(self, theta: Array) -> Residuals | None:
        """Return the residuals behind J if the objective prefers them."""
        residuals = getattr(self._objective, "residuals", None)
        return None if residuals is None else residuals(theta)

    def project(self, theta: Array) -> Array:
        """Return the point nearest to `theta` that the objective admits."""
        project: Callable[[Array], Array] | None = getattr(self._objective, "project", None)
        return theta if project is None else project(theta)

    def accept(self, theta: Array) -> bool:
        """Record `theta` as the next iteration; return True if training should stop."""
        J, g = self._evaluate(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            step = float(np.linalg.norm(theta - self._last))
        before = self._rows[-1] if self._rows else None
        self._rows.append(
            Iteration(
                iteration=len(self._rows),
                cost=J,
                change=J - before.cost if before else 0.0,
                max_gradient=float(np.max(np.abs(g))),
                step=step,
                n_evaluations=self.n_evaluations,
                seconds=time.perf_counter() - self._started,
            )
        )
        self._last = np.array(theta)
        # a line search that fails is begun again, at points it has asked about before
        self._known, self._before = {self._last.tobytes(): Evaluation(J, g)}, self._known
        if self._callback is not None:
            self.termination = asked(self._callback, self._last.copy(), self._rows[-1])
            if self.termination is not None:
                return True
        state = State(self.n_iterations, self._last, J, g, self.scale)
        self.termination = next(filter(None, (rule(state) for rule in self._rules)), None)
        if self.termination is not None and self.termination.converged:
            if J <= self.J + ROUNDED_BEST * abs(self.J):
                # a trial of the line search may be lower by a rounding, but this is the
                # point for which the inequality holds
                self.theta, self.J, self.g = self._last, J, g
            else:
                where = f"at J = {J:.6g}, above the best seen, {self.J:.6g}"
                self.termination = Termination("stalled", f"the gradient vanished {where}")
        return self.termination is not None

    def _evaluate(self, theta: Array) -> Evaluation:
        key = np.asarray(theta, dtype=np.float64).tobytes()
        if key in self._before:
            self._known[key] = self._before[key]
        if key not in self._known:
            found = self._objective.evaluate(theta, 1)
            self.n_evaluations += 1
            self._known[key] = found
            if found.g is not None and np.isfinite(found.J) and np.all(np.isfinite(found.g)):
                self._worst = max(self._worst, found.J)
                if found.J < self.J:
                    self.theta, self.J, self.g = np.array(theta), found.J, found.g
        return self._known[key]
