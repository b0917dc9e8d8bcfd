"""Damping of Newton and Gauss-Newton steps.

The damping λ is added to the diagonal of H: with a small one the step is Newton's, with
a large one it is short and follows the gradient. How well the model predicted the last
step decides whether to trust it more or less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

FIRST = 1e-3  # of the largest diagonal element of H
LEAST_DAMPING = 1e-15  # of the same: less is lost in rounding
MOST_DAMPING = 1e12  # of the same: more is a step of no length
GOOD_ENOUGH = 1e-4  # the share of the predicted reduction for which a step is taken


@dataclass(frozen=True)
class NielsenDamping:
    """Damping that follows the gain ratio smoothly (Nielsen 1999, IMM-REP-1999-05, eq. 2.20).

    Attributes
    ----------
    value : float
        λ.
    size : float
        The largest diagonal element of the first H, in which λ is measured.
    growth : float
        By what λ grows at the next rejection; doubled by each.

    Examples
    --------
    >>> damping = NielsenDamping(value=1.0, size=100.0)
    >>> damping.rejected().value, damping.rejected().rejected().value
    (2.0, 8.0)
    >>> damping.accepted(gain=1.0).value  # as good as predicted: a third
    0.3333333333333333
    """

    value: float
    size: float
    growth: float = 2.0

    @classmethod
    def start(cls, size: float, share: float = FIRST) -> NielsenDamping:
        """Return the first damping, a share of the largest diagonal element of H."""
        return cls(share * size, size)

    def accepted(self, gain: float) -> NielsenDamping:
        """Return the damping after a step that reduced the cost by `gain` times the prediction."""
        # a gain far above 1 is as poor a prediction as one far below, but λ never falls faster
        factor = max(1.0 / 3.0, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3)
        return replace(self, value=max(self.value * factor, LEAST_DAMPING * self.size), growth=2.0)

    def rejected(self) -> NielsenDamping:
        """Return the damping after a step that was not taken."""
        return replace(self, value=self.value * self.growth, growth=2.0 * self.growth)

    @property
    def exhausted(self) -> bool:
        """Whether no step is left that is long enough to matter."""
        return not self.value <= MOST_DAMPING * self.size < np.inf
