"""BFGS and L-BFGS-B as SciPy has them, stopped by our rules.

SciPy's own tolerances are set to zero: it ends by itself only when its line search
finds nothing lower.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from chainrule._contracts import Array
from chainrule.training.optimizers.problem import Problem

_NO_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class BFGS:
    """Quasi-Newton with a dense inverse Hessian (Nocedal & Wright 2006, alg. 6.1)."""

    name = "bfgs"

    def run(self, problem: Problem, theta: Array) -> Callable[[Array], Array] | None:
        """Minimize; return g -> H⁻¹ g as estimated at the end."""
        return _run(problem, theta, "BFGS", {"gtol": 0.0, "maxiter": _NO_LIMIT})


@dataclass(frozen=True)
class LBFGS:
    """Quasi-Newton that remembers the last `memory` steps (Nocedal & Wright 2006, alg. 7.5)."""

    memory: int = 20
    name = "lbfgs"

    def run(self, problem: Problem, theta: Array) -> Callable[[Array], Array] | None:
        """Minimize; return g -> H⁻¹ g as estimated at the end."""
        options: dict[str, Any] = {
            "gtol": 0.0,
            "ftol": 0.0,
            "maxiter": _NO_LIMIT,
            "maxfun": _NO_LIMIT,
            "maxcor": self.memory,
            "maxls": 50,
        }
        return _run(problem, theta, "L-BFGS-B", options)


def _run(
    problem: Problem, theta: Array, method: str, options: dict[str, Any]
) -> Callable[[Array], Array] | None:
    """Minimize, starting afresh where the line search fails, as long as that helps.

    A failed line search is most often the fault of an inverse Hessian that has gone bad;
    the steepest way down is then still open.
    """
    stopped = False
    # the last two points with their gradients
    trail = deque([(theta, problem.evaluate(theta)[1])], maxlen=2)

    def after_iteration(intermediate_result: optimize.OptimizeResult) -> None:
        nonlocal stopped
        here = intermediate_result.x.copy()
        trail.append((here, problem.evaluate(here)[1]))
        stopped = problem.accept(here)
        if stopped:
            raise StopIteration

    inverse_hessian = None
    while not stopped:
        if method == "BFGS" and len(trail) == 2:
            options["hess_inv0"] = _size_of_last_step(trail) * np.eye(len(theta))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # that a line search failed is not a warning but a result, and judged as one
            warnings.simplefilter("ignore")
            result = optimize.minimize(
                problem.evaluate,
                trail[-1][0],
                jac=True,
                method=method,
                callback=after_iteration,
                options=options,
            )
        if result.nit == 0:
            break
        inverse_hessian = result.hess_inv
    if inverse_hessian is None:
        return None
    return lambda g: np.asarray(inverse_hessian @ g)


def _size_of_last_step(trail: Sequence[tuple[Array, Array]]) -> float:
    """Return sᵀy / yᵀy, a first guess of H⁻¹ (Nocedal & Wright 2006, eq. 6.20)."""
    (theta_0, g_0), (theta, g) = trail
    s, y = theta - theta_0, g - g_0
    size = float(s @ y) / max(float(y @ y), float(np.finfo(np.float64).tiny))
    return size if size > 0 else 1.0
