"""Activation functions f(z) and their derivatives f'(z).

Each one takes a scalar, a vector or a matrix and returns the same shape. Results
are finite, and free of warnings, for every float64: an infinite z stands for the
largest finite number. Only ``exp`` of a non-positive argument is ever taken, so
nothing overflows and f' keeps its digits where ``a * (1 - a)`` has lost them all.

Complex z is let through unclipped, with decisions made on its real part, so that
the complex step can differentiate every formula to the last digit (Squire & Trapp
1998, SIAM Review 40:110).

    name        f(z)                      f'(z)                 with e = exp(-|z|)
    sigmoid     1 / (1 + exp(-z))         e / (1 + e)^2
    tanh        tanh(z)                   4 e^2 / (1 + e^2)^2
    relu        max(z, 0)                 1 for z > 0, else 0
    softplus    log(1 + exp(z))           sigmoid(z)
    silu        z sigmoid(z)              sigmoid(z) (1 + z sigmoid(-z))
    identity    z                         1
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule._errors import ConfigurationError

_LARGEST = np.finfo(np.float64).max


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

    def __post_init__(self) -> None:
        if not (callable(self.f) and callable(self.df)):
            raise ConfigurationError(f"f and df of activation {self.name!r} must be functions")

    def __call__(self, z: Any) -> Any:
        """Return f(z), of the shape of `z`."""
        return self.f(_finite(z))[()]

    def prime(self, z: Any) -> Any:
        """Return f'(z), of the shape of `z`."""
        return self.df(_finite(z))[()]


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


def _tanh_prime(z: Any) -> Any:
    e = np.exp(-_abs(z))  # squared only below, so that 2z cannot overflow
    return (2.0 * e / (1.0 + e * e)) ** 2


def _softplus(z: Any) -> Any:
    return np.where(z.real > 0, z, 0.0) + np.log1p(np.exp(-_abs(z)))


def _silu_prime(z: Any) -> Any:
    return _sigmoid(z) * (1.0 + z * _sigmoid(-z))


sigmoid = Activation("sigmoid", _sigmoid, _sigmoid_prime)
tanh = Activation("tanh", np.tanh, _tanh_prime)
relu = Activation(
    "relu",
    lambda z: np.where(z.real > 0, z, 0.0),
    lambda z: np.where(z.real > 0, 1.0, 0.0),
    flat_at="left",
)
softplus = Activation("softplus", _softplus, _sigmoid, flat_at="left")
silu = Activation("silu", lambda z: z * _sigmoid(z), _silu_prime, flat_at="left")
identity = Activation("identity", lambda z: z, lambda z: np.ones_like(z), flat_at="never")

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
