"""The gradient of the log determinant of the curvature.

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
from chainrule.heart.blocks import layer_of
from chainrule.heart.network import Network
from chainrule.kernels.reference import COMPLEX_STEP

CENTRAL_STEP = 6e-6  # of a central difference
MANY = 20  # multiplications that are worth one number written down


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
    B = _backwards(net, trace, W)
    turned = _turned(net, trace, B, inverse)
    z_dot, a_dot = _forwards(net, trace, W, turned)
    slopes = _slopes_of_curvature(net, z_L, Y, w, z_dot[net.n_layers])
    weights = w[:, None, None] * net.pair.curvature(z_L, Y)
    # u is linear in A⁻¹ dz, and so is what changes along it
    z_dot, a_dot = ({l: weights @ of for l, of in dots.items()} for dots in (z_dot, a_dot))
    u = {l: np.einsum("nkl,nlij->nkij", weights, turned[f"W[{l}]"]) for l in W if l > 1}
    total = chain_rule.backward(0.5 * slopes, trace, W, b, net.functions).vector
    return np.asarray(total + _bent(net, trace, W, B, u, z_dot, a_dot))


def _backwards(net: Network, trace: chain_rule.Trace, W: chain_rule.Matrices) -> dict[int, Array]:
    """Return dz[L]/dz[l] of each row, (n, K, d[l])."""
    n, K = trace.y_hat.shape
    B: dict[int, Array] = {net.n_layers: np.broadcast_to(np.eye(K), (n, K, K))}
    for l in range(net.n_layers - 1, 1, -1):
        B[l] = B[l + 1] @ W[l].T * net.functions[l].prime(trace.z[l])[:, None, :]
    return B


def _turned(
    net: Network, trace: chain_rule.Trace, B: dict[int, Array], inverse: Array
) -> dict[str, Array]:
    """Return A⁻¹ dz of each row and output, block by block as θ is, (n, K, ...)."""
    n, K = trace.y_hat.shape
    turned, blocks, shapes = np.zeros((n, K, len(inverse))), net.blocks(), net.shapes()
    for name, block in blocks.items():
        start, end = chain_rule.ends(layer_of(name), net.n_layers)
        columns, a = inverse[block], trace.a[start]
        if name[0] == "b":
            turned += B[end] @ columns
        elif _ranked(net, start):
            turned += B[end] @ np.tensordot(a, columns.reshape(*shapes[name], -1), 1)
        else:
            dz = a[:, None, :, None] * B[end][:, :, None, :]
            turned += (dz.reshape(n * K, -1) @ columns).reshape(turned.shape)
    return {name: turned[..., block].reshape(n, K, *shapes[name]) for name, block in blocks.items()}


def _ranked(net: Network, start: int) -> bool:
    """Return whether A⁻¹ is better multiplied by one factor of dz after the other.

    dz is an outer product of a and B. With a first, a row costs p² for all outputs together, but
    there is more to write down.
    """
    return (net.layers[-1] - 1) * net.layers[start - 1] > MANY


def numbers_of_row(net: Network) -> int:
    """Return how many numbers the slope needs for a row, so that there are not too many at once."""
    ranked = [net.layers[l] for l in range(1, net.n_layers) if _ranked(net, l)]
    return net.n_parameters * max([net.layers[-1], *ranked])


def _forwards(
    net: Network, trace: chain_rule.Trace, W: chain_rule.Matrices, along: dict[str, Array]
) -> tuple[dict[int, Array], dict[int, Array]]:
    """Return how z[2..L] and a[2..L-1] change along directions of each row, (n, K, d[l])."""
    z_dot: dict[int, Array] = {}
    a_dot: dict[int, Array] = {}
    for l in range(1, net.n_layers):
        z_dot[l + 1] = _each(trace.a[l][:, None], along[f"W[{l}]"])
        if l > 1:
            z_dot[l + 1] += a_dot[l] @ W[l]
        if f"b[{l}]" in along:
            z_dot[l + 1] += along[f"b[{l}]"]
        if l == net.n_layers - 1:
            z_dot[l + 1] += _each(trace.a[1][:, None], along["W[0]"]) if "W[0]" in along else 0.0
        else:
            a_dot[l + 1] = net.functions[l + 1].prime(trace.z[l + 1])[:, None] * z_dot[l + 1]
    return z_dot, a_dot


def _slopes_of_curvature(net: Network, z_L: Array, Y: Array, w: Array, spread: Array) -> Array:
    """Return w tr(S dΛ/dz_m) of each row, (n, K), with S the spread of z."""
    slopes = np.zeros_like(z_L)
    for m in range(z_L.shape[1]):
        step = np.zeros(z_L.shape[1])
        step[m] = CENTRAL_STEP
        up, down = (net.pair.curvature(z_L + sign * step, Y) for sign in (1.0, -1.0))
        slopes[:, m] = np.einsum("nkl,nlk->n", spread, up - down) / (2.0 * CENTRAL_STEP)
    return np.asarray(w[:, None] * slopes)


def _bent(
    net: Network,
    trace: chain_rule.Trace,
    W: chain_rule.Matrices,
    B: dict[int, Array],
    u: dict[int, Array],
    z_dot: dict[int, Array],
    a_dot: dict[int, Array],
) -> Array:
    """Return Σ_i Σ_k H_ik u_ik, (p,)."""
    L, f = net.n_layers, net.functions
    change = {L: np.zeros_like(B[L])}  # of B along u
    parts = {}
    for l in range(L - 1, 0, -1):
        if net.bias:
            parts[f"b[{l}]"] = change[l + 1].sum(axis=(0, 1))
        parts[f"W[{l}]"] = trace.a[l].T @ change[l + 1].sum(axis=1)
        if l > 1:
            parts[f"W[{l}]"] += np.tensordot(a_dot[l], B[l + 1], ((0, 1), (0, 1)))
            prime, second = f[l].prime(trace.z[l]), _second(f[l], trace.z[l])
            back_dot = change[l + 1] @ W[l].T + _each(B[l + 1], u[l].swapaxes(2, 3))
            change[l] = back_dot * prime[:, None]
            change[l] += B[l + 1] @ W[l].T * second[:, None] * z_dot[l]
    if 0 in W:  # z[L] is linear in it
        parts["W[0]"] = np.zeros(net.shapes()["W[0]"])
    return np.concatenate([parts[name].ravel() for name in net.blocks()])


def _each(rows: Array, matrices: Array) -> Array:
    """Return each row times the matrix of that row, (n, K, columns)."""
    return np.asarray((rows[:, :, None, :] @ matrices)[:, :, 0, :])


def _second(f: Activation, z: Array) -> Array:
    """Return f''(z): a complex step of f', which own functions may not take."""
    try:
        second = f.prime(z + 1j * COMPLEX_STEP).imag / COMPLEX_STEP
    except (TypeError, ValueError):
        second = (f.prime(z + CENTRAL_STEP) - f.prime(z - CENTRAL_STEP)) / (2.0 * CENTRAL_STEP)
    return np.asarray(second)
