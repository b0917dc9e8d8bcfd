"""Self-scaled Broyden: quasi-Newton that corrects the size of its inverse Hessian as it goes.

BFGS keeps whatever size its first guess of H⁻¹ had in the directions it has not yet
seen. Here each update first shrinks it by τ, and mixes the updates of BFGS and DFP by θ.

So steps are often too long by a factor that stays about the same from one to the next: the
curvature that B⁻¹ has along a step, over the one that was seen. The search begins with its
mean over the last steps instead of 1, which saves it a second trial in every other one.

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
from chainrule.optimize.line_search import WolfeSearch
from chainrule.optimize.problem import Problem

NEWEST = 0.2  # share of the last step in the length that is expected of the next
SHORTEST_PART = 0.1  # of that length
NO_CURVATURE = 1e-14  # yᵀs relative to ‖y‖ ‖s‖, below which a step has taught nothing


@dataclass(frozen=True, eq=False)
class Pending:
    """An update of B that the native core has not carried out yet, in the numbers it goes on with.

    Its arrays are padded to whole vectors, and of its B the upper triangle counts: the inverse
    Hessian is keep B + ss s sᵀ + st (s tᵀ + t sᵀ) + tt t tᵀ.
    """

    B: Array
    Bg: Array
    s: Array
    t: Array
    keep: float
    ss: float
    st: float
    tt: float
    length: float

    def inverse_hessian(self, p: int) -> Array:
        """Return the inverse Hessian, (p, p)."""
        s, t = self.s[:p], self.t[:p]
        upper = np.triu(self.B[:p, :p])
        B = self.keep * (upper + np.triu(upper, 1).T) + self.ss * np.outer(s, s)
        both = np.outer(s, t)
        return np.asarray(B + self.st * (both + both.T) + self.tt * np.outer(t, t))


@dataclass(frozen=True, eq=False)
class Memory:
    """What has been learned on the way to a point.

    Attributes
    ----------
    theta : ndarray (p,)
    B : ndarray (p, p) or None
        The inverse Hessian, if anything is known of it.
    length : float
        What is expected of the next step, as a share of -B g.
    pending : Pending or None
        The same as the native core has it.
    """

    theta: Array
    B: Array | None
    length: float
    pending: Pending | None = None


@dataclass(frozen=True)
class Broyden:
    """The self-scaled Broyden method with a dense inverse Hessian and a Wolfe search."""

    search: WolfeSearch = field(default_factory=WolfeSearch)
    name = "broyden"

    def run(self, problem: Problem, theta: Array, memory: Memory | None = None) -> Memory | None:
        """Minimize until a rule says stop or nothing lower is found."""
        B: Array | None = None
        length = 1.0
        if memory is not None:
            theta, length = memory.theta, memory.length
            B = None if memory.B is None else memory.B.copy()
        scale = problem.scale
        g = problem.evaluate(theta)[1] / scale
        while True:
            direction = -g if B is None else -(B @ g)
            first = min(1.0, 1.0 / float(np.linalg.norm(g))) if B is None else length

            def phi(alpha: float, at: Array = theta, p: Array = direction) -> tuple[float, float]:
                J, gradient = problem.evaluate(at + alpha * p)
                return J / scale, float(gradient @ p) / scale

            alpha = self.search(phi, first)
            if alpha is None:
                if B is None:
                    return None
                B, length = None, 1.0  # gone bad: the steepest way is still open
                continue
            s, before = alpha * direction, g
            theta = theta + s
            g = problem.evaluate(theta)[1] / scale
            y, curvature = g - before, -alpha * float(s @ before)
            if B is not None:
                length = expected(length, curvature, float(y @ s))
            B = updated(B, s, y, curvature)
            if problem.accept(theta):
                return Memory(theta, B, length)


def expected(length: float, curvature: float, ys: float) -> float:
    """Return the length to expect after one that should have been curvature / ys.

    Parameters
    ----------
    length : float
        The one expected so far.
    curvature, ys : float
        sᵀB⁻¹s and yᵀs.
    """
    if not ys > 0.0:
        return length
    newest = min(max(curvature / ys, SHORTEST_PART), 1.0)
    return float(length ** (1.0 - NEWEST) * newest**NEWEST)


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
