"""Activation functions f(z) and their derivatives f'(z) and f''(z).

Each one takes a scalar, a vector or a matrix and returns the same shape. Results
are finite, and free of warnings, for every float64: an infinite z stands for the
largest finite number. Only ``exp`` of a non-positive argument is ever taken, so
nothing overflows and f' keeps its digits where ``a * (1 - a)`` has lost them all.

Complex z is let through unclipped, with decisions made on its real part, so that
the complex step can differentiate every formula to the last digit (Squire & Trapp
1998, SIAM Review 40:110).

    name        f(z)                 f'(z)                            f''(z)      e = exp(-|z|)
    sigmoid     1 / (1 + exp(-z))    e / (1 + e)^2                    f' (1 - 2 f)
    tanh        tanh(z)              4 e^2 / (1 + e^2)^2              -2 f f'
    relu        max(z, 0)            1 for z > 0, else 0              0
    softplus    log(1 + exp(z))      sigmoid(z)                       sigmoid'(z)
    silu        z sigmoid(z)         sigmoid(z) (1 + z sigmoid(-z))   sigmoid' (2 - z tanh(z / 2))
    identity    z                    1                                0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule._errors import ConfigurationError

_LARGEST = np.finfo(np.float64).max
# no difference is taken, so it can be as small as one likes (Squire & Trapp 1998, SIAM Rev. 40:110)
COMPLEX_STEP = 1e-100
CENTRAL_STEP = 6e-6  # of a central difference


@dataclass(frozen=True)
class Activation:
    """An activation function with its derivative: one of ours, or one of your own.

    A network takes an object of your own in place of a name. Its f and df are only ever
    asked about finite numbers.

    Attributes
    ----------
    name : str
        The name by which a network asks for it.
    f, df : callable
        z -> f(z) and z -> f'(z), elementwise.
    flat_at : str
        Where f' vanishes: ``"both"`` sides, the ``"left"``, or ``"never"``.
    d2f : callable, optional
        z -> f''(z), elementwise; if left out, f' is differentiated numerically.

    Examples
    --------
    >>> from chainrule.heart.activations import sigmoid
    >>> sigmoid([-1.0, 0.0, 1.0])
    array([0.26894142, 0.5       , 0.73105858])
    >>> float(sigmoid.prime(0.0))
    0.25
    """

    name: str
    f: Callable[[Any], Any]
    df: Callable[[Any], Any]
    flat_at: str = "both"
    d2f: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        if not (callable(self.f) and callable(self.df)):
            raise ConfigurationError(f"f and df of activation {self.name!r} must be functions")

    def __call__(self, z: Any) -> Any:
        """Return f(z), of the shape of `z`."""
        return self.f(_finite(z))[()]

    def prime(self, z: Any) -> Any:
        """Return f'(z), of the shape of `z`."""
        return self.df(_finite(z))[()]

    def second(self, z: Any) -> Any:
        """Return f''(z), of the shape of `z`."""
        z = _finite(z)
        if self.d2f is not None:
            return self.d2f(z)[()]
        try:
            return (self.df(z + 1j * COMPLEX_STEP).imag / COMPLEX_STEP)[()]
        except (TypeError, ValueError):  # own functions may not take complex numbers
            return ((self.df(z + CENTRAL_STEP) - self.df(z - CENTRAL_STEP)) / (2.0 * CENTRAL_STEP))[
                ()
            ]


def _finite(z: Any) -> Any:
    z = np.asarray(z)
    if z.dtype.kind == "c":
        return z
    return np.clip(np.asarray(z, dtype=np.float64), -_LARGEST, _LARGEST)


def _abs(z: Any) -> Any:
    return np.where(z.real < 0, -z, z)


def _sigmoid(z: Any) -> Any:
    e = np.exp(-_abs(z))
    return np.where(z.real < 0, e, 1.0) / (1.0 + e)


def _sigmoid_prime(z: Any) -> Any:
    e = np.exp(-_abs(z))
    return e / (1.0 + e) ** 2


def _sigmoid_second(z: Any) -> Any:
    return -_sigmoid_prime(z) * np.tanh(0.5 * z)


def _tanh_prime(z: Any) -> Any:
    e = np.exp(-_abs(z))  # squared only below, so that 2z cannot overflow
    return (2.0 * e / (1.0 + e * e)) ** 2


def _tanh_second(z: Any) -> Any:
    return -2.0 * np.tanh(z) * _tanh_prime(z)


def _softplus(z: Any) -> Any:
    return np.where(z.real > 0, z, 0.0) + np.log1p(np.exp(-_abs(z)))


def _silu_prime(z: Any) -> Any:
    return _sigmoid(z) * (1.0 + z * _sigmoid(-z))


def _silu_second(z: Any) -> Any:
    return _sigmoid_prime(z) * (2.0 - z * np.tanh(0.5 * z))


sigmoid = Activation("sigmoid", _sigmoid, _sigmoid_prime, d2f=_sigmoid_second)
tanh = Activation("tanh", np.tanh, _tanh_prime, d2f=_tanh_second)
relu = Activation(
    "relu",
    lambda z: np.where(z.real > 0, z, 0.0),
    lambda z: np.where(z.real > 0, 1.0, 0.0),
    "left",
    np.zeros_like,
)
softplus = Activation("softplus", _softplus, _sigmoid, "left", _sigmoid_prime)
silu = Activation("silu", lambda z: z * _sigmoid(z), _silu_prime, "left", _silu_second)
identity = Activation("identity", lambda z: z, np.ones_like, "never", np.zeros_like)

ACTIVATIONS = {f.name: f for f in (sigmoid, tanh, relu, softplus, silu, identity)}


def activation(name: str | Activation) -> Activation:
    """Return the activation called `name`, or `name` itself if it is one.

    Raises
    ------
    ConfigurationError
        If there is none of that name.
    """
    if isinstance(name, Activation):
        return name
    if not isinstance(name, str) or name not in ACTIVATIONS:
        same = " (logistic is called sigmoid here)" if name == "logistic" else ""
        raise ConfigurationError(
            f"unknown activation {name!r}; choose one of {', '.join(ACTIVATIONS)}{same}"
        )
    return ACTIVATIONS[name]
