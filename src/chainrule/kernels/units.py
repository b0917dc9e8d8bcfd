"""Derivatives of the outputs unit by unit: dz[L]/dθ as outer products.

dz of the weights that lead into unit q is B_q a_qᵀ, with B_q = dz[L]/dz_q, (K,), and a_q what
enters the unit. Where outputs are many it is better not to write dz down: sums over them are
contracted in B first (Fairbank & Alonso 2012, Neural Computation 24:607).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import Array
from chainrule.heart import chain_rule
from chainrule.heart.blocks import layer_of
from chainrule.heart.network import Network

WRITTEN = 150.0  # multiplications that one number written down is worth to NumPy

Layers = dict[int, Array]  # of each layer, counted from 1


@dataclass(frozen=True)
class Block:
    """A matrix of θ, or a bias as the matrix of a unit that is always 1: the layers it connects."""

    where: slice
    start: int  # 0 of a bias
    end: int
    a: Array  # (n, s): what enters it
    width: int

    def rows(self, of: Array) -> Array:
        """Return its part of numbers for all θ, (..., s, width)."""
        return of[..., self.where].reshape(*of.shape[:-1], self.a.shape[1], self.width)

    def column(self, h: int) -> NDArray[np.intp]:
        """Return which of all θ lead into unit h."""
        return np.arange(self.where.start + h, self.where.stop, self.width)


def outputs_together(net: Network) -> bool:
    """Return whether all outputs together cost less than one after the other, for one row."""
    p, K, units = net.n_parameters, net.layers[-1], sum(net.layers[1:])
    return p + WRITTEN * units < K * (p + WRITTEN)


def blocks_of(net: Network, trace: chain_rule.Trace) -> list[Block]:
    """Return the matrices of θ in their order, each with what enters it."""
    blocks, ones = [], np.ones((len(trace.y_hat), 1))
    for name, where in net.blocks().items():
        start, end = chain_rule.ends(layer_of(name), net.n_layers)
        is_bias = name[0] == "b"
        a = ones if is_bias else trace.a[start]
        blocks.append(Block(where, 0 if is_bias else start, end, a, net.layers[end - 1]))
    return blocks


def outputs_by_units(net: Network, trace: chain_rule.Trace, W: chain_rule.Matrices) -> Layers:
    """Return B[l] = dz[L]/dz[l] of each row, (n, K, d[l]), for the layers 2 to L."""
    n, K = trace.y_hat.shape
    B: Layers = {net.n_layers: np.broadcast_to(np.eye(K), (n, K, K))}
    for l in range(net.n_layers - 1, 1, -1):
        B[l] = B[l + 1] @ W[l].T * net.functions[l].prime(trace.z[l])[:, None, :]
    return B


def first_units(B: Layers) -> dict[int, int]:
    """Return which of all units, counted from layer 2 on, is the first of each layer."""
    ends = np.cumsum([0, *(B[l].shape[2] for l in sorted(B))]).tolist()
    return dict(zip(sorted(B), ends, strict=False))


def all_units(B: Layers) -> Array:
    """Return what is known of each layer as one array, (n, K, Q)."""
    return np.concatenate([B[l] for l in sorted(B)], axis=2)


def of_one_unit(blocks: Sequence[Block], weights: Array, first: dict[int, int]) -> Array:
    """Return Σ_r N_qr a_r of every row for all θ, (n, p), from one row of N = Bᵀ Λ B, (n, Q)."""
    parts = [
        of.a[:, :, None] * weights[:, None, first[of.end] : first[of.end] + of.width]
        for of in blocks
    ]
    return np.concatenate([of.reshape(len(weights), -1) for of in parts], axis=1)


def gauss_newton(
    net: Network, trace: chain_rule.Trace, W: chain_rule.Matrices, curvature: Array
) -> Array:
    """Return Σ_i dz_iᵀ Λ_i dz_i, (p, p), all outputs together, from Λ of each row, (n, K, K)."""
    B, blocks = outputs_by_units(net, trace, W), blocks_of(net, trace)
    first, all_b = first_units(B), all_units(B)
    weights = all_b.swapaxes(1, 2) @ (curvature @ all_b)
    H = np.empty((net.n_parameters, net.n_parameters))
    for of in blocks:
        for h in range(of.width):
            unit = of_one_unit(blocks, weights[:, first[of.end] + h], first)
            H[of.column(h)] = of.a.T @ unit
    return H
