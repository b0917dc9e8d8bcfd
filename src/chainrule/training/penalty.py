"""How strong the penalty is when nobody says it.

The penalty ½ α Σ W² is what is left of the belief, before any data, that the weights of
layer l are drawn from N(0, s² / d[l]). Then what enters a unit has variance s² for
standardized inputs however many inputs there are (Neal 1996, Bayesian Learning for Neural
Networks, sec. 2.1): s is 1, but 2.5 for the logarithm of odds (Gelman et al. 2008, Ann.
Appl. Stat. 2:1360). So α is d[l] / s² where the cost is the logarithm of a probability,
and d[l] σ² / s² where it is a square, with σ² the variance of the noise in it.

Weights of rows that are whole numbers count repetitions, and more rows weigh more against the
penalty. Others say only how rows compare: for the rule they are brought to a mean of 1.

σ² is found from the data: it is what is left unexplained, over the numbers that are not
used up by weights (MacKay 1992, Neural Computation 4:415, eq. 2.23),

    σ² = Σ (y - ŷ)² / (N - γ),     γ = tr H (H + diag α)⁻¹

and that is repeated until it stays the same. Few rows cannot tell noise from what is to be
learned; they are taken to be almost free of it, so that the network passes through them.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.heart.network import Network
from chainrule.training.minimize import minimize
from chainrule.training.objective import Objective
from chainrule.training.restarts import minimize_from_starts

FEW_ROWS = 50
NOISE_OF_FEW = 1e-4  # of the variance of the target
NOISE_IF_UNKNOWN = 0.1
LEAST, MOST = 1e-6, 1.0
LOG_ODDS = 2.5
MOST_WEIGHTS = 1_000  # beyond, second derivatives take longer than the fit
ROUGH = 1e-3  # tolerance
STARTS, ROUNDS = 1, 20
SAME = 0.1  # relative change of the noise that makes no difference
LEAST_SHARE = 0.05  # of the numbers that is never used up


def by_rule(objective: Objective, seed: int) -> tuple[tuple[float, ...], str]:
    """Return α for each layer of weights, and the reason in words.

    Parameters
    ----------
    objective : Objective
        With any penalty: it is not looked at.
    seed : int
        Of the starts from which the noise is found.
    """
    relative = bool(np.any(objective.w % 1.0 != 0.0))
    mean = float(objective.w.mean()) if relative else 1.0
    alpha, reason = _by_rule(_with(objective, 0.0, objective.w / mean), seed)
    return tuple(mean * a for a in alpha), reason


def _by_rule(objective: Objective, seed: int) -> tuple[tuple[float, ...], str]:
    net = objective.net
    if net.pair.loss in ("cross_entropy", "poisson"):
        return _alpha(net, 1.0), "as wide as the layers allow"
    rows = float(objective.w.sum())
    if rows < FEW_ROWS:
        return _alpha(net, NOISE_OF_FEW), f"fewer than {FEW_ROWS} rows: taken as free of noise"
    known = net.pair.loss == "squared" and net.n_parameters <= MOST_WEIGHTS
    noise = _noise(objective, seed) if known else None
    if noise is None:
        return _alpha(net, NOISE_IF_UNKNOWN), f"noise taken as {NOISE_IF_UNKNOWN:.0%} of variance"
    return _alpha(net, noise), f"noise found to be {noise:.2g} of the variance"


def _alpha(net: Network, noise: float) -> tuple[float, ...]:
    last = 1.0 if net.pair.loss not in ("cross_entropy", "poisson") else LOG_ODDS**2
    widths = net.layers[:-1]
    return tuple(noise * d / (last if d is widths[-1] else 1.0) for d in widths)


def _noise(objective: Objective, seed: int) -> float | None:
    """Return the variance of the noise, of one number whose variance is 1, or None."""
    noise, theta = NOISE_IF_UNKNOWN, None
    free = _with(objective, 0.0)
    unit = 2.0 * objective.scale / (objective.w.sum() * objective.net.layers[-1])
    for _ in range(ROUNDS):
        now = _with(objective, tuple(unit * a for a in _alpha(objective.net, noise)))
        try:
            if theta is None:
                theta = minimize_from_starts(now, STARTS, seed, tol=ROUGH).best.theta
            else:
                theta = minimize(now, theta, tol=ROUGH).theta
        except TrainingError:
            return None if theta is None else noise  # nothing lower: this is where it stays
        J, _, H = free.evaluate(theta, 2)
        numbers = float(objective.w.sum()) * objective.net.layers[-1]
        used = _used_up(H, now.decay)
        left = 2.0 * J / max(numbers - used, LEAST_SHARE * numbers) / unit
        before, noise = noise, float(np.clip(left, LEAST, MOST))
        if abs(np.log(noise / before)) < SAME:
            break
    return noise


def _with(
    objective: Objective, alpha: float | tuple[float, ...], w: Array | None = None
) -> Objective:
    o = objective
    return Objective(o.net, o.X, o.Y, alpha, o.w if w is None else w, o.fixed, o.signs)


def _used_up(H: Array, decay: Array) -> float:
    """Return γ, the effective number of weights."""
    damped = H + np.diag(decay)
    damped[np.diag_indices(len(H))] += 1e-12 * float(np.trace(damped)) / len(H)
    try:
        return float(np.trace(linalg.solve(damped, H, assume_a="pos", check_finite=False)))
    except linalg.LinAlgError:
        return float(len(H))
