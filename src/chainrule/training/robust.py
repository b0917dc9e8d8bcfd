"""Rows that are far off count less: noise with the heavy tails of Student's t.

The logarithm of t's density has the slope of a square that is weighted by (ν + 1) / (ν + r²/σ²),
so that weights and fit are found in turn (Lange, Little & Taylor 1989, JASA 84:881). The degrees of
freedom ν and the scale σ are those for which the residuals are most probable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from chainrule._contracts import Array
from chainrule.training import bayes
from chainrule.training.objective import Objective

LEAST_SCALE = 1e-3  # of the root mean square error
ROUNDS, SAME = 20, 1e-3
STUDENT = "student"
LEAST_DEGREES, MOST_DEGREES = 1.0, 100.0  # beyond, t is as good as normal


@dataclass(frozen=True, eq=False)
class HeavyTails:
    """Noise as Student's t.

    Attributes
    ----------
    weights : ndarray (n,)
        What each row counts, 1 for one that is as near as most.
    degrees : float
        ν.
    scale : ndarray (K,)
        σ of each target.
    most : float
        What most rows would count by the equation, which is 1 here.
    theta : ndarray (p,)
        The minimum whose errors they are of.
    """

    weights: Array
    degrees: float
    scale: Array
    most: float
    theta: Array

    def as_dict(self) -> dict[str, Any]:
        """Return what is known of them as plain data."""
        return {
            "degrees": self.degrees,
            "scale": self.scale.tolist(),
            "most": self.most,
            "theta": self.theta.tolist(),
        }

    @property
    def variance(self) -> Array:
        """Of a Gaussian that holds as much within one standard deviation, (K,): t may have none."""
        return np.asarray((self.scale * stats.t.ppf(stats.norm.cdf(1.0), self.degrees)) ** 2)

    @property
    def inefficiency(self) -> float:
        """How much larger the variance of the weights is than the sum of squares says."""
        return inefficiency(self.degrees)


def heavy_tails(objective: Objective, theta: Array) -> HeavyTails:
    """Return what rows count, found in turn with the minimum near a point.

    Parameters
    ----------
    objective : Objective
        Of a squared loss, with its penalty.
    theta : ndarray (p,)
    """
    weights = np.ones(len(objective.w))
    degrees = MOST_DEGREES
    for _ in range(ROUNDS):
        errors = objective.net.forward(theta, objective.X).y_hat - np.asarray(objective.Y)
        scale = np.array([_scale_and_degrees(column, objective.w)[0] for column in errors.T])
        scale = np.maximum(scale, LEAST_SCALE * np.sqrt(np.mean(errors**2, axis=0)))
        degrees = _scale_and_degrees((errors / scale).ravel(), np.repeat(objective.w, len(scale)))[
            1
        ]
        before = weights
        weights = counted(errors, degrees, scale)
        most = _quantile(weights, 0.75, objective.w)
        weights = weights / most
        of_theta = theta
        if np.abs(weights - before).max() < SAME:
            break
        theta = bayes.settled(replace(objective, sample_weight=objective.w * weights), theta)
    return HeavyTails(weights, degrees, scale, most, of_theta)


def inefficiency(degrees: float) -> float:
    """Return one over the Fisher information of t: Lange, Little & Taylor (1989), app. B."""
    return (degrees + 3.0) / (degrees + 1.0)


def counted(errors: Array, degrees: float, scale: Array) -> Array:
    """Return what rows count with errors (n, K): (ν + K) / (ν + Σ (r/σ)²)."""
    squares = np.sum((errors / scale) ** 2, axis=1)
    return np.asarray((degrees + len(scale)) / (degrees + squares))


def _scale_and_degrees(errors: Array, w: Array) -> tuple[float, float]:
    """Return σ and ν for which errors are most probable."""
    size = _quantile(np.abs(errors), 0.5, w) or float(np.abs(errors).mean()) or 1.0

    def cost(logs: Array) -> float:
        scale, nu = np.exp(logs)
        gamma = special.gammaln(0.5 * (nu + 1.0)) - special.gammaln(0.5 * nu)
        height = gamma - 0.5 * np.log(np.pi * nu) - logs[0]
        tails = 0.5 * (nu + 1.0) * np.log1p((errors / (scale * size)) ** 2 / nu)
        return float(w @ (tails - height))

    bounds = [(-5.0, 5.0), (np.log(LEAST_DEGREES), np.log(MOST_DEGREES))]
    found = optimize.minimize(cost, [0.4, np.log(5.0)], method="L-BFGS-B", bounds=bounds)
    return float(np.exp(found.x[0])) * size, float(np.exp(found.x[1]))


def _quantile(values: Array, level: float, w: Array) -> float:
    """Return the lowest value that so much of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(w[order])
    return float(values[order[np.searchsorted(below, level * below[-1])]])
