"""Line search: the step length along a descent direction.

A search sees nothing but a function of one number, φ(α), and its slope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Phi = Callable[[float], tuple[float, float]]  # α -> φ(α), φ'(α)
ROUNDED_DIFFERENCE = 1e-12  # of φ(0), or of α: a difference below that says nothing
LONGER = 4.0  # times the last step, while φ still falls


class Point(NamedTuple):
    """φ and its slope at one α."""

    alpha: float
    value: float
    slope: float


@dataclass(frozen=True)
class WolfeSearch:
    """A step that satisfies the strong Wolfe conditions (Nocedal & Wright 2006, algs. 3.5, 3.6).

    Sufficient decrease, φ(α) ≤ φ(0) + c₁ α φ'(0), and a slope that has become flatter,
    |φ'(α)| ≤ c₂ |φ'(0)|. So near to a minimum that φ no longer shows a decrease, the slopes
    decide alone: (2 c₁ - 1) φ'(0) ≥ φ'(α) ≥ c₂ φ'(0) (Hager & Zhang 2005, SIAM J. Optim. 16:170).

    Parameters
    ----------
    decrease, curvature : float
        c₁ and c₂.
    most_trials : int

    Examples
    --------
    >>> WolfeSearch()(lambda a: ((a - 2.0) ** 2, 2.0 * (a - 2.0)), first=0.01)
    0.64
    """

    decrease: float = 1e-4
    curvature: float = 0.9
    most_trials: int = 40

    def __call__(self, phi: Phi, first: float = 1.0) -> float | None:
        """Return α, trying `first` first, or None if none is found."""
        start = Point(0.0, *phi(0.0))
        if not start.slope < 0.0:
            return None
        below, above = start, None  # a minimum lies between them, once above is known
        alpha = first
        for _ in range(self.most_trials):
            here = Point(alpha, *phi(alpha))
            if self._satisfies_wolfe(here, start):
                return alpha
            if self._too_high(here, start) or here.value >= below.value:
                above = here
            elif here.slope * (1.0 if above is None else above.alpha - below.alpha) >= 0.0:
                below, above = here, below
            else:
                below = here
            if above is None:
                alpha = LONGER * here.alpha
            elif abs(above.alpha - below.alpha) > ROUNDED_DIFFERENCE * abs(above.alpha):
                alpha = _between(below, above)
            else:
                break
        return below.alpha if below.alpha > 0.0 else None

    def _too_high(self, here: Point, start: Point) -> bool:
        return not here.value <= start.value + self.decrease * here.alpha * start.slope

    def _satisfies_wolfe(self, here: Point, start: Point) -> bool:
        if not self._too_high(here, start):
            return abs(here.slope) <= -self.curvature * start.slope
        level = abs(here.value - start.value) <= ROUNDED_DIFFERENCE * abs(start.value)
        flatter = self.curvature * start.slope <= here.slope
        return level and flatter and here.slope <= (2.0 * self.decrease - 1.0) * start.slope


def _between(a: Point, b: Point) -> float:
    """Return the minimum of the cubic through both, kept away from them (eq. 3.59)."""
    width = b.alpha - a.alpha
    d1 = a.slope + b.slope - 3.0 * (b.value - a.value) / width
    with np.errstate(invalid="ignore", over="ignore"):
        d2 = np.copysign(np.sqrt(d1 * d1 - a.slope * b.slope), width)
        share = 1.0 - (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2)
    if not np.isfinite(share):
        share = 0.5
    return a.alpha + float(np.clip(share, 0.1, 0.9)) * width
