"""Saddle points that Gauss-Newton takes for minima, and descent from them.

Where a unit is silent, its weights before and behind it nearly 0, the cost may fall only if both
move together. Gauss-Newton does not see that; the exact Hessian does.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from chainrule._contracts import Array
from chainrule.objectives.objective import Objective
from chainrule.optimize.methods import Choice
from chainrule.optimize.minimize import Finished, descended
from chainrule.optimize.stopping import Limits

SADDLES, STEPS_OFF = 5, (1.0, 0.1, 0.01)  # left one after the other, by so long a step
MIRRORED, FLAT_OF_TRACE = 1e-9, 1e-12  # of the cost, and of the trace of its Hessian


def is_exact(objective: Objective) -> bool:
    """Return whether the exact Hessian is worth what it costs."""
    # without hidden layers there is one minimum, which a safe method finds from anywhere
    several = not objective.constrained and objective.net.n_layers > 2
    return several and objective.hessian_costs_little


def leave_saddles(objective: Objective, end: Finished, chosen: Choice, rules: Limits) -> Finished:
    """Return where an optimizer ends that leaves the saddles at which it stops."""
    for _ in range(SADDLES if is_exact(objective) else 0):
        if rules.cancellation.reason is not None:
            break
        lower = _off_saddle(objective, end.theta)
        if lower is None:
            break
        end = descended(objective, lower, chosen, rules)
    return end


def is_saddle(objective: Objective, theta: Array) -> bool:
    """Return whether the cost falls in some direction from a point without slope."""
    return is_exact(objective) and _off_saddle(objective, theta) is not None


def _off_saddle(objective: Objective, theta: Array) -> Array | None:
    """Return a lower point along what curves downward, None if nothing does.

    Where units are silent Gauss-Newton sees no way down, and takes a saddle for a minimum.
    """
    H = objective.hessian(theta)
    if not np.all(np.isfinite(H)):
        return None
    flat = FLAT_OF_TRACE * float(np.trace(H)) * np.eye(len(H))  # what is flat is no way down
    try:
        linalg.cho_factor(H + flat, check_finite=False)
        return None
    except linalg.LinAlgError:
        values, vectors = np.linalg.eigh(H + flat)
    # silent units are alike, and only rounding tells their directions apart: all of them together
    below = vectors * np.minimum(values, 0.0) @ vectors.T
    way = below @ np.random.default_rng(0).standard_normal(len(theta))
    length = float(np.linalg.norm(way))
    if not length > 0.0:
        return None
    here, way = objective.cost(theta), way / length
    for size in STEPS_OFF:
        ahead, back = (objective.cost(theta + sign * size * way) for sign in (1.0, -1.0))
        if min(ahead, back) < here:
            # a mirror image costs the same but for rounding
            sign = -1.0 if back < ahead - MIRRORED * abs(here) else 1.0
            return np.asarray(theta + sign * size * way)
    return None
