"""Hidden units that are dead, saturated, or duplicates of another unit.

A network with such units has fitted as well as a smaller one would; where units are
saturated, a small gradient proves nothing either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from chainrule._contracts import Array
from chainrule.heart.network import Network
from chainrule.rows.memory import MemoryRows
from chainrule.rows.protocol import Block, Rows

MOST_ROWS_LOOKED_AT = 10_000  # evenly spaced, if there are more
MOST_UNITS_COMPARED = 2_000  # of a layer, beyond which no duplicates are looked for
NEARLY_SATURATED_SLOPE = 0.01  # a slope f' that is less, on nearly every row
NEARLY_ALL = 0.99  # rows
CONSTANT = 1e-6  # of the size of a: it moves no more than a bias would
SAME_CORRELATION = 0.9999  # correlation, up to sign
NO_EFFECT = 1e-6  # of the spread of z in the next layer


@dataclass(frozen=True)
class Unit:
    """A hidden unit with something to say about it.

    Attributes
    ----------
    layer, index : int
        Layers counted from 1 (the input), units from 1.
    finding : str
        ``"dead"``: constant on all rows, or without effect on the next layer;
        ``"saturated"``: flat on nearly all rows; ``"duplicate"`` of an earlier unit.
    detail : str
    """

    layer: int
    index: int
    finding: str
    detail: str

    def __str__(self) -> str:
        finding = "a duplicate" if self.finding == "duplicate" else self.finding
        return f"unit {self.index} of layer {self.layer} is {finding}: {self.detail}"


def idle_units(net: Network, theta: Array, X: ArrayLike) -> tuple[Unit, ...]:
    """Return the hidden units that are dead, saturated or duplicates on the rows of X.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import Network
    >>> net = Network([1, 2, 1])
    >>> theta = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0])  # two units alike
    >>> print(*idle_units(net, theta, [[-1.0], [0.0], [1.0]]))
    unit 2 of layer 2 is a duplicate: it repeats unit 1, correlation 1.000000
    """
    X = np.asarray(X)
    return idle_units_of_rows(net, theta, MemoryRows(X, np.empty((len(X), 0)), np.ones(len(X))))


def idle_units_of_rows(net: Network, theta: Array, rows: Rows) -> tuple[Unit, ...]:
    """Return the same of rows, wherever they are."""
    if rows.n_rows < 2:
        return ()
    layers = range(2, net.n_layers + 1)

    def passed(of: Block) -> tuple[Array, ...]:
        trace = net.forward(theta, of.X)
        return tuple(trace.z[l] for l in layers) + tuple(trace.a[l] for l in layers[:-1])

    every = -(-rows.n_rows // MOST_ROWS_LOOKED_AT)
    columns = (rows if every == 1 else rows.take(slice(None, None, every))).map(passed)
    z, outputs = dict(zip(layers, columns, strict=False)), columns[len(layers) :]
    W, _ = net.weights(theta)
    found = []
    for l, a in zip(layers, outputs, strict=False):
        spread, slope = a.std(axis=0), np.abs(net.functions[l].prime(z[l]))
        reaches = np.abs(W[l]).max(axis=1) * spread
        of_next = z[l + 1].std(axis=0).max()
        for j in range(a.shape[1]):
            if spread[j] <= CONSTANT * max(1.0, float(np.abs(a[:, j]).max())):
                found.append(Unit(l, j + 1, "dead", f"its output is {a[0, j]:.4g} on every row"))
            elif not reaches[j] > NO_EFFECT * of_next:
                found.append(Unit(l, j + 1, "dead", "nothing in the next layer depends on it"))
            elif np.mean(slope[:, j] < NEARLY_SATURATED_SLOPE) >= NEARLY_ALL:
                share = np.mean(slope[:, j] < NEARLY_SATURATED_SLOPE)
                found.append(Unit(l, j + 1, "saturated", f"it is flat on {share:.0%} of the rows"))
        found += _duplicates(l, a, spread)
    return tuple(found)


def _duplicates(l: int, a: Array, spread: Array) -> list[Unit]:
    alive = np.flatnonzero(spread > CONSTANT * np.maximum(1.0, np.abs(a).max(axis=0)))
    if len(a) <= 2 or not 2 <= len(alive) <= MOST_UNITS_COMPARED:
        return []
    correlation = np.atleast_2d(np.corrcoef(a[:, alive].T))
    found = []
    for j in range(1, len(alive)):
        i = int(np.argmax(np.abs(correlation[j, :j]) > SAME_CORRELATION))
        if abs(correlation[j, i]) > SAME_CORRELATION:
            how = "mirrors" if correlation[j, i] < 0 else "repeats"
            detail = f"it {how} unit {alive[i] + 1}, correlation {correlation[j, i]:.6f}"
            found.append(Unit(l, int(alive[j]) + 1, "duplicate", detail))
    return found
