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
FLAT = 1e-8
RESTARTS = 5
FEW = 20_000  # rows times weights, for which a slow exact product is fast enough
SMALL = 200  # weights: with no more, all eigenvalues are found as fast as one


def hessian(objective: ObjectiveProtocol, theta: Array) -> Array:
    """Return d²J/dθ², (p, p)."""
    exact: Callable[[Array], Array] | None = getattr(objective, "hessian", None)
    if exact is not None and _fast_enough(objective, theta):
        return exact(theta)
    product = hessian_product(objective, theta)
    H = np.array([product(e) for e in np.eye(len(theta))])
    return np.asarray(0.5 * (H + H.T))


def lowest_curvature(objective: ObjectiveProtocol, theta: Array) -> tuple[float, Array]:
    """Return the lowest curvature that a short search finds, and its direction.

    Lanczos iterations, which need products with H only (Golub & Van Loan 2013, sec. 10.1).
    A curvature that is zero to the precision of the search is returned as 0, one that
    cannot be computed as NaN.
    """
    p, product = len(theta), hessian_product(objective, theta)
    start = np.random.default_rng(0).standard_normal(p)
    trial = product(start)
    if not trial.any() or not np.all(np.isfinite(trial)):
        return (0.0 if np.all(np.isfinite(trial)) else np.nan), start
    values, vectors = _ends(product, "BE", 2, start)
    if not len(values):
        return 0.0, start
    j = int(np.argmin(values))
    nothing = abs(values[j]) <= FLAT * np.max(np.abs(values))
    return (0.0 if nothing else float(values[j])), vectors[:, j]


def lowest_eigenvalue(H: Array, inverse: Product) -> float:
    """Return the lowest eigenvalue of H, positive, by way of v -> H⁻¹ v."""
    p = len(H)
    if p > SMALL:
        start = np.random.default_rng(0).standard_normal(p)
        largest, _ = _ends(inverse, "LA", 1, start, tol=1e-3)
        if len(largest) and largest[0] > 0.0:
            return 1.0 / float(largest[0])
    return float(np.linalg.eigvalsh(H)[0])


def _ends(
    product: Product, which: str, k: int, start: Array, tol: float = 1e-2
) -> tuple[Array, Array]:
    """Return those of k eigenvalues at the ends of the spectrum that are found, and vectors."""
    from scipy.sparse import linalg  # late: loading it takes longer than most fits

    p = len(start)
    A = linalg.LinearOperator((p, p), matvec=product, dtype=np.float64)
    options = {"v0": start, "ncv": min(p, 40), "tol": tol, "maxiter": RESTARTS}
    try:
        values, vectors = linalg.eigsh(A, min(k, p - 1), which=which, **options)
    except linalg.ArpackNoConvergence as partial:
        values, vectors = partial.eigenvalues, partial.eigenvectors
    except linalg.ArpackError:
        values, vectors = np.empty(0), np.empty((p, 0))
    return values, vectors


def hessian_product(objective: ObjectiveProtocol, theta: Array) -> Product:
    """Return v -> H v."""
    exact: Callable[[Array, Array], Array] | None = getattr(objective, "hessian_product", None)
    if exact is not None and len(theta) * _numbers(objective) <= FEW:
        return partial(exact, theta)
    return _product_by_differences(objective, theta)


def _fast_enough(objective: ObjectiveProtocol, theta: Array) -> bool:
    little = getattr(objective, "hessian_costs_little", False)
    return bool(little) or len(theta) * _numbers(objective) <= FEW


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
