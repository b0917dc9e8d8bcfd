"""Second derivatives: exact where that costs little, else by differences of the exact gradient.

Nothing here trains; it serves to examine where training has ended, and must not take longer
than the training did. Central differences have errors of about 1e-10 of the largest entry,
and what is smaller than 1e-8 of it is taken for zero.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from chainrule._contracts import Array, ObjectiveProtocol

Product = Callable[[Array], Array]

# curvature, relative to the largest, that counts as none
FLAT_CURVATURE = 1e-8
SEARCH = 60  # products with H to look for the lowest curvature
FEW = 20_000  # rows times weights, for which a slow exact product is fast enough
ALWAYS = 200  # weights: all curvature is computed up to here, beyond if it costs little
MOST_WEIGHTS_FOR_EIGENVALUES = 1_000  # beyond, only products with the Hessian are formed
MOST_ROWS_TIMES_WEIGHTS = 20_000_000  # beyond, products with the Hessian take longer than the fit
SMALL = 200  # weights: with no more, all eigenvalues are found as fast as one


def hessian(objective: ObjectiveProtocol, theta: Array) -> Array:
    """Return d²J/dθ², (p, p)."""
    exact: Callable[[Array], Array] | None = getattr(objective, "hessian", None)
    if exact is not None and _fast_enough(objective, theta):
        return exact(theta)
    product = hessian_product(objective, theta)
    H = np.array([product(e) for e in np.eye(len(theta))])
    return np.asarray(0.5 * (H + H.T))


def hessian_is_affordable(objective: ObjectiveProtocol, p: int) -> bool:
    """Return whether all curvature is to be known, and not only the lowest that is found."""
    if p <= ALWAYS:
        return True
    little = getattr(objective, "hessian_costs_little", False)
    cost = 1 if little else p * _numbers(objective)
    return p <= MOST_WEIGHTS_FOR_EIGENVALUES and 0 < cost <= MOST_ROWS_TIMES_WEIGHTS


def lowest_curvature(objective: ObjectiveProtocol, theta: Array) -> tuple[float, Array]:
    """Return the lowest curvature that a short search finds, and its direction.

    Lanczos iterations with full reorthogonalization, which need products with H only (Golub
    & Van Loan 2013, alg. 10.1.1 and sec. 10.3.5). What is returned is the curvature along
    that direction, so that a negative one is proof; a lower one may exist. One that is zero
    to rounding is returned as 0, one that cannot be computed as NaN.
    """
    product = hessian_product(objective, theta)
    v = np.random.default_rng(0).standard_normal(len(theta))
    basis = np.zeros((0, len(theta)))
    images = np.zeros((0, len(theta)))
    for _ in range(min(SEARCH, len(theta))):
        basis = np.vstack([basis, v / np.linalg.norm(v)])
        images = np.vstack([images, product(basis[-1])])
        if not np.all(np.isfinite(images[-1])):
            return np.nan, v
        v = images[-1]
        for _ in range(2):  # once is not enough
            v = v - basis.T @ (basis @ v)
        if not np.linalg.norm(v) > FLAT_CURVATURE * np.linalg.norm(images[-1]):
            break
    projected = basis @ images.T
    values, vectors = np.linalg.eigh(0.5 * (projected + projected.T))
    nothing = abs(values[0]) <= FLAT_CURVATURE * np.max(np.abs(values))
    return (0.0 if nothing else float(values[0])), basis.T @ vectors[:, 0]


def lowest_eigenvalue(H: Array, inverse: Product) -> float:
    """Return the lowest eigenvalue of H, positive, by way of v -> H⁻¹ v."""
    p = len(H)
    if p > SMALL:
        from scipy.sparse import linalg  # late: loading it takes longer than most fits

        A = linalg.LinearOperator((p, p), matvec=inverse, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(p)
        try:
            largest = linalg.eigsh(A, 1, which="LA", v0=start, tol=1e-3, return_eigenvectors=False)
            return 1.0 / float(largest[0])
        except linalg.ArpackError:
            pass
    return float(np.linalg.eigvalsh(H)[0])


def hessian_product(objective: ObjectiveProtocol, theta: Array) -> Product:
    """Return v -> H v."""
    exact: Callable[[Array, Array], Array] | None = getattr(objective, "hessian_product", None)
    if exact is not None and _few(objective, theta):
        return partial(exact, theta)
    return _product_by_differences(objective, theta)


def _fast_enough(objective: ObjectiveProtocol, theta: Array) -> bool:
    little = getattr(objective, "hessian_costs_little", False)
    return bool(little) or _few(objective, theta)


def _few(objective: ObjectiveProtocol, theta: Array) -> bool:
    return len(theta) * _numbers(objective) <= FEW


def _numbers(objective: ObjectiveProtocol) -> int:
    numbers, _ = getattr(objective, "size", (0, False))
    return int(numbers)


def _product_by_differences(objective: ObjectiveProtocol, theta: Array) -> Product:
    def product(v: Array) -> Array:
        v = np.asarray(v).ravel()
        # eps^(1/3): where truncation and rounding of a central difference balance
        h = 6e-6 * max(1.0, float(np.max(np.abs(theta)))) / max(float(np.max(np.abs(v))), 1e-300)
        up, down = objective.evaluate(theta + h * v, 1).g, objective.evaluate(theta - h * v, 1).g
        assert up is not None
        assert down is not None
        return np.asarray((up - down) / (2 * h))

    return product
