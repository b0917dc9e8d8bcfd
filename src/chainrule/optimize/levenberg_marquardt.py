"""Levenberg-Marquardt, polished by Newton's method near the end.

Gauss-Newton steps, held back by damping: the curvature of the network itself is left
out, which saves work, is never negative, and matters little while residuals are small.
Where it does matter the last digits come slowly; the exact Hessian then takes over, as
long as it is positive definite, and doubles the number of right digits with every step.

Where weights have bounds, steps end at them, and a weight that the gradient presses against
its bound takes no part (projected Newton: Bertsekas 1982, SIAM J. Control Optim. 20:221).

References
----------
Levenberg (1944), Marquardt (1963); Hagan & Menhaj (1994), IEEE Trans. Neural Networks
5:989, for networks; Nielsen (1999), IMM-REP-1999-05, for the damping; Schraudolph (2002),
Neural Computation 14:1723, for losses that are not squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule._contracts import Array
from chainrule.optimize.damping import GOOD_ENOUGH, NielsenDamping
from chainrule.optimize.problem import Problem
from chainrule.optimize.steps import Normal, Orthogonal, QuadraticModel, Wide

SLOW = 1e-3  # a relative reduction below which Gauss-Newton has little left to give
SLOW_STEPS = 2  # of that kind in a row, and Newton's method takes over
MANY_SLOW_STEPS = 50  # and so many where the Hessian is dear
ROUNDED_COST = 16 * float(np.finfo(np.float64).eps)  # of J: no cost can tell such a difference


@dataclass(frozen=True)
class Memory:
    """What is needed to go on from a point, besides the cost.

    Attributes
    ----------
    theta : ndarray (p,)
    damping : NielsenDamping
    slow : int
        Slow steps in a row.
    exact : bool
        Whether the exact Hessian had taken over.
    model : QuadraticModel or None
        The one that led here; the native core has none.
    """

    theta: Array
    damping: NielsenDamping
    slow: int
    exact: bool
    model: QuadraticModel | None


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Levenberg-Marquardt with Nielsen's damping.

    Parameters
    ----------
    polish : bool
        Whether the exact Hessian takes over at the end.
    """

    polish: bool = True
    name = "lm"
    order = 2  # of the derivatives it needs

    def run(self, problem: Problem, theta: Array, memory: Memory | None = None) -> Memory | None:
        """Minimize until a rule says stop or nothing lower is found."""
        theta = theta if memory is None else memory.theta
        J, g = problem.evaluate(theta)
        if memory is None:
            model = _gauss_newton(problem, theta)
            damping = NielsenDamping.start(model.size, model.first_damping)
            slow, exact = 0, False
        else:
            damping, slow = memory.damping, memory.slow
            model, exact = self._next(problem, theta, g, memory)
        while not damping.exhausted:
            s = model.step(damping.value)
            if s is None and exact:
                # the cost is not convex here: Gauss-Newton always is
                slow, exact = 0, False
                model = _gauss_newton(problem, theta, model)
                continue
            if s is None:
                damping = damping.rejected()
                continue
            predicted, trial = model.predicted(s, damping.value), theta + s
            inside = problem.project(trial)
            if inside is not trial and isinstance(model, Normal):
                predicted, trial = model.fall(inside - theta), inside
                if not predicted > 0.0:
                    damping = damping.rejected()
                    continue
            cost_there, gain = problem.cost(trial), 0.0
            if predicted <= ROUNDED_COST * abs(J):
                # the cost cannot judge this step any more; the gradient still can
                if not _smaller(problem.evaluate(trial)[1], g):
                    return None
                gain = 1.0
            elif np.isfinite(cost_there):
                gain = (J - cost_there) / predicted
            if not gain > GOOD_ENOUGH:
                damping = damping.rejected()
                continue
            slow = slow + 1 if J - cost_there < SLOW * abs(J) else 0
            theta = trial
            J, g = problem.evaluate(theta)
            damping = damping.accepted(gain)
            memory = Memory(theta, damping, slow, exact, model)
            if problem.accept(theta):
                return memory
            model, exact = self._next(problem, theta, g, memory)
        return None

    def _next(
        self, problem: Problem, theta: Array, g: Array, at: Memory
    ) -> tuple[QuadraticModel, bool]:
        """Return the model at a point that was just taken, and whether it is exact."""
        soon = self.polish and (at.exact or at.slow >= SLOW_STEPS)
        H = problem.hessian(theta, at.exact or at.slow >= MANY_SLOW_STEPS) if soon else None
        if H is not None:
            return Normal(g, H), True
        return _gauss_newton(problem, theta, at.model), False


def _gauss_newton(
    problem: Problem, theta: Array, before: QuadraticModel | None = None
) -> QuadraticModel:
    residuals = problem.residuals(theta)
    if residuals is None:
        _, g, H = problem.gauss_newton(theta)
        return Normal(g, H)
    m, p = residuals.A.shape
    if m < p:
        return Wide(residuals, theta, problem.evaluate(theta)[1])
    return Orthogonal.following(before, residuals)


def _smaller(g: Array, than: Array) -> bool:
    return bool(g.any() and np.max(np.abs(g)) < np.max(np.abs(than)))
