"""A sum of squares of any residuals, as an objective.

Levenberg-Marquardt knows no network: whatever has residuals and a Jacobian can be fitted
by it, the certified problems of nonlinear regression for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule._contracts import NEGLIGIBLE, Array, Evaluation, Residuals
from chainrule._errors import DataError
from chainrule.heart.activations import COMPLEX_STEP

CUBE_ROOT = 6e-6  # of the rounding unit: where truncation and rounding of a difference balance
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class LeastSquares:
    """J(θ) = ½ Σ r(θ)², given r and its Jacobian.

    Parameters
    ----------
    residuals_of : callable
        θ (p,) -> r (m,).
    jacobian_of : callable, optional
        θ (p,) -> dr/dθ (m, p). Left out, it is found by the complex step, exact to the last
        digit, for which `residuals_of` must take complex θ (Squire & Trapp 1998, SIAM Review
        40:110).
    scale : float, optional
        The cost there is to explain, against which convergence is measured: ½ Σ (y - mean)²
        where r = y_hat - y. The cost at hand if left out.

    Examples
    --------
    The minimum of ½ (a - 2)² + ½ (a - 4)² is at a = 3:

    >>> import numpy as np
    >>> import chainrule
    >>> from chainrule.objectives.least_squares import LeastSquares
    >>> objective = LeastSquares(lambda a: a - np.array([2.0, 4.0]))
    >>> fit = chainrule.minimize(objective, [0.0])
    >>> fit.method, fit.converged, round(float(fit.theta[0]), 9)
    ('lm', True, 3.0)
    """

    residuals_of: Callable[[Any], ArrayLike]
    jacobian_of: Callable[[Array], ArrayLike] | None = None
    scale: float | None = None
    highest_order = 2
    gradient_in_doubt = False
    size = (0, True)  # of unknown many numbers, squared

    def residuals(self, theta: ArrayLike) -> Residuals:
        """Return r and its Jacobian at θ."""
        theta = np.asarray(theta, dtype=np.float64)
        with np.errstate(all="ignore"):  # an infinite cost is refused, not hidden
            r = np.asarray(self.residuals_of(theta), dtype=np.float64)
            jacobian = self.jacobian_of or self._complex_step
            A = np.asarray(jacobian(theta), dtype=np.float64)
        if r.ndim != 1 or A.shape != (len(r), len(theta)):
            raise DataError(
                f"residuals of shape {r.shape} and a Jacobian of shape {A.shape} for {len(theta)} "
                "parameters; they must be (m,) and (m, parameters)"
            )
        return Residuals(r, A, np.zeros(len(theta)))

    def evaluate(self, theta: ArrayLike, order: int = 1) -> Evaluation:
        """Return J, g = Aᵀr and H = AᵀA, up to `order`."""
        theta = np.asarray(theta, dtype=np.float64)
        with np.errstate(all="ignore"):
            if order == 0:
                r = np.asarray(self.residuals_of(theta), dtype=np.float64)
                return Evaluation(0.5 * float(r @ r))
            known = self.residuals(theta)
            J, g = 0.5 * float(known.r @ known.r), known.A.T @ known.r
            return Evaluation(J, g, known.A.T @ known.A if order >= 2 else None)

    def worse_than_mean(self, theta: Array, J: float) -> str | None:
        """Return how J compares with `scale`, the cost of the mean, if it is no better."""
        if self.scale is not None and not J < (1.0 - NEGLIGIBLE) * self.scale:
            return f"cost {J:.6g} >= {self.scale:.6g} of the mean"
        return None

    def hessian(self, theta: ArrayLike) -> Array:
        """Return d²J/dθ², (p, p), by differences of g with a step for each parameter's own unit."""
        theta = np.asarray(theta, dtype=np.float64)
        known = self.residuals(theta)
        reach = np.linalg.norm(known.r) / np.maximum(np.linalg.norm(known.A, axis=0), TINY)
        steps = CUBE_ROOT * np.where(theta == 0.0, reach, np.abs(theta))
        rows = []
        for j, h in enumerate(steps):
            up, down = theta.copy(), theta.copy()
            up[j] += h
            down[j] -= h
            of_up, of_down = self.evaluate(up, 1).g, self.evaluate(down, 1).g
            rows.append((np.asarray(of_up) - np.asarray(of_down)) / (up[j] - down[j]))
        return np.asarray(0.5 * (np.array(rows) + np.array(rows).T))

    def _complex_step(self, theta: Array) -> Array:
        nudged = theta + 1j * COMPLEX_STEP * np.eye(len(theta))
        return np.stack([np.imag(self.residuals_of(row)) / COMPLEX_STEP for row in nudged], axis=1)
