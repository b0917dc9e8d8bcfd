"""Plain gradient descent: θ ← θ - step · dJ/dθ.

With a fixed step, as the tutorial explains it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule._contracts import Array
from chainrule.optimize.problem import Problem

SMALLEST_STEP = 2.0**-200  # of the first: halved 200 times, it is none


@dataclass(frozen=True)
class GradientDescent:
    """Gradient descent with a fixed step.

    Parameters
    ----------
    step : float, optional
        Multiplies the gradient. Too large, and the cost rises instead of falling. Left
        out, it is the largest power of two, at most 1, for which the first step lowers
        the cost by at least half of what the gradient promises.
    """

    step: float | None = None
    name = "gd"

    def run(
        self, problem: Problem, theta: Array, memory: tuple[Array, float] | None = None
    ) -> tuple[Array, float] | None:
        """Descend until a rule says stop or the cost is no longer finite."""
        if memory is not None:
            theta, step = memory
        else:
            step = _first_step(problem, theta) if self.step is None else self.step
        stopped = False
        while not stopped:
            before, g = problem.evaluate(theta)
            with np.errstate(over="ignore"):
                theta = theta - step * g
            J, g = problem.evaluate(theta)
            if J > before and not g.any():  # the cost is no longer finite
                return None
            stopped = problem.accept(theta)
        return theta, step


def _first_step(problem: Problem, theta: Array) -> float:
    J, g = problem.evaluate(theta)
    promised = float(g @ g)
    step = 1.0
    while step > SMALLEST_STEP:
        if problem.evaluate(theta - step * g)[0] <= J - 0.5 * step * promised:
            break
        step /= 2
    return step
