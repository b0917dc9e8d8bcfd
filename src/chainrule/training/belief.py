"""From fits to what is known: the posterior of weights and noise, and every row without itself.

The noise is allowed to differ from row to row. A network with an exp output learns its precision
β(x): the log likelihood of a residual r is ½ ln β - ½ β r², which is that of Poisson's loss for the
target 1/r² with weight r²/2. Its penalty is found by the evidence, and the evidence says how large
it has to be, or that the noise is the same everywhere. Residuals are too small by what a row has
done to its own prediction, so that r times r without the row itself stands for r².
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.heart.network import Network
from chainrule.statistics.evidence import inverse_root
from chainrule.statistics.influence import HIGH, LEAST_LEFT, Influence, influence
from chainrule.statistics.posterior import (
    Noise,
    Posterior,
    Precision,
    Spread,
    moderated,
    thinned,
)
from chainrule.training import bayes
from chainrule.training.left_out import left_out, sample
from chainrule.training.objective import Objective
from chainrule.training.penalty import FEW_ROWS, LEAST_SHARE
from chainrule.training.priors import priors_of
from chainrule.training.robust import STUDENT, HeavyTails

NOISE = ("varying", "constant", STUDENT)
SIZES_OF_NOISE: tuple[tuple[int, ...], ...] = ((), (3,), (8,))
FEWEST_FOR_VARYING = 50
WORTH = 2.0  # nats that a larger network for the noise has to gain
ROUNDED = 1e-3  # of a leverage
LEAST_SQUARE = 1e-6  # of the mean square: residuals of 0 say nothing of a precision without end


@dataclass(frozen=True, eq=False)
class Belief:
    """What is known, and how it came about.

    Attributes
    ----------
    posterior : Posterior
    outputs : ndarray (n, K)
        What is predicted for each row, in the scale of the network.
    leverage, alone : ndarray (n,)
        Of each row, the mean over minima: see `Influence`.
    without : ndarray (n, K)
        What is predicted for each row by a fit without it, in the scale of the network.
    stands_for : ndarray (n,)
        For how many rows each of these stands: see `left_out`.
    distance : ndarray (n,)
        How far the weights move without the row, in standard deviations of what is known of them.
    n_effective, variance : float
        γ of the best minimum; and what its covariance (G + D)⁻¹ was multiplied by: the variance of
        the noise, of a weight of 1.
    """

    posterior: Posterior
    outputs: Array
    leverage: Array
    alone: Array
    without: Array
    stands_for: Array
    distance: Array
    n_effective: float
    variance: float


def believed(
    objective: Objective,
    minima: Sequence[Array],
    *,
    held: Objective | None = None,
    unit: float,
    once: Array,
    variance: float | None = None,
    noise: str = "varying",
    tails: HeavyTails | None = None,
    seed: int = 0,
) -> Belief | None:
    """Return what is known around minima, None where the curvature is not positive.

    Parameters
    ----------
    objective : Objective
    minima : sequence of ndarray (p,)
        The best first.
    held : Objective, optional
        The same cost with all weights held: how it curves says how sure they are.
    unit : float
        The weight that counts as one row: see `penalty`.
    once : ndarray (n,)
        The weight of each row taken once: see `influence`.
    variance : float, optional
        Of the noise, that was assumed: with few rows it is not less.
    noise : {"varying", "constant"}
        Whether noise may differ from row to row.
    tails : HeavyTails, optional
        Of the noise, if it has these.
    seed : int
        Of the networks for it.
    """
    net, X, w = objective.net, np.asarray(objective.X), objective.w
    counts = w / once
    few = variance is not None and counts.sum() < FEW_ROWS
    least = variance if few and variance is not None else 0.0
    spread_out = 1.0 if tails is None else tails.inefficiency
    roots = [_root(held or objective, theta) for theta in minima]
    found = [
        _minimum(objective, theta, root, unit, once, least, spread_out)
        for theta, root in zip(minima, roots, strict=True)
    ]
    if found[0] is None:
        return None
    known = [minimum for minimum in found if minimum is not None]
    leverage, alone = (
        np.mean([getattr(of.rows, name) for of in known], axis=0) for name in ("leverage", "alone")
    )
    chosen = sample(objective, alone, len(known))
    known = [of.without(objective, once, chosen.rows) for of in known]
    stands_for = chosen.stands_for
    # what is less certain without the row: by as much of what is known as it has said itself
    left = np.maximum(1.0 - alone, LEAST_LEFT)
    posterior = Posterior(
        np.array([of.theta for of in known]),
        np.array([np.sqrt(of.variance * unit) * of.root for of in known]),
        None,
        np.empty((0, net.layers[-1])),
        max(1, round(float(counts.sum()))),
        X.min(axis=0),
        X.max(axis=0),
        np.inf,
    )
    of = Spread(
        np.array([at.rows.z for at in known]),
        np.array([at.variance * unit * at.rows.S for at in known]),
    )
    if net.loss == "cross_entropy":
        z_without = np.array([at.rows.z_without for at in known])
        z, S = Spread(z_without, of.S / left[:, None, None]).together()
        # what is less certain need not rise where the network must
        if not objective.bounded:
            share = _share(net, z, S, np.asarray(objective.Y), w * stands_for)
        else:
            share = 0.0
        posterior = replace(posterior, share=share)
        without = net.pair.y_hat(moderated(net, z, S, share))
    else:
        y_hat, without = (
            np.mean([net.pair.y_hat(z) for z in each], axis=0)
            for each in ([at.rows.z for at in known], [at.rows.z_without for at in known])
        )
        if net.loss != "poisson":  # which says itself how noise depends on ŷ
            Y = np.asarray(objective.Y)
            squares = (Y - y_hat) * (Y - without)
            kind = noise if net.loss == "squared" else "constant"
            if tails is None:
                of_rows = _noise(X, squares, w / unit * stands_for, least, kind, seed)
            else:
                of_rows = Noise(tails.variance)
            posterior = replace(posterior, noise=of_rows)
        of_y_hat, of_noise = posterior.variances(net, X, of)
        std = np.sqrt(of_y_hat / left[:, None] + of_noise)
        errors = np.abs(np.asarray(objective.Y) - without) / std
        posterior = replace(posterior, scores=thinned(errors, counts * stands_for))
    # a row that decides by itself is no measure of how little is known of others
    usual = alone <= HIGH
    uncertainty = posterior.uncertainty(net, X, of) / left
    posterior = replace(posterior, widest=float(uncertainty[usual | ~usual.any()].max()))
    distance = np.mean([of.rows.distance for of in known], axis=0)
    distance = distance / np.sqrt(np.mean([of.variance for of in known]) * unit)
    n_effective = float(counts @ known[0].rows.leverage)
    variance = known[0].variance * unit
    outputs = posterior.outputs(net, X, of)
    return Belief(
        posterior, outputs, leverage, alone, without, stands_for, distance, n_effective, variance
    )


@dataclass(frozen=True, eq=False)
class _Minimum:
    """One of those that predict together: R, what rows do to it, the variance of the noise."""

    theta: Array
    root: Array
    rows: Influence
    variance: float

    def without(self, objective: Objective, once: Array, rows: NDArray[np.intp]) -> _Minimum:
        """Return it with fits without each of some rows."""
        found = left_out(objective, self.theta, once, self.root, self.rows, rows)
        return replace(self, rows=found)


def _minimum(
    objective: Objective,
    theta: Array,
    root: Array | None,
    unit: float,
    once: Array,
    least: float,
    spread_out: float,
) -> _Minimum | None:
    """Return what is known around one minimum, None where that is nothing."""
    net, w = objective.net, objective.w
    if root is None:
        return None
    X, Y = np.asarray(objective.X), np.asarray(objective.Y)
    try:
        rows = influence(net, theta, X, Y, once, root, spread_out)
    except linalg.LinAlgError:  # not finite
        return None
    if rows.leverage.min() < -ROUNDED or rows.alone.max() > 1.0 + ROUNDED:
        return None  # a row of the fit has a leverage from 0 to 1: these are lost in rounding
    if net.loss != "squared":
        return _Minimum(theta, root, rows, 1.0)
    n_numbers = float(w.sum()) / unit * net.layers[-1]
    free = max(n_numbers - float(w / once @ rows.leverage), LEAST_SHARE * n_numbers)
    error = 2.0 * objective.with_decay(np.zeros_like(theta)).cost(theta) / unit
    return _Minimum(theta, root, rows, max(least, spread_out * error / free))


def _share(net: Network, z: Array, S: Array, Y: Array, w: Array) -> float:
    """Return the share of the variance with which rows are most probable by fits without them."""

    def cost(share: float) -> float:
        return float(w @ net.pair.cost(moderated(net, z, S, share), Y))

    found = optimize.minimize_scalar(cost, bounds=(0.0, 1.0), method="bounded")
    return float(min((0.0, 1.0, float(found.x)), key=cost))


def _root(objective: Objective, theta: Array) -> Array | None:
    """Return R with (G + D)⁻¹ = R Rᵀ, 0 for weights that are held; None if there is none."""
    if not np.all(np.isfinite(theta)):
        return None
    try:
        return inverse_root(objective, theta)
    except linalg.LinAlgError:
        return None


def _noise(X: Array, squares: Array, rows: Array, least: float, kind: str, seed: int) -> Noise:
    """Return the variance of the noise from squared residuals, (n, K), not less than assumed."""
    mean = np.maximum(rows @ squares / rows.sum(), max(least, np.finfo(np.float64).tiny))
    if kind == "constant" or rows.sum() < FEWEST_FOR_VARYING:
        return Noise(mean)
    relative = np.maximum(squares / mean, LEAST_SQUARE)
    found = [_precision(X, relative[:, k], rows, seed) for k in range(squares.shape[1])]
    if all(of is None for of in found):
        return Noise(mean)
    flat = Network([X.shape[1], 1], output="exp")
    same = Precision(flat, np.zeros(flat.n_parameters), 1.0, 1.0)
    return Noise(mean, tuple(of or same for of in found))


def _precision(X: Array, squares: Array, rows: Array, seed: int) -> Precision | None:
    """Return how the precision of the noise varies, None if it is the same everywhere."""
    weights, target = 0.5 * rows * squares, 1.0 / squares[:, None]
    best, found = _evidence_of_one_level(float(weights.sum()), 0.5 * float(rows.sum())), None
    for hidden in SIZES_OF_NOISE:
        net = Network([X.shape[1], *hidden, 1], output="exp")
        objective = Objective(net, X, target, 0.0, weights)
        try:
            penalty = bayes.by_evidence(objective, priors_of(net), seed)
        except TrainingError:
            break
        theta = bayes.settled(objective.with_decay(penalty.decay), penalty.best.theta)
        height = penalty.log_evidence(objective, theta)
        if not height > best + WORTH:
            break
        y_hat = net.forward(theta, X).y_hat
        best, found = height, Precision(net, theta, float(y_hat.min()), float(y_hat.max()))
    return found


def _evidence_of_one_level(total: float, half: float) -> float:
    """Return that of a precision that is the same everywhere: exp of a bias with no prior.

    Its cost is J = total exp(b) - half b; the curvature at its minimum is half.
    """
    level = np.log(half / total)
    return float(half * level - half - 0.5 * np.log(half))
