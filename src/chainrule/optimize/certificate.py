"""Convergence certificate: is this point a local minimum, to rounding?

A vanishing gradient alone proves nothing: it also vanishes on saddles and plateaus.
Three numbers do better: the gradient relative to the cost there is to explain, what a
Newton step would still gain, and the lowest eigenvalue of the exact Hessian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from chainrule._contracts import Array, Evaluation, ObjectiveProtocol
from chainrule.optimize.curvature import (
    FLAT_CURVATURE,
    Product,
    hessian,
    hessian_is_affordable,
    hessian_product,
    lowest_curvature,
    lowest_eigenvalue,
)
from chainrule.optimize.idle_units import Unit, idle_units_of_rows

# shares of the cost there is to explain
NEGLIGIBLE_CURVATURE = 1e-6  # a curvature that moves less is none
PERFECT = 1e-9  # with less than this left, nothing is left
SLIDES = 10  # along bounds
STATIONARY = 1e-6  # a relative gradient above is none that has vanished

SENTENCES = {
    "minimum": "The cost curves upward in every direction that matters: a minimum.",
    "saddle": "The cost curves downward in some direction: a saddle, not a minimum.",
    "flat": "The curvature has vanished while cost is left: a plateau, not a minimum.",
    "not_stationary": "The gradient has not vanished: not a minimum yet.",
    "unknown": "The gradient has vanished, but the curvature is not known.",
}
ONLY_SEARCHED = "No way down was found among some directions: a minimum as far as was looked."
KINDS = {"upward": "minimum", "downward": "saddle", "flat": "flat", "unknown": "unknown"}


@dataclass(frozen=True)
class Certificate:
    """What is known about the point where a fit has ended.

    Attributes
    ----------
    curvature : str
        upward, downward (in some direction), flat (where none should be) or unknown.
    nothing_left : bool
        Whether the cost is as low as it can be.
    relative_gradient : float
        max |g_j| max(1, |θ_j|), as a share of the cost there is to explain.
    decrement : float
        ½ gᵀ|H|⁻¹g: what a Newton step would still gain, as a share of the same (Boyd &
        Vandenberghe 2004, sec. 9.5.1); NaN if not all curvature was computed, or all is flat.
    lowest_eigenvalue : float
        Of the Hessian: the exact one, or by differences of the gradient where that takes too
        long; with very many weights the lowest that a short search finds.
    n_flat : int
        Directions without curvature.
    gain : float
        What a step as long as the weights would gain along the way down from a saddle.
    way_down : ndarray (p,) or None
        That direction.
    newton : ndarray (p,) or None
        The Newton step from there, where it was to be had.
    unsettled : float
        How far a Newton step would still move a weight: max |step_j| / max(1, |θ_j|); NaN if that
        is not known. It can be large where the cost has nothing left to gain.
    units : tuple of Unit
        Hidden units that are dead, saturated or duplicates.
    """

    curvature: str
    nothing_left: bool
    relative_gradient: float
    decrement: float
    lowest_eigenvalue: float
    n_flat: int = 0
    gain: float = 0.0
    way_down: Array | None = None
    newton: Array | None = None
    unsettled: float = float("nan")
    units: Sequence[Unit] = ()

    @property
    def kind(self) -> str:
        """minimum, saddle, flat, not_stationary or unknown: see `SENTENCES`."""
        # a gradient can look small only because of the unit of an input: a step then still gains
        gains = self.decrement > NEGLIGIBLE_CURVATURE and not self.nothing_left
        if gains or not (self.relative_gradient <= STATIONARY or self.decrement <= PERFECT):
            return "not_stationary"
        return "minimum" if self.nothing_left else KINDS[self.curvature]

    @property
    def is_minimum(self) -> bool:
        """Whether nothing that was computed speaks against a minimum."""
        return self.kind == "minimum"

    @property
    def sentence(self) -> str:
        """What that means."""
        searched = self.kind == "minimum" and np.isnan(self.decrement) and not self.nothing_left
        return ONLY_SEARCHED if searched else SENTENCES[self.kind]

    def __str__(self) -> str:
        lines = [
            f"{self.kind}: {self.sentence}",
            f"  relative gradient    {self.relative_gradient:10.2e}",
            f"  Newton decrement     {self.decrement:10.2e}   (share of the cost to explain)",
            f"  lowest eigenvalue    {self.lowest_eigenvalue:10.2e}",
            f"  flat directions      {self.n_flat:10d}",
            *(f"  {unit}" for unit in self.units),
        ]
        return "\n".join(lines)


def certify(
    objective: ObjectiveProtocol,
    theta: ArrayLike,
    scale: float | None = None,
    known: Evaluation | None = None,
    curvature: bool = True,
    units: bool = True,
) -> Certificate:
    """Examine a point.

    Parameters
    ----------
    objective : ObjectiveProtocol
    theta : ndarray (p,)
    scale : float, optional
        The cost there is to explain; the objective's own if left out.
    known : Evaluation, optional
        J and g there, if they are known already.
    curvature : bool
        Whether second derivatives are computed, which may take a while.
    units : bool
        Whether idle units are looked for.

    Returns
    -------
    Certificate

    Examples
    --------
    >>> import chainrule
    >>> net = chainrule.Network([1, 1], bias=False)  # y = w x: the minimum is at w = 2
    >>> objective = chainrule.Objective(net, [[1.0], [2.0]], [[2.0], [4.0]])
    >>> certify(objective, [2.0]).kind, certify(objective, [1.0]).kind
    ('minimum', 'not_stationary')
    """
    theta = np.asarray(theta, dtype=np.float64)
    known = known or objective.evaluate(theta, 1)
    J, g = known.J, np.asarray(known.g)
    scale = scale or getattr(objective, "scale", None) or abs(J) or 1.0
    with np.errstate(all="ignore"):
        size = float(np.max(np.abs(g) * np.maximum(1.0, np.abs(theta)))) / scale
        found = (
            _curvature(objective, theta, g, scale)
            if curvature
            else _known("unknown", np.nan, np.nan)
        )
        net: Any = getattr(objective, "net", None)
        rows = getattr(objective, "rows", None)
        idle = () if rows is None or not units else idle_units_of_rows(net, theta, rows)
        left = getattr(objective, "left_to_explain", None)
        nothing_left = left is not None and bool(left(theta, J) <= PERFECT)
    newton = found.get("newton")
    unsettled = float("nan") if newton is None else relative_step(newton, theta)
    return Certificate(
        nothing_left=nothing_left,
        relative_gradient=size,
        units=idle,
        unsettled=unsettled,
        **found,
    )


def relative_step(step: Array, theta: Array) -> float:
    """Return max |step_j| / max(1, |θ_j|)."""
    return float(np.max(np.abs(step) / np.maximum(1.0, np.abs(theta))))


def newton_step(objective: ObjectiveProtocol, theta: Array, g: Array, scale: float) -> Array | None:
    """Return -H⁻¹ g, None where the curvature is not positive."""
    with np.errstate(all="ignore"):
        H = hessian(objective, theta)
        if not np.all(np.isfinite(H)):
            return None
        inverse = _inverse_if_upward(_without_harmless(objective, H, scale)[0])
    return None if inverse is None else -inverse(g)


def _curvature(
    objective: ObjectiveProtocol, theta: Array, g: Array, scale: float
) -> dict[str, Any]:
    p = len(theta)
    if not hessian_is_affordable(objective, p):
        return _lowest_only(objective, theta, scale)
    H = hessian(objective, theta)
    if not np.all(np.isfinite(H)):
        return _known("unknown", np.nan, np.nan)
    matters = (
        float(np.max(np.abs(H))) * max(1.0, float(np.max(theta**2))) > NEGLIGIBLE_CURVATURE * scale
    )
    stiff, n_flat = _without_harmless(objective, H, scale)
    if n_flat and matters:
        inverse = _inverse_if_upward(stiff)
        if inverse is not None:
            return _newton_decrement(g, inverse, scale, 0.0, n_flat)
    inverse = _inverse_if_upward(H) if matters else None
    if inverse is not None:
        return _newton_decrement(g, inverse, scale, lowest_eigenvalue(H, inverse))
    lowest = float(linalg.eigh(H, eigvals_only=True, subset_by_index=[0, 0])[0])
    if abs(lowest) <= p * np.finfo(float).eps * float(np.linalg.norm(H)):
        lowest = 0.0  # to rounding
    if not matters:
        return _known("flat", np.nan, lowest, n_flat=p)
    # in coordinates in which every weight curves alike, so that units do not matter
    unit = np.sqrt(np.abs(np.diag(_gauss_newton(objective, theta, H))))
    unit = np.maximum(unit, FLAT_CURVATURE * np.max(unit) + np.finfo(float).tiny)
    alike, slope = H / np.outer(unit, unit), g / unit
    scaled, vectors = np.linalg.eigh(alike)
    # a direction without curvature promises much, as it should: then nothing is claimed
    sizes = np.maximum(np.abs(scaled), 1e-15 * np.max(np.abs(scaled)) + np.finfo(float).tiny)
    decrement = 0.5 * float(((vectors.T @ slope) ** 2 / sizes).sum()) / scale
    zero = FLAT_CURVATURE * np.max(np.abs(scaled))
    n_flat = int(np.sum(np.abs(scaled) <= zero))
    best: tuple[float, Array | None] = (0.0, None)
    for value, vector in zip(scaled, vectors.T, strict=True):
        if value < -zero:
            value, vector = _within_bounds(objective, theta, alike.__matmul__, value, vector, unit)
            best = max(best, (_gain(theta, value, vector / unit), vector / unit), key=_first)
    if best[0] > PERFECT * scale:
        return _known("downward", decrement, lowest, n_flat=n_flat, gain=best[0], way_down=best[1])
    stuck = n_flat and getattr(objective, "can_fit_all", False)
    return _known("flat" if stuck else "upward", decrement, lowest, n_flat=n_flat)


def _without_harmless(objective: ObjectiveProtocol, H: Array, scale: float) -> tuple[Array, int]:
    """Return H with a curvature for directions known to be flat and of no concern, and how many.

    These are what a softmax does not see, and biases of units that a penalty has silenced: a
    step of 1 along one gains nothing that counts, even if all other weights follow.
    """
    harmless = getattr(objective, "may_be_silent", None)
    if harmless is None or getattr(objective, "can_fit_all", True):
        return H, 0  # then a flat direction may mean that it is stuck
    others = ~harmless & (np.diag(H) > 0.0)
    follow = (H[:, others] ** 2 / np.diag(H)[others]).sum(axis=1)
    silent = harmless & (0.5 * (np.abs(np.diag(H)) + follow) <= PERFECT * scale)
    stiff, n_flat = H, int(silent.sum())
    if n_flat:
        stiff = H + np.diag(np.where(silent, np.max(np.abs(H)), 0.0))
    gauge = getattr(objective, "gauge", None)
    if gauge is not None:
        stiff = stiff + np.outer(gauge, gauge) * float(np.diag(H) @ gauge**2)
    return stiff, n_flat + (gauge is not None)


def _inverse_if_upward(H: Array) -> Product | None:
    """Return v -> H⁻¹ v if no curvature is negative or flat: all of them cost ten times more."""
    if not np.all(np.diag(H) > 0.0):
        return None
    unit = np.sqrt(np.diag(H))
    alike = H / np.outer(unit, unit)
    # no eigenvalue is larger than this norm: what is left is positive if none is that small
    least = FLAT_CURVATURE * float(np.linalg.norm(alike)) * np.eye(len(H))
    try:
        linalg.cholesky(alike - least, overwrite_a=True, check_finite=False)
    except linalg.LinAlgError:
        return None
    factor = linalg.cho_factor(alike, overwrite_a=True, check_finite=False)
    return lambda v: linalg.cho_solve(factor, v / unit, check_finite=False) / unit


def _lowest_only(objective: ObjectiveProtocol, theta: Array, scale: float) -> dict[str, Any]:
    lowest, direction = lowest_curvature(objective, theta)
    if not np.isfinite(lowest):
        return _known("unknown", np.nan, lowest)
    product = hessian_product(objective, theta)
    curvature, direction = _within_bounds(objective, theta, product, lowest, direction)
    gain = _gain(theta, curvature, direction)
    if gain > PERFECT * scale:
        return _known("downward", np.nan, lowest, gain=gain, way_down=direction)
    return _known("upward", np.nan, lowest)


def _newton_decrement(
    g: Array, inverse: Product, scale: float, lowest: float, n_flat: int = 0
) -> dict[str, Any]:
    newton = -inverse(g)
    decrement = -0.5 * float(g @ newton) / scale
    return _known("upward", decrement, lowest, n_flat=n_flat) | {"newton": newton}


def _known(
    curvature: str,
    decrement: float,
    lowest: float,
    n_flat: int = 0,
    gain: float = 0.0,
    way_down: Array | None = None,
) -> dict[str, Any]:
    return {
        "curvature": curvature,
        "decrement": decrement,
        "lowest_eigenvalue": lowest,
        "n_flat": n_flat,
        "gain": gain,
        "way_down": way_down,
    }


def _gain(theta: Array, curvature: float, direction: Array) -> float:
    """Return what a step downward as long as the weights themselves would gain.

    A unit that nothing depends on has weights along which the cost is flat but for a trace;
    what counts is where it leads.
    """
    return -0.5 * curvature * _reach(theta, direction) ** 2


def _reach(theta: Array, direction: Array) -> float:
    """Return how many times the direction is as long as the weights."""
    return float(np.min(np.maximum(1.0, np.abs(theta)) / np.abs(direction)))


def _within_bounds(
    objective: ObjectiveProtocol,
    theta: Array,
    product: Product,
    curvature: float,
    way: Array,
    unit: Array | float = 1.0,
) -> tuple[float, Array]:
    """Return the curvature along a way down that keeps to bounds, and that way.

    Where a parameter lies on its bound, half of all directions are none. Both senses of the
    way slide along the bounds, downward, and the better one counts.
    """
    project = getattr(objective, "project", None)
    if project is None or not getattr(objective, "bounded", False):
        return curvature, way
    found: list[tuple[float, Array]] = []
    for v in (way, -way):
        for _ in range(SLIDES):
            step = v / unit
            far = _reach(theta, step)
            v = (project(theta + far * step) - theta) * unit / far
            length = float(np.linalg.norm(v))
            if not length > 0.0:
                break
            v = v / length
            image = product(v)
            found.append((float(v @ image), v))
            v = v - image / abs(curvature)
    return min(found, key=_first, default=(0.0, way))


def _gauss_newton(objective: ObjectiveProtocol, theta: Array, H: Array) -> Array:
    """Return the Gauss-Newton matrix of an objective that has one, else H."""
    if getattr(objective, "highest_order", 1) < 2:
        return H
    G = objective.evaluate(theta, 2).H
    return H if G is None else G


def _first(pair: tuple[float, Any]) -> float:
    return pair[0]
