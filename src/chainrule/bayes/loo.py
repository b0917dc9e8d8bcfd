"""Refit without a row where its leverage is too high for first-order leave-one-out.

First order divides by 1 - h and is inaccurate as h nears 1; these rows are refitted. If there are
many, an evenly spaced sample stands for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from chainrule._cancellation import Cancellation
from chainrule._contracts import Array
from chainrule.bayes import empirical_bayes
from chainrule.bayes.leverage import REFIT_ABOVE, RowInfluence
from chainrule.bayes.posterior import z_of
from chainrule.objectives.objective import Objective

# rows refitted one by one, and Newton steps for each
FEWEST_REFITS, MOST_REFITS, MOST_REFIT_STEPS = 10, 50, 100
MOST_WORK_OF_REFITS = 3e8  # multiplications for one step of all of them
AT_ALL = 1e10  # where the fewest need more, first order has to do


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows that are left out one after the other.

    Attributes
    ----------
    rows : ndarray of int
    stands_for : ndarray (n,)
        How many rows each of all rows stands for: 1, but of those that decide by themselves more if
        it is one of `rows`, else 0.
    """

    rows: NDArray[np.intp]
    stands_for: Array


def sample(objective: Objective, max_leverage: Array, minima: int = 1) -> Sample:
    """Return rows that decide by themselves, as many as can be afforded, evenly chosen.

    Parameters
    ----------
    objective : Objective
    max_leverage : ndarray (n,)
        How far each decides: see `RowInfluence`.
    minima : int
        Of how many minima each row is left out.
    """
    stands_for, high = np.ones(len(max_leverage)), np.flatnonzero(max_leverage > REFIT_ABOVE)
    work = float(minima) * objective.size[0] * objective.net.n_parameters**2
    if len(high) == 0 or FEWEST_REFITS * work > AT_ALL:
        return Sample(high[:0], stands_for)
    n = min(len(high), MOST_REFITS, max(FEWEST_REFITS, int(MOST_WORK_OF_REFITS / work)))
    evenly = np.linspace(0, len(high) - 1, n).round().astype(np.intp)
    rows = high[np.argsort(max_leverage[high], kind="stable")[evenly]]
    stands_for[high] = 0.0
    stands_for[rows] = len(high) / n
    return Sample(rows, stands_for)


def loo(
    objective: Objective,
    theta: Array,
    v: Array,
    root: Array,
    found: RowInfluence,
    rows: NDArray[np.intp],
    cancellation: Cancellation,
) -> RowInfluence:
    """Return what every row does to a fit, of some rows by a fit without them.

    Parameters
    ----------
    objective : Objective
    theta : ndarray (p,)
        Its minimum.
    v, root
        As `influence` takes them.
    found : Influence
        What it made of them.
    rows : ndarray of int
    cancellation : Cancellation
        When it is interrupted, the rows that are left keep first order.
    """
    net = objective.net
    z_loo, distance = found.z_loo.copy(), found.distance.copy()
    method = "lbfgs" if empirical_bayes.is_costly(objective) and not objective.bounded else "auto"
    for i in rows:
        if cancellation.interrupted:
            break
        w = objective.w.copy()
        w[i] = max(w[i] - v[i], 0.0)
        if not w.any():
            continue
        without = empirical_bayes.refine(objective.with_weights(w), theta, MOST_REFIT_STEPS, method)
        row = objective.rows.take(slice(i, i + 1))
        z_loo[i] = z_of(net, without, row)[0]
        distance[i] = np.linalg.norm(_solved(root, without - theta))
    return replace(found, z_loo=z_loo, distance=distance)


def _solved(root: Array, step: Array) -> Array:
    """Return R⁻¹ of a step, for the weights that are free."""
    free = np.diag(root) > 0.0
    inside = root[np.ix_(free, free)]
    return np.asarray(linalg.solve_triangular(inside, step[free]))
