"""How the curvature of the cost changes with the weights: the slope of its log determinant.

The Gauss-Newton matrix A = Σ_i w_i (dz_i)ᵀ Λ_i dz_i + D, with dz_i = dz_i/dθ of row i, depends on
θ, and so does every evidence that has ½ ln |A| in it:

    d(½ ln |A|)/dθ = Σ_i w_i [ Σ_k H_ik u_ik + ½ Σ_m tr(S_i dΛ_i/dz_m) dz_im ]

    S_i = dz_i A⁻¹ (dz_i)ᵀ    u_ik = Σ_l Λ_i,kl A⁻¹ dz_il    H_ik = d²z_ik/dθ²

The H_ik u_ik are Hessian-vector products with a direction for every row, of which one forward and
one backward pass gives all rows (Pearlmutter 1994, Neural Computation 6:147).
"""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array
from chainrule.heart import chain_rule
from chainrule.heart.activations import Activation
from chainrule.heart.network import Network

STEP = 1e-100  # of a complex step, which loses no digit
DIFFERENCE = 6e-6  # of a central difference


def slope_of_log_determinant(
    net: Network, theta: Array, X: Array, Y: Array, w: Array, inverse: Array
) -> Array:
    """Return what a block of rows adds to d(½ ln |A|)/dθ, (p,).

    Parameters
    ----------
    net : Network
    theta : ndarray (p,)
    X, Y : ndarray (n, d[1]), (n, d[L])
    w : ndarray (n,)
        What A weighs each row with.
    inverse : ndarray (p, p)
        A⁻¹.
    """
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    z_L = trace.z[net.n_layers]
    n, K = z_L.shape
    dz = chain_rule.jacobian(np.broadcast_to(np.eye(K), (n, K, K)), trace, W, b, net.functions)
    turned = (dz.reshape(n * K, -1) @ inverse).reshape(dz.shape)  # A⁻¹ dz
    directions = (w[:, None, None] * net.pair.curvature(z_L, Y)) @ turned
    slopes = _slopes_of_curvature(net, z_L, Y, w, turned @ dz.swapaxes(1, 2))
    total: Array = 0.5 * np.einsum("nk,nkp->p", slopes, dz)
    for k in range(K):
        total += _bent(net, theta, trace, k, directions[:, k])
    return total


def _slopes_of_curvature(net: Network, z_L: Array, Y: Array, w: Array, spread: Array) -> Array:
    """Return w tr(S dΛ/dz_m) of each row, (n, K), with S the spread of z."""
    slopes = np.zeros_like(z_L)
    for m in range(z_L.shape[1]):
        step = np.zeros(z_L.shape[1])
        step[m] = DIFFERENCE
        up, down = (net.pair.curvature(z_L + sign * step, Y) for sign in (1.0, -1.0))
        slopes[:, m] = np.einsum("nkl,nlk->n", spread, up - down) / (2.0 * DIFFERENCE)
    return np.asarray(w[:, None] * slopes)


def _bent(net: Network, theta: Array, trace: chain_rule.Trace, k: int, ways: Array) -> Array:
    """Return Σ_i H_ik u_i, (p,), with u_i the way of row i."""
    W, _ = net.weights(theta)
    z, a, f, L = trace.z, trace.a, net.functions, net.n_layers
    n, blocks = len(ways), net.blocks()
    along = {name: ways[:, block].reshape(n, *net.shapes()[name]) for name, block in blocks.items()}

    # a dot over a quantity is its change along the direction of the row
    z_dot: dict[int, Array] = {}
    a_dot = {1: np.zeros_like(a[1])}
    for l in range(1, L):
        z_dot[l + 1] = a_dot[l] @ W[l] + _each(a[l], along[f"W[{l}]"])
        if f"b[{l}]" in along:
            z_dot[l + 1] += along[f"b[{l}]"]
        if l == L - 1 and "W[0]" in along:
            z_dot[L] += _each(a[1], along["W[0]"])
        if l + 1 < L:
            a_dot[l + 1] = f[l + 1].prime(z[l + 1]) * z_dot[l + 1]

    delta = {L: np.zeros_like(z[L])}
    delta[L][:, k] = 1.0
    delta_dot = {L: np.zeros_like(z[L])}
    parts = {}
    for l in sorted(W, reverse=True):
        start, end = chain_rule.ends(l, L)
        parts[f"W[{l}]"] = a_dot[start].T @ delta[end] + a[start].T @ delta_dot[end]
        if f"b[{l}]" in along:
            parts[f"b[{l}]"] = delta_dot[l + 1].sum(axis=0)
        if l > 1:
            back = delta[l + 1] @ W[l].T
            back_dot = delta_dot[l + 1] @ W[l].T
            back_dot += _each(delta[l + 1], along[f"W[{l}]"].swapaxes(1, 2))
            prime = f[l].prime(z[l])
            delta[l] = back * prime
            delta_dot[l] = back_dot * prime + back * _second(f[l], z[l]) * z_dot[l]
    return np.concatenate([parts[name].ravel() for name in blocks])


def _each(rows: Array, matrices: Array) -> Array:
    """Return each row times the matrix of that row, (n, columns)."""
    return np.asarray((rows[:, None, :] @ matrices)[:, 0, :])


def _second(f: Activation, z: Array) -> Array:
    """Return f''(z): a complex step of f', which own functions may not take."""
    try:
        second = f.prime(z + 1j * STEP).imag / STEP
    except (TypeError, ValueError):
        second = (f.prime(z + DIFFERENCE) - f.prime(z - DIFFERENCE)) / (2.0 * DIFFERENCE)
    return np.asarray(second)
