"""The engine for rows in memory: a kernel summed over blocks of rows.

Where blocks begin, and the order in which they are added, depend on the number of
rows alone, so that the bits of a result never depend on who computed which block.
The native kernel has blocks of its own, by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chainrule._contracts import Array, Evaluation
from chainrule.heart.network import Network
from chainrule.statistics import determinant
from chainrule.training.kernels import native, reference

Kernel = Callable[[Network, Array, Array, Array, Array, int], Evaluation]

NUMBERS_AT_ONCE = 300_000  # of second derivatives
BLOCK_ROWS = 1024
CUBE_ROOT_OF_EPS = float(np.finfo(np.float64).eps) ** (1 / 3)


def evaluate(net: Network, theta: Array, X: Array, Y: Array, w: Array, order: int) -> Evaluation:
    """Evaluate the cost of all rows, without penalty: see `reference.evaluate`."""
    if native.build() and not net.foreign:
        return native.evaluate(net, theta, X, Y, w, order)
    return sum_over_blocks(reference.evaluate, net, theta, X, Y, w, order)


def residuals(net: Network, theta: Array, X: Array, Y: Array, w: Array) -> tuple[Array, Array]:
    """Return r and dr/dθ of all rows, for when they are few: see `reference.residuals`."""
    return reference.residuals(net, theta, X, Y, w)


def hessian(net: Network, theta: Array, X: Array, Y: Array, w: Array) -> Array:
    """Return the exact d²J/dθ², (p, p), of the cost of all rows without penalty."""
    if hessian_costs_little(net):
        return native.hessian(net, theta, X, Y, w)
    H = np.array([hessian_product(net, theta, e, X, Y, w) for e in np.eye(net.n_parameters)])
    return np.asarray(0.5 * (H + H.T))


def hessian_costs_little(net: Network) -> bool:
    """Return whether the exact Hessian costs about as much as that of Gauss-Newton."""
    return (
        bool(native.build())
        and not net.foreign
        and net.n_layers - 2 <= native.MOST_HIDDEN_LAYERS_FOR_HESSIAN
    )


def hessian_product(net: Network, theta: Array, v: Array, X: Array, Y: Array, w: Array) -> Array:
    """Return H v, (p,), with H the exact Hessian of the cost of all rows without penalty."""
    if net.foreign:
        return _difference_of_gradients(net, theta, v, X, Y, w)
    total = np.zeros_like(theta)
    for rows in blocks(len(X)):
        total += reference.hessian_product(net, theta, v, X[rows], Y[rows], w[rows])
    return total


def slope_of_log_determinant(
    net: Network, theta: Array, X: Array, Y: Array, w: Array, inverse: Array
) -> Array:
    """Return d(½ ln |A|)/dθ, (p,), of all rows: see `statistics.determinant`."""
    size = max(1, NUMBERS_AT_ONCE // determinant.numbers_of_row(net))
    parts = [slice(i, i + size) for i in range(0, len(X), size)]

    def of(rows: slice) -> Array:
        return determinant.slope_of_log_determinant(net, theta, X[rows], Y[rows], w[rows], inverse)

    threads = native.threads()
    if threads == 1 or len(parts) == 1:
        return sum(map(of, parts), np.zeros_like(theta))
    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        return sum(pool.map(of, parts), np.zeros_like(theta))


def _difference_of_gradients(
    net: Network, theta: Array, v: Array, X: Array, Y: Array, w: Array
) -> Array:
    """Return H v where a function may not take complex numbers."""
    length = float(np.linalg.norm(v))
    if length == 0.0:
        return np.zeros_like(v)
    h = CUBE_ROOT_OF_EPS * max(1.0, float(np.linalg.norm(theta))) / length
    up = evaluate(net, theta + h * v, X, Y, w, 1).g
    down = evaluate(net, theta - h * v, X, Y, w, 1).g
    assert up is not None
    assert down is not None
    return np.asarray((up - down) / (2 * h))


def sum_over_blocks(
    kernel: Kernel, net: Network, theta: Array, X: Array, Y: Array, w: Array, order: int
) -> Evaluation:
    """Sum `kernel` over the rows, block by block.

    Parameters
    ----------
    kernel : callable
        ``kernel(net, theta, X, Y, w, order) -> Evaluation`` of one block.
    net, theta, X, Y, w, order
        As the kernel takes them, for all rows.
    """
    return _tree_sum(
        kernel(net, theta, X[rows], Y[rows], w[rows], order) for rows in blocks(len(X))
    )


def blocks(n: int) -> list[slice]:
    """Return the blocks that n rows are cut into."""
    return [slice(i, min(i + BLOCK_ROWS, n)) for i in range(0, n, BLOCK_ROWS)]


def _tree_sum(parts: Iterable[Evaluation]) -> Evaluation:
    """Add neighbours, then the sums of neighbours: rounding grows as log n, not as n.

    Sums are joined as soon as their neighbour is there, so that no more than log n of them
    are kept at a time.
    """
    kept: list[tuple[int, Evaluation]] = []  # sums of 2^k parts, k falling
    for part in parts:
        level = 0
        while kept and kept[-1][0] == level:
            part = kept.pop()[1] + part
            level += 1
        kept.append((level, part))
    total = kept.pop()[1]
    while kept:
        total = kept.pop()[1] + total
    return total
