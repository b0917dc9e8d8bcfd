"""How predictions change with the inputs: exact derivatives, and what they say of each input."""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array
from chainrule.heart import chain_rule
from chainrule.heart.network import Network

DIRECTIONS = 40
STEP = 1e-4  # of a standard deviation of the weights


ALL = slice(None)


def derivatives(net: Network, theta: Array, X: Array, outputs: slice = ALL) -> Array:
    """Return dŷ/dx of each row for all or some outputs, (n, K, d[1]), in the scale of the network.

    The chain rule once more, from the outputs back to the inputs.
    """
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    L = net.n_layers
    slope = net.pair.slope(trace.z[L])[:, outputs]
    B = slope
    for l in range(L - 1, 0, -1):
        B = B @ W[l].T
        if l > 1:
            B = B * net.functions[l].prime(trace.z[l])[:, None, :]
    return np.asarray(B + slope @ W[0].T if 0 in W else B)


def mean_slopes(net: Network, theta: Array, X: Array, w: Array, outputs: slice = ALL) -> Array:
    """Return the mean of |dŷ/dx| over rows, (K, d[1])."""
    slopes = np.abs(derivatives(net, theta, X, outputs))
    return np.asarray(np.einsum("n,nkd->kd", w / w.sum(), slopes))


def error_of_mean_slopes(
    net: Network, theta: Array, root: Array, X: Array, w: Array, outputs: slice = ALL
) -> Array:
    """Return the standard error of `mean_slopes` that comes of the weights, (K, d[1]).

    By differences along random directions of the posterior, always the same ones; there are
    `DIRECTIONS` of them, so that it is known to about a tenth.
    """
    draws = np.random.default_rng(0).standard_normal((DIRECTIONS, len(theta))) @ root.T
    changes = [
        mean_slopes(net, theta + STEP * draw, X, w, outputs)
        - mean_slopes(net, theta - STEP * draw, X, w, outputs)
        for draw in draws
    ]
    return np.asarray(np.sqrt(np.mean(np.square(changes), axis=0)) / (2.0 * STEP))
