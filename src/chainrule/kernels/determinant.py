"""The gradient of the log determinant of the curvature.

The Gauss-Newton matrix A = Σ_i w_i (dz_i)ᵀ Λ_i dz_i + D, with dz_i = dz[L]/dθ of row i, depends on
θ, and so does every evidence that has ½ ln |A| in it. With C = A⁻¹ held where it is,

    d(½ ln |A|)/dθ = dφ/dθ    φ = ½ tr(C A) = ½ Σ_i w_i tr(Λ_i B_i M_i B_iᵀ) + const.

    B_i = dz[L]/dz of every unit of the layers 2 to L, (K, Q)
    M_i = a_qᵀ C[q, r] a_r of every two units q and r, (Q, Q), with a_q what enters unit q

since dz is an outer product of B and a. φ is differentiated backwards: by a and B, then through the
recursion that makes B[l] of B[l+1], and through the forward pass.
"""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array
from chainrule.heart import chain_rule
from chainrule.heart.activations import CENTRAL_STEP
from chainrule.heart.network import Network
from chainrule.kernels.units import (
    Block,
    Layers,
    blocks_of,
    numbers_of_pairs,
    outputs_by_units,
    outputs_times,
    outputs_together,
    pairs_of,
    times_outputs,
)


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
    B = outputs_by_units(net, trace, W)
    curvature = w[:, None, None] * net.pair.curvature(z_L, Y)
    by_curvature = {l: times_outputs(curvature, B, l) for l in B}
    way = _together if outputs_together(net) else _one_by_one
    covariances, slopes_of_a = way(blocks_of(net, trace), B, by_curvature, inverse)
    parts = (times_outputs(of, B, l, transposed=True) for l, of in covariances.items())
    spread = sum(parts, np.zeros_like(curvature))
    delta_L = 0.5 * _slopes_of_curvature(net, z_L, Y, w, spread)
    # B[L], the identity, does not depend on anything
    slopes_of_b = {l: curvature @ of for l, of in covariances.items() if l < net.n_layers}
    return _through_the_network(net, trace, B, slopes_of_b, slopes_of_a, delta_L, W)


def numbers_of_row(net: Network) -> int:
    """Return how many numbers the slope needs for a row, so that there are not too many at once."""
    if not outputs_together(net):
        return net.n_parameters * net.layers[-1]
    return numbers_of_pairs(net) + 2 * net.layers[-1] * sum(net.layers[1:])


def _one_by_one(
    blocks: list[Block], B: Layers, by_curvature: Layers, inverse: Array
) -> tuple[Layers, Layers]:
    """Return B M of each layer, (n, K, d[l]), and dφ/da[l] by M, (n, d[l]): one output at a time.

    Of every output a row costs p², with dz C.
    """
    n, K, _ = B[max(B)].shape
    dz = [of.a[:, None, :, None] * B[of.end][:, :, None, :] for of in blocks]
    turned = np.concatenate([of.reshape(n * K, -1) for of in dz], axis=1) @ inverse
    covariances, slopes_of_a = {l: np.zeros_like(of) for l, of in B.items()}, {}
    for of in blocks:
        part = turned[:, of.where].reshape(n, K, -1, of.width)
        covariances[of.end] += (of.a[:, None, None, :] @ part)[:, :, 0]
        if of.start > 1:
            slopes_of_a[of.start] = np.einsum("nkih,nkh->ni", part, by_curvature[of.end])
    return covariances, slopes_of_a


def _together(
    blocks: list[Block], B: Layers, by_curvature: Layers, inverse: Array
) -> tuple[Layers, Layers]:
    """Return what `_one_by_one` does, for all outputs together: a row costs 2 p²."""
    n = len(B[max(B)])
    covariances = {l: np.zeros_like(of) for l, of in B.items()}
    slopes_of_a = {of.start: np.zeros_like(of.a) for of in blocks if of.start > 1}
    for x, y, products in pairs_of(blocks):
        s, t, d, e = x.a.shape[1], y.a.shape[1], x.width, y.width
        part = inverse[x.where, y.where].reshape(s, d, t, e).swapaxes(1, 2).reshape(s * t, d * e)
        between = (products @ part).reshape(n, d, e)
        covariances[y.end] += outputs_times(B, x.end, between)
        if x is not y:
            covariances[x.end] += outputs_times(B, y.end, between.swapaxes(1, 2))
        if y.start == 1:  # nobody asks for the slope by the inputs
            continue
        weights = outputs_times(B, x.end, by_curvature[y.end], transposed=True).reshape(n, d * e)
        of_products = (weights @ part.T).reshape(n, s, t)
        slopes_of_a[y.start] += (x.a[:, None, :] @ of_products)[:, 0]
        if x is not y and x.start > 1:
            slopes_of_a[x.start] += (of_products @ y.a[:, :, None])[:, :, 0]
    return covariances, slopes_of_a


def _slopes_of_curvature(net: Network, z_L: Array, Y: Array, w: Array, spread: Array) -> Array:
    """Return w tr(S dΛ/dz_m) of each row, (n, K), with S = B M Bᵀ the spread of z."""
    diagonal = np.diagonal(spread, axis1=1, axis2=2)
    if net.output == "softmax":  # Λ = (diag p - p pᵀ) Σ y
        p = net.pair.y_hat(z_L)
        by_p = diagonal - 2.0 * (spread @ p[:, :, None])[:, :, 0]
        slopes = Y.sum(axis=1, keepdims=True) * p * (by_p - np.sum(p * by_p, axis=1, keepdims=True))
        return np.asarray(w[:, None] * slopes)
    # outputs do not mix: Λ is diagonal, and each entry depends on its own z
    up, down = (net.pair.curvature(z_L + step, Y) for step in (CENTRAL_STEP, -CENTRAL_STEP))
    change = np.diagonal(up - down, axis1=1, axis2=2) / (2.0 * CENTRAL_STEP)
    return np.asarray(w[:, None] * diagonal * change)


def _through_the_network(
    net: Network,
    trace: chain_rule.Trace,
    B: Layers,
    slopes_of_b: Layers,
    slopes_of_a: Layers,
    delta_L: Array,
    W: chain_rule.Matrices,
) -> Array:
    """Return dφ/dθ from its derivatives by B[l], by a[l] and by z[L]."""
    L, f = net.n_layers, net.functions
    parts, of_z = {name: np.zeros(shape) for name, shape in net.shapes().items()}, {}
    for l in range(2, L):  # B[l] = (B[l+1] W[l]ᵀ) f'(z[l])
        of_z[l] = f[l].second(trace.z[l]) * np.sum(slopes_of_b[l] * (B[l + 1] @ W[l].T), axis=1)
        of_product = slopes_of_b[l] * f[l].prime(trace.z[l])[:, None]
        parts[f"W[{l}]"] += np.tensordot(of_product, B[l + 1], ((0, 1), (0, 1)))
        if l + 1 < L:
            slopes_of_b[l + 1] = slopes_of_b[l + 1] + of_product @ W[l]
    delta = delta_L
    for l in range(L - 1, 0, -1):
        parts[f"W[{l}]"] += trace.a[l].T @ delta
        if net.bias:
            parts[f"b[{l}]"] += delta.sum(axis=0)
        if l > 1:
            of_a = delta @ W[l].T + slopes_of_a[l][:, : len(W[l])]  # a bias enters as 1
            delta = of_a * f[l].prime(trace.z[l]) + of_z[l]
    if net.skip:
        parts["W[0]"] += trace.a[1].T @ delta_L
    return np.concatenate([part.ravel() for part in parts.values()])
