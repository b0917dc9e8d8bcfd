"""Where training begins: random weights of a sensible size.

Every scheme turns standard normal and uniform numbers, one of each for every parameter,
into θ, so that any number of starts can be drawn at once and start r never depends on
how many there are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule._contracts import Array, Layered
from chainrule._errors import ConfigurationError
from chainrule.heart.blocks import is_matrix, layer_of

MOST_INPUTS_FOR_NGUYEN_WIDROW = 3  # beyond, its units are too steep
# half the width of a standardized input, as wide as a uniform one of variance 1
REACH = np.sqrt(3.0)
# z in which an activation bends
ACTIVE = {"tanh": 1.0, "sigmoid": 2.0}


def normal(net: Layered, normals: Array, uniforms: Array) -> Array:
    """Every entry ~ N(0, 1), as the tutorial draws them."""
    return normals


def scaled(net: Layered, normals: Array, uniforms: Array) -> Array:
    """W[l] ~ N(0, 1 / d[l]), so that z has unit variance for standardized inputs.

    Hidden biases ~ U(-1, 1), so that units bend at different places; output biases 0
    (LeCun et al. 1998, Efficient BackProp, sec. 4.6).
    """
    theta = normals.copy()
    for name, block in net.blocks().items():
        l = layer_of(name)
        if is_matrix(name):
            theta[..., block] /= np.sqrt(net.layers[max(l, 1) - 1])
        else:
            theta[..., block] = 0.0 if l == net.n_layers - 1 else uniforms[..., block]
    return theta


def nguyen_widrow(net: Layered, normals: Array, uniforms: Array) -> Array:
    """First hidden layer: random directions of length 0.7 d[2]^(1/d[1]), bends evenly spread.

    So the units share out the range of the inputs among them, where random ones crowd at
    its middle (Nguyen & Widrow 1990, IJCNN 3:21). Other layers as in `scaled`.
    """
    theta = scaled(net, normals, uniforms)
    d_in, d_out = net.layers[:2]
    f = net.hidden[0] if net.hidden else ""
    if not net.bias or f not in ACTIVE:
        return theta
    first, bias = net.blocks()["W[1]"], net.blocks()["b[1]"]
    W = normals[..., first].reshape(*normals.shape[:-1], d_in, d_out)
    length = 0.7 * d_out ** (1.0 / d_in) * ACTIVE[f]
    W = length / REACH * W / np.linalg.norm(W, axis=-2, keepdims=True)
    theta[..., first] = W.reshape(*normals.shape[:-1], d_in * d_out)
    place = (np.arange(d_out) + 0.5 * (1.0 + uniforms[..., bias])) / d_out
    theta[..., bias] = length * (2.0 * place - 1.0)
    return theta


def auto(net: Layered, normals: Array, uniforms: Array) -> Array:
    """`nguyen_widrow` for up to 3 inputs, where it pays, else `scaled`."""
    few = net.layers[0] <= MOST_INPUTS_FOR_NGUYEN_WIDROW
    return (nguyen_widrow if few else scaled)(net, normals, uniforms)


MOST_FOR_SEED = 2**63 - 1  # of 64 bits with a sign
SCHEMES: dict[str, Callable[[Layered, Array, Array], Array]] = {
    "auto": auto,
    "nguyen_widrow": nguyen_widrow,
    "scaled": scaled,
    "normal": normal,
}


class Starts:
    """An endless row of starting points: the first ones are the same however many are taken.

    Parameters
    ----------
    net : Network
    seed : int
    scheme : str
        One of `SCHEMES`.
    """

    def __init__(self, net: Layered, seed: int, scheme: str = "auto") -> None:
        if seed < 0:
            raise ConfigurationError(f"seed is {seed}; it must not be negative")
        if seed > MOST_FOR_SEED:
            raise ConfigurationError(f"seed is {seed}; it must be at most {MOST_FOR_SEED:,}")
        self._net, self._scheme = net, scheme_called(scheme)
        streams = np.random.SeedSequence(seed).spawn(2)
        self._normals, self._uniforms = map(np.random.default_rng, streams)

    def take(self, n: int) -> Array:
        """Return the next n, (n, p)."""
        shape = (n, self._net.n_parameters)
        normals = self._normals.standard_normal(shape)
        return self._scheme(self._net, normals, self._uniforms.uniform(-1.0, 1.0, shape))


def scheme_called(name: str) -> Callable[[Layered, Array, Array], Array]:
    """Return the scheme of that name, or raise ConfigurationError."""
    if name not in SCHEMES:
        raise ConfigurationError(f"unknown scheme {name!r}; choose one of {', '.join(SCHEMES)}")
    return SCHEMES[name]
