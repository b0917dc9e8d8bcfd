"""Every row left out: to first order, and by a fit without it where that is not enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import linalg

from chainrule._contracts import Array
from chainrule.statistics.influence import HIGH, Influence, influence
from chainrule.training import bayes
from chainrule.training.objective import Objective

MOST_REFITS, MOST_ITERATIONS = 50, 100
MOST_WORK = 3e8  # multiplications for one step of all of them


def left_out(objective: Objective, theta: Array, v: Array, root: Array) -> Influence | None:
    """Return what every row does to a fit, None if too many decide by themselves.

    To first order what a row has done to its own prediction is h; where that is nearly all, what
    others say is not to be had from it, and is asked of a fit without the row instead.

    Parameters
    ----------
    objective : Objective
    theta : ndarray (p,)
        Its minimum.
    v, root
        As `influence` takes them.
    """
    net, X, Y = objective.net, np.asarray(objective.X), np.asarray(objective.Y)
    found = influence(net, theta, X, Y, v, root)
    alone = np.flatnonzero(found.leverage > HIGH * net.layers[-1])
    work = float(len(alone)) * Y.size * net.n_parameters**2
    if len(alone) > MOST_REFITS or work > MOST_WORK:
        return None
    for i in alone:
        w = objective.w.copy()
        w[i] = max(w[i] - v[i], 0.0)
        if not w.any():
            return None
        without = bayes.settled(replace(objective, sample_weight=w), theta, MOST_ITERATIONS)
        found.z_without[i] = net.forward(without, X[i : i + 1]).z[net.n_layers][0]
        found.distance[i] = np.linalg.norm(_solved(root, without - theta))
    return found


def _solved(root: Array, step: Array) -> Array:
    """Return R⁻¹ of a step, for the weights that are free."""
    free = np.diag(root) > 0.0
    inside = root[np.ix_(free, free)]
    return np.asarray(linalg.solve_triangular(inside, step[free]))
