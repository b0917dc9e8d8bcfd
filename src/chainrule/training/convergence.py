"""May this run be called converged?

A vanishing gradient alone proves nothing: it also vanishes on saturated units, on
plateaus, and where a network predicts the mean for every row. So the claim of an
optimizer is examined before it is believed, in this order:

1. the relative gradient is at most `tol`, or the decrease that is still possible,
   ½ gᵀH⁻¹g, is below the rounding of J;
2. the fit beats predicting the mean;
3. no unit is saturated on every row while cost is left to explain;
4. the exact curvature shows no way down, where p and n are small enough to afford it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule._contracts import Array
from chainrule.heart.seed_protocol import SeedObjective
from chainrule.training.objective import Objective
from chainrule.training.optimizers.stopping import Termination, relative_gradient

ROUNDING = 64 * float(np.finfo(np.float64).eps)
NEGLIGIBLE = 1e-6
SATURATED = 1e-10
FLAT = 1e-8
MOST_FOR_CURVATURE = 200
MOST_WORK_FOR_CURVATURE = 500_000


def below_rounding(
    theta: Array, J: float, g: Array, scale: float, inverse_hessian: Callable[[Array], Array] | None
) -> Termination | None:
    """Return the claim that no step can lower J by more than its rounding, if it holds."""
    if inverse_hessian is None:
        return None
    decrease = 0.5 * float(g @ inverse_hessian(g))
    rounding = ROUNDING * abs(J)
    # an inverse Hessian that was only just reset knows nothing; a gradient that is still
    # large exposes it
    if 0 <= decrease <= rounding and relative_gradient(theta, g, scale) <= 1e-4:
        return Termination(
            "converged", f"decrease still possible {decrease:.1e} <= {rounding:.1e}, rounding of J"
        )
    return None


def objection(objective: object, theta: Array, J: float) -> Termination | None:
    """Return why a vanishing gradient at `theta` proves no optimum, or None."""
    if isinstance(objective, SeedObjective):
        return _no_better_than_mean_prediction(objective, theta)
    if not isinstance(objective, Objective):
        return None
    data_cost = J - 0.5 * float(objective.decay @ theta**2)
    explained = objective.baseline - data_cost
    if objective.scale > 0 and not explained > NEGLIGIBLE * objective.scale:
        return Termination(
            "no_better_than_mean", f"cost {data_cost:.6g} >= {objective.baseline:.6g} of the mean"
        )
    left = objective.scale - explained
    if not left > 1e-9 * objective.scale:
        return None
    return _saturation(objective, theta) or _curvature(objective, theta)


def _no_better_than_mean_prediction(objective: SeedObjective, theta: Array) -> Termination | None:
    objective.theta = theta
    predicted = objective.predict()
    if predicted is None or predicted.shape != objective.Y.shape:
        return None
    squares = float(((objective.Y - predicted) ** 2).sum())
    of_mean = float(((objective.Y - objective.Y.mean(axis=0)) ** 2).sum())
    if of_mean > 0 and not squares < (1 - NEGLIGIBLE) * of_mean:
        return Termination(
            "no_better_than_mean", f"squared error {squares:.6g} >= {of_mean:.6g} of the mean"
        )
    return None


def _saturation(objective: Objective, theta: Array) -> Termination | None:
    """A unit flat on every row, or, with a squared loss, a wrong output where ŷ is flat."""
    net = objective.net
    trace = net.forward(theta, objective.X)
    L = net.n_layers
    for l in range(2, L):
        f = net.functions[l]
        flat = np.all(np.abs(f.prime(trace.z[l])) < SATURATED, axis=0)
        # a relu that is off on every row is common and harmless while others work
        stuck = flat.any() if f.flat_at == "both" else flat.all()
        if stuck:
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


def _curvature(objective: Objective, theta: Array) -> Termination | None:
    """A direction of negative curvature; or none at all where the data could be fitted exactly."""
    n, p = objective.w.size, len(theta)
    if p > MOST_FOR_CURVATURE or n * p > MOST_WORK_FOR_CURVATURE:
        return None
    values = np.linalg.eigvalsh(exact_hessian(objective, theta))
    lowest, zero = values[0], FLAT * np.max(np.abs(values))
    if lowest < -zero:
        return Termination("saddle", f"lowest curvature {lowest:.2e} < 0")
    # with as many weights as numbers to fit, cost is left at a stationary point only where
    # the Jacobian has lost rank: J'r = 0 with r != 0
    exact_fit_possible = n * objective.net.layers[-1] <= p and not objective.decay.any()
    if exact_fit_possible and lowest <= zero:
        flat = int(np.sum(np.abs(values) <= zero))
        return Termination("flat", f"no curvature in {flat} of {p} directions, cost left")
    return None


def exact_hessian(objective: Objective, theta: Array) -> Array:
    """Return d²J/dθ², (p, p), by the complex step of the gradient: exact to rounding.

    Squire & Trapp (1998), SIAM Review 40:110: Im g(θ + ih e_j) / h is column j, with no
    difference taken and hence no digit lost, however small h.
    """
    net, h = objective.net, 1e-100
    columns = []
    for j in range(len(theta)):
        nudged = theta.astype(complex)
        nudged[j] += 1j * h
        trace = net.forward(nudged, objective.X)
        g = net.backward(nudged, trace, objective.Y, objective.w).vector
        columns.append(g.imag / h)
    H = np.array(columns)
    return 0.5 * (H + H.T) + np.diag(objective.decay)
