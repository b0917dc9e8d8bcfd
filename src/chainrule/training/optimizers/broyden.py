"""Self-scaled Broyden: quasi-Newton that corrects the size of its inverse Hessian as it goes.

BFGS keeps whatever size its first guess of H⁻¹ had in the directions it has not yet
seen. Here each update first shrinks it by τ, and mixes the updates of BFGS and DFP by θ.

References
----------
Urbán, Stefanou & Pons (2025), J. Comput. Phys. 523:113656, sec. 3; Al-Baali & Khalfan
(2005), Optimization Methods and Software 20:427, for θ and τ.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import blas

from chainrule._contracts import Array
from chainrule.training.optimizers.line_search import WolfeSearch
from chainrule.training.optimizers.problem import Problem

NO_CURVATURE = 1e-14  # yᵀs relative to ‖y‖ ‖s‖, below which a step has taught nothing


@dataclass(frozen=True)
class Broyden:
    """The self-scaled Broyden method with a dense inverse Hessian and a Wolfe search."""

    search: WolfeSearch = field(default_factory=WolfeSearch)
    name = "broyden"

    def run(
        self, problem: Problem, theta: Array, memory: tuple[Array, Array | None] | None = None
    ) -> tuple[Array, Array | None] | None:
        """Minimize until a rule says stop or nothing lower is found."""
        B: Array | None = None  # the inverse Hessian, unknown at first
        if memory is not None:
            theta, B = memory[0], None if memory[1] is None else memory[1].copy()
        scale = problem.scale
        g = problem.evaluate(theta)[1] / scale
        while True:
            direction = -g if B is None else -(B @ g)
            first = min(1.0, 1.0 / float(np.linalg.norm(g))) if B is None else 1.0

            def phi(alpha: float, at: Array = theta, p: Array = direction) -> tuple[float, float]:
                J, gradient = problem.evaluate(at + alpha * p)
                return J / scale, float(gradient @ p) / scale

            alpha = self.search(phi, first)
            if alpha is None:
                if B is None:
                    return None
                B = None  # an inverse Hessian gone bad: the steepest way is still open
                continue
            s, before = alpha * direction, g
            theta = theta + s
            g = problem.evaluate(theta)[1] / scale
            B = updated(B, s, g - before, -alpha * float(s @ before))
            if problem.accept(theta):
                return theta, B


def updated(B: Array | None, s: Array, y: Array, curvature: float) -> Array | None:
    """Return the inverse Hessian after a step s along which the gradient changed by y.

    The one before is overwritten.

    Parameters
    ----------
    B : ndarray (p, p) or None
        The one before; None if nothing was known.
    s, y : ndarray (p,)
    curvature : float
        sᵀB⁻¹s, which a line search knows without B⁻¹.

    Returns
    -------
    ndarray (p, p) or None
        B itself, if the step taught nothing. The result satisfies B y = s.
    """
    p, ys = len(s), float(y @ s)
    if not ys > NO_CURVATURE * float(np.linalg.norm(y) * np.linalg.norm(s)):
        return B
    if B is None:
        B = ys / float(y @ y) * np.eye(p)
        theta, tau = 0.0, 1.0
        a, turned = 0.0, B @ y
        stretch = float(y @ turned)
    else:
        turned = B @ y
        stretch = float(y @ turned)
        a, theta, tau = _mixture(stretch / ys, curvature / ys, p)
    phi = (1.0 - theta) / (1.0 + a * theta)
    # with t = By: [B - t tᵀ / yᵀt + φ yᵀt v vᵀ] / τ + s sᵀ / yᵀs, v = s / yᵀs - t / yᵀt, written in
    # the two vectors s and t, so that B is passed over as few times as can be
    pair = np.column_stack([s, turned])
    cross = -phi / (ys * tau)
    mixed = np.array(
        [
            [phi * stretch / (ys * ys * tau) + 1.0 / ys, cross],
            [cross, (phi - 1.0) / (stretch * tau)],
        ]
    )
    both = mixed @ pair.T
    if not (np.all(np.isfinite(pair)) and np.all(np.isfinite(both))):
        return None
    # one pass over B, in place; it is symmetric, so that its transpose will do
    new: Array = blas.dgemm(1.0, pair, both, 1.0 / tau, B.T, overwrite_c=True).T
    return new


def _mixture(h: float, b: float, p: int) -> tuple[float, float, float]:
    """Return a, θ and τ from h = yᵀBy / yᵀs and b = sᵀB⁻¹s / yᵀs."""
    a = b * h - 1.0
    if not (a > 0.0 and b > 0.0 and p > 1):
        return 0.0, 0.0, 1.0
    c = np.sqrt(a / (1.0 + a))
    rho = min(1.0, h / ((1.0 + c) * (1.0 + a)))  # 1 - c = 1 / ((1 + c) (1 + a)), not cancelled
    theta = max((rho - 1.0) / a, min(1.0 / rho, (1.0 - b) / b))
    sigma = 1.0 + theta * a
    root = abs(sigma) ** (1.0 / (1.0 - p))
    size = min(1.0, 1.0 / b)
    tau = min(size * root, sigma) if theta <= 0.0 else size * min(root, 1.0 / theta)
    return (a, theta, tau) if np.isfinite(tau) and tau > 0.0 else (a, 0.0, 1.0)
