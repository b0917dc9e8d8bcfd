"""The contracts between the rings: what is known at a point, and who may ask.

Nothing here imports anything of ours, so that every ring can speak these words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEGLIGIBLE = 1e-6  # of the cost there is to explain: a fit that explains less is none


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known about the cost at one point θ.

    Unpacks to exactly what was asked for: order 0 gives ``(J,)``, order 1
    ``(J, g)``, order 2 ``(J, g, H)``.

    Attributes
    ----------
    J : float
        The cost.
    g : ndarray (p,) or None
        The gradient dJ/dθ.
    H : ndarray (p, p) or None
        The Gauss-Newton approximation of d²J/dθ².
    """

    J: float
    g: Array | None = None
    H: Array | None = None

    def __iter__(self) -> Iterator[Any]:
        yield self.J
        if self.g is not None:
            yield self.g
        if self.H is not None:
            yield self.H

    def __add__(self, other: Evaluation) -> Evaluation:
        """Add two sums over different rows; both must know the same things."""
        return Evaluation(
            self.J + other.J,
            None if self.g is None or other.g is None else self.g + other.g,
            None if self.H is None or other.H is None else self.H + other.H,
        )


@dataclass(frozen=True, slots=True)
class Residuals:
    """A cost seen as a sum of squares, J = ½ rᵀr + ½ Σ decay θ², near one point θ.

    Where the loss is not a square, r and A are what Gauss-Newton puts in its place:
    g = Aᵀr + decay θ and H = AᵀA + diag(decay).

    Attributes
    ----------
    r : ndarray (m,)
    A : ndarray (m, p)
        dr/dθ.
    decay : ndarray (p,)
    """

    r: Array
    A: Array
    decay: Array


class ObjectiveProtocol(Protocol):
    """All an optimizer may know of a problem.

    An objective may also offer

    * `scale`, the cost there is to explain, against which convergence is measured;
    * `blocks()`, which says where W[l] and b[l] lie in θ, as ``{"W[1]": slice(0, 6), …}``;
    * `size`, how many numbers there are to fit and whether J is a sum of their squares;
    * `highest_order`, the highest order it can be evaluated to, 1 if it does not say;
    * `hessian(theta)` and `hessian_product(theta, v)`, the exact d²J/dθ², (p, p), and its
      product with a vector, and `hessian_costs_little` if it costs about as much as H;
    * `residuals(theta)`, the `Residuals` there, or None where H says it better;
    * `left_to_explain(theta, J)`, the share of `scale` that a perfect fit would still gain;
    * `can_fit_all`, whether it has as many parameters as there are numbers to fit;
    * `worse_than_mean(theta, J)`, None or how it compares with predicting the mean target;
    * `saturated(theta)`, None or which units pass no gradient on any row;
    * `bounded`, whether parameters have bounds, and `project(theta)`, the point nearest to θ
      within them, θ itself if it is;
    * `may_be_silent`, which parameters the cost need not see at a minimum, (p,) of bool;
    * `gauge`, a unit vector along which the cost cannot change, or None;
    * `gradient_in_doubt`, whether its gradient has to be checked before it is believed.
    """

    def evaluate(self, theta: Array, order: int) -> Evaluation:
        """Return the cost and its derivatives up to `order` at `theta`."""


@runtime_checkable
class SeedProtocol(Protocol):
    """The vocabulary of the tutorial: any class with these four can be checked and trained."""

    def getParams(self) -> Array: ...

    def setParams(self, params: Array) -> None: ...

    def costFunction(self, X: Array, y: Array) -> float: ...

    def computeGradients(self, X: Array, y: Array) -> Array: ...


class Layered(Protocol):
    """What has layers, and parameters in blocks: a network, as far as its start needs it."""

    @property
    def layers(self) -> Sequence[int]: ...
    @property
    def hidden(self) -> Sequence[Any]: ...
    @property
    def bias(self) -> bool: ...
    @property
    def n_layers(self) -> int: ...
    @property
    def n_parameters(self) -> int: ...
    def blocks(self) -> Mapping[str, slice]: ...
