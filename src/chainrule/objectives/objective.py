"""The objective J(θ) of a network on data: the loss of every row plus the L2 penalty.

    J(θ) = Σ_i w_i ℓ(y_i, ŷ_i) + ½ Σ α W²          a sum over rows; biases are free

An `Objective` is a pure function of θ: it keeps nothing between two evaluations and
never changes the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule._contracts import NEGLIGIBLE, Array, Evaluation, Residuals
from chainrule._errors import ConfigurationError, DataError
from chainrule.heart.blocks import is_matrix, layer_of
from chainrule.heart.network import Network, row_weights
from chainrule.heart.penalties import l2
from chainrule.kernels import over_rows
from chainrule.objectives import saturation
from chainrule.rows.memory import MemoryRows
from chainrule.rows.protocol import Block, Rows
from chainrule.tables.scaling import varies

LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False, init=False)
class Objective:
    """The cost of a network on data, as a function of θ alone.

    Parameters
    ----------
    net : Network
    X : array_like (n, d[1])
        Inputs, in the scale the network sees.
    Y : array_like (n, d[L])
        Targets, in the scale the network predicts.
    alpha : float or sequence of float, default 0.0
        The penalty ½ α Σ W² (the tutorial's lambda); biases are not penalized. One number, or
        one for each layer of weights, W[1] first; a skip layer shares that of the last one. Or
        one for each entry of θ, (p,), biases too.
    sample_weight : array_like (n,), optional
        One weight for each row, not negative; all 1 if left out.
    fixed : array_like (p,), optional
        The value of each weight that is not to be learned, NaN for the others.
    signs : array_like (p,), optional
        1 for each weight that must not be negative, -1 for one that must not be positive, 0 for
        the others.

    Attributes
    ----------
    baseline : float
        The cost, without penalty, of predicting the mean target for every row.
    varies : bool
        Whether the targets differ from their mean at all.
    scale : float
        `baseline` less the cost of predicting every target exactly: the cost there
        is to explain, against which convergence is measured. ½ Σ w y² if nothing varies.

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
    rows: Rows = field(repr=False)
    alpha: Any
    fixed: Any = field(repr=False)
    signs: Any = field(repr=False)
    decay: Array = field(repr=False)
    varies: bool = field(repr=False)
    baseline: float = field(repr=False)
    scale: float = field(repr=False)

    def __init__(
        self,
        net: Network,
        X: ArrayLike,
        Y: ArrayLike,
        alpha: float | Sequence[float] | Array = 0.0,
        sample_weight: ArrayLike | None = None,
        fixed: Any = None,
        signs: Any = None,
    ) -> None:
        X = net.inputs(X)
        Y = net.targets(Y, len(X))
        if len(X) == 0:
            raise DataError("X has no rows; at least 1 is needed")
        require_finite(X, "X")
        require_finite(Y, "Y")
        rows = MemoryRows(X, Y, row_weights(sample_weight, len(X)))
        self._settle(net, rows, alpha, fixed, signs)

    @classmethod
    def on(
        cls, rows: Rows, net: Network, alpha: Any = 0.0, fixed: Any = None, signs: Any = None
    ) -> Objective:
        """Return the cost of a network on rows, wherever they are: see `rows`."""
        objective = object.__new__(cls)
        objective._settle(net, rows, alpha, fixed, signs)
        return objective

    def _settle(self, net: Network, rows: Rows, alpha: Any, fixed: Any, signs: Any) -> None:
        settle = partial(object.__setattr__, self)
        settle("net", net)
        settle("rows", rows)
        settle("alpha", alpha)
        settle("fixed", None if fixed is None else self._fixed_values(fixed))
        settle("signs", None if signs is None else self._known_signs(signs))
        decay = decay_of(net, alpha)
        settle("decay", decay if fixed is None else decay * np.isnan(self.fixed))
        baseline, explainable, size, differ = to_explain(net, rows)
        settle("varies", differ)
        settle("baseline", baseline)
        settle("scale", explainable if differ else (size or rows.weight_sum))

    @property
    def w(self) -> Array:
        """The weight of each row, (n,)."""
        return self.rows.w

    def with_decay(self, decay: Array) -> Objective:
        """Return the same cost with another penalty, α for each entry of θ, (p,)."""
        other = copy(self)
        object.__setattr__(other, "alpha", decay)
        free = decay if self.fixed is None else decay * np.isnan(self.fixed)
        object.__setattr__(other, "decay", free)
        return other

    def with_alpha(self, alpha: float | Sequence[float] | Array) -> Objective:
        """Return the same cost with another penalty, as `Objective` takes it."""
        return self.with_decay(decay_of(self.net, alpha))

    def with_rows(self, rows: Rows) -> Objective:
        """Return the cost of other rows."""
        return Objective.on(rows, self.net, self.alpha, self.fixed, self.signs)

    def with_weights(self, w: Array) -> Objective:
        """Return the cost of the same rows with other weights, (n,)."""
        return self.with_rows(self.rows.reweighted(w))

    def y_hat(self, theta: Array) -> Array:
        """Return what is predicted for each row, (n, K)."""
        found: Array = self.rows.map(lambda of: self.net.forward(theta, of.X).y_hat)
        return found

    def errors(self, theta: Array) -> Array:
        """Return ŷ - y of each row, (n, K)."""
        found: Array = self.rows.map(lambda of: self.net.forward(theta, of.X).y_hat - of.Y)
        return found

    @property
    def targets(self) -> Array:
        """What is to be learned of each row, (n, K)."""
        found: Array = self.rows.map(lambda of: of.Y)
        return found

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
        if order not in (0, 1, 2):
            raise ConfigurationError(f"order is {order!r}; it must be 0, 1 or 2")
        theta = self._point(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            found = over_rows.evaluate(self.net, theta, self.rows, order)
            if self.decay.any():
                found = found + l2(theta, self.decay, order)
            return self._held(found, theta) if self.constrained else found

    def residuals(self, theta: ArrayLike) -> Residuals | None:
        """Return the residuals behind J where there are fewer of them than weights."""
        many = self.w.size * self.net.layers[-1] >= self.net.n_parameters
        if many or self.constrained:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            r, A = over_rows.residuals(self.net, self._point(theta), self.rows)
        return Residuals(r, A, self.decay)

    def hessian(self, theta: ArrayLike) -> Array:
        """Return the exact d²J/dθ², (p, p), where `evaluate` gives that of Gauss-Newton."""
        with np.errstate(over="ignore", invalid="ignore"):
            H = over_rows.hessian(self.net, self._point(theta), self.rows)
        H = H + np.diag(self.decay)
        return self._held_hessian(H, self.is_held(theta)) if self.constrained else H

    def hessian_product(self, theta: ArrayLike, v: ArrayLike) -> Array:
        """Return H v, (p,), with H the exact Hessian."""
        v = np.asarray(v, dtype=np.float64).ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            held = self.is_held(theta)
            of_free = np.where(held, 0.0, v)
            of_data = over_rows.hessian_product(self.net, self._point(theta), of_free, self.rows)
        return np.where(held, self.scale * v, of_data + self.decay * v)

    def slope_of_log_determinant(self, theta: Array, beta: float, inverse: Array) -> Array:
        """Return d(½ ln |A|)/dθ, (p,), where A is β times the Gauss-Newton H and `inverse` A⁻¹."""
        return over_rows.slope_of_log_determinant(self.net, theta, self.rows, beta, inverse)

    @property
    def size(self) -> tuple[int, bool]:
        """How many numbers there are to fit, and whether the loss is squared."""
        return self.w.size * self.net.layers[-1], self.net.loss == "squared"

    @property
    def highest_order(self) -> int:
        """2: J, g and the Gauss-Newton H; 1 for a loss without second derivatives."""
        return self.net.pair.highest_order

    @property
    def gradient_in_doubt(self) -> bool:
        """False: these gradients are tested."""
        return False

    @property
    def can_fit_all(self) -> bool:
        """Whether there are weights enough to fit every row, and no penalty on them."""
        numbers = self.w.size * self.net.layers[-1]
        free = self.net.n_parameters if self.fixed is None else int((~self.is_fixed).sum())
        return numbers <= free and not self.decay.any()

    @property
    def gauge(self) -> Array | None:
        """The direction along which the cost cannot change, if there is one.

        A softmax does not see what is added to all of its z, as output biases can.
        """
        net = self.net
        if net.pair.name != "softmax" or not net.bias:
            return None
        biases = net.blocks()[f"b[{net.n_layers - 1}]"]
        held = self.is_fixed if self.signs is None else self.is_fixed | (self.signs != 0)
        if self.decay[biases].any() or held[biases].any():
            return None
        v = np.zeros(net.n_parameters)
        v[biases] = 1.0 / np.sqrt(net.layers[-1])
        return v

    @property
    def may_be_silent(self) -> NDArray[np.bool_]:
        """Which biases the cost need not see: of hidden units that a penalty can silence, (p,)."""
        mask = np.zeros(self.net.n_parameters, dtype=bool)
        for name, block in self.net.blocks().items():
            l = layer_of(name)
            behind = self.net.blocks().get(f"W[{l + 1}]")
            if name.startswith("b") and behind is not None:
                mask[block] = bool(self.decay[behind].all())
        return mask

    @property
    def is_fixed(self) -> NDArray[np.bool_]:
        """Which weights are not learned, (p,)."""
        if self.fixed is None:
            return np.zeros(self.net.n_parameters, dtype=bool)
        return np.asarray(~np.isnan(self.fixed))

    @property
    def bounded(self) -> bool:
        """Whether some weights may have one sign only."""
        return self.signs is not None

    @property
    def constrained(self) -> bool:
        """Whether some weights are fixed, or may have one sign only."""
        return self.fixed is not None or self.signs is not None

    def is_held(self, theta: ArrayLike) -> NDArray[np.bool_]:
        """Return which weights cannot move: fixed, or pressed against 0 by the gradient, (p,)."""
        if self.signs is None:
            return self.is_fixed
        theta = self._point(theta)
        g = over_rows.evaluate(self.net, theta, self.rows, 1).g
        assert g is not None
        return self._is_held(theta, g + self.decay * theta)

    def admitted(self, theta: Array) -> Array:
        """Return a start θ, (..., p), with fixed weights at their values, others of their sign."""
        if self.signs is not None:
            theta = np.where(np.equal(self.signs, 0.0), theta, self.signs * np.abs(theta))
        return theta if self.fixed is None else np.where(self.is_fixed, self.fixed, theta)

    def project(self, theta: Array) -> Array:
        """Return θ with each weight of the wrong sign at 0, θ itself if there is none."""
        if self.signs is None:
            return theta
        wrong = np.asarray(self.signs) * theta < 0.0
        return np.where(wrong, 0.0, theta) if wrong.any() else theta

    def left_to_explain(self, theta: Array, J: Any) -> Any:
        """Return the share of `scale` that a perfect fit would still gain.

        For one point, or for several: θ (m, p) and J (m,).
        """
        least = self.baseline - self.scale if self.varies else self.baseline
        return (self._data_cost(theta, J) - least) / self.scale

    def worse_than_mean(self, theta: Array, J: float) -> str | None:
        """Return how J compares with predicting the mean target if it is no better."""
        of_data = self._data_cost(theta, J)
        if self.varies and not self.baseline - of_data > NEGLIGIBLE * self.scale:
            return f"cost {of_data:.6g} >= {self.baseline:.6g} of the mean"
        return None

    def saturated(self, theta: Array) -> str | None:
        """Return which units are flat on every row, or where the output is flat and wrong."""
        return saturation.saturated(self.net, self.rows, theta, self.decay, self.scale)

    def running_away(self, theta: Array) -> str | None:
        """Report a weight without a penalty so large that the minimum appears to be at infinity."""
        held = (self.decay > 0.0) | self.is_fixed
        if held.all() or self.bounded:
            return None
        return saturation.running_away(self.net, self.rows, theta, held)

    def _data_cost(self, theta: Array, J: Any) -> Any:
        return J - 0.5 * (np.asarray(theta) ** 2 @ self.decay)

    @property
    def hessian_costs_little(self) -> bool:
        """Whether the exact Hessian costs about as much as that of Gauss-Newton."""
        return over_rows.hessian_costs_little(self.net)

    def blocks(self) -> dict[str, slice]:
        """Return where each W[l] and b[l] lies in θ."""
        return self.net.blocks()

    def cost(self, theta: ArrayLike) -> float:
        """Return J(θ)."""
        return self.evaluate(theta, order=0).J

    def gradient(self, theta: ArrayLike) -> Array:
        """Return dJ/dθ, (p,)."""
        g = self.evaluate(theta, order=1).g
        assert g is not None
        return g

    # A fixed weight is one that a spring of stiffness `scale` holds where it is, and the rest of
    # the cost does not see: gradients vanish there, nothing is singular, and no way of minimizing
    # needs to know.

    def _held(self, found: Evaluation, theta: Array) -> Evaluation:
        if found.g is None:
            return found
        held = self._is_held(theta, found.g)
        target = theta if self.fixed is None else np.where(self.is_fixed, self.fixed, theta)
        g = np.where(held, self.scale * (theta - target), found.g)
        H = None if found.H is None else self._held_hessian(found.H, held)
        return Evaluation(found.J, g, H)

    def _is_held(self, theta: Array, g: Array) -> NDArray[np.bool_]:
        if self.signs is None:
            return self.is_fixed
        pressed = np.not_equal(self.signs, 0.0) & (theta == 0.0) & (self.signs * g > 0.0)
        return np.asarray(self.is_fixed | pressed)

    def _held_hessian(self, H: Array, held: NDArray[np.bool_]) -> Array:
        H = np.where(held | held[:, None], 0.0, H)
        H[held, held] = self.scale
        return H

    def _known_signs(self, given: Any) -> Array:
        signs = np.array(given, dtype=np.float64)
        self.net.check_size(signs)
        if not np.all(np.isin(signs, (-1.0, 0.0, 1.0))):
            raise ConfigurationError("signs must be -1, 0 or 1 for each weight")
        if self.fixed is not None and np.any(signs * np.nan_to_num(self.fixed) < 0.0):
            raise ConfigurationError("a fixed weight does not have the sign that it must have")
        return signs

    def _fixed_values(self, given: Any) -> Array:
        try:
            fixed = np.array(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"fixed is not a list of numbers: {error}") from None
        self.net.check_size(fixed)
        if np.any(np.isinf(fixed)):
            raise ConfigurationError("fixed has infinite values; give numbers, or NaN for free")
        if not np.any(np.isnan(fixed)):
            raise ConfigurationError("fixed leaves no weight to learn; give NaN for at least one")
        return fixed

    def _point(self, theta: ArrayLike) -> Array:
        if np.iscomplexobj(theta):
            raise DataError("theta is complex; weights are real numbers")
        theta = np.ascontiguousarray(theta, dtype=np.float64)
        self.net.check_size(theta)
        return theta


def decay_of(net: Network, alpha: float | Sequence[float] | Array) -> Array:
    """Return α for each entry of θ, from one number or one for each layer: then 0 for biases.

    Raises
    ------
    ConfigurationError
        If they are not numbers of at least 0, or not as many as there are layers of weights.
    """
    n = net.n_layers - 1
    each = list(alpha) if isinstance(alpha, Sequence | np.ndarray) else [alpha] * n
    for number in each:
        real = isinstance(number, int | float | np.number) and not isinstance(number, bool)
        if not (real and 0 <= number <= LARGEST):
            raise ConfigurationError(f"alpha is {alpha!r}; it must be a number of at least 0")
    each = [float(number) for number in each]
    if len(each) == net.n_parameters != n:
        return np.array(each, dtype=np.float64)
    if len(each) != n:
        raise ConfigurationError(
            f"{len(each)} values of alpha for {n} layers of weights; give one number for all of "
            "them, or one for each"
        )
    decay = np.zeros(net.n_parameters)
    for name, block in net.blocks().items():
        if is_matrix(name):
            decay[block] = each[layer_of(name) - 1]  # that of W[0], before the first, is the last
    return decay


def to_explain(net: Network, rows: Rows) -> tuple[float, float, float, bool]:
    """Return what the mean costs, by how much less all could, ½ Σ w y², and whether targets differ.

    Raises
    ------
    DataError
        If the output cannot be asked for such targets.
    """
    pair = net.pair
    _, of_targets = rows.moments
    mean = of_targets.mean
    # sums without BLAS, whose bits depend on its threads
    with np.errstate(over="ignore", invalid="ignore"):

        def costs(of: Block) -> Array:
            parts = (
                of.w * pair.cost_of_constant(of.Y, mean),
                of.w * pair.least_cost(of.Y),
                0.5 * of.w * (of.Y**2).sum(axis=1),
                ~np.array([pair.accepts(of.Y)]),
            )
            return np.array([part.sum() for part in parts], dtype=np.float64)

        baseline, least, size, refused = rows.sum(costs).tolist()
    if refused:
        lowest, highest = of_targets.lowest.min(), of_targets.highest.max()
        raise DataError(
            f"Y has values from {lowest:.6g} to {highest:.6g}; output {pair.name!r} with "
            f"loss {pair.loss!r} takes {pair.domain}"
        )
    ends = np.array([of_targets.lowest, of_targets.highest])
    # a target that is the same in every row leaves nothing to explain; its size counts
    differ = baseline - least > 0 and bool(np.any(varies(ends)))
    return baseline, baseline - least, size, differ


def require_finite(A: Array, name: str) -> None:
    """Raise DataError, with the place, if a value is not finite."""
    bad = np.argwhere(~np.isfinite(A))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{name} has {len(bad)} values that are not finite, the first "
            f"({A[row, column]}) in row {row}, column {column}, counted from 0; "
            "remove or replace them"
        )
