"""A student's own class, seen as an objective.

Any object with the tutorial's four methods (getParams, setParams, costFunction,
computeGradients) can be checked and trained. It is handed copies only, and what it
returns is checked, because such classes are where mistakes are made.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule._contracts import NEGLIGIBLE, Array, Evaluation, SeedProtocol
from chainrule._errors import DataError

METHODS = ("getParams", "setParams", "costFunction", "computeGradients")


def seed_objective(network: object, X: ArrayLike, Y: ArrayLike) -> SeedObjective:
    """Return a foreign network on X and Y as an objective.

    Raises
    ------
    DataError
        If it lacks one of the four methods.
    """
    if not isinstance(network, SeedProtocol):
        missing = [name for name in METHODS if not hasattr(network, name)]
        raise DataError(
            f"{type(network).__name__} lacks {', '.join(missing)}; add what is missing, or pass an "
            "Objective and theta"
        )
    return SeedObjective(network, X, Y)


class SeedObjective:
    """The cost of a foreign network on X and Y, as a function of θ alone.

    Parameters
    ----------
    network : SeedProtocol
        An object with getParams, setParams, costFunction and computeGradients.
    X, Y : array_like
        Passed on unchanged to its methods.
    """

    def __init__(self, network: SeedProtocol, X: ArrayLike, Y: ArrayLike) -> None:
        self.network = network
        self.X = np.array(X, dtype=np.float64)
        self.Y = np.array(Y, dtype=np.float64)
        if self.theta.size == 0:
            raise DataError(f"getParams of {type(network).__name__} returned no weights")

    @property
    def scale(self) -> float:
        """½ Σ (y - mean)², the cost there is to explain if it is a squared one."""
        varying = 0.5 * float(((self.Y - self.Y.mean(axis=0)) ** 2).sum())
        return varying or 0.5 * float((self.Y**2).sum()) or 1.0

    @property
    def can_fit_all(self) -> bool:
        """Whether there are weights enough to fit every row."""
        return self.Y.size <= self.theta.size

    def left_to_explain(self, theta: Array, J: float) -> float:
        """Return the share of `scale` that a perfect fit would still gain."""
        return J / self.scale

    def worse_than_mean(self, theta: Array, J: float) -> str | None:
        """Return how it compares with predicting the mean target if it is no better."""
        self.theta = theta
        predicted = self.predict()
        if predicted is None:
            return None
        squares = float(((self.Y - predicted) ** 2).sum())
        of_mean = float(((self.Y - self.Y.mean(axis=0)) ** 2).sum())
        if of_mean > 0 and not squares < (1 - NEGLIGIBLE) * of_mean:
            return f"squared error {squares:.6g} >= {of_mean:.6g} of the mean"
        return None

    @property
    def theta(self) -> Array:
        """The parameters the object holds now, copied."""
        return np.array(self.network.getParams(), dtype=np.float64).ravel()

    @theta.setter
    def theta(self, theta: Array) -> None:
        self.network.setParams(np.array(theta))

    def evaluate(self, theta: ArrayLike, order: int = 1) -> Evaluation:
        """Return the cost and, for order 1, the gradient that the object claims."""
        if order > 1:
            raise DataError(
                f"{type(self.network).__name__} has no second derivatives; order {order} was asked"
            )
        theta = np.asarray(theta, dtype=np.float64)
        with np.errstate(all="ignore"):
            self.theta = theta
            J = self._one_number(self.network.costFunction(self.X.copy(), self.Y.copy()))
            if order == 0:
                return Evaluation(J)
            g = self._one_vector(self.network.computeGradients(self.X.copy(), self.Y.copy()))
        if g.shape != theta.shape:
            raise DataError(
                f"computeGradients of {type(self.network).__name__} returned {g.size} numbers "
                f"for {theta.size} weights; there must be one for each"
            )
        return Evaluation(J, g)

    def predict(self) -> Array | None:
        """Return what the object predicts for X with its present weights, if it can say.

        Its `forward` is no part of the protocol, so whatever goes wrong there means only that
        it cannot.
        """
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(self.network.forward(self.X.copy()), np.float64)  # type: ignore[attr-defined]
        except Exception:
            return None
        return found if found.shape == self.Y.shape and np.all(np.isfinite(found)) else None

    def blocks(self) -> dict[str, slice]:
        """Return where W1, W2, … lie in its vector: matrices that tile it, in their order."""
        names = [name for name in dir(self.network) if re.fullmatch(r"W\d+", name)]
        blocks, start = {}, 0
        for name in sorted(names, key=lambda name: int(name[1:])):
            size = np.size(getattr(self.network, name))
            blocks[f"W[{name[1:]}]"] = slice(start, start + size)
            start += size
        return blocks if start == self.theta.size else {}

    def _one_number(self, J: Any) -> float:
        J = np.asarray(J)
        if J.size != 1:
            raise DataError(
                f"costFunction of {type(self.network).__name__} returned {J.size} numbers; "
                "a cost is one number, so sum over the outputs too"
            )
        if J.dtype.kind not in "biuf":
            raise DataError(
                f"costFunction of {type(self.network).__name__} returned {J.reshape(())!r}; a cost "
                "is a real number"
            )
        return float(J.reshape(()))

    def _one_vector(self, g: Any) -> Array:
        try:
            return np.array(g, dtype=np.float64).ravel()
        except (TypeError, ValueError):
            raise DataError(
                f"computeGradients of {type(self.network).__name__} did not return one vector of "
                "numbers; unroll the gradients with ravel and join them with np.concatenate"
            ) from None
