"""May this run be called converged?

A vanishing gradient alone proves nothing: it also vanishes on saturated units, on
plateaus and saddles, and where a network predicts the mean for every row. So the claim
is examined before it is believed:

1. the fit beats predicting the mean;
2. the gradient of a foreign class agrees with differences of its own cost;
3. the exact curvature shows no way down, and is not missing where the network could fit
   every row but has not;
4. without a penalty, no unit is saturated on every row.

Up to 200 weights all of that; beyond, a short search for the lowest curvature takes the
place of 3, and 2 is left to check_gradient.
"""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array, ObjectiveProtocol
from chainrule.heart.gradient_check import check_gradient
from chainrule.heart.seed_protocol import SeedObjective
from chainrule.training.curvature import FLAT, hessian, lowest_curvature
from chainrule.training.objective import Objective
from chainrule.training.optimizers.stopping import Termination

# shares of the cost there is to explain
NEGLIGIBLE = 1e-6  # a fit that explains less, or a curvature that moves less, is none
PERFECT = 1e-9  # with less than this left, nothing is left
NOTHING_TO_GAIN = 1e-12  # a Newton step that promises less than this is not worth it
# f' of a saturated unit: far below what moves a weight, far above rounding
SATURATED = 1e-10
# up to here all curvature is computed, beyond only the lowest is sought
MOST_FOR_ALL_CURVATURE = 200
MOST_FOR_GAUSS_NEWTON = 600


def verdict(
    objective: ObjectiveProtocol, claim: Termination, theta: Array, J: float, g: Array, scale: float
) -> Termination:
    """Return the claim of an optimizer, or what examining it has shown instead.

    Parameters
    ----------
    objective : ObjectiveProtocol
    claim : Termination
        Why the optimizer stopped.
    theta, J, g
        Where, and the cost and its gradient there.
    scale : float
        The cost against which gradients were measured.
    """
    with np.errstate(all="ignore"):  # what overflows or is undefined settles no claim
        if claim.name == "stalled":
            claim = nothing_to_gain(objective, theta, g, scale) or claim
        if claim.converged:
            claim = objection(objective, theta, J, scale) or claim
    return claim


def nothing_to_gain(
    objective: ObjectiveProtocol, theta: Array, g: Array, scale: float
) -> Termination | None:
    """Return the claim that a Newton step would gain nothing, if it holds.

    Where rounding of J hides a further decrease from any line search, the gradient need
    not be as small as was asked: ½ gᵀH⁻¹g tells what is still to be had.
    """
    p = len(theta)
    if p > MOST_FOR_GAUSS_NEWTON:
        return None
    H = (
        hessian(objective, theta)
        if p <= MOST_FOR_ALL_CURVATURE
        else _gauss_newton(objective, theta)
    )
    if H is None or not np.all(np.isfinite(H)):
        return None
    values, vectors = np.linalg.eigh(H)
    # a direction without curvature promises much, as it should: then nothing is claimed
    size = np.maximum(np.abs(values), 1e-15 * np.max(np.abs(values)) + np.finfo(float).tiny)
    gain = 0.5 * float(((vectors.T @ g) ** 2 / size).sum())
    if gain <= NOTHING_TO_GAIN * scale:
        return Termination(
            "converged", f"a Newton step would gain {gain:.1e} <= {NOTHING_TO_GAIN * scale:.1e}"
        )
    return None


def objection(
    objective: ObjectiveProtocol, theta: Array, J: float, scale: float
) -> Termination | None:
    """Return why a vanishing gradient at `theta` proves no minimum, or None.

    `scale` is the cost against which gradients were measured.
    """
    if isinstance(objective, Objective):
        return _objection_to_ours(objective, theta, J)
    if isinstance(objective, SeedObjective):
        worse = _no_better_than_mean_prediction(objective, theta)
        if worse is not None:
            return worse
    if len(theta) <= MOST_FOR_ALL_CURVATURE:
        check = check_gradient(objective, theta)
        if check.broken:
            where = ", ".join(map(str, check.broken))
            return Termination("wrong_gradient", f"differences of the cost differ in layer {where}")
    if isinstance(objective, SeedObjective) and not J > PERFECT * scale:
        return None
    return _curvature(objective, theta, _can_fit_all(objective), scale)


def _objection_to_ours(objective: Objective, theta: Array, J: float) -> Termination | None:
    data_cost = J - 0.5 * float(objective.decay @ theta**2)
    explained = objective.baseline - data_cost
    if objective.varies and not explained > NEGLIGIBLE * objective.scale:
        return Termination(
            "no_better_than_mean", f"cost {data_cost:.6g} >= {objective.baseline:.6g} of the mean"
        )
    if objective.varies and not objective.scale - explained > PERFECT * objective.scale:
        return None
    exact_fit = (
        objective.w.size * objective.net.layers[-1] <= len(theta) and not objective.decay.any()
    )
    return _curvature(objective, theta, exact_fit, objective.scale) or _saturation(objective, theta)


