"""Check that custom activations and losses are ones that a network can use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._errors import ConfigurationError
from chainrule.heart.activations import Activation
from chainrule.heart.network import Network
from chainrule.heart.outputs import Loss

H = 1e-5  # of a central difference: its error is about 1e-10
WRONG_DERIVATIVE = 1e-4  # relative error of a derivative against differences
# in no place where the usual corners are: 0, ±1, ŷ = y
Z = np.linspace(-1.53, 1.61, 12).reshape(4, 3)
# predictions and targets at which losses are looked at, from 0 to 1 as probabilities are
Y_HAT, Y = np.linspace(0.07, 0.93, 12).reshape(4, 3), np.linspace(0.81, 0.23, 12).reshape(4, 3)


def require_usable(net: Network) -> None:
    """Refuse functions of one's own that do not go element by element, or are no loss.

    Raises
    ------
    ConfigurationError
        With the layer, and what is wrong.
    """
    for l, f in enumerate(net.hidden, start=2):
        if isinstance(f, Activation):
            for part, function in (("f", f.f), ("df", f.df)):
                _values(function, (Z,), f"{part} of activation {f.name!r} in layer {l}")
    if isinstance(net.loss, Loss):
        _require_loss(net.loss)


def _require_loss(loss: Loss) -> None:
    def values(part: str, y_hat: NDArray[Any]) -> NDArray[Any]:
        return _values(getattr(loss, part), (y_hat, Y), f"{part} of loss {loss.name!r}")

    if np.any(values("f", Y_HAT) < values("f", Y)):
        raise ConfigurationError(
            f"loss {loss.name!r} is lower elsewhere than at y_hat = y, where it must be least"
        )
    values("df", Y_HAT)
    if loss.d2f is None:
        return
    difference = (values("df", Y_HAT + H) - values("df", Y_HAT - H)) / (2.0 * H)
    wrong = np.abs(values("d2f", Y_HAT) - difference) > WRONG_DERIVATIVE * (
        1.0 + np.abs(difference)
    )
    if wrong.mean() > 0.5:  # some points may be corners
        raise ConfigurationError(
            f"d2f of loss {loss.name!r} does not agree with differences of df; correct it, or "
            "leave it out"
        )


def _values(function: Callable[..., Any], at: tuple[NDArray[Any], ...], what: str) -> NDArray[Any]:
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(function(*(A.copy() for A in at)))
    except Exception as error:
        raise ConfigurationError(f"{what} fails: {type(error).__name__}: {error}") from error
    if found.shape != at[0].shape or found.dtype.kind not in "fiu":
        raise ConfigurationError(
            f"{what} gives {found.dtype} of shape {found.shape} for an array of shape "
            f"{at[0].shape}; it must give one real number for each"
        )
    return found.astype(np.float64)
