"""BFGS and L-BFGS-B as SciPy has them, stopped by our rules.

SciPy's own tolerances are set to zero: it ends by itself only when its line search
finds nothing lower.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

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
        options = {
            "gtol": 0.0,
            "ftol": 0.0,
            "maxiter": _NO_LIMIT,
            "maxfun": _NO_LIMIT,
            "maxcor": self.memory,
            "maxls": 50,
        }
        return _run(problem, theta, "L-BFGS-B", options)


def _run(
    problem: Problem, theta: Array, method: str, options: dict[str, float]
) -> Callable[[Array], Array] | None:
    def after_iteration(intermediate_result: optimize.OptimizeResult) -> None:
        if problem.accept(intermediate_result.x):
            raise StopIteration

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # that a line search failed is not a warning but a result, and judged as one
        warnings.simplefilter("ignore")
        result = optimize.minimize(
            problem.evaluate,
            theta,
            jac=True,
            method=method,
            callback=after_iteration,
            options=options,
        )
    inverse_hessian = result.hess_inv
    return lambda g: np.asarray(inverse_hessian @ g)
