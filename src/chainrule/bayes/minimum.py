"""One minimum with its curvature: covariance of the weights, leverages, noise variance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from chainrule._cancellation import Cancellation
from chainrule._contracts import Array
from chainrule.bayes.default_alpha import LEAST_SHARE
from chainrule.bayes.laplace import inverse_root
from chainrule.bayes.leverage import RowInfluence, influence
from chainrule.bayes.loo import loo
from chainrule.objectives.objective import Objective

ROUNDED_LEVERAGE = 1e-3  # of a leverage


@dataclass(frozen=True, eq=False)
class Minimum:
    """One of those that predict together: R, what rows do to it, the variance of the noise."""

    theta: Array
    root: Array
    rows: RowInfluence
    variance: float

    def without(
        self,
        objective: Objective,
        unit_weight: Array,
        rows: NDArray[np.intp],
        cancellation: Cancellation,
    ) -> Minimum:
        """Return it with fits without each of some rows."""
        found = loo(objective, self.theta, unit_weight, self.root, self.rows, rows, cancellation)
        return replace(self, rows=found)


@dataclass(frozen=True)
class NoiseScale:
    """In what the variance of the noise is measured.

    Attributes
    ----------
    row_weight_unit : float
        The weight that counts as one row: see `default_alpha`.
    least : float
        The variance that is assumed at least.
    inefficiency : float
        How much larger the variance of the weights is than the sum of squares says: more than 1
        for Student-t noise.
    """

    row_weight_unit: float = 1.0
    least: float = 0.0
    inefficiency: float = 1.0


def minimum_at(
    objective: Objective, theta: Array, root: Array | None, unit_weight: Array, scale: NoiseScale
) -> Minimum | None:
    """Return one minimum with its leverages and noise, None where its curvature is not positive."""
    net, w = objective.net, objective.w
    if root is None:
        return None
    try:
        rows = influence(
            net, theta, objective.rows.reweighted(unit_weight), root, scale.inefficiency
        )
    except linalg.LinAlgError:  # not finite
        return None
    if rows.leverage.min() < -ROUNDED_LEVERAGE or rows.max_leverage.max() > 1.0 + ROUNDED_LEVERAGE:
        return None  # a row of the fit has a leverage from 0 to 1: these are lost in rounding
    if net.loss != "squared":
        return Minimum(theta, root, rows, 1.0)
    n_numbers = float(w.sum()) / scale.row_weight_unit * net.layers[-1]
    free = max(n_numbers - float(w / unit_weight @ rows.leverage), LEAST_SHARE * n_numbers)
    error = 2.0 * objective.with_decay(np.zeros_like(theta)).cost(theta)
    error /= scale.row_weight_unit
    return Minimum(theta, root, rows, max(scale.least, scale.inefficiency * error / free))


def root_of(objective: Objective, theta: Array) -> Array | None:
    """Return R with (G + D)⁻¹ = R Rᵀ, 0 for weights that are held; None if there is none."""
    if not np.all(np.isfinite(theta)):
        return None
    try:
        return inverse_root(objective, theta)
    except linalg.LinAlgError:
        return None
