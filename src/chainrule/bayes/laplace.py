"""Laplace approximation of the evidence, and its exact gradient.

    p(y | θ, β)   noise of variance 1/β where the loss is a square, else the loss itself, β = 1
    p(θ | α)      weights of group c are drawn from N(0, 1/α_c); those of no group from anywhere
    M(θ) = β E_D + ½ Σ α θ²       E_D the cost of the data, so that J = M / β with decay α / β

Around its minimum M is taken as a parabola (MacKay 1992, Neural Computation 4:415 and 4:448), with
A = β G + diag α, G the Gauss-Newton matrix:

    ln p(y | α, β) = -M - ½ ln |A| + ½ Σ_c P_c ln α_c + ½ N ln (β / 2π) + constant
    γ_c = P_c - α_c tr_c A⁻¹      how many of the P_c weights of a group the data determine

The constant, ½ ln 2π for each weight of no group, is left out; the last term too, where β is 1.

MacKay's updates α_c = γ_c / Σ θ² set the slope of this to 0 as if neither the minimum nor A moved.
But both move with α, and the fixed point can lie far below the highest evidence. Here the slope is
exact: that of ln |A| along the way of the minimum, dθ/d ln α_c = -H⁻¹ (α θ)_c, is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from chainrule._contracts import Array

JITTER = 1e-13  # of the mean of the diagonal of A, added to it
STEEP = 1e3  # of the trace of A
CG_TOLERANCE, CG_PRODUCTS = 1e-4, 30  # of conjugate gradients


@dataclass(frozen=True, eq=False)
class Priors:
    """Which weights share a prior.

    Attributes
    ----------
    names : tuple of str
        Of the groups.
    of : ndarray of int (p,)
        The group of each entry of θ, -1 for none.
    """

    names: tuple[str, ...]
    of: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.names)

    def sums(self, values: Array) -> Array:
        """Return the sum of values, (p,) or (p, m), over each group."""
        total = np.zeros((len(self) + 1, *values.shape[1:]))
        np.add.at(total, self.of, values)
        return total[:-1]

    def spread(self, values: Array) -> Array:
        """Return for each entry of θ the value of its group, 0 for those of none, (p,)."""
        return np.append(values, 0.0)[self.of]


@dataclass(frozen=True, eq=False)
class Laplace:
    """What is known of the weights for given α and β.

    Attributes
    ----------
    log_evidence : float
    gamma : ndarray (groups,)
        How many weights of each group the data determine.
    n_effective : float
        γ: all of them, with those of no group.
    covariance : ndarray (p, p)
        A⁻¹, of the weights.
    cost : float
        J there.
    """

    log_evidence: float
    gamma: Array
    n_effective: float
    covariance: Array
    cost: float


def laplace(
    objective: Any,
    theta: Array,
    priors: Priors,
    beta: float,
    n_numbers: float,
) -> Laplace:
    """Return the Laplace approximation around a minimum of the objective.

    Parameters
    ----------
    objective : Objective
        Whose decay is α / β.
    theta : ndarray (p,)
        The minimum.
    priors : Priors
    beta : float
        1 where the loss is the logarithm of a probability.
    n_numbers : float
        N, how many numbers were measured; 0 where β is 1 by nature.

    Raises
    ------
    LinAlgError
        If A is not positive definite.
    """
    J, _, H = objective.evaluate(theta, 2)
    alpha = beta * objective.decay
    free = ~objective.is_held(theta)
    gauge = _gauge(objective)
    covariance, log_determinant = _inverse(_of_free(beta * H + gauge, free))
    covariance -= gauge
    covariance[~free] = 0.0  # a weight that is held is known
    determined = free - alpha * np.diag(covariance)
    drawn = alpha[(priors.of >= 0) & free]
    log_evidence = 0.5 * float(np.log(drawn).sum()) - beta * J - 0.5 * log_determinant
    if n_numbers:
        log_evidence += 0.5 * n_numbers * float(np.log(beta / (2.0 * np.pi)))
    return Laplace(log_evidence, priors.sums(determined), float(determined.sum()), covariance, J)


def slope(
    objective: Any,
    theta: Array,
    priors: Priors,
    beta: float,
    n_numbers: float,
    known: Laplace,
    exact: Array | None = None,
) -> Array:
    """Return the slope of the log evidence with ln α, and with ln β where that is not 1.

    Parameters
    ----------
    objective, theta, priors, beta, n_numbers
        As `laplace` took them.
    known : Laplace
        What it made of them.
    exact : ndarray (p, p), optional
        The Hessian of the objective, if it is known.
    """
    pull = beta * objective.decay * theta
    of_data = beta * known.cost - 0.5 * float(pull @ theta)
    of_alpha = 0.5 * (known.gamma - priors.sums(pull * theta))
    rise = np.append(of_alpha, 0.5 * (n_numbers - known.n_effective) - of_data)
    pull = pull * ~objective.is_held(theta)
    rise -= _of_determinant(objective, theta, priors, beta, known.covariance, pull, exact)
    return rise if n_numbers else rise[:-1]


def inverse_root(objective: Any, theta: Array) -> Array:
    """Return R with (G + D)⁻¹ = R Rᵀ, G + D the Gauss-Newton matrix of the cost with its penalty.

    Upper triangular, (p, p); rows of weights that are held are 0.

    Raises
    ------
    LinAlgError
        If G + D is not positive definite.
    """
    free, H = ~objective.is_held(theta), objective.evaluate(theta, 2).H
    # along what the cost does not see, so steep that it adds nothing to the errors of weights
    A = _of_free(H + STEEP * float(np.trace(H)) * _gauge(objective), free)
    root: Array = linalg.solve_triangular(_factor(A), np.eye(len(A)), check_finite=False)
    root[~free] = 0.0
    return root


def _of_determinant(
    objective: Any,
    theta: Array,
    priors: Priors,
    beta: float,
    covariance: Array,
    pull: Array,
    exact: Array | None,
) -> Array:
    """Return the slope of ½ ln |A| that comes of the minimum moving, (groups + 1,)."""
    moves = objective.slope_of_log_determinant(theta, beta, covariance)
    if exact is None and objective.hessian_costs_little:
        exact = objective.hessian(theta)
    if exact is None:
        along = _solved(objective, theta, beta, moves, covariance)
    else:
        try:
            factor = linalg.cho_factor(beta * exact + _gauge(objective), check_finite=False)
            along = linalg.cho_solve(factor, moves, check_finite=False)
        except linalg.LinAlgError:  # not quite a minimum: Gauss-Newton is near enough
            along = covariance @ moves
    by_group = priors.sums(pull * along)
    return np.append(-by_group, float(pull @ along))


def _solved(objective: Any, theta: Array, beta: float, moves: Array, covariance: Array) -> Array:
    """Return H⁻¹ times a vector by conjugate gradients, H known by its products only."""
    from scipy.sparse import linalg as sparse  # late: loading it takes longer than most fits

    p = len(theta)
    exact = sparse.LinearOperator((p, p), lambda v: beta * objective.hessian_product(theta, v))
    along, _ = sparse.cg(exact, moves, rtol=CG_TOLERANCE, maxiter=CG_PRODUCTS, M=covariance)
    return np.asarray(along)


def _of_free(A: Array, free: NDArray[np.bool_]) -> Array:
    """Return A for weights that are free; with a variance of 1 for the others, by themselves."""
    if free.all():
        return A
    A = np.where(free & free[:, None], A, 0.0)
    A[~free, ~free] = 1.0
    return A


def _gauge(objective: Any) -> Array:
    """Return a curvature of 1 along the direction that the cost does not see, (p, p), or 0.

    Nothing depends on where the weights are along it; A⁻¹ has the same 1 there, to be taken out.
    """
    direction = objective.gauge
    return np.zeros(1) if direction is None else np.outer(direction, direction)


def _inverse(A: Array) -> tuple[Array, float]:
    """Return A⁻¹ and ln |A|."""
    factor = _factor(A)
    upper, _ = linalg.lapack.dpotri(factor, lower=0)
    inverse = upper + np.triu(upper, 1).T
    return np.asarray(inverse), 2.0 * float(np.log(np.diag(factor)).sum())


def _factor(A: Array) -> Array:
    """Return the upper triangular U with A = Uᵀ U."""
    A = A.copy()
    A[np.diag_indices_from(A)] += JITTER * float(np.trace(A)) / len(A)
    factor, failed = linalg.lapack.dpotrf(A, lower=0, clean=1, overwrite_a=1)
    if failed:
        raise linalg.LinAlgError("the curvature is not positive")
    return np.asarray(factor)
