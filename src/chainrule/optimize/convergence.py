"""Examine the claim that a run has converged.

A vanishing gradient alone proves nothing: it also vanishes on saturated units, on
plateaus and saddles, and where a network predicts the mean for every row. So the claim
is examined before it is believed:

1. the fit beats predicting the mean;
2. a gradient that is not ours agrees with differences of its own cost;
3. the certificate shows no way down, and curvature is not missing where the network could
   fit every row but has not;
4. without a penalty, no unit is saturated on every row.
"""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array, ObjectiveProtocol
from chainrule.heart.gradient_check import check_gradient
from chainrule.optimize.certificate import (
    NEGLIGIBLE_CURVATURE,
    PERFECT,
    Certificate,
)
from chainrule.optimize.stopping import Termination

MOST_FOR_ALL_DIFFERENCES = 200  # weights, beyond which differences are along lines
LINES = 5  # directions at random in which the cost is looked at
WRONG_SLOPE = 1e-4  # a slope, as a share of the cost there is to explain
ROUNDED_AWAY = float(np.sqrt(np.finfo(np.float64).eps))  # a gradient, whose square is a rounding
SETTLED_STEP = 1e-3  # a Newton step, as a share of a weight
NOTHING_TO_GAIN = 1e-12  # of the cost there is to explain: a Newton step is not worth it


def verdict(
    objective: ObjectiveProtocol,
    claim: Termination,
    theta: Array,
    J: float,
    scale: float,
    certificate: Certificate,
) -> Termination:
    """Return the claim of an optimizer, or what examining it has shown instead.

    Parameters
    ----------
    objective : ObjectiveProtocol
    claim : Termination
        Why the optimizer stopped.
    theta, J
        Where, and the cost there.
    scale : float
        The cost there is to explain.
    certificate : Certificate
        Of that point.
    """
    with np.errstate(all="ignore"):  # what overflows or is undefined settles no claim
        if claim.name == "stalled":
            claim = nothing_to_gain(certificate) or claim
        if claim.converged:
            claim = objection(objective, theta, J, scale, certificate) or claim
    return claim


def of_weights(
    objective: ObjectiveProtocol, claim: Termination, theta: Array, certificate: Certificate
) -> Termination:
    """Return the claim of a minimum, or what the weights say against it or have to add.

    The cost can be at its minimum while weights are not: in a valley that leads to infinity they
    never will be, and where it is nearly flat they are not to be had from the cost.
    """
    refine = certificate.unsettled <= SETTLED_STEP
    if not refine or certificate.n_flat:
        away = _ask(objective, "running_away", theta)
        if away is not None:
            return Termination("diverging", away)
    if refine:
        return claim
    n_flat, p = certificate.n_flat, len(theta)
    if certificate.unsettled > SETTLED_STEP:
        what = f"another Newton step would move a weight by {certificate.unsettled:.1%}"
    elif n_flat:
        what = f"weights can move along {n_flat} of {p} directions that are flat"
    elif np.isfinite(certificate.decrement):
        what = "weights can move along directions that are nearly flat"
    else:  # not all curvature is known
        return claim
    return Termination(
        claim.name, f"{claim.inequality}; true of the cost, not of the weights: {what}"
    )


def nothing_to_gain(certificate: Certificate) -> Termination | None:
    """Return the claim that a Newton step would gain nothing, if it holds.

    Where rounding of J hides a further decrease from any line search, the gradient need
    not be as small as was asked: ½ gᵀH⁻¹g tells what is still to be had. Where that is not
    known, it is about the square of the gradient.
    """
    if certificate.decrement <= NOTHING_TO_GAIN:
        return Termination(
            "converged",
            f"a Newton step would gain {certificate.decrement:.1e} <= {NOTHING_TO_GAIN:g} "
            "of the cost to explain",
        )
    size = certificate.relative_gradient
    if np.isnan(certificate.decrement) and size <= ROUNDED_AWAY:
        return Termination(
            "converged",
            f"relative gradient {size:.2e} <= {ROUNDED_AWAY:.1e}: what is still to be had is lost "
            "in rounding",
        )
    return None


def objection(
    objective: ObjectiveProtocol, theta: Array, J: float, scale: float, certificate: Certificate
) -> Termination | None:
    """Return why a vanishing gradient at `theta` proves no minimum, or None."""
    worse = _ask(objective, "worse_than_mean", theta, J)
    if worse is not None:
        return Termination("no_better_than_mean", worse)
    in_doubt = getattr(objective, "gradient_in_doubt", True)
    if in_doubt and len(theta) <= MOST_FOR_ALL_DIFFERENCES:
        check = check_gradient(objective, theta)
        if check.broken:
            where = ", ".join(map(str, check.broken))
            return Termination("wrong_gradient", f"differences of the cost differ in layer {where}")
    elif in_doubt and _wrong_along_a_line(objective, theta, scale):
        return Termination("wrong_gradient", "differences of the cost differ along random lines")
    if certificate.nothing_left:
        return None
    if certificate.curvature == "downward":
        gain = f"{certificate.gain:.1e} > {PERFECT * scale:.1e}"
        return Termination("saddle", f"a step downward would gain {gain}")
    if certificate.curvature == "flat":
        flat = f"no curvature in {certificate.n_flat} of {len(theta)} directions, cost left"
        return Termination("flat", flat)
    if certificate.curvature == "unknown":
        return Termination("flat", "the curvature is not finite")
    saturated = _ask(objective, "saturated", theta)
    if saturated is not None:
        return Termination("saturated", saturated)
    if certificate.decrement > NEGLIGIBLE_CURVATURE:
        # the gradient looks small only because of the unit of an input
        gain = f"{certificate.decrement:.1e} of the cost to explain"
        return Termination("stalled", f"a Newton step would still gain {gain}")
    return None


def _wrong_along_a_line(objective: ObjectiveProtocol, theta: Array, scale: float) -> bool:
    """Return whether the gradient is not the slope of the cost, where there are many weights.

    A difference along a random line knows of all weights at once, and only that something
    is wrong, not what.
    """
    g = objective.evaluate(theta, 1).g
    rng = np.random.default_rng(0)
    h = np.cbrt(np.finfo(np.float64).eps) * max(1.0, float(np.max(np.abs(theta))))
    for _ in range(LINES):
        way = rng.standard_normal(len(theta)) / np.sqrt(len(theta))
        up, down = (objective.evaluate(theta + t * way, 0).J for t in (h, -h))
        difference = abs((up - down) / (2 * h) - float(way @ np.asarray(g)))
        if difference > WRONG_SLOPE * scale / max(1.0, float(np.max(np.abs(theta)))):
            return True
    return False


def _ask(objective: ObjectiveProtocol, question: str, *about: object) -> str | None:
    """Return the answer of an objective that knows the question, else None."""
    answer = getattr(objective, question, None)
    return None if answer is None else answer(*about)
