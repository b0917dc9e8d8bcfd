"""Exact derivatives of predictions by inputs, and their averages over rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule._contracts import Array
from chainrule.heart import chain_rule
from chainrule.heart.network import Network
from chainrule.rows.protocol import Block, Rows

DIRECTIONS = 40  # of the covariance of the weights, the widest first
WEIGHT_STEP = 1e-4  # of a standard deviation of the weights


def derivatives(net: Network, theta: Array, X: Array) -> Array:
    """Return dŷ/dx of each row, (n, K, d[1]), in the scale of the network.

    The chain rule once more, from the outputs back to the inputs.
    """
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    L = net.n_layers
    slope = net.pair.slope(trace.z[L])
    B = slope
    for l in range(L - 1, 0, -1):
        B = B @ W[l].T
        if l > 1:
            B = B * net.functions[l].prime(trace.z[l])[:, None, :]
    return np.asarray(B + slope @ W[0].T if 0 in W else B)


def mean_slopes(
    net: Network,
    theta: Array,
    rows: Rows,
    contrasts: Array | None = None,
) -> Array:
    """Return the means of dŷ/dx and of |dŷ/dx| over rows, (2, K, d[1]).

    Parameters
    ----------
    contrasts : ndarray (d[1], d[1]), optional
        What the means of dŷ/dx are multiplied by: for inputs of which only differences count.
    """

    def of_block(of: Block) -> Array:
        slopes, share = derivatives(net, theta, of.X), of.w / rows.weight_sum
        return np.array([np.einsum("n,nkd->kd", share, A) for A in (slopes, np.abs(slopes))])

    signed, size = rows.sum(of_block)
    return np.array([signed if contrasts is None else signed @ contrasts, size])


def standard_error(function: Callable[[Array], Array], theta: Array, root: Array) -> Array:
    """Return the standard errors of a function of the weights whose covariance is R Rᵀ.

    By differences along random directions of the posterior, always the same ones; there are
    `DIRECTIONS` of them, so that it is known to about a tenth.

    Parameters
    ----------
    function : callable
        ``function(theta)``: an array of any shape.
    theta, root
        The weights, (p,), and R, (p, p).
    """
    draws = np.random.default_rng(0).standard_normal((DIRECTIONS, len(theta))) @ root.T
    here = function(theta)
    changes = [function(theta + WEIGHT_STEP * draw) - here for draw in draws]
    return np.asarray(np.sqrt(np.mean(np.square(changes), axis=0)) / WEIGHT_STEP)
