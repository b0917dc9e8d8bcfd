"""The objective J(θ) of a network on data: loss of every row plus L2 penalty.

    J(θ) = Σ_i w_i ℓ(y_i, ŷ_i) + ½ Σ α W²          a sum over rows; biases are free

An `Objective` is a pure function of θ: it keeps nothing between two evaluations and
never changes the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule._contracts import Array, Evaluation, Residuals
from chainrule._errors import ConfigurationError, DataError
from chainrule.heart.network import Network, row_weights
from chainrule.heart.penalties import l2
from chainrule.tables.scaling import varies
from chainrule.training.engines import memory

LARGEST = float(np.finfo(np.float64).max)
NEGLIGIBLE = 1e-6  # of the cost there is to explain: a fit that explains less is none
# f' of a saturated unit: far below what moves a weight, far above rounding
RUNAWAY, SURE = 1e3, 12.0  # see `running_away`: changes in what enters a unit, log odds
SATURATED = 1e-10


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
    X: ArrayLike = field(repr=False)
    Y: ArrayLike = field(repr=False)
    alpha: float | Sequence[float] | Array = 0.0
    sample_weight: ArrayLike | None = field(default=None, repr=False)
    fixed: Any = field(default=None, repr=False)
    signs: Any = field(default=None, repr=False)
    w: Array = field(init=False, repr=False)
    decay: Array = field(init=False, repr=False)
    varies: bool = field(init=False, repr=False)
    baseline: float = field(init=False, repr=False)
    scale: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        settle = object.__setattr__
        X = self.net.inputs(self.X)
        Y = self.net.targets(self.Y, len(X))
        if len(X) == 0:
            raise DataError("X has no rows; at least 1 is needed")
        require_finite(X, "X")
        require_finite(Y, "Y")
        pair = self.net.pair
        if not pair.accepts(Y):
            raise DataError(
                f"Y has values from {Y.min():.6g} to {Y.max():.6g}; output {pair.name!r} with "
                f"loss {pair.loss!r} takes {pair.domain}"
            )
        w = row_weights(self.sample_weight, len(X))
        decay = decay_of(self.net, self.alpha)
        if self.fixed is not None:
            settle(self, "fixed", self._fixed_values())
        if self.signs is not None:
            settle(self, "signs", self._known_signs())
        with np.errstate(over="ignore", invalid="ignore"):
            # sums without BLAS, whose bits depend on its threads
            baseline = float((w * pair.cost_of_constant(Y, _mean(Y, w))).sum())
            explainable = baseline - float((w * pair.least_cost(Y)).sum())
            size = 0.5 * float((w * (Y**2).sum(axis=1)).sum())
            # a target that is the same in every row leaves nothing to explain; its size counts
            differ = explainable > 0 and bool(np.any(varies(Y[w > 0.0])))
        scale = explainable if differ else (size or float(w.sum()))
        for array in (X, Y, w):
            array.setflags(write=False)
        settle(self, "X", X)
        settle(self, "Y", Y)
        settle(self, "w", w)
        settle(self, "varies", differ)
        settle(self, "decay", decay if self.fixed is None else decay * np.isnan(self.fixed))
        settle(self, "baseline", baseline)
        settle(self, "scale", scale)

    def with_decay(self, decay: Array) -> Objective:
        """Return the same cost with another penalty, α for each entry of θ, (p,)."""
        other = copy(self)
        object.__setattr__(other, "alpha", decay)
        free = decay if self.fixed is None else decay * np.isnan(self.fixed)
        object.__setattr__(other, "decay", free)
        return other

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
            found = memory.evaluate(self.net, theta, *self._rows, order)
            if self.decay.any():
                found = found + l2(theta, self.decay, order)
            return self._held(found, theta) if self.constrained else found

    def residuals(self, theta: ArrayLike) -> Residuals | None:
        """Return the residuals behind J where there are fewer of them than weights."""
        many = self.w.size * self.net.layers[-1] >= self.net.n_parameters
        if many or self.constrained:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            r, A = memory.residuals(self.net, self._point(theta), *self._rows)
        return Residuals(r, A, self.decay)

    def hessian(self, theta: ArrayLike) -> Array:
        """Return the exact d²J/dθ², (p, p), where `evaluate` gives that of Gauss-Newton."""
        with np.errstate(over="ignore", invalid="ignore"):
            H = memory.hessian(self.net, self._point(theta), *self._rows)
        H = H + np.diag(self.decay)
        return self._held_hessian(H, self.is_held(theta)) if self.constrained else H

    def hessian_product(self, theta: ArrayLike, v: ArrayLike) -> Array:
        """Return H v, (p,), with H the exact Hessian."""
        v = np.asarray(v, dtype=np.float64).ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            held = self.is_held(theta)
            of_free = np.where(held, 0.0, v)
            of_data = memory.hessian_product(self.net, self._point(theta), of_free, *self._rows)
        return np.where(held, self.scale * v, of_data + self.decay * v)

    def slope_of_log_determinant(self, theta: Array, beta: float, inverse: Array) -> Array:
        """Return d(½ ln |A|)/dθ, (p,), where A is β times the Gauss-Newton H and `inverse` A⁻¹."""
        X, Y, w = self._rows
        return memory.slope_of_log_determinant(self.net, theta, X, Y, beta * w, inverse)

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
            l = int(name[2:-1])
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
        g = memory.evaluate(self.net, theta, *self._rows, 1).g
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
        """Return which units are flat on every row, or where the output is flat and wrong.

        With a penalty a flat unit is not stuck: the penalty still pulls at its weights, and
        where the gradient vanishes it has pulled them to zero.
        """
        net = self.net
        trace = net.forward(theta, self.X)
        for l in range(2, net.n_layers):
            f = net.functions[l]
            flat = np.all(np.abs(f.prime(trace.z[l])) < SATURATED, axis=0)
            # a relu that is off on every row is common and harmless while others work
            stuck = flat.any() if f.flat_at == "both" else flat.all()
            if stuck and not self.decay.any():
                return f"layer {l}: {flat.sum()} of {len(flat)} units flat on every row"
        if net.loss == "squared":
            z_L = trace.z[net.n_layers]
            slope = np.einsum("nkk->nk", net.pair.slope(z_L))
            error = self.w[:, None] * (trace.y_hat - np.asarray(self.Y)) ** 2
            wrong = (np.abs(slope) < SATURATED) & (error > NEGLIGIBLE * self.scale)
            if wrong.any():
                return f"output flat and wrong in {wrong.any(axis=1).sum()} of {len(z_L)} rows"
        return None

    def running_away(self, theta: Array) -> str | None:
        """Report a weight without a penalty so large that the minimum appears to be at infinity.

        What enters a unit that saturates, what is added to a number and taken away again by other
        weights, or the logarithm of odds.
        """
        net, held = self.net, (self.decay > 0.0) | self.is_fixed
        if held.all() or self.bounded:
            return None
        trace = net.forward(theta, self.X)
        W, _ = net.weights(theta)
        free, _ = net.weights((~held).astype(np.float64))
        last = net.n_layers - 1
        for l in range(1, net.n_layers):
            size = np.abs(W[l] * free[l]) * np.ptp(trace.a[l], axis=0)[:, None]
            if l < last:
                if net.functions[l + 1].flat_at == "both" and size.max() > RUNAWAY:
                    where = f"what enters a unit of layer {l + 1}"
                    return f"one weight changes {where} by {size.max():.2g}"
            elif net.loss == "squared" and net.output == "identity":
                times = size / np.maximum(np.ptp(np.asarray(self.Y), axis=0), np.finfo(float).tiny)
                if times.max() > RUNAWAY:
                    return (
                        f"one weight changes a prediction by {times.max():.2g} ranges of the target"
                    )
            elif net.loss == "cross_entropy" and free[l].any():
                odds = float(np.abs(trace.z[net.n_layers]).min(axis=0).max())
                if odds > SURE:
                    return f"all rows are told apart, with log odds of {odds:.2g} or more"
        return None

    def _data_cost(self, theta: Array, J: Any) -> Any:
        return J - 0.5 * (np.asarray(theta) ** 2 @ self.decay)

    @property
    def hessian_costs_little(self) -> bool:
        """Whether the exact Hessian costs about as much as that of Gauss-Newton."""
        return memory.hessian_costs_little(self.net)

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

    def _known_signs(self) -> Array:
        signs = np.array(self.signs, dtype=np.float64)
        self.net.check_size(signs)
        if not np.all(np.isin(signs, (-1.0, 0.0, 1.0))):
            raise ConfigurationError("signs must be -1, 0 or 1 for each weight")
        if self.fixed is not None and np.any(signs * np.nan_to_num(self.fixed) < 0.0):
            raise ConfigurationError("a fixed weight does not have the sign that it must have")
        return signs

    def _fixed_values(self) -> Array:
        try:
            fixed = np.array(self.fixed, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"fixed is not a list of numbers: {error}") from None
        self.net.check_size(fixed)
        if np.any(np.isinf(fixed)):
            raise ConfigurationError("fixed has infinite values; give numbers, or NaN for free")
        if not np.any(np.isnan(fixed)):
            raise ConfigurationError("fixed leaves no weight to learn; give NaN for at least one")
        return fixed

    @property
    def _rows(self) -> tuple[Array, Array, Array]:
        return self.X, self.Y, self.w  # type: ignore[return-value]

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
        if name.startswith("W"):
            decay[block] = each[int(name[2:-1]) - 1]  # that of W[0], before the first, is the last
    return decay


def _mean(Y: Array, w: Array) -> Array:
    mean: Array = (w[:, None] * Y).sum(axis=0) / w.sum()
    return mean


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
