"""Output functions with their losses: ŷ(z), ℓ(y, z) and what backpropagation needs.

A pair is written in terms of z = z[L], the last layer before its function, because
only there can the cross-entropies be computed without losing digits: with ŷ rounded
to 1 the logarithm of 1 - ŷ is gone, with z it is not.

    output    loss           ℓ(y, z), summed over outputs   δ = ∂ℓ/∂z    Λ
    identity  squared        ½ (y - ŷ)²                     ŷ - y        I
    sigmoid   squared        ½ (y - ŷ)²                     (ŷ - y) f'   f'²
    sigmoid   cross_entropy  log(1 + exp z) - y z           ŷ - y        f'
    softmax   cross_entropy  Σ y · log Σ exp z - Σ y z      ŷ Σ y - y    Σ y (diag ŷ - ŷ ŷᵀ)
    exp       poisson        exp z - y z                    ŷ - y        ŷ

With ŷ near 1 the difference ŷ - y of the cross-entropies would cancel as well; it is
computed as ŷ (1 - y) - y (1 - ŷ), where 1 - ŷ comes from z and not from ŷ.

Λ (K x K for each row) is the curvature that Gauss-Newton uses: ∂²ℓ/∂z² for the
canonical pairs, and (∂ŷ/∂z)² for a squared loss (Bishop 1995, secs. 4.8, 4.10, 6.9;
Schraudolph 2002, Neural Computation 14:1723, on the generalized Gauss-Newton matrix). What it
leaves out of a squared loss is (ŷ - y) ∂²ŷ/∂z².
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError
from chainrule.heart import activations


@dataclass(frozen=True)
class Output:
    """An output function together with its loss.

    All functions work row by row on z and Y of shape (n, K).

    Attributes
    ----------
    name, loss : str
        The names by which a network asks for the pair.
    y_hat : callable
        z -> ŷ, (n, K).
    cost : callable
        (z, Y) -> ℓ, (n,).
    delta : callable
        (z, Y) -> ∂ℓ/∂z, (n, K).
    slope : callable
        z -> ∂ŷ/∂z, (n, K, K).
    curvature : callable
        (z, Y) -> Λ, (n, K, K).
    beyond_gauss_newton : callable
        (z, Y) -> ∂²ℓ/∂z² - Λ, (n, K, K), 0 for the canonical pairs.
    cost_of_constant : callable
        (Y, mean) -> ℓ, (n,), of predicting the weighted mean of Y for every row.
    least_cost : callable
        Y -> ℓ, (n,), of predicting Y itself.
    accepts : callable
        Y -> bool, whether Y can be a target of this loss.
    domain : str
        The targets it accepts, in words.
    equation, delta_equation : str
        ℓ and δ as the worked example prints them.
    """

    name: str
    loss: str
    y_hat: Callable[[Any], Any]
    cost: Callable[[Any, Array], Any]
    delta: Callable[[Any, Array], Any]
    slope: Callable[[Array], Array]
    curvature: Callable[[Array, Array], Array]
    cost_of_constant: Callable[[Array, Array], Array]
    least_cost: Callable[[Array], Array]
    accepts: Callable[[Array], bool]
    domain: str
    equation: str
    delta_equation: str = "y_hat - y"
    highest_order: int = 2
    beyond_gauss_newton: Callable[[Array, Array], Array] = lambda z, Y: np.zeros((1, 1, 1))


@dataclass(frozen=True)
class Loss:
    """A loss of your own, ℓ(ŷ, y), number by number; a row costs the sum over its outputs.

    A network takes it in place of the name of a loss, with output identity, sigmoid or exp.
    ŷ and y are in the scale of the network: targets that are standardized have mean 0 and
    standard deviation 1 there.

    Attributes
    ----------
    name : str
    f, df : callable
        (ŷ, y) -> ℓ and (ŷ, y) -> ∂ℓ/∂ŷ, elementwise on arrays. ℓ is least where ŷ = y.
    d2f : callable, optional
        (ŷ, y) -> ∂²ℓ/∂ŷ², at least 0, with which Levenberg-Marquardt can be used.

    Examples
    --------
    Half squares up to 1, then straight lines (Huber 1964):

    >>> import numpy as np, chainrule
    >>> huber = chainrule.Loss(
    ...     "huber",
    ...     f=lambda y_hat, y: np.where(
    ...         abs(y_hat - y) < 1, 0.5 * (y_hat - y) ** 2, abs(y_hat - y) - 0.5),
    ...     df=lambda y_hat, y: np.clip(y_hat - y, -1, 1),
    ... )
    >>> net = chainrule.Network([2, 3, 1], loss=huber)
    >>> net.cost(net.initial(seed=0), [[0.0, 1.0]], [[5.0]]) > 0
    True
    """

    name: str
    f: Callable[[Any, Any], Any]
    df: Callable[[Any, Any], Any]
    d2f: Callable[[Any, Any], Any] | None = None


# ---------------------------------------------------------------- output functions


def _softmax(z: Any) -> Any:
    return _softmax_and_rest(z)[0]


def _softmax_and_rest(z: Any) -> tuple[Any, Any]:
    """Return p and 1 - p, the latter as the sum of the others, which does not cancel."""
    with np.errstate(over="ignore"):  # exp(-inf) = 0 is meant
        e = np.exp(z - z.real.max(axis=-1, keepdims=True))
    total = e.sum(axis=-1, keepdims=True)
    return e / total, _others(e) / total


def _others(A: Any) -> Any:
    """Return, for each entry, the sum of all others in its row."""
    return A @ (1.0 - np.eye(A.shape[-1]))


def _exp(z: Any) -> Any:
    with np.errstate(over="ignore"):  # an infinite cost is refused, not hidden
        return np.exp(z)


def _diagonal(d: Array) -> Array:
    """Return (n, K) as n diagonal matrices, (n, K, K)."""
    return np.asarray(d[..., None] * np.eye(d.shape[-1]))


def _softmax_slope(z: Array) -> Array:
    p, rest = _softmax_and_rest(z)
    off_diagonal = p[..., :, None] * p[..., None, :] * (1.0 - np.eye(p.shape[-1]))
    return np.asarray(_diagonal(p * rest) - off_diagonal)


# ---------------------------------------------------------------- losses, from z


def _log_sum_exp(z: Any) -> Any:
    top = z.real.max(axis=-1, keepdims=True)
    with np.errstate(over="ignore"):
        e = np.exp(z - top)
    return (top + np.log(e.sum(axis=-1, keepdims=True)))[..., 0]


def _binary_cross_entropy(z: Any, Y: Array) -> Any:
    return (activations.softplus(z) - Y * z).sum(axis=-1)


def _cross_entropy(z: Any, Y: Array) -> Any:
    return Y.sum(axis=-1) * _log_sum_exp(z) - (Y * z).sum(axis=-1)


def _binary_delta(z: Any, Y: Array) -> Any:
    return activations.sigmoid(z) * (1.0 - Y) - Y * activations.sigmoid(-z)


def _softmax_delta(z: Any, Y: Array) -> Any:
    p, rest = _softmax_and_rest(z)
    return p * _others(Y) - Y * rest


def _poisson(z: Any, Y: Array) -> Any:
    return (_exp(z) - Y * z).sum(axis=-1)


def _entropy(Y: Array) -> Array:
    """Return -Σ y log y over the outputs, with 0 log 0 = 0."""
    return np.asarray(-(Y * np.log(np.where(Y > 0, Y, 1.0))).sum(axis=-1))


def _half_squares(Y: Array, mean: Array) -> Array:
    return np.asarray(0.5 * ((Y - mean) ** 2).sum(axis=-1))


def _no_cost(Y: Array) -> Array:
    return np.zeros(len(Y))


def _log(p: Array) -> Array:
    return np.log(np.maximum(p, np.finfo(np.float64).tiny))


def _any_number(Y: Array) -> bool:
    return True


def _unit_interval(Y: Array) -> bool:
    return bool(np.all((Y >= 0) & (Y <= 1)))


def _not_negative(Y: Array) -> bool:
    return bool(np.all(Y >= 0))


# ---------------------------------------------------------------- the pairs


def _squared(y_hat: activations.Activation) -> Output:
    name, prime = y_hat.name, y_hat.prime
    slope = "" if name == "identity" else f" * {name}'(z)"
    return Output(
        name=name,
        loss="squared",
        y_hat=y_hat,
        cost=lambda z, Y: 0.5 * ((y_hat(z) - Y) ** 2).sum(axis=-1),
        delta=lambda z, Y: (y_hat(z) - Y) * prime(z),
        slope=lambda z: _diagonal(prime(z)),
        curvature=lambda z, Y: _diagonal(prime(z) ** 2),
        cost_of_constant=_half_squares,
        least_cost=_no_cost,
        accepts=_any_number,
        domain="any finite number",
        equation="Σ ½ (y - y_hat)²",
        delta_equation=f"-(y - y_hat){slope}",
        beyond_gauss_newton=lambda z, Y: _diagonal((y_hat(z) - Y) * y_hat.second(z)),
    )


_sigmoid, _identity = activations.sigmoid, activations.identity

OUTPUTS = {
    (o.name, o.loss): o
    for o in (
        _squared(_identity),
        _squared(_sigmoid),
        Output(
            name="sigmoid",
            loss="cross_entropy",
            y_hat=_sigmoid,
            cost=_binary_cross_entropy,
            delta=_binary_delta,
            slope=lambda z: _diagonal(_sigmoid.prime(z)),
            curvature=lambda z, Y: _diagonal(_sigmoid.prime(z)),
            cost_of_constant=lambda Y, mean: (-Y * _log(mean) - (1 - Y) * _log(1 - mean)).sum(-1),
            least_cost=lambda Y: _entropy(Y) + _entropy(1.0 - Y),
            accepts=_unit_interval,
            domain="numbers from 0 to 1",
            equation="Σ log(1 + exp z) - y z",
        ),
        Output(
            name="softmax",
            loss="cross_entropy",
            y_hat=_softmax,
            cost=_cross_entropy,
            delta=_softmax_delta,
            slope=_softmax_slope,
            curvature=lambda z, Y: Y.sum(axis=-1)[..., None, None] * _softmax_slope(z),
            cost_of_constant=lambda Y, mean: -(Y * _log(mean / mean.sum())).sum(axis=-1),
            least_cost=lambda Y: _entropy(Y) - _entropy(Y.sum(axis=-1, keepdims=True)),
            accepts=_unit_interval,
            domain="numbers from 0 to 1, one column per class",
            equation="Σ y · log Σ exp z - Σ y z",
            delta_equation="y_hat Σ y - y",
        ),
        Output(
            name="exp",
            loss="poisson",
            y_hat=_exp,
            cost=_poisson,
            delta=lambda z, Y: _exp(z) - Y,
            slope=lambda z: _diagonal(_exp(z)),
            curvature=lambda z, Y: _diagonal(_exp(z)),
            cost_of_constant=lambda Y, mean: (mean - Y * _log(mean)).sum(axis=-1),
            least_cost=lambda Y: Y.sum(axis=-1) + _entropy(Y),
            accepts=_not_negative,
            domain="numbers that are not negative",
            equation="Σ exp z - y z",
        ),
    )
}

CANONICAL_LOSS = {
    "identity": "squared",
    "sigmoid": "cross_entropy",
    "softmax": "cross_entropy",
    "exp": "poisson",
}


def _own(name: str, loss: Loss) -> Output:
    if name not in ("identity", "sigmoid", "exp"):
        raise ConfigurationError(
            f"a loss of your own goes with output identity, sigmoid or exp, not with {name!r}"
        )
    functions: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
        "identity": (_identity, _identity.prime),
        "sigmoid": (_sigmoid, _sigmoid.prime),
        "exp": (_exp, _exp),
    }
    y_hat, prime = functions[name]
    f, df, d2f = loss.f, loss.df, loss.d2f or (lambda y_hat, y: np.ones_like(y_hat))
    return Output(
        name=name,
        loss=loss.name,
        y_hat=y_hat,
        cost=lambda z, Y: f(y_hat(z), Y).sum(axis=-1),
        delta=lambda z, Y: df(y_hat(z), Y) * prime(z),
        slope=lambda z: _diagonal(prime(z)),
        curvature=lambda z, Y: _diagonal(d2f(y_hat(z), Y) * prime(z) ** 2),
        cost_of_constant=lambda Y, mean: f(np.broadcast_to(mean, Y.shape), Y).sum(axis=-1),
        least_cost=lambda Y: f(Y, Y).sum(axis=-1),
        accepts=_any_number,
        domain="any finite number",
        equation=f"Σ {loss.name}(y_hat, y)",
        delta_equation=f"d {loss.name} / d y_hat * f'(z)",
        highest_order=1 if loss.d2f is None else 2,
    )


def output(name: str, loss: str | Loss | None = None) -> Output:
    """Return the pair of output function `name` and `loss` (default: the canonical one).

    Raises
    ------
    ConfigurationError
        If there is no such output, or if the two do not go together.
    """
    if not isinstance(name, str) or name not in CANONICAL_LOSS:
        raise ConfigurationError(
            f"unknown output {name!r}; choose one of {', '.join(CANONICAL_LOSS)}"
        )
    if isinstance(loss, Loss):
        return _own(name, loss)
    pair = (name, CANONICAL_LOSS[name] if loss is None else loss)
    if not isinstance(loss, str | None) or pair not in OUTPUTS:
        losses = ", ".join(known for output_name, known in OUTPUTS if output_name == name)
        raise ConfigurationError(
            f"output {name!r} does not go with loss {loss!r}; its losses are: {losses}"
        )
    return OUTPUTS[pair]
