"""Default penalty, for problems where the evidence is not available.

The penalty ½ α Σ W² is what is left of the belief, before any data, that the weights of
layer l are drawn from N(0, s² / d[l]). Then what enters a unit has variance s² for
standardized inputs however many inputs there are (Neal 1996, Bayesian Learning for Neural
Networks, sec. 2.1): s is 1, but 2.5 for the logarithm of odds (Gelman et al. 2008, Ann.
Appl. Stat. 2:1360). So α is d[l] / s² where the cost is the logarithm of a probability,
and d[l] σ² / s² where it is a square, with σ² the variance of the noise in it.

Of hidden layers d[l] counts to 10 only. The weights before and behind a unit share the work so
that the penalty on what it contributes grows with √(α[l-1] α[l]) (Neyshabur et al. 2015,
arXiv:1412.6614, sec. 4): if that grew with the width, the lowest cost would be that of a wide
network in which all units are silent.

Weights of rows that are whole numbers count repetitions, and more rows weigh more against the
penalty. Others say only how rows compare: as many count as would be as exact without weights,
(Σ w)² / Σ w² (Kish 1965, Survey Sampling, sec. 11.7).

σ² is found from the data: it is what is left unexplained, over the numbers that are not
used up by weights (MacKay 1992, Neural Computation 4:415, eq. 2.23),

    σ² = Σ (y - ŷ)² / (N - γ),     γ = tr H (H + diag α)⁻¹

and that is repeated until it stays the same. Few rows cannot tell noise from what is to be
learned; they are taken to be almost free of it, so that the network passes through them.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from chainrule._cancellation import TIME_LIMIT, Cancellation
from chainrule._contracts import Array
from chainrule._errors import TrainingError
from chainrule.objectives.objective import Objective
from chainrule.optimize.methods import choose
from chainrule.optimize.minimize import run_with_callback
from chainrule.optimize.multistart import StartOptions, minimize_from_starts
from chainrule.optimize.stopping import limits

TOO_FEW_TO_TELL_NOISE = 50  # rows
NOISE_OF_FEW = 1e-4  # of the variance of the target
NOISE_IF_UNKNOWN = 0.1  # of the variance of the target
LEAST_SHARE_OF_NOISE, MOST_SHARE_OF_NOISE = 1e-6, 1.0  # of the variance of the target
LOG_ODDS = 2.5  # how wide log odds are before any data: probabilities from .08 to .92
WIDEST = 10  # units of a hidden layer, as far as the penalty behind it counts them
MOST_WEIGHTS_FOR_NOISE = 1_000  # beyond, second derivatives take longer than the fit
ROUGH = 1e-3  # tolerance
STARTS_BY_RULE, ROUNDS_BY_RULE = 1, 20  # starts, and rounds at most until the noise stays the same
SAME_SHARE_OF_NOISE = 0.1  # relative change of the noise that makes no difference
LEAST_SHARE = 0.05  # of the numbers that is never used up


def row_weight_unit_of(w: Array) -> float:
    """Return what counts as one row: 1 where weights count repetitions, else Σ w² / Σ w."""
    return float((w @ w) / w.sum()) if np.any(w % 1.0 != 0.0) else 1.0


def alpha_by_rule(
    objective: Objective,
    seed: int,
    row_weight_unit: float = 1.0,
    cancellation: Cancellation | None = None,
) -> tuple[tuple[float, ...], float | None, str]:
    """Return α for each layer of weights, the variance of the noise, and the reason in words.

    The variance is that of the target that goes with α, None where the loss has none.

    Parameters
    ----------
    objective : Objective
        With any penalty: it is not looked at.
    seed : int
        Of the starts from which the noise is found.
    row_weight_unit : float
        The weight that counts as one row: see `row_weight_unit_of`.
    cancellation : Cancellation, optional
        After its time the noise is taken as what is known of it.

    Raises
    ------
    TrainingError
        If it was interrupted: there is nothing yet that could be kept.
    """
    now = objective.with_weights(objective.w / row_weight_unit).with_alpha(0.0)
    noise, reason = _noise_by_rule(now, seed, cancellation or Cancellation())
    alpha = tuple(row_weight_unit * a for a in _alpha(now, 1.0 if noise is None else noise))
    return alpha, None if noise is None else noise * _variance(now), reason


def _noise_by_rule(
    objective: Objective, seed: int, cancellation: Cancellation
) -> tuple[float | None, str]:
    """Return the variance of the noise as a share of that of the targets, and the reason."""
    net = objective.net
    if net.pair.loss in ("cross_entropy", "poisson"):
        return None, "as wide as the layers allow"
    if float(objective.w.sum()) < TOO_FEW_TO_TELL_NOISE:
        return NOISE_OF_FEW, f"fewer than {TOO_FEW_TO_TELL_NOISE} rows: taken as free of noise"
    known = net.pair.loss == "squared" and net.n_parameters <= MOST_WEIGHTS_FOR_NOISE
    noise = _noise(objective, seed, cancellation) if known else None
    if noise is None:
        return NOISE_IF_UNKNOWN, f"noise taken as {NOISE_IF_UNKNOWN:.0%} of the variance"
    return noise, f"noise found to be {noise:.2g} of the variance"


def _alpha(objective: Objective, noise: float) -> tuple[float, ...]:
    """Return α from the noise, a share of the variance of the target where that is a number.

    With columns that are standardized both variances are 1, and d[l] times the noise is left.
    """
    *hidden, last = objective.net.layers[:-1]
    of_inputs = float(objective.rows.moments[0].variance.mean())
    if objective.net.pair.loss in ("cross_entropy", "poisson"):
        of_target, widest = 1.0, LOG_ODDS**2
    else:
        of_target = widest = _variance(objective)
    units = [of_inputs, *[1.0] * len(hidden)]  # what enters the first layer, and the others
    widths = [hidden[0], *(min(d, WIDEST) for d in hidden[1:])] if hidden else []
    scaled = [noise * of_target * d * unit for d, unit in zip(widths, units, strict=False)]
    last = min(last, WIDEST) if hidden else last
    return (*scaled, noise * of_target / widest * last * (1.0 if hidden else of_inputs))


def _variance(objective: Objective) -> float:
    """Return the variance of the targets, the mean of them if there are several."""
    return 2.0 * objective.scale / _numbers(objective)


def _numbers(objective: Objective) -> float:
    return float(objective.w.sum()) * objective.net.layers[-1]


def _noise(objective: Objective, seed: int, cancellation: Cancellation) -> float | None:
    """Return the variance of the noise as a share of that of the targets, or None."""
    noise, theta = NOISE_IF_UNKNOWN, None
    free, numbers = objective.with_alpha(0.0), _numbers(objective)
    for _ in range(ROUNDS_BY_RULE):
        now = objective.with_alpha(_alpha(objective, noise))
        if cancellation.reason == TIME_LIMIT:
            return None if theta is None else noise
        try:
            if theta is None:
                options = StartOptions(tol=ROUGH, cancellation=cancellation)
                theta = minimize_from_starts(now, STARTS_BY_RULE, seed, options).best.theta
            else:
                chosen, rules = choose("auto", now, len(theta)), limits(ROUGH, None, cancellation)
                theta = run_with_callback(now, theta, chosen, rules).theta
        except TrainingError:
            if not cancellation.interrupted:
                return None if theta is None else noise  # nothing lower: this is where it stays
        if cancellation.interrupted:
            raise cancellation.failure("it was interrupted before the noise was known")
        assert theta is not None
        J, _, H = free.evaluate(theta, 2)
        learned = ~now.is_held(theta)
        used = _used_up(H[np.ix_(learned, learned)], now.decay[learned])
        found = 2.0 * J / max(numbers - used, LEAST_SHARE * numbers) / _variance(objective)
        before, noise = noise, float(np.clip(found, LEAST_SHARE_OF_NOISE, MOST_SHARE_OF_NOISE))
        if abs(np.log(noise / before)) < SAME_SHARE_OF_NOISE:
            break
    return noise


def _used_up(H: Array, decay: Array) -> float:
    """Return γ, the effective number of weights."""
    damped = H + np.diag(decay)
    damped[np.diag_indices(len(H))] += 1e-12 * float(np.trace(damped)) / len(H)
    try:
        return float(np.trace(linalg.solve(damped, H, assume_a="pos", check_finite=False)))
    except linalg.LinAlgError:
        return float(len(H))
