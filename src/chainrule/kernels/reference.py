"""The reference kernel: what one block of rows adds to J, g and H, in plain NumPy.

This is the slow truth that ships. Every other kernel has the same signature and is
judged against it.
"""

from __future__ import annotations

import numpy as np

from chainrule._contracts import Array, Evaluation
from chainrule.heart import chain_rule
from chainrule.heart.activations import COMPLEX_STEP
from chainrule.heart.network import Network
from chainrule.kernels.units import gauss_newton, outputs_together, second_derivatives

TINY = 1e-150  # a root of a curvature below is none


def evaluate(net: Network, theta: Array, X: Array, Y: Array, w: Array, order: int) -> Evaluation:
    """Evaluate the cost of a block of rows, without penalty.

    Parameters
    ----------
    net : Network
    theta : ndarray (p,)
    X : ndarray (n, d[1])
    Y : ndarray (n, d[L])
    w : ndarray (n,)
        Sample weights.
    order : {0, 1, 2}
        0 gives J; 1 J and g; 2 J, g and the generalized Gauss-Newton matrix
        H = Σ_i w_i (dz_i/dθ)ᵀ Λ_i (dz_i/dθ), with z = z[L] and Λ the curvature of the loss.

    Returns
    -------
    Evaluation
    """
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    z_L = trace.z[net.n_layers]
    J = float(w @ net.pair.cost(z_L, Y))
    if order == 0:
        return Evaluation(J)
    delta_L = w[:, None] * net.pair.delta(z_L, Y)
    g = chain_rule.backward(delta_L, trace, W, b, net.functions).vector
    if order == 1:
        return Evaluation(J, g)
    n, K = z_L.shape
    curvature = w[:, None, None] * net.pair.curvature(z_L, Y)
    if outputs_together(net):
        H = gauss_newton(net, trace, W, curvature)
        return Evaluation(J, g, 0.5 * (H + H.T))
    dz = chain_rule.jacobian(np.broadcast_to(np.eye(K), (n, K, K)), trace, W, b, net.functions)
    p = net.n_parameters
    H = dz.reshape(n * K, p).T @ (curvature @ dz).reshape(n * K, p)
    return Evaluation(J, g, 0.5 * (H + H.T))


def residuals(net: Network, theta: Array, X: Array, Y: Array, w: Array) -> tuple[Array, Array]:
    """Return r, (n K,), and A = dr/dθ, (n K, p), with g = Aᵀr and H = AᵀA.

    For a squared loss these are the residuals themselves. For others Gauss-Newton puts
    r = Λ^(-½) δ and A = Λ^½ dz/dθ in their place, with the root of w Λ row by row.
    """
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    z_L = trace.z[net.n_layers]
    n, K = z_L.shape
    values, vectors = np.linalg.eigh(w[:, None, None] * net.pair.curvature(z_L, Y))
    root = np.sqrt(np.maximum(values, 0.0))
    delta_L = (w[:, None] * net.pair.delta(z_L, Y))[:, None, :] @ vectors
    # where there is no curvature, as along (1, ..., 1) of a softmax, there is no slope either
    r = np.divide(delta_L[:, 0], root, out=np.zeros((n, K)), where=root > TINY)
    B_L = root[:, :, None] * vectors.swapaxes(1, 2)
    A = chain_rule.jacobian(B_L, trace, W, b, net.functions)
    return r.ravel(), A.reshape(n * K, -1)


def hessian(net: Network, theta: Array, X: Array, Y: Array, w: Array) -> Array:
    """Return the exact d²J/dθ², (p, p), of the cost of a block of rows."""
    W, b = net.weights(theta)
    trace = chain_rule.forward(X, W, b, net.functions)
    z_L = trace.z[net.n_layers]
    curvature = w[:, None, None] * (
        net.pair.curvature(z_L, Y) + net.pair.beyond_gauss_newton(z_L, Y)
    )
    delta_L = w[:, None] * net.pair.delta(z_L, Y)
    return second_derivatives(net, trace, W, curvature, delta_L)


def hessian_product(net: Network, theta: Array, v: Array, X: Array, Y: Array, w: Array) -> Array:
    """Return H v, (p,), with H the exact Hessian of the cost of a block of rows.

    By the complex step of the gradient along v, Im g(θ + ihv) / h: no difference is taken
    and hence no digit lost, however small h (Squire & Trapp 1998, SIAM Review 40:110).
    """
    nudged = theta + 1j * COMPLEX_STEP * v
    W, b = net.weights(nudged)
    trace = chain_rule.forward(X, W, b, net.functions)
    delta_L = w[:, None] * net.pair.delta(trace.z[net.n_layers], Y)
    g = chain_rule.backward(delta_L, trace, W, b, net.functions).vector
    return np.asarray(g.imag / COMPLEX_STEP)
