"""Choose a kernel, and sum over all rows what it makes of a block.

The native kernel looks at all rows in memory at once, in blocks of its own; other rows it is given
block by block.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from chainrule._contracts import Array, Evaluation
from chainrule.heart.network import Network
from chainrule.kernels import determinant, native, reference
from chainrule.rows.memory import BLOCK_ROWS, MemoryRows
from chainrule.rows.protocol import Block, Rows

HESSIAN_NUMBERS_AT_ONCE = 300_000  # of second derivatives
FEWEST_AT_ONCE = 64  # rows, with fewer products of matrices take longer than their numbers
# the best step of central differences
CUBE_ROOT_OF_EPS = float(np.finfo(np.float64).eps) ** (1 / 3)


def evaluate(net: Network, theta: Array, rows: Rows, order: int) -> Evaluation:
    """Evaluate the cost of all rows, without penalty: see `reference.evaluate`."""
    kernel: Any = native if native.build() and not net.foreign else reference
    if kernel is native and isinstance(rows, MemoryRows):
        rows.count()
        return native.evaluate(net, theta, rows.X, rows.Y, rows.w, order)
    found: Evaluation = rows.sum(lambda of: kernel.evaluate(net, theta, of.X, of.Y, of.w, order))
    return found


def residuals(net: Network, theta: Array, rows: Rows) -> tuple[Array, Array]:
    """Return r and dr/dθ of all rows, for when they are few: see `reference.residuals`."""

    def of_block(of: Block) -> tuple[Array, Array]:
        return reference.residuals(net, theta, of.X, of.Y, of.w)

    r, A = rows.map(of_block)
    return r, A


def hessian(net: Network, theta: Array, rows: Rows) -> Array:
    """Return the exact d²J/dθ², (p, p), of the cost of all rows without penalty."""
    if hessian_costs_little(net):
        if isinstance(rows, MemoryRows):
            rows.count()
            return native.hessian(net, theta, rows.X, rows.Y, rows.w)
        return rows.sum(lambda of: native.hessian(net, theta, of.X, of.Y, of.w))
    H = np.array([hessian_product(net, theta, e, rows) for e in np.eye(net.n_parameters)])
    return np.asarray(0.5 * (H + H.T))


def hessian_costs_little(net: Network) -> bool:
    """Return whether the exact Hessian costs about as much as that of Gauss-Newton."""
    return (
        bool(native.build())
        and not net.foreign
        and net.n_layers - 2 <= native.MOST_HIDDEN_LAYERS_FOR_HESSIAN
    )


def hessian_product(net: Network, theta: Array, v: Array, rows: Rows) -> Array:
    """Return H v, (p,), with H the exact Hessian of the cost of all rows without penalty."""
    if net.foreign:
        return _difference_of_gradients(net, theta, v, rows)
    return rows.sum(lambda of: reference.hessian_product(net, theta, v, of.X, of.Y, of.w))


def slope_of_log_determinant(
    net: Network, theta: Array, rows: Rows, beta: float, inverse: Array
) -> Array:
    """Return d(½ ln |A|)/dθ, (p,), of all rows: see `kernels.determinant`."""
    size = max(FEWEST_AT_ONCE, HESSIAN_NUMBERS_AT_ONCE // determinant.numbers_of_row(net))

    def of(part: tuple[Block, slice]) -> Array:
        block, rows = part
        X, Y, w = block.X[rows], block.Y[rows], beta * block.w[rows]
        return determinant.slope_of_log_determinant(net, theta, X, Y, w, inverse)

    def of_block(block: Block) -> Array:
        parts = [(block, slice(i, i + size)) for i in range(0, len(block), size)]
        if threads == 1 or len(parts) == 1:
            return sum(map(of, parts), np.zeros_like(theta))
        with ThreadPoolExecutor(min(threads, len(parts))) as pool:
            return sum(pool.map(of, parts), np.zeros_like(theta))

    threads = native.threads()
    # several blocks at a time, or several parts of one
    return rows.sum(of_block, threads=threads if size >= BLOCK_ROWS else 1)


def _difference_of_gradients(net: Network, theta: Array, v: Array, rows: Rows) -> Array:
    """Return H v where a function may not take complex numbers."""
    length = float(np.linalg.norm(v))
    if length == 0.0:
        return np.zeros_like(v)
    h = CUBE_ROOT_OF_EPS * max(1.0, float(np.linalg.norm(theta))) / length
    up = evaluate(net, theta + h * v, rows, 1).g
    down = evaluate(net, theta - h * v, rows, 1).g
    assert up is not None
    assert down is not None
    return np.asarray((up - down) / (2 * h))
