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
    B = outputs_by_units(net, trace, W)
    curved = {l: times_outputs(curvature, B, l) for l in B}
    H = np.empty((net.n_parameters, net.n_parameters))
    for x, y, products in pairs_of(blocks_of(net, trace)):
        weights = outputs_times(B, x.end, curved[y.end], transposed=True)
        sums = products.T @ weights.reshape(len(products), -1)
        shape = x.a.shape[1], y.a.shape[1], x.width, y.width
        block = sums.reshape(shape).swapaxes(1, 2).reshape(shape[0] * shape[2], -1)
        H[x.where, y.where] = block
        H[y.where, x.where] = block.T
    return H
