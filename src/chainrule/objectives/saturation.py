"""Saturated units, and weights that diverge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule._contracts import NEGLIGIBLE, Array
from chainrule.heart.network import Network
from chainrule.rows.protocol import Block, Rows

RUNAWAY, SURE_LOG_ODDS = 1e3, 12.0  # see `running_away`: changes in what enters a unit, log odds
# f' of a saturated unit: far below what moves a weight, far above rounding
SATURATED_SLOPE = 1e-10


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts by layer, which add up."""

    of: dict[int, Any]

    def __add__(self, other: Counts) -> Counts:
        return Counts({l: count + other.of[l] for l, count in self.of.items()})


@dataclass(frozen=True, slots=True)
class Extremes:
    """The lowest and the highest value by layer; those of two blocks are those of both."""

    of: dict[int, tuple[Array, Array]]

    def __add__(self, other: Extremes) -> Extremes:
        return Extremes(
            {
                l: (np.minimum(low, other.of[l][0]), np.maximum(high, other.of[l][1]))
                for l, (low, high) in self.of.items()
            }
        )


def saturated(net: Network, rows: Rows, theta: Array, decay: Array, scale: float) -> str | None:
    """Return which units are flat on every row, or where the output is flat and wrong.

    With a penalty a flat unit is not stuck: the penalty still pulls at its weights, and
    where the gradient vanishes it has pulled them to zero.
    """

    def bent(of: Block) -> Counts:
        trace = net.forward(theta, of.X)
        found = {
            l: (np.abs(net.functions[l].prime(trace.z[l])) >= SATURATED_SLOPE).sum(axis=0)
            for l in range(2, net.n_layers)
        }
        if net.loss == "squared":
            slope = np.einsum("nkk->nk", net.pair.slope(trace.z[net.n_layers]))
            error = of.w[:, None] * (trace.y_hat - of.Y) ** 2
            wrong = (np.abs(slope) < SATURATED_SLOPE) & (error > NEGLIGIBLE * scale)
            found[net.n_layers] = np.array(wrong.any(axis=1).sum())
        return Counts(found)

    counts = rows.sum(bent).of
    for l in range(2, net.n_layers):
        f, flat = net.functions[l], counts[l] == 0
        # a relu that is off on every row is common and harmless while others work
        stuck = flat.any() if f.flat_at == "both" else flat.all()
        if stuck and not decay.any():
            return f"layer {l}: {flat.sum()} of {len(flat)} units flat on every row"
    if net.loss == "squared" and counts[net.n_layers] > 0:
        return f"output flat and wrong in {counts[net.n_layers]} of {rows.n_rows} rows"
    return None


def running_away(net: Network, rows: Rows, theta: Array, held: NDArray[np.bool_]) -> str | None:
    """Report a weight without a penalty so large that the minimum appears to be at infinity.

    What enters a unit that saturates, what is added to a number and taken away again by other
    weights, or the logarithm of odds.
    """
    W, _ = net.weights(theta)
    free, _ = net.weights((~held).astype(np.float64))
    last = net.n_layers - 1

    def reached(of: Block) -> Extremes:
        trace = net.forward(theta, of.X)
        ends = {l: (a.min(axis=0), a.max(axis=0)) for l, a in trace.a.items()}
        odds = np.abs(trace.z[net.n_layers])
        return Extremes(ends | {0: (odds.min(axis=0), odds.max(axis=0))})

    ends = rows.sum(reached).of
    for l in range(1, net.n_layers):
        lowest, highest = ends[l]
        size = np.abs(W[l] * free[l]) * (highest - lowest)[:, None]
        if l < last:
            if net.functions[l + 1].flat_at == "both" and size.max() > RUNAWAY:
                where = f"what enters a unit of layer {l + 1}"
                return f"one weight changes {where} by {size.max():.2g}"
        elif net.loss == "squared" and net.output == "identity":
            _, targets = rows.moments
            ranges = targets.highest - targets.lowest
            times = size / np.maximum(ranges, np.finfo(float).tiny)
            if times.max() > RUNAWAY:
                return f"one weight changes a prediction by {times.max():.2g} ranges of the target"
        elif net.loss == "cross_entropy" and free[l].any():
            odds = float(ends[0][0].max())
            if odds > SURE_LOG_ODDS:
                return f"all rows are told apart, with log odds of {odds:.2g} or more"
    return None
