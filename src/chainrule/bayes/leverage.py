"""The hat matrix: leverage of rows, and first-order leave-one-out.

Around the minimum the cost is a parabola with curvature A = Σ_i w_i dz_iᵀ Λ_i dz_i + D, dz_i =
dz_i/dθ, and C = A⁻¹. Then nothing has to be fitted again to know (Cook & Weisberg 1982, Residuals
and Influence in Regression, ch. 3; Wei 1998, Exponential Family Nonlinear Models):

    S_i = dz_i C dz_iᵀ                               how far the row alone can move its own z
    h_i = v_i tr Λ_i S_i                             leverage: how many weights it determines
    a_i = v_i times the largest eigenvalue of Λ_i S_i    how far it decides by itself, at most 1
    z_i without row i = z_i + v_i S_i u_i            u_i = (1 - v_i Λ_i S_i)⁻¹ δ_i
    θ without row i   = θ + v_i C dz_iᵀ u_i
    vote of row i     = dŷ(x)/dy_i                   how far ŷ(x) follows y_i

with v_i the weight of the row taken once: w_i, or less where w_i says how often it was seen. The
leverages, each w_i / v_i times, add up to γ, the number of weights that the data determine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule._contracts import Array
from chainrule.heart import chain_rule
from chainrule.heart.network import Network
from chainrule.rows.protocol import Block, Rows

JACOBIAN_NUMBERS_AT_ONCE = 2_000_000  # of a Jacobian
REFIT_ABOVE = 0.7  # beyond which a row decides by itself, and what is said here is rough
LEAST_LEFT = 0.02  # of 1 - a: no row is taken to be more alone than that


@dataclass(frozen=True, eq=False)
class RowInfluence:
    """Every row, and the fit without it.

    Attributes
    ----------
    leverage : ndarray (n,)
        From 0, a row that says what others say, to K, one that is fitted whatever it says; of a
        softmax to K - 1.
    max_leverage : ndarray (n,)
        How far a row decides, of all that is predicted for it, what it decides most; from 0 to 1.
        The leverage, where there is one output.
    z, S : ndarray (n, K), (n, K, K)
        At the output, before its function, and how far the row can move it.
    z_loo : ndarray (n, K)
        The same of a fit without this row.
    distance : ndarray (n,)
        How far the weights move without this row: √(Δθᵀ A Δθ), where A is in the unit of the cost.
    """

    leverage: Array
    max_leverage: Array
    z: Array
    S: Array
    z_loo: Array
    distance: Array


def unit_weights(w: Array) -> Array:
    """Return the weight of each row taken once: whole numbers say how often, others how much."""
    return np.ones(len(w)) if not np.any(w % 1.0) else w


def jacobians(net: Network, theta: Array, X: Array) -> Iterator[tuple[slice, Array, Array]]:
    """Yield blocks of rows with their z, (n, K), and dz/dθ, (n, K, p)."""
    W, b = net.weights(theta)
    K = net.layers[-1]
    size = max(1, JACOBIAN_NUMBERS_AT_ONCE // (net.n_parameters * K))
    for i in range(0, len(X), size):
        rows = slice(i, min(i + size, len(X)))
        trace = chain_rule.forward(X[rows], W, b, net.functions)
        z = trace.z[net.n_layers]
        each = np.broadcast_to(np.eye(K), (len(z), K, K))
        yield rows, z, chain_rule.jacobian(each, trace, W, b, net.functions)


def influence(
    net: Network, theta: Array, rows: Rows, root: Array, further: float = 1.0
) -> RowInfluence:
    """Return what every row does to the fit.

    Parameters
    ----------
    net : Network
    theta : ndarray (p,)
        The minimum.
    rows : Rows
        In the scale of the network, each with its weight taken once, v.
    root : ndarray (p, p)
        Of C: C = root rootᵀ.
    further : float
        How much further than its square says a row moves the fit, on average.
    """

    def of_block(of: Block) -> tuple[Array, ...]:
        parts = [
            _of_rows(net, z, dz, of.Y[some], of.w[some], root, further)
            for some, z, dz in jacobians(net, theta, of.X)
        ]
        return tuple(map(np.concatenate, zip(*parts, strict=True)))

    return RowInfluence(*rows.map(of_block))


def _of_rows(
    net: Network, z: Array, dz: Array, Y: Array, v: Array, root: Array, further: float
) -> tuple[Array, ...]:
    """Return the columns of `RowInfluence` for some rows."""
    moved = (dz.reshape(-1, dz.shape[2]) @ root).reshape(dz.shape)
    S = moved @ moved.swapaxes(1, 2)
    B = _square_root(v[:, None, None] * net.pair.curvature(z, Y))
    values, vectors = np.linalg.eigh(B @ S @ B)  # those of v Λ S, which is not symmetric
    u = further * v[:, None] * _left(B @ vectors, values, S, net.pair.delta(z, Y))
    z_loo = z + (S @ u[:, :, None])[:, :, 0]
    distance = np.sqrt(np.einsum("nk,nkl,nl->n", u, S, u).clip(0.0))
    return values.sum(axis=1), values[:, -1], z, S, z_loo, distance


def _square_root(A: Array) -> Array:
    """Return B = Bᵀ with B B = A of each row."""
    values, vectors = np.linalg.eigh(A)
    return np.asarray(vectors * np.sqrt(values.clip(0.0))[:, None, :] @ vectors.swapaxes(1, 2))


def _left(turn: Array, values: Array, S: Array, delta: Array) -> Array:
    """Return (1 - v Λ S)⁻¹ δ of each row, with no row quite alone.

    It is δ + B (1 - B S B)⁻¹ B S δ with B B = v Λ; `turn` is B times the eigenvectors of B S B.
    """
    left = np.maximum(1.0 - values, LEAST_LEFT)
    inside = turn.swapaxes(1, 2) @ S @ delta[:, :, None]
    return np.asarray(delta + (turn @ (inside / left[:, :, None]))[:, :, 0])


def hat_matrix(net: Network, theta: Array, X: Array, w: Array, root: Array, inputs: Array) -> Array:
    """Return how far each prediction follows each number that was learned, (m, K, n, K).

    For a squared loss with the identity: entry [j, k, i, l] is dŷ_k(x_j)/dy_il.
    """
    K = net.layers[-1]
    ours = np.concatenate([dz @ root for _, _, dz in jacobians(net, theta, X)])
    theirs = np.concatenate([dz @ root for _, _, dz in jacobians(net, theta, inputs)])
    flat = theirs.reshape(-1, root.shape[0]) @ ours.reshape(-1, root.shape[0]).T
    return np.asarray(flat.reshape(len(inputs), K, len(X), K) * w[:, None])
