"""Plain gradient descent: θ ← θ - step · dJ/dθ.

With a fixed step, as the tutorial explains it. A negative step walks uphill: the
cost rises, which is the quickest test that a gradient points the right way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule._contracts import Array
from chainrule.training.optimizers.problem import Problem


@dataclass(frozen=True)
class GradientDescent:
    """Gradient descent with a fixed step.

    Parameters
    ----------
    step : float
        Multiplies the gradient. Too large, and the cost rises instead of falling.
    """

    step: float = 0.1
    name = "gd"

    def run(self, problem: Problem, theta: Array) -> Callable[[Array], Array] | None:
        """Descend until a rule says stop or the cost is no longer finite."""
        stop = False
        while not stop:
            _, g = problem.evaluate(theta)
            if not g.any():  # the bottom, or a cost that was not finite
                return None
            theta = theta - self.step * g
            stop = problem.accept(theta) or not np.all(np.isfinite(theta))
        return None
