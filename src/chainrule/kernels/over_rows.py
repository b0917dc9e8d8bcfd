"""Choose a kernel, and sum over all rows what it makes of a block.

The native kernel looks at all rows in memory at once, in blocks of its own; other rows it is given
block by block.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from chainrule._contracts import Array, Evaluation
from chainrule.heart.network import Network
from chainrule.kernels import determinant, native, reference, units
from chainrule.rows.memory import BLOCK_ROWS, MemoryRows
from chainrule.rows.protocol import Block, Rows
from chainrule.rows.sums import tree_sum

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
    if net.foreign:
        H = np.array([hessian_product(net, theta, e, rows) for e in np.eye(net.n_parameters)])
        return np.asarray(0.5 * (H + H.T))
    if not native.build():
        return _in_parts(
            rows,
            units.numbers_of_second_derivatives(net),
            lambda X, Y, w: reference.hessian(net, theta, X, Y, w),
        )
    if isinstance(rows, MemoryRows):
        rows.count()
        return native.hessian(net, theta, rows.X, rows.Y, rows.w)
    return rows.sum(lambda of: native.hessian(net, theta, of.X, of.Y, of.w))


def hessian_costs_little(net: Network) -> bool:
    """Return whether the exact Hessian costs about as much as that of Gauss-Newton."""
    return not net.foreign


def hessian_product(net: Network, theta: Array, v: Array, rows: Rows) -> Array:
    """Return H v, (p,), with H the exact Hessian of the cost of all rows without penalty."""
    if net.foreign:
        return _difference_of_gradients(net, theta, v, rows)
    return rows.sum(lambda of: reference.hessian_product(net, theta, v, of.X, of.Y, of.w))


def slope_of_log_determinant(
    net: Network, theta: Array, rows: Rows, beta: float, inverse: Array
) -> Array:
    """Return d(½ ln |A|)/dθ, (p,), of all rows: see `kernels.determinant`."""
    return _in_parts(
        rows,
        determinant.numbers_of_row(net),
        lambda X, Y, w: determinant.slope_of_log_determinant(net, theta, X, Y, beta * w, inverse),
    )


def _in_parts(rows: Rows, numbers_of_row: int, f: Callable[[Array, Array, Array], Array]) -> Array:
    """Return Σ f(X, Y, w) over parts of the rows, so few that their numbers are not too many."""
    size = max(FEWEST_AT_ONCE, HESSIAN_NUMBERS_AT_ONCE // numbers_of_row)

    def of(part: tuple[Block, slice]) -> Array:
        block, rows = part
        return f(block.X[rows], block.Y[rows], block.w[rows])

    def of_block(block: Block) -> Array:
        parts = [(block, slice(i, i + size)) for i in range(0, len(block), size)]
        found: Array
        if threads == 1 or len(parts) == 1:
            found = tree_sum(map(of, parts))
        else:
            with ThreadPoolExecutor(min(threads, len(parts))) as pool:
                found = tree_sum(pool.map(of, parts))
        return found

    threads = native.threads()
    # several blocks at a time, or several parts of one
    found: Array = rows.sum(of_block, threads=threads if size >= BLOCK_ROWS else 1)
    return found


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