# ---------------------------------------------------------------- no better than the mean


def _no_better_than_mean_prediction(objective: SeedObjective, theta: Array) -> Termination | None:
    objective.theta = theta
    predicted = objective.predict()
    if predicted is None:
        return None
    squares = float(((objective.Y - predicted) ** 2).sum())
    of_mean = float(((objective.Y - objective.Y.mean(axis=0)) ** 2).sum())
    if of_mean > 0 and not squares < (1 - NEGLIGIBLE) * of_mean:
        return Termination(
            "no_better_than_mean", f"squared error {squares:.6g} >= {of_mean:.6g} of the mean"
        )
    return None


# ---------------------------------------------------------------- saturation


def _saturation(objective: Objective, theta: Array) -> Termination | None:
    """A unit flat on every row, or, with a squared loss, a wrong output where ŷ is flat.

    With a penalty a flat unit is not stuck: the penalty still pulls at its weights, and
    where the gradient vanishes it has pulled them to zero.
    """
    net = objective.net
    trace = net.forward(theta, objective.X)
    L = net.n_layers
    for l in range(2, L):
        f = net.functions[l]
        flat = np.all(np.abs(f.prime(trace.z[l])) < SATURATED, axis=0)
        # a relu that is off on every row is common and harmless while others work
        stuck = flat.any() if f.flat_at == "both" else flat.all()
        if stuck and not objective.decay.any():
            return Termination(
                "saturated", f"layer {l}: {flat.sum()} of {len(flat)} units flat on every row"
            )
    if net.loss == "squared":
        z = trace.z[L]
        slope = np.einsum("nkk->nk", net.pair.slope(z))
        error = objective.w[:, None] * (trace.y_hat - np.asarray(objective.Y)) ** 2
        wrong = (np.abs(slope) < SATURATED) & (error > NEGLIGIBLE * objective.scale)
        if wrong.any():
            return Termination(
                "saturated", f"output flat and wrong in {wrong.any(axis=1).sum()} of {len(z)} rows"
            )
    return None


# ---------------------------------------------------------------- curvature


def _curvature(
    objective: ObjectiveProtocol, theta: Array, exact_fit: bool, scale: float
) -> Termination | None:
    """A way down, or no curvature where there should be some.

    `exact_fit` says that the network has weights enough to fit every row. Then cost is
    left at a stationary point only where the Jacobian has lost rank: Jᵀr = 0 with r ≠ 0.
    """
    p = len(theta)
    if p > MOST_FOR_ALL_CURVATURE:
        lowest, direction = lowest_curvature(objective, theta)
        if not np.isfinite(lowest):
            return Termination("flat", "the curvature is not finite")
        return _saddle(theta, lowest, direction, scale)
    H = hessian(objective, theta)
    if not np.all(np.isfinite(H)):
        return Termination("flat", "the curvature is not finite")
    if not np.max(np.abs(H)) * max(1.0, float(np.max(theta**2))) > NEGLIGIBLE * scale:
        return Termination("flat", "no curvature in any direction, cost left")
    # in coordinates in which every weight curves alike, so that units do not matter
    G = _gauss_newton(objective, theta)
    size = np.sqrt(np.abs(np.diag(H if G is None else G)))
    size = np.maximum(size, FLAT * np.max(size) + np.finfo(float).tiny)
    values, vectors = np.linalg.eigh(H / np.outer(size, size))
    zero = FLAT * np.max(np.abs(values))
    for value, vector in zip(values, vectors.T, strict=True):
        saddle = value < -zero and _saddle(theta, value, vector / size, scale)
        if saddle:
            return saddle
    flat = int(np.sum(np.abs(values) <= zero))
    if exact_fit and flat:
        return Termination("flat", f"no curvature in {flat} of {p} directions, cost left")
    return None


def _saddle(theta: Array, curvature: float, direction: Array, scale: float) -> Termination | None:
    """Return the objection that this direction leads down, if it leads anywhere.

    A unit that nothing depends on has weights along which the cost is flat but for a trace;
    what counts is what a step as long as the weights themselves would gain.
    """
    with np.errstate(divide="ignore"):
        reach = float(np.min(np.maximum(1.0, np.abs(theta)) / np.abs(direction)))
    gain = -0.5 * curvature * reach**2
    if gain > PERFECT * scale:
        return Termination(
            "saddle", f"a step downward would gain {gain:.1e} > {PERFECT * scale:.1e}"
        )
    return None


def _can_fit_all(objective: ObjectiveProtocol) -> bool:
    return isinstance(objective, SeedObjective) and objective.Y.size <= objective.theta.size


def _gauss_newton(objective: ObjectiveProtocol, theta: Array) -> Array | None:
    """Return the Gauss-Newton matrix of ours; foreign objectives have none."""
    return objective.evaluate(theta, order=2).H if isinstance(objective, Objective) else None
