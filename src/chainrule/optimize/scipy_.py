"""BFGS and L-BFGS-B as SciPy has them, stopped by our rules.

SciPy's own tolerances are set to zero: it ends by itself only when its line search
finds nothing lower.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule.optimize.problem import Problem

_NO_LIMIT = 2**31 - 1  # iterations: the rules stop it
# relative fall of J below which SciPy is not begun again
LEAST_TOLERANCE = 4 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class BFGS:
    """Quasi-Newton with a dense inverse Hessian (Nocedal & Wright 2006, alg. 6.1)."""

    name = "bfgs"

    def run(self, problem: Problem, theta: Array) -> None:
        """Minimize until a rule says stop or nothing lower is found."""
        _run(problem, theta, "BFGS", {"gtol": 0.0, "maxiter": _NO_LIMIT})


@dataclass(frozen=True)
class LBFGS:
    """Quasi-Newton that remembers the last `memory` steps (Nocedal & Wright 2006, alg. 7.5)."""

    memory: int = 20
    name = "lbfgs"

    def run(self, problem: Problem, theta: Array) -> None:
        """Minimize until a rule says stop or nothing lower is found."""
        options: dict[str, Any] = {
            "gtol": 0.0,
            "ftol": 0.0,
            "maxiter": _NO_LIMIT,
            "maxfun": _NO_LIMIT,
            "maxcor": self.memory,
            "maxls": 50,
        }
        _run(problem, theta, "L-BFGS-B", options)


def _run(problem: Problem, theta: Array, method: str, options: dict[str, Any]) -> None:
    """Minimize, starting afresh where the line search fails, as long as that helps.

    A failed line search is most often the fault of an inverse Hessian that has gone bad;
    the steepest way down is then still open. SciPy sees J and g divided by the scale of
    the problem, because its first step depends on the unit of the cost.
    """
    from scipy import optimize  # late: loading it takes longer than most fits

    stopped, scale = False, problem.scale
    J, g = problem.evaluate(theta)
    trail = deque([(theta, g)], maxlen=2)  # the last two points with their gradients

    def scaled(theta: Array) -> tuple[float, Array]:
        J, g = problem.evaluate(theta)
        return J / scale, g / scale

    def after_iteration(intermediate_result: optimize.OptimizeResult) -> None:
        nonlocal stopped
        here = intermediate_result.x.copy()
        trail.append((here, problem.evaluate(here)[1]))
        stopped = problem.accept(here)
        if stopped:
            raise StopIteration

    while not stopped:
        if method == "BFGS" and len(trail) == 2:
            options["hess_inv0"] = scale * _size_of_last_step(trail) * np.eye(len(theta))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # that a line search failed is not a warning but a result, and judged as one
            warnings.simplefilter("ignore")
            optimize.minimize(
                scaled,
                trail[-1][0],
                jac=True,
                method=method,
                callback=after_iteration,
                options=options,
            )
        before, J = J, problem.evaluate(trail[-1][0])[0]
        if not J < before - LEAST_TOLERANCE * abs(before):
            return


def _size_of_last_step(trail: Sequence[tuple[Array, Array]]) -> float:
    """Return sᵀy / yᵀy, a first guess of H⁻¹ (Nocedal & Wright 2006, eq. 6.20)."""
    (theta_0, g_0), (theta, g) = trail
    s, y = theta - theta_0, g - g_0
    size = float(s @ y) / max(float(y @ y), float(np.finfo(np.float64).tiny))
    return size if size > 0 else 1.0
