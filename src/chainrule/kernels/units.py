"""Second derivatives of many outputs: the outputs are contracted before anything is written down.

dz[L]/dθ of the weights W[l] is an outer product of what enters a unit, a[l], and of what the
outputs make of it, B[l+1] = dz[L]/dz[l+1]. Of two matrices of weights, with rows i and j and units
g and h, every sum over outputs of squares of dz is then a product of two matrices (Fairbank &
Alonso 2012, Neural Computation 24:607)

    P[row, ij] = a_i a_j        N[row, gh] = Σ_kl B_kg Λ_kl B_lh

of which one has no outputs, and the other no weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from chainrule._contracts import Array
from chainrule.heart import chain_rule
from chainrule.heart.blocks import layer_of
from chainrule.heart.network import Network

WRITTEN = 100.0  # multiplications that one number written down is worth to NumPy

Layers = dict[int, Array]  # of each layer, counted from 1


@dataclass(frozen=True)
class Block:
    """W[l] with its bias as one more row, the row of a unit that is always 1.

    Attributes
    ----------
    where : slice
        Of θ.
    start, end : int
        The layers that it connects.
    a : ndarray (n, s)
        What enters it.
    width : int
        Units in layer `end`.
    """

    where: slice
    start: int
    end: int
    a: Array
    width: int


def blocks_of(net: Network, trace: chain_rule.Trace) -> list[Block]:
    """Return the matrices of θ in their order."""
    blocks, known, ones = [], net.blocks(), np.ones((len(trace.y_hat), 1))
    for name, where in known.items():
        if name[0] == "b":
            continue
        l = layer_of(name)
        start, end = chain_rule.ends(l, net.n_layers)
        bias = known.get(f"b[{l}]")
        a = trace.a[start] if bias is None else np.hstack([trace.a[start], ones])
        whole = slice(where.start, where.stop if bias is None else bias.stop)
        blocks.append(Block(whole, start, end, a, net.layers[end - 1]))
    return blocks


def pairs_of(blocks: list[Block]) -> Iterator[tuple[Block, Block, Array]]:
    """Yield every two blocks with P, (n, s s')."""
    for x, y in combinations_with_replacement(blocks, 2):
        yield x, y, (x.a[:, :, None] * y.a[:, None, :]).reshape(len(x.a), -1)


def outputs_together(net: Network) -> bool:
    """Return whether all outputs together cost less than one after the other, for one row."""
    p, K = net.n_parameters, net.layers[-1]
    return p**2 + WRITTEN * numbers_of_pairs(net) < K * p * (p + WRITTEN)


def numbers_of_pairs(net: Network) -> int:
    """Return how many numbers P and N of all pairs of blocks have for each row."""
    shapes = [shape for shape in net.shapes().values() if len(shape) == 2]
    pairs = combinations_with_replacement(shapes, 2)
    return sum((s + net.bias) * (t + net.bias) + d * e for (s, d), (t, e) in pairs)


def numbers_of_second_derivatives(net: Network) -> int:
    """Return how many numbers `second_derivatives` has for each row."""
    return numbers_of_pairs(net) + sum(net.layers[1:]) ** 2


def outputs_by_units(net: Network, trace: chain_rule.Trace, W: chain_rule.Matrices) -> Layers:
    """Return B[l] = dz[L]/dz[l] of each row, (n, K, d[l]), for the layers 2 to L."""
    n, K = trace.y_hat.shape
    B: Layers = {net.n_layers: np.broadcast_to(np.eye(K), (n, K, K))}
    for l in range(net.n_layers - 1, 1, -1):
        B[l] = B[l + 1] @ W[l].T * net.functions[l].prime(trace.z[l])[:, None, :]
    return B


def outputs_times(B: Layers, l: int, of: Array, transposed: bool = False) -> Array:
    """Return B[l] or its transpose times a matrix, row by row; B[L] is the identity."""
    if l == max(B):
        return of
    return np.asarray((B[l].swapaxes(1, 2) if transposed else B[l]) @ of)


def times_outputs(of: Array, B: Layers, l: int, transposed: bool = False) -> Array:
    """Return a matrix times B[l] or its transpose, row by row."""
    if l == max(B):
        return of
    return np.asarray(of @ (B[l].swapaxes(1, 2) if transposed else B[l]))


def gauss_newton(
    net: Network, trace: chain_rule.Trace, W: chain_rule.Matrices, curvature: Array
) -> Array:
    """Return Σ_i dz_iᵀ Λ_i dz_i, (p, p), all outputs together, from Λ of each row, (n, K, K)."""
    return second_derivatives(net, trace, W, curvature)


def second_derivatives(
    net: Network,
    trace: chain_rule.Trace,
    W: chain_rule.Matrices,
    curvature: Array,
    delta_L: Array | None = None,
) -> Array:
    """Return the Gauss-Newton matrix of a block of rows, or the exact Hessian, (p, p).

    G[l] = d²J/dz[l]² of each row comes of that of the next layer, and so does every mixed one,

        G[l] = (dz[l+1]/dz[l])ᵀ G[l+1] dz[l+1]/dz[l] + diag(e[l] f''(z[l]))   e = delta[l+1] W[l]ᵀ
        d²J/dz[l]dz[m] = (dz[m]/dz[l])ᵀ G[m]                                  l < m

    and where a weight W[l][q, r] multiplies what depends on others, delta[l+1][r] da[l][q]/dθ is
    added. Without delta[L] both e and that are left out: this is Gauss-Newton's.

    Parameters
    ----------
    net, trace, W
        The network, its forward pass, and its matrices.
    curvature : ndarray (n, K, K)
        G[L], with the weight of the row in it.
    delta_L : ndarray (n, K), optional
        delta[L], with the weight of the row in it.
    """
    L, f = net.n_layers, net.functions
    prime = {l: f[l].prime(trace.z[l]) for l in range(2, L)}
    G, delta = {L: curvature}, {} if delta_L is None else {L: delta_L}
    dzdz: dict[tuple[int, int], Array] = {}
    for l in range(L - 1, 1, -1):
        dzdz[l + 1, l] = W[l].T * prime[l][:, None, :]
        for m in range(l + 2, L + 1):
            dzdz[m, l] = dzdz[m, l + 1] @ dzdz[l + 1, l]
        G[l] = dzdz[l + 1, l].swapaxes(1, 2) @ G[l + 1] @ dzdz[l + 1, l]
        if delta_L is not None:
            e = delta[l + 1] @ W[l].T
            delta[l] = e * prime[l]
            units = np.arange(net.layers[l - 1])
            G[l][:, units, units] += e * f[l].second(trace.z[l])
    H = np.empty((net.n_parameters, net.n_parameters))
    for x, y, products in pairs_of(blocks_of(net, trace)):
        weights = G[y.end] if x.end == y.end else _mixed(dzdz, G, x.end, y.end)
        block = _in_order((products.T @ weights.reshape(len(products), -1)), x, y)
        if delta_L is not None and y.start >= max(x.end, 2):
            _add_of_products(block, x, y, dzdz, prime[y.start], delta[y.end])
        H[x.where, y.where] = block
        H[y.where, x.where] = block.T
    return H


def _mixed(dzdz: dict[tuple[int, int], Array], G: Layers, l: int, m: int) -> Array:
    """Return d²J/dz[l]dz[m] of each row, (n, d[l], d[m]), for any two layers."""
    return dzdz[m, l].swapaxes(1, 2) @ G[m] if l < m else G[l] @ dzdz[l, m]


def _in_order(sums: Array, x: Block, y: Block) -> Array:
    """Return sums over rows, (s t, d e), with the weights of each block in their order."""
    shape = x.a.shape[1], y.a.shape[1], x.width, y.width
    return sums.reshape(shape).swapaxes(1, 2).reshape(shape[0] * shape[2], -1)


def _add_of_products(
    block: Array,
    x: Block,
    y: Block,
    dzdz: dict[tuple[int, int], Array],
    prime: Array,
    delta: Array,
) -> None:
    """Add Σ delta[r] da[q]/dθ of the weights W[l][q, r] of block y and those of block x before."""
    s, d, e, q = x.a.shape[1], x.width, y.width, prime.shape[1]
    outer = (x.a[:, :, None] * delta[:, None, :]).reshape(len(delta), s * e)
    into = block.reshape(s, d, y.a.shape[1], e)[:, :, :q]  # a bias multiplies nothing
    if x.end == y.start:  # a unit depends on its own weights alone
        own = np.arange(q)
        into[:, own, own] += (outer.T @ prime).reshape(s, e, q).swapaxes(1, 2)
        return
    slopes = (prime[:, :, None] * dzdz[y.start, x.end]).reshape(len(delta), q * d)
    into += (outer.T @ slopes).reshape(s, e, q, d).transpose(0, 3, 2, 1)
