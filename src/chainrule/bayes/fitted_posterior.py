"""Laplace posterior, noise variance and leave-one-out predictions, from the fitted minima.

The noise is allowed to differ from row to row. A network with an exp output learns its precision
β(x): the log likelihood of a residual r is ½ ln β - ½ β r², which is that of Poisson's loss for the
target 1/r² with weight r²/2. Its penalty is found by the evidence, and the evidence says how large
it has to be, or that the noise is the same everywhere. Residuals are too small by what a row has
done to its own prediction, so that r times r without the row itself stands for r².
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.bayes import empirical_bayes
from chainrule.bayes.calibration import FURTHEST, PRIOR_SD, calibrated, variance_of_t
from chainrule.bayes.default_alpha import FEW_ROWS
from chainrule.bayes.fold_refits import (
    BEARABLE,
    LESS_OF_CLASSES,
    FoldRefits,
    Refit,
    gamma_per_target,
    refit_folds,
)
from chainrule.bayes.leverage import LEAST_LEFT, REFIT_ABOVE
from chainrule.bayes.loo import sample
from chainrule.bayes.minimum import Minimum, minimum_at, root_of
from chainrule.bayes.posterior import (
    Noise,
    Posterior,
    Precision,
    Spread,
    moderated,
    thinned,
)
from chainrule.bayes.priors import priors_of
from chainrule.bayes.student_t import STUDENT, StudentTNoise
from chainrule.heart.network import Network
from chainrule.objectives.objective import Objective
from chainrule.rows.protocol import Rows

NOISE = ("varying", "constant", STUDENT)
SIZES_OF_NOISE: tuple[tuple[int, ...], ...] = ((), (3,), (8,))
FEWEST_FOR_VARYING = 50
ROUGHLY = 0.05  # of ln s, better than it is known: rounding errors on the way are forgotten
WORTH = 2.0  # nats that a larger network for the noise has to gain
LEAST_SQUARE = 1e-6  # of the mean square: residuals of 0 say nothing of a precision without end


@dataclass(frozen=True, eq=False)
class FittedPosterior:
    """What is known, and how it came about.

    Attributes
    ----------
    posterior : Posterior
    outputs : ndarray (n, K)
        What is predicted for each row, in the scale of the network.
    leverage, max_leverage : ndarray (n,)
        Of each row, the mean over minima: see `RowInfluence`.
    without : ndarray (n, K)
        What is predicted for each row by a fit without it, in the scale of the network.
    one_by_one : ndarray (n, K)
        The same by a fit without this row only, and near the fit with it: see `influence`.
    stands_for : ndarray (n,)
        For how many rows each of these stands: see `left_out`.
    distance : ndarray (n,)
        How far the weights move without the row, in standard deviations of what is known of them.
    n_effective, variance : float
        γ of the best minimum; and what its covariance (G + D)⁻¹ was multiplied by: the variance of
        the noise, of a weight of 1.
    share : float
        γ for each number that was learned.
    refits : Refits or None
        Fits without each fold, where first order is not enough for that share.
    first_order : str or None
        Why there are none where it is not enough.
    """

    posterior: Posterior
    outputs: Array
    leverage: Array
    max_leverage: Array
    without: Array
    one_by_one: Array
    stands_for: Array
    distance: Array
    n_effective: float
    variance: float
    share: float
    refits: FoldRefits | None = None
    first_order: str | None = None


def fit_posterior(
    objective: Objective,
    minima: Sequence[Array],
    *,
    held: Objective | None = None,
    row_weight_unit: float,
    unit_weight: Array,
    variance: float | None = None,
    noise: str = "varying",
    tails: StudentTNoise | None = None,
    seed: int = 0,
    refit: Refit | None = None,
    until: float = np.inf,
    progress: Callable[[str], None] | None = None,
) -> FittedPosterior | None:
    """Return what is known around minima, None where the curvature is not positive.

    Parameters
    ----------
    objective : Objective
    minima : sequence of ndarray (p,)
        The best first.
    held : Objective, optional
        The same cost with all weights held: how it curves says how sure they are.
    row_weight_unit : float
        The weight that counts as one row: see `penalty`.
    unit_weight : ndarray (n,)
        The weight of each row taken once: see `influence`.
    variance : float, optional
        Of the noise, that was assumed: with few rows it is not less.
    noise : {"varying", "constant"}
        Whether noise may differ from row to row.
    tails : HeavyTails, optional
        Of the noise, if it has these.
    seed : int
        Of the networks for it.
    refit : callable, optional
        Fits some of the rows again, where first order is not enough: see `refits`.
    until, progress
        As `refit_folds` takes them.
    """
    net, rows, Y, w = objective.net, objective.rows, objective.targets, objective.w

    def of_rows(f: Callable[..., Array], of: Spread) -> Array:
        """Return what a function of the posterior says of all rows."""
        found: Array = rows.map(lambda block: f(net, block.X, of[block.of_all]))
        return found

    counts = w / unit_weight
    few = variance is not None and counts.sum() < FEW_ROWS
    least = variance if few and variance is not None else 0.0
    spread_out = 1.0 if tails is None else tails.inefficiency
    roots = [root_of(held or objective, theta) for theta in minima]
    found = [
        minimum_at(objective, theta, root, row_weight_unit, unit_weight, least, spread_out)
        for theta, root in zip(minima, roots, strict=True)
    ]
    if found[0] is None:
        return None
    known = [minimum for minimum in found if minimum is not None]
    leverage, max_leverage = (
        np.mean([getattr(of.rows, name) for of in known], axis=0)
        for name in ("leverage", "max_leverage")
    )
    posterior = Posterior(
        np.array([of.theta for of in known]),
        np.array([np.sqrt(of.variance * row_weight_unit) * of.root for of in known]),
        None,
        np.empty((0, net.layers[-1])),
        max(1, round(float(counts.sum()))),
        rows.moments[0].lowest,
        rows.moments[0].highest,
        np.inf,
    )
    of = Spread(
        np.array([at.rows.z for at in known]),
        np.array([at.variance * row_weight_unit * at.rows.S for at in known]),
    )
    share = gamma_per_target(objective, known[0], counts)
    again, first_order = None, None
    of_classes = net.loss == "cross_entropy"
    if refit is not None and share > BEARABLE * (LESS_OF_CLASSES if of_classes else 1.0):
        if counts.sum() >= empirical_bayes.FEWEST_ROWS:
            again = refit_folds(
                objective,
                refit,
                len(known),
                unit_weight,
                share=share,
                row_weight_unit=row_weight_unit,
                least=least,
                spread_out=spread_out,
                until=until,
                progress=progress,
            )
            late = time.monotonic() > until
            why = "there was no time to refit each fold" if late else "a fold could not be refitted"
            first_order = None if again else why
        else:
            first_order = f"fewer than {empirical_bayes.FEWEST_ROWS} rows are too few for folds"
    chosen = sample(objective, max_leverage, len(known))
    known = [at.without(objective, unit_weight, chosen.rows) for at in known]
    if again is None:
        stands_for = chosen.stands_for
        # what is less certain without the row: by as much of what is known as it has said itself
        left = np.maximum(1.0 - max_leverage, LEAST_LEFT)
        z_without = np.array([at.rows.z_without for at in known])
        of_without = Spread(z_without, of.S / left[:, None, None])
    else:
        stands_for, of_without = np.ones(len(w)), again.of
    times = w / row_weight_unit * stands_for
    variance = known[0].variance * row_weight_unit
    if of_classes:
        z, S = of_without.together()
        # what is less certain need not rise where the network must
        if not objective.bounded:
            posterior = replace(posterior, share=_share(net, z, S, Y, times))
        else:
            posterior = replace(posterior, share=0.0)
        without = net.pair.y_hat(moderated(net, z, S, posterior.share))
    else:
        y_hat, without = (
            np.mean([net.pair.y_hat(z) for z in each], axis=0) for each in (of.z, of_without.z)
        )
        squares, noisier = (Y - y_hat) * (Y - without), 1.0
        if again is not None and net.loss == "squared":
            h = of_rows(posterior.variance, of_without) / again.variance[:, None]
            a, of_noise = calibrated((Y - without) ** 2, spread_out * h, times)
            squares = (Y - without) ** 2 / (1.0 + a * spread_out * h * of_noise.mean() / of_noise)
            noisier = max(least, float(of_noise.mean())) * spread_out * row_weight_unit / variance
            before, variance = variance, a * noisier * variance
            posterior = replace(posterior, roots=np.sqrt(variance / before) * posterior.roots)
            of = Spread(of.z, variance / before * of.S)
            S = of_without.S * (variance / (again.variance * row_weight_unit))[:, None, None]
            of_without = Spread(of_without.z, S)
        if net.loss != "poisson":  # which says itself how noise depends on ŷ
            kind = noise if net.loss == "squared" else "constant"
            if tails is None:
                found_noise = _noise(rows, squares, times, least, kind, seed)
            else:
                found_noise = Noise(noisier * tails.variance)
            posterior = replace(posterior, noise=found_noise)
        std = np.sqrt(of_rows(posterior.variance_of_targets, of_without))
        scores = thinned(np.abs(Y - without) / std, counts * stands_for)
        posterior = replace(posterior, scores=scores)
    # a row that decides by itself is no measure of how little is known of others
    usual = max_leverage <= REFIT_ABOVE
    uncertainty = np.maximum(
        of_rows(posterior.uncertainty, of), of_rows(posterior.uncertainty, of_without)
    )
    posterior = replace(posterior, widest=float(uncertainty[usual | ~usual.any()].max()))
    if again is not None and posterior.noise is not None:
        wider = variance_of_t(float(counts.sum()) * (1.0 - share))
        posterior = posterior.scaled(wider)
        variance *= wider
    distance = np.mean([at.rows.distance for at in known], axis=0) / np.sqrt(variance)
    return FittedPosterior(
        posterior=posterior,
        outputs=of_rows(posterior.outputs, of),
        leverage=leverage,
        max_leverage=max_leverage,
        without=without,
        one_by_one=_one_by_one(net, known) if again else without,
        stands_for=stands_for,
        distance=distance,
        n_effective=float(counts @ known[0].rows.leverage),
        variance=variance,
        share=share,
        refits=again,
        first_order=first_order,
    )


def _one_by_one(net: Network, known: Sequence[Minimum]) -> Array:
    return np.asarray(np.mean([net.pair.y_hat(at.rows.z_without) for at in known], axis=0))


def _share(net: Network, z: Array, S: Array, Y: Array, times: Array) -> float:
    """Return s with which rows are most probable by fits without them: see `calibration`."""

    def of_rows(share: float) -> float:
        return float(times @ net.pair.cost(moderated(net, z, S, share), Y))

    def cost(log: float) -> float:
        return of_rows(np.exp(log)) + 0.5 * (log / PRIOR_SD) ** 2

    found = optimize.minimize_scalar(cost, bounds=(-FURTHEST, FURTHEST), method="bounded")
    # none at all is as unusual as the least
    none = of_rows(0.0) + 0.5 * (FURTHEST / PRIOR_SD) ** 2
    return 0.0 if none <= found.fun else float(np.exp(ROUGHLY * np.round(found.x / ROUGHLY)))


def _noise(rows: Rows, squares: Array, times: Array, least: float, kind: str, seed: int) -> Noise:
    """Return the variance of the noise from squared residuals, (n, K), not less than assumed."""
    mean = np.maximum(times @ squares / times.sum(), max(least, np.finfo(np.float64).tiny))
    if kind == "constant" or times.sum() < FEWEST_FOR_VARYING:
        return Noise(mean)
    relative = np.maximum(squares / mean, LEAST_SQUARE)
    found = [_precision(rows, relative[:, k], times, seed) for k in range(squares.shape[1])]
    if all(of is None for of in found):
        return Noise(mean)
    flat = Network([rows.n_inputs, 1], output="exp")
    same = Precision(flat, np.zeros(flat.n_parameters), 1.0, 1.0)
    return Noise(mean, tuple(of or same for of in found))


def _precision(rows: Rows, squares: Array, times: Array, seed: int) -> Precision | None:
    """Return how the precision of the noise varies, None if it is the same everywhere."""
    weights = 0.5 * times * squares
    inverse = rows.retargeted(1.0 / squares[:, None]).reweighted(weights)
    best, found = _evidence_of_one_level(float(weights.sum()), 0.5 * float(times.sum())), None
    for hidden in SIZES_OF_NOISE:
        net = Network([rows.n_inputs, *hidden, 1], output="exp")
        objective = Objective.on(inverse, net)
        try:
            penalty = empirical_bayes.estimate_hyperparameters(objective, priors_of(net), seed)
        except TrainingError:
            break
        theta = empirical_bayes.refine(objective.with_decay(penalty.decay), penalty.best.theta)
        height = penalty.log_evidence(objective, theta)
        if not height > best + WORTH:
            break
        y_hat = objective.y_hat(theta)
        best, found = height, Precision(net, theta, float(y_hat.min()), float(y_hat.max()))
    return found


def _evidence_of_one_level(total: float, half: float) -> float:
    """Return that of a precision that is the same everywhere: exp of a bias with no prior.

    Its cost is J = total exp(b) - half b; the curvature at its minimum is half.
    """
    level = np.log(half / total)
    return float(half * level - half - 0.5 * np.log(half))
