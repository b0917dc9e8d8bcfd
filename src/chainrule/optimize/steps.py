"""The damped step: minimize gᵀs + ½ sᵀHs + ½ λ ‖s‖², in the cheapest way.

Three ways for one answer. H itself is p x p; with fewer residuals than parameters a
system as large as the residuals is enough; and with residuals that depend on θ in very
unequal ways an orthogonal factorization keeps the digits that AᵀA loses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import linalg

from chainrule._contracts import Array, Residuals
from chainrule.optimize.damping import FIRST

# where nothing is known of how θ enters, the first steps are short (Moré 1978 has the same)
CAUTION = 100.0
KEPT = 0.5  # of the norm that a column had


class QuadraticModel(Protocol):
    """A quadratic model of the cost around a point."""

    @property
    def first_damping(self) -> float:
        """The first damping, relative to `size`."""

    @property
    def size(self) -> float:
        """The largest diagonal element of H: what damping is measured in."""

    def step(self, damping: float) -> Array | None:
        """Return the damped step s, (p,), or None if the damped H is not positive definite."""

    def predicted(self, s: Array, damping: float) -> float:
        """Return by how much the model falls along a step s that it gave."""


@dataclass(frozen=True)
class Normal:
    """The model from g, (p,), and H, (p, p): (H + λI) s = -g by Cholesky."""

    g: Array
    H: Array
    first_damping = FIRST

    @property
    def size(self) -> float:
        """The largest diagonal element of H."""
        return float(np.max(np.abs(np.diag(self.H)))) or 1.0

    def step(self, damping: float) -> Array | None:
        """Return s, or None if H + λI is not positive definite."""
        damped = self.H.copy()
        damped.flat[:: len(damped) + 1] += damping
        try:
            factor = linalg.cho_factor(damped, lower=False, overwrite_a=True, check_finite=False)
        except linalg.LinAlgError:
            return None
        s: Array = -linalg.cho_solve(factor, self.g, check_finite=False)
        return s if np.all(np.isfinite(s)) else None

    def predicted(self, s: Array, damping: float) -> float:
        """Return -gᵀs - ½ sᵀHs = ½ sᵀ(λs - g) for a step s that solves the system."""
        return 0.5 * float(s @ (damping * s - self.g))

    def fall(self, s: Array) -> float:
        """Return -gᵀs - ½ sᵀHs for any step s."""
        return -float(self.g @ s) - 0.5 * float(s @ (self.H @ s))


@dataclass(frozen=True)
class Wide:
    """The model from m < p residuals: a system of m equations instead of p.

    With D = diag(decay) + λI: s₀ = -D⁻¹ decay θ is what the penalty alone asks for, and
    s = s₀ - D⁻¹Aᵀ (I + A D⁻¹ Aᵀ)⁻¹ (r + A s₀)
    (the push-through identity; Golub & Van Loan 2013, sec. 2.1.4).
    """

    residuals: Residuals
    theta: Array
    g: Array
    first_damping = FIRST

    @property
    def size(self) -> float:
        """The largest diagonal element of AᵀA + diag(decay)."""
        squares = (self.residuals.A**2).sum(axis=0) + self.residuals.decay
        return float(np.max(squares)) or 1.0

    def step(self, damping: float) -> Array | None:
        """Return s, or None if the system cannot be solved."""
        r, A, decay = self.residuals.r, self.residuals.A, self.residuals.decay
        diagonal = decay + damping
        s_0 = -decay * self.theta / diagonal
        scaled = A / diagonal
        try:
            factor = linalg.cho_factor(scaled @ A.T + np.eye(len(r)), check_finite=False)
        except linalg.LinAlgError:
            return None
        s: Array = s_0 - scaled.T @ linalg.cho_solve(factor, r + A @ s_0, check_finite=False)
        return s if np.all(np.isfinite(s)) else None

    def predicted(self, s: Array, damping: float) -> float:
        """Return ½ sᵀ(λs - g)."""
        return 0.5 * float(s @ (damping * s - self.g))


@dataclass(frozen=True)
class Orthogonal:
    """The model from m ≥ p residuals, by QR, with every parameter in a unit of its own.

    ‖A s + r‖² + λ ‖C s‖², where C holds the norms of the columns of A, so that the steps do not
    depend on the units of the parameters (Moré 1978, Lecture Notes in Mathematics 630:105, sec.
    6). A norm may fall by half at a time only, so that a parameter that loses its influence does
    not run away; Moré never lets it fall, which one wild step early on spoils for good.
    """

    residuals: Residuals
    C: Array
    first_damping = CAUTION

    @classmethod
    def following(cls, before: QuadraticModel | None, residuals: Residuals) -> Orthogonal:
        """Return the model of these residuals, in the units of the one before if there is one."""
        norms = np.linalg.norm(residuals.A, axis=0)
        norms = np.maximum(norms, KEPT * before.C) if isinstance(before, Orthogonal) else norms
        return cls(residuals, np.where(norms > 0.0, norms, 1.0))

    @property
    def size(self) -> float:
        """1: the columns of A C⁻¹ have norm 1."""
        return 1.0

    def step(self, damping: float) -> Array | None:
        """Return s, or None if it is not finite."""
        r, A = self.residuals.r, self.residuals.A
        p = A.shape[1]
        stacked = np.vstack([A / self.C, np.sqrt(damping) * np.eye(p)])
        basis, triangle = linalg.qr(stacked, mode="economic", check_finite=False)
        try:
            u = linalg.solve_triangular(triangle, basis[: len(r)].T @ r, check_finite=False)
        except linalg.LinAlgError:
            return None
        s: Array = -u / self.C
        return s if np.all(np.isfinite(s)) else None

    def predicted(self, s: Array, damping: float) -> float:
        """Return ½ ‖As‖² + λ ‖Cs‖², which nothing cancels in (Moré 1978, eq. 4.4)."""
        of_model, of_damping = self.residuals.A @ s, self.C * s
        return 0.5 * float(of_model @ of_model) + damping * float(of_damping @ of_damping)
