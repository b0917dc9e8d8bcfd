"""Student-t noise: rows with large residuals count less.

The logarithm of t's density has the slope of a square that is weighted by (ν + 1) / (ν + r²/σ²),
so that weights and fit are found in turn (Lange, Little & Taylor 1989, JASA 84:881). The degrees of
freedom ν and the scale σ are those for which the residuals are most probable; what is farther off
than `WILD` scales is taken to be that far, so that one row of any size says no more of ν than that.

In turn is not enough where rows are so far off that the first fit follows them: it begins with what
targets count by their distance from the median (`robust_weights`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from chainrule._cancellation import Cancellation
from chainrule._contracts import Array
from chainrule.bayes import empirical_bayes
from chainrule.bayes.default_alpha import NOISE_IF_UNKNOWN
from chainrule.bayes.laplace import inverse_root
from chainrule.bayes.posterior import spread_of_rows
from chainrule.bayes.priors import priors_of, usual
from chainrule.heart.initialisation import Starts
from chainrule.objectives.objective import Objective
from chainrule.tables.scaling import TO_DEVIATION, fit_robust_scaling, quantile

LEAST_SCALE = 0.5  # of the targets, for one row: N rows cannot tell less than that over N
WILD = 20.0  # median errors
SUSPICIOUS = 10.0  # median errors of fits without a row, or scales of the targets
NOT_FAR = 1.5  # scales of the targets
FAR_OFF = 15.0  # standard deviations of the errors of the first fit
# scales, within which targets and errors are no surprise
NO_SURPRISE, NO_SURPRISING_ERROR = 3.0, 1.5
FIRST_STARTS, FIRST_ROUNDS, SAME_SCALE = 3, 10, 0.02  # of the first robust fit; a relative change
FIRST_SCALE = 0.1  # of that of the targets: less is not believed of the errors of a first fit
FIRST_DEGREES = 2.0  # of freedom: heavy tails, and a scale all the same
MOST_ITERATIONS_OF_FIRST = 100  # of the optimizer, in every round of the first fit
# of fit and weights in turn, until no weight moves by more
ROUNDS_OF_WEIGHTS, SAME_WEIGHTS = 20, 1e-3
STUDENT = "student"
LEAST_DEGREES, MOST_DEGREES = 1.0, 100.0  # beyond, t is as good as normal


@dataclass(frozen=True, eq=False)
class StudentTNoise:
    """Noise as Student's t.

    Attributes
    ----------
    weights : ndarray (n,)
        What each row counts: (ν + K) / (ν + Σ r²/σ²) over its K targets, of mean 1 for such noise.
    degrees : float
        ν.
    scale : ndarray (K,)
        σ of each target.
    theta : ndarray (p,)
        The minimum whose errors they are of.
    """

    weights: Array
    degrees: float
    scale: Array
    theta: Array

    @property
    def variance(self) -> Array:
        """Of a Gaussian that holds as much within one standard deviation, (K,): t may have none."""
        from scipy import special  # late: loading it takes longer than most fits

        return np.asarray((self.scale * special.stdtrit(self.degrees, special.ndtr(1.0))) ** 2)

    @property
    def inefficiency(self) -> float:
        """How much larger the variance of the weights is than the sum of squares says."""
        return inefficiency(self.degrees)


def fit_student_t(
    objective: Objective,
    theta: Array,
    row_weight_unit: float = 1.0,
    cancellation: Cancellation | None = None,
) -> StudentTNoise:
    """Return what rows count, found in turn with the minimum near a point.

    Parameters
    ----------
    objective : Objective
        Of a squared loss, with its penalty.
    theta : ndarray (p,)
    row_weight_unit : float
        The weight that counts as one row: see `default_alpha`.
    cancellation : Cancellation, optional
        When it ends this, what has been found is taken.
    """
    cancellation = cancellation or Cancellation()
    weights, w = np.ones(len(objective.w)), objective.w / row_weight_unit
    degrees = MOST_DEGREES
    least = LEAST_SCALE / w.sum() * fit_robust_scaling(objective.targets, w).scale
    for _ in range(ROUNDS_OF_WEIGHTS):
        errors = objective.errors(theta)
        # what a row has done to its own prediction makes its error look smaller than it is
        leverage = _leverage(objective.with_weights(objective.w * weights), theta, row_weight_unit)
        scale = TO_DEVIATION * np.array([quantile(np.abs(of), 0.5, w) for of in errors.T])
        sizes = np.hypot(errors, scale * np.sqrt(leverage)[:, None])
        scale = np.array([_scale_and_degrees(column, w)[0] for column in sizes.T])
        scale = np.maximum(scale, least)
        degrees = _scale_and_degrees((sizes / scale).ravel(), np.repeat(w, len(scale)))[1]
        before = weights
        weights = student_t_weights(errors, degrees, scale)
        of_theta = theta
        if np.abs(weights - before).max() < SAME_WEIGHTS or cancellation.reason:
            break
        now = objective.with_weights(objective.w * weights)
        theta = empirical_bayes.refine(now, theta, cancellation=cancellation)
    return StudentTNoise(weights, degrees, scale, of_theta)


def robust_weights(
    objective: Objective,
    seed: int,
    row_weight_unit: float = 1.0,
    cancellation: Cancellation | None = None,
) -> Array:
    """Return what rows count by a first fit that rows far off cannot lead astray, (n,).

    It begins with the distance of each target from the median, in median distances: this bounds
    what a row can do before anything is fitted. Then weights and fit are found in turn, from
    several starts, with few degrees of freedom and the usual penalty; the most probable is kept.

    Parameters
    ----------
    objective : Objective
        Of a squared loss, with any penalty: it is not looked at.
    seed : int
        Of the starts.
    row_weight_unit : float
        The weight that counts as one row: see `default_alpha`.
    cancellation : Cancellation, optional
        When it ends this, what has been found is taken.
    """
    cancellation = cancellation or Cancellation()
    net, Y, w = objective.net, objective.targets, objective.w / row_weight_unit
    scaling = fit_robust_scaling(Y, w)
    of_targets = np.where(scaling.ignored, 1.0, scaling.scale)
    near = np.clip(
        Y, scaling.center - NO_SURPRISE * of_targets, scaling.center + NO_SURPRISE * of_targets
    )
    noise = NOISE_IF_UNKNOWN * float(np.mean(of_targets**2))
    priors = priors_of(net)
    penalty = noise * priors.spread(
        usual(objective.with_rows(objective.rows.retargeted(near)), priors)
    )
    best, least = np.ones(len(w)), np.inf
    for theta in objective.admitted(Starts(net, seed).take(FIRST_STARTS)):
        errors, scale = Y - scaling.center, of_targets
        for _ in range(FIRST_ROUNDS):
            weights = student_t_weights(errors, FIRST_DEGREES, scale)
            now = objective.with_weights(objective.w * weights).with_decay(
                row_weight_unit * penalty
            )
            theta = empirical_bayes.refine(
                now, theta, MOST_ITERATIONS_OF_FIRST, cancellation=cancellation
            )
            errors, before = objective.errors(theta), scale
            size = [quantile(np.abs(column), 0.5, w) for column in errors.T]
            scale = np.maximum(TO_DEVIATION * np.array(size), FIRST_SCALE * of_targets)
            if np.abs(np.log(scale / before)).max() < SAME_SCALE or cancellation.reason:
                break
        weights = student_t_weights(errors, FIRST_DEGREES, scale)
        # minus the logarithm of t's density, and of what is usual for the weights
        tails = -0.5 * (FIRST_DEGREES + len(scale)) * float(w @ np.log(weights))
        cost = tails + float(w.sum() * np.log(scale).sum() + 0.5 * penalty @ theta**2 / noise)
        if cost < least:
            # whole where they are near, so that no row that says what others say is given up
            off = np.mean((errors / scale) ** 2, axis=1)
            best, least = 1.0 / np.maximum(1.0, off / NO_SURPRISING_ERROR**2), cost
    return best


def find_outliers(
    objective: Objective, errors: Array, seed: int, row_weight_unit: float = 1.0
) -> Array:
    """Return how far the targets of rows are off, in standard deviations, 0 for most, (n,).

    A row is far off if its target is far from most, or from what a fit without it predicts, and
    from the first fit, which it cannot lead. The errors alone cannot say which row is to blame, as
    the fits without other rows have seen it.

    Parameters
    ----------
    objective : Objective
        Whose rows count as they are given.
    errors : ndarray (n, K)
        Of fits without each row, in the scale of the network.
    seed, unit
        As `robust_weights` takes them.
    """
    none = np.zeros(len(objective.w))
    if (objective.net.output, objective.net.loss) != ("identity", "squared"):
        return none
    usual = np.array([quantile(np.abs(column), 0.5, objective.w) for column in errors.T])
    targets = objective.targets
    scaling = fit_robust_scaling(targets, objective.w)
    # where there is no noise the hardest rows are far more than usual, but not far off
    suspicious = np.abs(errors) > np.maximum(SUSPICIOUS * usual, NOT_FAR * scaling.scale)
    suspicious |= np.abs(scaling.transform(targets)) > SUSPICIOUS
    if not suspicious.any():
        return none
    counts = robust_weights(objective, seed, row_weight_unit)
    off = NO_SURPRISING_ERROR / np.sqrt(np.maximum(counts, np.finfo(np.float64).tiny))
    return np.where(suspicious.any(axis=1) & (off > FAR_OFF), off, 0.0)


def _leverage(objective: Objective, theta: Array, row_weight_unit: float) -> Array:
    """Return how far a row as heavy as most would decide its own prediction, (n,), from 0 to 1.

    0 where that is not known.
    """
    if objective.net.n_parameters > empirical_bayes.MOST_WEIGHTS_FOR_EVIDENCE:
        return np.zeros(len(objective.w))
    try:
        root = inverse_root(objective, theta)
    except linalg.LinAlgError:
        return np.zeros(len(objective.w))
    _, S = spread_of_rows(objective.net, theta, root, objective.rows)
    return np.asarray(np.clip(row_weight_unit * np.einsum("nkk->n", S) / S.shape[1], 0.0, 1.0))


def inefficiency(degrees: float) -> float:
    """Return one over the Fisher information of t: Lange, Little & Taylor (1989), app. B."""
    return (degrees + 3.0) / (degrees + 1.0)


def student_t_weights(errors: Array, degrees: float, scale: Array) -> Array:
    """Return what rows count with errors (n, K): (ν + K) / (ν + Σ (r/σ)²)."""
    squares = np.sum((errors / scale) ** 2, axis=1)
    return np.asarray((degrees + len(scale)) / (degrees + squares))


def _scale_and_degrees(errors: Array, w: Array) -> tuple[float, float]:
    """Return σ and ν for which errors are most probable."""
    from scipy import optimize, special  # late: loading it takes longer than most fits

    size = quantile(np.abs(errors), 0.5, w) or float(np.abs(errors).mean()) or 1.0
    errors = np.clip(errors, -WILD * size, WILD * size)

    def cost(logs: Array) -> float:
        scale, nu = np.exp(logs)
        gamma = special.gammaln(0.5 * (nu + 1.0)) - special.gammaln(0.5 * nu)
        height = gamma - 0.5 * np.log(np.pi * nu) - logs[0]
        tails = 0.5 * (nu + 1.0) * np.log1p((errors / (scale * size)) ** 2 / nu)
        return float(w @ (tails - height))

    bounds = [(-5.0, 5.0), (np.log(LEAST_DEGREES), np.log(MOST_DEGREES))]
    found = optimize.minimize(cost, [0.4, np.log(5.0)], method="L-BFGS-B", bounds=bounds)
    return float(np.exp(found.x[0])) * size, float(np.exp(found.x[1]))
