"""The objective J(θ) of a network on data: loss of every row plus L2 penalty.

    J(θ) = Σ_i w_i ℓ(y_i, ŷ_i) + ½ α Σ W²          a sum over rows; biases are free

An `Objective` is a pure function of θ: it keeps nothing between two evaluations and
never changes the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from chainrule._contracts import Array, Evaluation
from chainrule._errors import ConfigurationError, DataError
from chainrule.heart.network import Network
from chainrule.heart.penalties import l2
from chainrule.training.engines import memory
from chainrule.training.kernels import reference


@dataclass(frozen=True, eq=False)
class Objective:
    """The cost of a network on data, as a function of θ alone.

    Parameters
    ----------
    net : Network
    X : array_like (n, d[1])
        Inputs, in the scale the network sees.
    Y : array_like (n, d[L])
        Targets, in the scale the network predicts.
    alpha : float, default 0.0
        The penalty ½ α Σ W² (the tutorial's lambda); biases are not penalized.
    sample_weight : array_like (n,), optional
        One weight for each row, not negative; all 1 if left out.

    Attributes
    ----------
    baseline : float
        The cost, without penalty, of predicting the mean target for every row.
    scale : float
        `baseline` less the cost of predicting every target exactly: the cost there
        is to explain. Convergence is measured against it, so that it does not
        depend on the unit of the targets.

    Raises
    ------
    DataError
        If shapes do not fit the network, or a value is not finite.

    Examples
    --------
    >>> import chainrule
    >>> net = chainrule.Network([1, 2, 1])
    >>> objective = chainrule.Objective(net, [[0.0], [1.0]], [[1.0], [2.0]])
    >>> J, g = objective.evaluate(net.initial(seed=0), order=1)
    >>> g.shape
    (7,)
    """

    net: Network
    X: ArrayLike = field(repr=False)
    Y: ArrayLike = field(repr=False)
    alpha: float = 0.0
    sample_weight: ArrayLike | None = field(default=None, repr=False)
    w: Array = field(init=False, repr=False)
    decay: Array = field(init=False, repr=False)
    baseline: float = field(init=False, repr=False)
    scale: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        X = self.net.inputs(self.X)
        Y = self.net.targets(self.Y, len(X))
        if len(X) == 0:
            raise DataError("X has no rows; at least 1 is needed")
        _require_finite(X, "X")
        _require_finite(Y, "Y")
        pair = self.net.pair
        if not pair.accepts(Y):
            raise DataError(
                f"Y has values from {Y.min():.6g} to {Y.max():.6g}; output {pair.name!r} with "
                f"loss {pair.loss!r} takes {pair.domain}"
            )
        w = _checked_weights(self.sample_weight, len(X))
        if not (np.isfinite(self.alpha) and self.alpha >= 0):
            raise ConfigurationError(f"alpha is {self.alpha!r}; it must be a number of at least 0")
        with np.errstate(over="ignore"):
            baseline = float(w @ pair.cost_of_constant(Y, (w / w.sum()) @ Y))
            scale = baseline - float(w @ pair.least_cost(Y))
        settle = object.__setattr__
        settle(self, "X", X)
        settle(self, "Y", Y)
        settle(self, "w", w)
        settle(self, "decay", self.alpha * self.net.is_weight())
        settle(self, "baseline", baseline)
        settle(self, "scale", scale)

    def evaluate(self, theta: ArrayLike, order: int = 1) -> Evaluation:
        """Evaluate the cost and its derivatives.

        Parameters
        ----------
        theta : array_like (p,)
        order : {0, 1, 2}
            0 gives ``(J,)``, 1 ``(J, g)``, 2 ``(J, g, H)`` with the Gauss-Newton H.

        Returns
        -------
        Evaluation
            Overflow gives a cost that is not finite; it raises nothing and warns of nothing.
        """
        theta = np.asarray(theta, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            data = memory.evaluate(
                reference.evaluate,
                self.net,
                theta,
                self.X,  # type: ignore[arg-type]
                self.Y,  # type: ignore[arg-type]
                self.w,
                order,
            )
            return data + l2(theta, self.decay, order)

    def cost(self, theta: ArrayLike) -> float:
        """Return J(θ)."""
        return self.evaluate(theta, order=0).J

    def gradient(self, theta: ArrayLike) -> Array:
        """Return dJ/dθ, (p,)."""
        g = self.evaluate(theta, order=1).g
        assert g is not None
        return g


def _require_finite(A: Array, name: str) -> None:
    bad = np.argwhere(~np.isfinite(A))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{name} has {len(bad)} values that are not finite, the first "
            f"({A[row, column]}) in row {row}, column {column}, counted from 0; "
            "remove or replace them"
        )


def _checked_weights(sample_weight: ArrayLike | None, n: int) -> Array:
    if sample_weight is None:
        return np.ones(n)
    w = np.asarray(sample_weight, dtype=np.float64)
    if w.shape != (n,):
        raise DataError(f"sample_weight has shape {w.shape}; {n} rows take ({n},)")
    if not (np.all(np.isfinite(w)) and np.all(w >= 0) and np.any(w > 0)):
        raise DataError("sample_weight must be finite, not negative, and not all zero")
    return w
