"""Laplace posterior, noise variance and leave-one-out predictions, from the fitted minima."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule._cancellation import INTERRUPTED, TIME_LIMIT, Cancellation
from chainrule._contracts import Array
from chainrule.bayes import empirical_bayes
from chainrule.bayes.calibration import FURTHEST, PRIOR_SD, calibrated, variance_of_t
from chainrule.bayes.default_alpha import TOO_FEW_TO_TELL_NOISE
from chainrule.bayes.fold_refits import (
    BEARABLE,
    LESS_OF_CLASSES,
    Fitted,
    FoldRefits,
    Refit,
    gamma_per_target,
    refit_folds,
)
from chainrule.bayes.leverage import LEAST_LEFT, REFIT_ABOVE
from chainrule.bayes.loo import sample
from chainrule.bayes.minimum import Minimum, NoiseScale, minimum_at, root_of
from chainrule.bayes.posterior import (
    Noise,
    Posterior,
    Spread,
    moderated,
    thinned,
)
from chainrule.bayes.student_t import STUDENT, StudentTNoise
from chainrule.bayes.varying_noise import varying_noise
from chainrule.heart.network import Network
from chainrule.objectives.objective import Objective

NOISE = ("varying", "constant", STUDENT)
WHY_NO_REFITS: dict[str | None, str] = {
    TIME_LIMIT: "there was no time to refit each fold",
    INTERRUPTED: "it was interrupted before each fold was refitted",
}
MODERATION_GRID = 0.05  # of ln s, better than it is known: rounding errors on the way are forgotten


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
        For how many rows each of these stands: see `loo`.
    distance : ndarray (n,)
        How far the weights move without the row, in standard deviations of what is known of them.
    n_effective, variance : float
        γ of the best minimum; and what its covariance (G + D)⁻¹ was multiplied by: the variance of
        the noise, of a weight of 1.
    gamma_per_observation : float
        γ for each number that was learned.
    widening : float
        By what variances were multiplied because few numbers determine the noise; the scores of the
        posterior are in standard deviations before that.
    refits : FoldRefits or None
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
    gamma_per_observation: float
    widening: float = 1.0
    refits: FoldRefits | None = None
    first_order: str | None = None


@dataclass(frozen=True, eq=False)
class Given:
    """What is known before the posterior is computed.

    Attributes
    ----------
    row_weight_unit : float
        The weight that counts as one row: see `default_alpha`.
    unit_weight : ndarray (n,)
        The weight of each row taken once: see `leverage`.
    variance : float or None
        Of the noise, that was assumed: with few rows it is not less.
    noise : {"varying", "constant"}
        Whether the noise may differ from row to row.
    student : StudentTNoise or None
        If the noise is Student-t.
    seed : int
        Of the networks for the noise.
    """

    row_weight_unit: float
    unit_weight: Array
    variance: float | None = None
    noise: str = "varying"
    student: StudentTNoise | None = None
    seed: int = 0

    def counts(self, objective: Objective) -> Array:
        """Return how many rows each row stands for, (n,)."""
        return objective.w / self.unit_weight

    def scale(self, objective: Objective) -> NoiseScale:
        """Return in what the noise is measured."""
        few = self.counts(objective).sum() < TOO_FEW_TO_TELL_NOISE
        least = self.variance if few and self.variance is not None else 0.0
        inefficiency = 1.0 if self.student is None else self.student.inefficiency
        return NoiseScale(self.row_weight_unit, least, inefficiency)


def fit_posterior(
    fits: Sequence[Fitted],
    given: Given,
    *,
    refit: Refit | None = None,
    cancellation: Cancellation | None = None,
) -> FittedPosterior | None:
    """Return the posterior around minima, None where the curvature is not positive.

    Parameters
    ----------
    fits : sequence of tuple
        Of each minimum that predicts, the best first: its cost, the same with all weights held,
        whose curvature is that of the posterior, and where it is.
    given : Given
    refit : callable, optional
        How folds are refitted where first order is not enough: see `refit_folds`.
    cancellation : Cancellation, optional
        When it ends this, no fold is refitted any longer; an interrupt ends refits of rows, too.
    """
    cancellation = cancellation or Cancellation()
    objective = fits[0][0]
    scale = given.scale(objective)
    costs: list[Objective] = []
    known: list[Minimum] = []
    kept: list[int] = []
    for m, (cost, held, at) in enumerate(fits):
        if known and cancellation.interrupted:
            break
        minimum = minimum_at(cost, at, root_of(held, at), given.unit_weight, scale)
        if minimum is not None:
            costs.append(cost)
            known.append(minimum)
            kept.append(m)
        elif not known:
            return None
    counts = given.counts(objective)
    gamma = max(gamma_per_target(objective, minimum, counts) for minimum in known)
    refits, first_order = _refits(objective, given, refit, kept, gamma, cancellation)
    max_leverage = np.mean([of.rows.max_leverage for of in known], axis=0)
    chosen = sample(objective, max_leverage, len(known))
    known = [
        at.without(cost, given.unit_weight, chosen.rows, cancellation)
        for cost, at in zip(costs, known, strict=True)
    ]
    stands_for = chosen.stands_for if refits is None else np.ones(len(max_leverage))
    fit = _Fit(objective, given, known, max_leverage, refits, stands_for, cancellation)
    posterior, spreads, variance, without = fit.calibrated()
    posterior = replace(posterior, widest=fit.widest(posterior, spreads))
    outputs = fit.of_rows(posterior.outputs, spreads.fitted)
    widening = 1.0
    if refit is not None and posterior.noise is not None:
        used = max(gamma, fit.share_used(outputs, without))
        widening = variance_of_t(float(counts.sum()) * (1.0 - used))
        posterior = posterior.scaled(widening)
        variance *= widening
    distance = np.mean([at.rows.distance for at in known], axis=0) / np.sqrt(variance)
    return FittedPosterior(
        posterior=posterior,
        outputs=outputs,
        leverage=np.mean([of.rows.leverage for of in known], axis=0),
        max_leverage=max_leverage,
        without=without,
        one_by_one=_one_by_one(objective.net, known) if refits else without,
        stands_for=fit.stands_for,
        distance=distance,
        n_effective=float(counts @ known[0].rows.leverage),
        variance=variance,
        gamma_per_observation=gamma,
        widening=widening,
        refits=refits,
        first_order=first_order,
    )


def _refits(
    objective: Objective,
    given: Given,
    refit: Refit | None,
    kept: Sequence[int],
    gamma: float,
    cancellation: Cancellation,
) -> tuple[FoldRefits | None, str | None]:
    """Return fits without each fold where first order is not enough, or why there are none."""
    of_classes = objective.net.loss == "cross_entropy"
    if refit is None or gamma <= BEARABLE * (LESS_OF_CLASSES if of_classes else 1.0):
        return None, None
    if given.counts(objective).sum() < empirical_bayes.FEWEST_ROWS:
        return None, f"fewer than {empirical_bayes.FEWEST_ROWS} rows are too few for folds"
    scale, n, once = given.scale(objective), len(kept), given.unit_weight

    def of_kept(m: int, w: Array, seed: int, anew: bool) -> Fitted:
        return refit(kept[m], w, seed, anew)

    found = refit_folds(objective, of_kept, n, once, gamma, scale, cancellation)
    if found is not None:
        return found, None
    return None, WHY_NO_REFITS.get(cancellation.reason, "a fold could not be refitted")


@dataclass(frozen=True, eq=False)
class _Spreads:
    """Predictions of all rows at the output: by the fit, and by fits without each."""

    fitted: Spread
    without: Spread


@dataclass(frozen=True, eq=False)
class _Fit:
    """Minima with their leverages, and fits without rows, from which the posterior is made."""

    objective: Objective
    given: Given
    known: Sequence[Minimum]
    max_leverage: Array
    refits: FoldRefits | None
    stands_for: Array
    cancellation: Cancellation

    @property
    def times(self) -> Array:
        """How often each row counts."""
        return self.objective.w / self.given.row_weight_unit * self.stands_for

    @property
    def variance(self) -> float:
        """Of the noise, of a weight of 1, at the best minimum."""
        return self.known[0].variance * self.given.row_weight_unit

    def of_rows(self, f: Callable[..., Array], of: Spread) -> Array:
        """Return what a function of the posterior says of all rows."""
        net, rows = self.objective.net, self.objective.rows
        found: Array = rows.map(lambda block: f(net, block.X, of[block.of_all]))
        return found

    def calibrated(self) -> tuple[Posterior, _Spreads, float, Array]:
        """Return the posterior, predictions, the noise variance and leave-one-out predictions."""
        posterior, spreads = self._posterior(), self._spreads()
        if self.objective.net.loss == "cross_entropy":
            return self._of_classes(posterior, spreads)
        return self._of_numbers(posterior, spreads)

    def widest(self, posterior: Posterior, spreads: _Spreads) -> float:
        """Return the uncertainty beyond which a row is far from those that were learned."""
        # a row that decides by itself is no measure of how little is known of others
        usual = self.max_leverage <= REFIT_ABOVE
        each = (self.of_rows(posterior.uncertainty, of) for of in (spreads.fitted, spreads.without))
        return float(np.maximum(*each)[usual | ~usual.any()].max())

    def share_used(self, outputs: Array, without: Array) -> float:
        """Return p/n of the linear fit whose errors are as much smaller than those without rows.

        These are 1 - p/n of the others (generalized cross-validation: Golub, Heath & Wahba 1979,
        Technometrics 21:215). Where it is more than γ/n, the choice of α, starts and units has
        used numbers up too, or one row decides by itself: either way less is known of the noise.
        """
        Y = self.objective.targets
        of_fit, of_refits = (self.times @ (Y - of) ** 2 for of in (outputs, without))
        ratio = np.sqrt(of_fit / np.maximum(of_refits, np.finfo(np.float64).tiny))
        return float(1.0 - ratio.clip(0.0, 1.0).mean())

    def _posterior(self) -> Posterior:
        """Return the posterior without noise, moderation and scores."""
        known, unit, of_inputs = (
            self.known,
            self.given.row_weight_unit,
            self.objective.rows.moments[0],
        )
        n_rows = float(self.given.counts(self.objective).sum())
        return Posterior(
            np.array([of.theta for of in known]),
            np.array([np.sqrt(of.variance * unit) * of.root for of in known]),
            None,
            np.empty((0, self.objective.net.layers[-1])),
            max(1, round(n_rows)),
            of_inputs.lowest,
            of_inputs.highest,
            np.inf,
        )

    def _spreads(self) -> _Spreads:
        unit = self.given.row_weight_unit
        S = np.array([at.variance * unit * at.rows.S for at in self.known])
        fitted = Spread(np.array([at.rows.z for at in self.known]), S)
        if self.refits is not None:
            return _Spreads(fitted, self.refits.of)
        # what is less certain without the row: by as much of what is known as it has said itself
        left = np.maximum(1.0 - self.max_leverage, LEAST_LEFT)
        z_loo = np.array([at.rows.z_loo for at in self.known])
        return _Spreads(fitted, Spread(z_loo, S / left[:, None, None]))

    def _of_classes(
        self, posterior: Posterior, spreads: _Spreads
    ) -> tuple[Posterior, _Spreads, float, Array]:
        """Find the moderation of probabilities."""
        objective, net = self.objective, self.objective.net
        z, S = spreads.without.joint()
        # what is less certain need not rise where the network must
        s = 0.0 if objective.bounded else _moderation(net, z, S, objective.targets, self.times)
        without = net.pair.y_hat(moderated(net, z, S, s))
        return replace(posterior, moderation=s), spreads, self.variance, without

    def _of_numbers(
        self, posterior: Posterior, spreads: _Spreads
    ) -> tuple[Posterior, _Spreads, float, Array]:
        """Find the noise and the scores, and calibrate the covariance on errors of refits."""
        objective, given, refits = self.objective, self.given, self.refits
        net, Y, scale = objective.net, objective.targets, given.scale(objective)
        y_hat, without = (
            np.mean([net.pair.y_hat(z) for z in of.z], axis=0)
            for of in (spreads.fitted, spreads.without)
        )
        squares, variance, noisier = (Y - y_hat) * (Y - without), self.variance, 1.0
        if refits is not None and net.loss == "squared":
            h = self.of_rows(posterior.variance, spreads.without) / refits.variance[:, None]
            h = scale.inefficiency * h
            a, of_noise = calibrated((Y - without) ** 2, h, self.times)
            squares = (Y - without) ** 2 / (1.0 + a * h * of_noise.mean() / of_noise)
            unit = scale.inefficiency * given.row_weight_unit
            noisier = max(scale.least, float(of_noise.mean())) * unit / variance
            before, variance = variance, a * noisier * variance
            posterior = replace(posterior, roots=np.sqrt(variance / before) * posterior.roots)
            of_refit = variance / (refits.variance * given.row_weight_unit)
            spreads = _Spreads(
                Spread(spreads.fitted.z, variance / before * spreads.fitted.S),
                Spread(spreads.without.z, spreads.without.S * of_refit[:, None, None]),
            )
        if net.loss != "poisson":  # which says itself how noise depends on ŷ
            if given.student is None:
                kind = given.noise if net.loss == "squared" else "constant"
                whole = self.cancellation.without_limit()
                noise = varying_noise(
                    objective.rows, squares, self.times, scale.least, kind, given.seed, whole
                )
            else:
                noise = Noise(noisier * given.student.variance)
            posterior = replace(posterior, noise=noise)
        std = np.sqrt(self.of_rows(posterior.variance_of_targets, spreads.without))
        counts = given.counts(objective) * self.stands_for
        scores = thinned(np.abs(Y - without) / std, counts)
        return replace(posterior, scores=scores), spreads, variance, without


def _one_by_one(net: Network, known: Sequence[Minimum]) -> Array:
    return np.asarray(np.mean([net.pair.y_hat(at.rows.z_loo) for at in known], axis=0))


def _moderation(net: Network, z: Array, S: Array, Y: Array, times: Array) -> float:
    """Return s with which rows are most probable by fits without them: see `calibration`."""
    from scipy import optimize  # late: loading it takes longer than most fits

    def of_rows(s: float) -> float:
        return float(times @ net.pair.cost(moderated(net, z, S, s), Y))

    def cost(log: float) -> float:
        return of_rows(np.exp(log)) + 0.5 * (log / PRIOR_SD) ** 2

    found = optimize.minimize_scalar(cost, bounds=(-FURTHEST, FURTHEST), method="bounded")
    # none at all is as unusual as the least
    none = of_rows(0.0) + 0.5 * (FURTHEST / PRIOR_SD) ** 2
    return (
        0.0
        if none <= found.fun
        else float(np.exp(MODERATION_GRID * np.round(found.x / MODERATION_GRID)))
    )
