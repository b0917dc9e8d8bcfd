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
from scipy import linalg, optimize

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.heart.network import Network
from chainrule.statistics.evidence import inverse_root
from chainrule.statistics.influence import LEAST_LEFT, influence
from chainrule.statistics.posterior import Noise, Posterior, moderated, spread, thinned, uncertainty
from chainrule.training import bayes
from chainrule.training.evidence import priors_of
from chainrule.training.objective import Objective
from chainrule.training.penalty import LEAST_SHARE
from chainrule.training.robust import STUDENT

NOISE = ("varying", "constant", STUDENT)
SIZES_OF_NOISE: tuple[tuple[int, ...], ...] = ((), (3,), (8,))
FEWEST_FOR_VARYING = 50
WORTH = 2.0  # nats that a larger network for the noise has to gain
LEAST_SQUARE = 1e-6  # of the mean square: residuals of 0 say nothing of a precision without end


@dataclass(frozen=True, eq=False)
class Belief:
    """What is known, and how it came about.

    Attributes
    ----------
    posterior : Posterior
    leverage : ndarray (n,)
        Of each row, the mean over minima.
    without : ndarray (n, K)
        What is predicted for each row by a fit without it, in the scale of the network.
    distance : ndarray (n,)
        How far the weights move without the row, in standard deviations of what is known of them.
    n_effective, variance : float
        γ of the best minimum; and what its covariance (G + D)⁻¹ was multiplied by: the variance of
        the noise, of a weight of 1.
    """

    posterior: Posterior
    leverage: Array
    without: Array
    distance: Array
    n_effective: float
    variance: float


def believed(
    objective: Objective,
    minima: Sequence[Array],
    *,
    unit: float,
    once: Array,
    variance: float | None = None,
    noise: str = "varying",
    stretch: float = 1.0,
    seed: int = 0,
) -> Belief | None:
    """Return what is known around minima, None where the curvature is not positive.

    Parameters
    ----------
    objective : Objective
    minima : sequence of ndarray (p,)
        The best first.
    unit : float
        The weight that counts as one row: see `penalty`.
    once : ndarray (n,)
        The weight of each row taken once: see `influence`.
    variance : float, optional
        Of the noise; what is left unexplained, over the numbers not used up, if left out.
    noise : {"varying", "constant"}
        Whether noise may differ from row to row.
    stretch : float
        The variance of the noise over that which the weights of rows leave of it.
    seed : int
        Of the networks for it.
    """
    net, X, Y, w = objective.net, np.asarray(objective.X), np.asarray(objective.Y), objective.w
    squared, K, counts = net.loss == "squared", net.layers[-1], w / once
    roots, each, variances = [], [], []
    for theta in minima:
        root = _root(objective, theta)
        if root is None:
            continue
        rows = influence(net, theta, X, Y, once, root)
        n_numbers = float(w.sum()) / unit * K
        free = max(n_numbers - float(counts @ rows.leverage), LEAST_SHARE * n_numbers)
        error = 2.0 * objective.with_decay(np.zeros_like(theta)).cost(theta) / unit
        variances.append((error / free if variance is None else variance) if squared else 1.0)
        roots.append((theta, root))
        each.append(rows)
    if not roots:
        return None
    thetas = np.array([theta for theta, _ in roots])
    scaled = np.array(
        [np.sqrt(of * unit) * root for of, (_, root) in zip(variances, roots, strict=True)]
    )
    without = np.mean([net.pair.y_hat(rows.z_without) for rows in each], axis=0)
    y_hat = np.mean([net.pair.y_hat(rows.z) for rows in each], axis=0)
    leverage = np.mean([rows.leverage for rows in each], axis=0)
    posterior = Posterior(
        thetas,
        scaled,
        None,
        np.empty((0, K)),
        max(1, round(float(counts.sum()))),
        X.min(axis=0),
        X.max(axis=0),
        np.inf,
    )
    if net.loss != "cross_entropy":
        squares = (Y - y_hat) * (Y - without)
        kind = noise if squared else "constant"
        found = None if net.loss == "poisson" else _noise(X, squares, w / unit, kind, seed)
        if found is not None:
            found = replace(found, variance=found.variance * stretch)
        posterior = replace(posterior, noise=found)
        of_y_hat, of_noise = posterior.variances(net, X)
        of_y_hat = of_y_hat / np.maximum(1.0 - leverage / K, LEAST_LEFT)[:, None]
        scores = thinned(np.abs(Y - without) / np.sqrt(of_y_hat + of_noise), counts)
        widest = float(uncertainty(of_y_hat, of_noise).max())
    else:
        scores = np.empty((0, K))
        S = _without(net, posterior, X, leverage)
        widest = float(np.einsum("nkk->n", S).max())
        z = np.mean([rows.z_without for rows in each], axis=0)
        # what is less certain need not rise where the network must
        share = 0.0 if objective.bounded else _share(net, z, S, Y, w)
        posterior = replace(posterior, share=share)
        without = net.pair.y_hat(moderated(net, z, S, share))
    posterior = replace(posterior, scores=scores, widest=widest)
    distance = np.mean([r.distance for r in each], axis=0) / np.sqrt(np.mean(variances) * unit)
    return Belief(
        posterior,
        leverage,
        without,
        distance,
        float(counts @ each[0].leverage),
        variances[0] * unit,
    )


def _without(net: Network, posterior: Posterior, X: Array, leverage: Array) -> Array:
    """Return the covariance of z for rows by fits without them, (n, K, K), the mean over minima."""
    pairs = zip(posterior.theta, posterior.roots, strict=True)
    S = np.mean([spread(net, theta, root, X)[1] for theta, root in pairs], axis=0)
    left = np.maximum(1.0 - leverage / net.layers[-1], LEAST_LEFT)
    return np.asarray(S / left[:, None, None])


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


def _noise(X: Array, squares: Array, rows: Array, kind: str, seed: int) -> Noise:
    """Return the variance of the noise from squared residuals, (n, K)."""
    mean = np.maximum(rows @ squares / rows.sum(), np.finfo(np.float64).tiny)
    if kind == "constant" or rows.sum() < FEWEST_FOR_VARYING:
        return Noise(mean)
    relative = np.maximum(squares / mean, LEAST_SQUARE)
    networks = [_precision(X, relative[:, k], rows, seed) for k in range(squares.shape[1])]
    if all(network is None for network in networks):
        return Noise(mean)
    flat = Network([X.shape[1], 1], output="exp")
    return Noise(mean, tuple(n or (flat, np.zeros(flat.n_parameters)) for n in networks))


def _precision(X: Array, squares: Array, rows: Array, seed: int) -> tuple[Network, Array] | None:
    """Return a network for the precision of the noise, None if it is the same everywhere."""
    weights, target = 0.5 * rows * squares, 1.0 / squares[:, None]
    # the same everywhere: only a bias, of which the evidence is known without a search
    total = float(weights.sum())
    level = np.log(0.5 * float(rows.sum()) / total)
    best = -(total * np.exp(level) - 0.5 * float(rows.sum()) * level)
    best -= 0.5 * np.log(total * np.exp(level))
    found = None
    for hidden in SIZES_OF_NOISE:
        net = Network([X.shape[1], *hidden, 1], output="exp")
        objective = Objective(net, X, target, 0.0, weights)
        try:
            penalty = bayes.by_evidence(objective, priors_of(net), seed, n_climbs=2)
        except TrainingError:
            break
        theta = bayes.settled(objective.with_decay(penalty.decay), penalty.best.theta)
        height = penalty.log_evidence(objective, theta)
        if not height > best + WORTH:
            break
        best, found = height, (net, theta)
    return found
