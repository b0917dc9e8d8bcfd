"""Constraints: fixed weights, and sign constraints that make the network monotone.

A network whose activations rise is monotone in an input if no path from it to the output
has a negative product of weights. It is enough that weights behind the first layer are not
negative, and those from that input all have the sign asked for; with one hidden layer, one
output and tanh the former takes nothing away, since a unit may be turned over (Archer &
Wang 1993, Decision Sciences 24:60; Sill 1998, NIPS 10:661; Daniels & Velikova 2010, IEEE
Trans. Neural Networks 21:906, sec. II).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from chainrule._contracts import Array
from chainrule._errors import ConfigurationError
from chainrule.heart.network import Network

RISING = ("sigmoid", "tanh", "relu", "softplus", "identity")


def fixed_weights(net: Network, fixed: Mapping[str, ArrayLike] | None) -> Array | None:
    """Return the value of each weight that is fixed, NaN for the others, (p,).

    Parameters
    ----------
    net : Network
    fixed : mapping of str to array_like
        ``{"W[1]": A, "b[2]": a}``: for some blocks a matrix of their shape, with a number where
        the weight is fixed, in the scale of the network, and NaN where it is free.

    Raises
    ------
    ConfigurationError
        If there is no such block, or its shape is another.
    """
    if fixed is None:
        return None
    values = np.full(net.n_parameters, np.nan)
    blocks, shapes = net.blocks(), net.shapes()
    for name, given in fixed.items():
        if name not in blocks:
            raise ConfigurationError(f"fixed names {name!r}; this network has {', '.join(blocks)}")
        try:
            block = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"fixed[{name!r}] is not a matrix: {error}") from None
        if block.shape != shapes[name]:
            raise ConfigurationError(
                f"fixed[{name!r}] has shape {block.shape}; {name} has {shapes[name]}"
            )
        values[blocks[name]] = block.ravel()
    return values


def monotone_signs(net: Network, directions: Sequence[int]) -> Array | None:
    """Return the sign that each weight must have, 0 for any, (p,).

    Parameters
    ----------
    net : Network
    directions : sequence of int
        For each input 1 if the outputs must not fall where it rises, -1 if they must not rise,
        0 if they may do either.

    Raises
    ------
    ConfigurationError
        If this network cannot be made monotone by the signs of its weights.
    """
    each = np.asarray(directions)
    if not each.any():
        return None
    falling = [f for f in net.hidden if f not in RISING]
    if falling:
        raise ConfigurationError(
            f"activation {getattr(falling[0], 'name', falling[0])!r} does not rise everywhere, so "
            f"the network cannot be made monotone; choose one of {', '.join(RISING)}"
        )
    if net.output == "softmax":
        raise ConfigurationError(
            "classes that share a softmax cannot all be monotone; monotone inputs go with numbers "
            "and with two classes"
        )
    signs = np.zeros(net.n_parameters)
    W, _ = net.weights(signs)
    for l in W:
        if l <= 1:  # from the inputs
            W[l][:] = each[:, None]
        else:
            W[l][:] = 1.0
    return signs
